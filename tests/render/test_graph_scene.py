"""The picture before it is drawn: every device once, and what is alike is one box."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from builders import device, group, machine
from hypothesis import given
from hypothesis import strategies as st
from pictures import (
    ROOT,
    at,
    called,
    counted,
    machines,
    scene,
    scene_at,
    virtual_functions,
)
from running import read
from shared import FIXTURES, SHARED, SYSFS, needs_shared

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.graph.folding import cut, fold, folded_for, size
from iommu_inspect.render.graph.narrowing import narrowed
from iommu_inspect.render.graph.ranges import numbers
from iommu_inspect.render.graph.scene import Kind
from iommu_inspect.sources.errors import SourceError
from tools.net.sources import ROOT as CHECKOUT
from tools.net.sources import sources

DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))


def everyone(of: Machine) -> list[str]:
    return sorted(each.address for each in of.devices)


@given(machines())
def test_every_device_is_drawn_once_however_much_is_folded(made: Machine) -> None:
    whole = scene(made)
    assert counted(whole) == everyone(made)
    for level in (1, 2, 3):
        assert counted(fold(whole, level)) == everyone(made)
    for depth in (0, 1, 2):
        assert counted(cut(whole, depth)) == everyone(made)


@given(machines(), st.data())
def test_what_is_left_out_is_counted(made: Machine, data: st.DataObject) -> None:
    every = [*made.devices]
    asked = data.draw(st.lists(st.sampled_from(every), max_size=3)) if every else []
    found = narrowed(scene(made, asked), {each.id for each in asked})
    shown = counted(found)
    assert {each.address for each in asked} <= set(shown)
    assert len(shown) + found.hidden == len(every)


@given(machines())
def test_the_same_machine_gives_the_same_scene(made: Machine) -> None:
    assert scene(made) == scene(made)


def test_every_device_of_the_fixtures_is_drawn_once() -> None:
    captures = [*SYSFS.iterdir(), *(FIXTURES / "kernels").glob("*.tar.gz")]
    trees = [path for path in captures if path.is_dir() or path.suffix == ".gz"]
    assert len(trees) > 50
    for path in trees:
        assert counted(folded_for(scene_at(path))) == everyone(read(path)), path


@needs_shared
def test_every_device_of_real_machines_is_drawn_once() -> None:
    looked = 0
    for name in sources()[::3]:
        path = CHECKOUT / name
        if not path.resolve().is_relative_to(SHARED):
            continue
        try:
            made = read(path)
        except (SourceError, BadRequestError):
            continue  # a capture that no command reads
        assert counted(folded_for(scene(made))) == everyone(made), name
        looked += 1
    assert looked > 20


def test_a_bridge_that_takes_requests_on_is_marked_and_its_group_named() -> None:
    found = called(scene_at(DEMO), "0000:02:00.0")
    (mark,) = found.marks
    assert mark.startswith("isolation of group 7 is lost here: the bridge 0000:02:00.0")
    assert found.ownership is Ownership.CONFLICT
    assert found.hue is not None
    growth = found.children[-1]
    assert growth.kind is Kind.GROWTH
    assert growth.groups == ("7",)
    assert "free slots" in growth.counted


def test_a_device_that_isolates_is_not_marked() -> None:
    found = called(scene_at(DEMO), "0000:01:00.0")
    assert (found.marks, found.hue, found.children) == ((), None, ())


def test_functions_that_are_alike_are_one_box_with_their_groups() -> None:
    found = folded_for(scene(virtual_functions(8)))
    port = called(found, "0000:00:01.0")
    (box,) = port.children
    assert box.title == "0000:01:00.0-7"
    assert box.group_words == "groups 10-17"
    assert box.counted.startswith("8 devices: Ethernet controller")


def test_two_that_are_alike_are_not_put_together() -> None:
    whole = scene(virtual_functions(2))
    assert folded_for(whole) == whole


def test_functions_of_several_slots_are_named_by_their_ends() -> None:
    found = folded_for(scene(virtual_functions(12)))
    assert called(found, "0000:01:00.0 to 0000:01:01.3").group_ids == "10-21"


def test_another_driver_or_group_keeps_boxes_apart() -> None:
    one, two, three, four = (device(f"0000:00:0{n}.0", "e1000") for n in range(4))
    other = replace(two, driver="vfio-pci")
    apart = machine(*(group(d, id=d.address[8]) for d in (one, other, three, four)))
    assert size(folded_for(scene(apart))) == size(scene(apart))
    together = machine(group(one, two, id="1"), group(three, four, id="2"))
    assert size(folded_for(scene(together))) == size(scene(together))


def test_devices_of_an_unknown_driver_are_not_among_those_without() -> None:
    free = [at(device(f"0000:00:0{n}.0", None), ROOT) for n in range(4)]
    lost = [
        at(device(f"0000:00:1{n}.0", Missing.DENIED, name=f"n{n}"), ROOT)
        for n in range(4)
    ]
    every = [replace(d, name=d.address) for d in free] + lost
    found = fold(scene(machine(*(group(d, id=d.address[5:]) for d in every))), 2)
    box = called(found, "0000:00:00.0 and 3 more")
    assert box.ownership is Ownership.NONE
    assert all(called(found, d.address).ownership is Ownership.UNKNOWN for d in lost)


def test_a_group_that_is_not_told_is_not_one_that_is_not_there() -> None:
    told = device("0000:00:01.0", group=None)
    untold = device("0000:00:02.0", group=Missing.DENIED)
    found = scene(machine(ungrouped=[told, untold]))
    assert called(found, "0000:00:01.0").group_words == "no group"
    assert called(found, "0000:00:02.0").group_words == "group not told"


def test_what_is_behind_a_vmd_is_below_it_on_a_root_bus_of_its_own() -> None:
    vmd = at(device("0000:00:0e.0", "vmd"), ROOT)
    drive = at(device("10000:e1:00.0", "nvme"), f"{vmd.path}/pci10000:e0")
    found = called(scene(machine(group(vmd, drive))), "0000:00:0e.0")
    root = found.children[0]
    assert (root.kind, root.title) == (Kind.ROOT, "pci10000:e0")
    assert root.what == "root bus e0 of PCI domain 10000"
    assert [child.title for child in root.children] == ["10000:e1:00.0"]


def test_a_function_of_which_nobody_knows_the_place_hangs_below_its_domain() -> None:
    lost = at(device("0001:04:00.0"), "sys/bus/pci/devices")
    (root,) = scene(machine(group(lost))).roots
    assert (root.title, root.what) == (
        "PCI domain 0001",
        "what is above these is not told",
    )


def test_a_tree_of_any_depth_is_drawn() -> None:
    path, members = ROOT, []
    for number in range(900):
        made = at(device(f"{number:04x}:00:00.0", bridge=True), path)
        assert isinstance(made.path, str)
        path = made.path
        members.append(made)
    made_up = machine(*(group(d, id=str(n)) for n, d in enumerate(members)))
    assert len(counted(folded_for(scene(made_up)))) == 900


def test_what_is_cut_off_says_who_owns_it_and_what_is_lost_there() -> None:
    box = called(cut(scene_at(DEMO), 0), "12 devices")
    assert box.what == (
        "not drawn one by one, owner conflict of 3, owner kernel of 5, owner none of "
        "3, owner user of 1, isolation is lost at 2, 2 groups can grow"
    )


def test_only_the_branches_of_a_target_and_of_its_group_are_kept() -> None:
    whole = read(DEMO)
    (asked,) = whole.called("0000:03:01.0")
    holds = whole.group_of(asked)
    assert holds is not None
    found = narrowed(scene(whole, [asked]), {each.id for each in holds.devices})
    assert counted(found) == [
        "0000:00:02.0",
        "0000:02:00.0",
        "0000:03:01.0",
        "0000:03:02.0",
    ]
    assert found.hidden == 8
    assert called(found, "0000:03:01.0").asked


def test_runs_of_ids_are_ranges_and_gaps_are_not() -> None:
    assert numbers(("1", "2", "3", "7", "8", "10")) == "1-3, 7, 8, 10"
    assert numbers(()) == ""
    assert numbers(("0", "2", "4", "6", "8", "9")) == "0, 2, 4, 3 more"
    assert numbers(("9" * 5000, "x")) == f"{'9' * 5000}, x"
