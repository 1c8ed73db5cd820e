"""The groups that a kernel would make, on small machines and on those of the lab."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import placed
from builders import group, machine
from examples import each
from placed import OFF, ON
from shared import FIXTURES

from iommu_inspect.kernel.grouping.acs.unseen import Unseen
from iommu_inspect.kernel.grouping.making.prediction import Foretold, foretell
from iommu_inspect.model.device import Device, PciIds, SrIov
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.platform import Architecture, Processor
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

UP, DOWN = PciExpType.UPSTREAM, PciExpType.DOWNSTREAM
RP, RP2 = "/0000:00:01.0", "/0000:00:01.1"


def at(address: str, above: str = "", **more: Any) -> Device:
    """A function below the path of bridges ``above``, that has no group."""
    more.setdefault("ids", PciIds(0x10EC, 0x8168, class_code=0x020000))
    return placed.at(address, above, group=None, **more)


def port(address: str, acs: Any = OFF, above: str = "", **more: Any) -> Device:
    facts = {"pcie_type": PciExpType.ROOT_PORT, "acs": acs, "bridge": True, **more}
    facts.setdefault("ids", PciIds(0x1022, 0x1483, class_code=0x060400))
    return at(address, above, **facts)


def host(*devices: Device, **more: Any) -> Machine:
    return machine(ungrouped=devices, **more)


def booted(words: str) -> dict[str, Any]:
    return {"settings": Settings(command_line=parse_command_line(words))}


def groups(found: Foretold) -> list[list[str]]:
    """The groups, by the short addresses of their members."""
    return [[d.address[5:] for d in g.devices] for g in found.machine.groups]


def facts(found: Foretold) -> set[tuple[str, str]]:
    return {
        (doubt.device.address[5:], doubt.what.value)
        for each in found.undecided
        for doubt in each.doubts
    }


PORTS = [port("0000:00:01.0", multifunction=True), port("0000:00:01.1")]
CARDS = [
    at("0000:01:00.0", RP, multifunction=True),
    at("0000:01:00.1", RP),
    at("0000:02:00.0", RP2),
]


def test_acs_counts_as_switched_on_where_the_kernel_was_not_asked() -> None:
    found = foretell(host(*PORTS, *CARDS))
    assert groups(found) == [
        ["00:01.0"],
        ["00:01.1"],
        ["01:00.0", "01:00.1"],
        ["02:00.0"],
    ]
    assert found.predicted
    assert found.told
    assert [g.id for g in found.machine.groups] == ["0", "1", "2", "3"]
    assert all(g.predicted and g.whole for g in found.machine.groups)


def test_a_port_without_acs_takes_what_is_below_and_beside_it() -> None:
    bare = [replace(p, pci=replace(p.pci, acs=None)) for p in PORTS]
    found = foretell(host(*bare, *CARDS))
    assert groups(found) == [["00:01.0", "00:01.1", "01:00.0", "01:00.1", "02:00.0"]]


@each("hidden", [Missing.DENIED, Missing.TRUNCATED, Missing.ABSENT])
def test_a_port_that_was_not_seen_leaves_all_open_that_it_may_join(hidden: Any) -> None:
    lone = port("0000:00:02.0", multifunction=False)
    unseen = replace(PORTS[0], pci=replace(PORTS[0].pci, acs=hidden))
    found = foretell(host(unseen, PORTS[1], lone, *CARDS))
    # The other port of the slot isolates: nothing joins it, or what is below it.
    assert groups(found) == [["00:01.1"], ["00:02.0"], ["02:00.0"]]
    assert [d.address[5:] for d in found.undecided[0].devices] == [
        "00:01.0",
        "01:00.0",
        "01:00.1",
    ]
    assert facts(found) == {("00:01.0", "acs")}
    assert not found.told


def test_a_capability_that_is_listed_without_its_registers_is_enough() -> None:
    listed: dict[str, Any] = {"acs": Missing.TRUNCATED, "acs_listed": True}
    ports = [replace(p, pci=replace(p.pci, **listed)) for p in PORTS]
    found = foretell(host(*ports, *CARDS))
    assert found.told
    assert len(groups(found)) == 4


def test_what_is_off_while_others_are_on_was_taken_away_perhaps() -> None:
    ports = [PORTS[0], replace(PORTS[1], pci=replace(PORTS[1].pci, acs=ON))]
    found = foretell(host(*ports, *CARDS))
    assert facts(found) == {("00:01.0", "options")}
    assert groups(found) == [["00:01.1"], ["02:00.0"]]


@each(
    "words, told",
    [
        ("pci=disable_acs_redir=0000:00:01.0", False),
        ("pci=config_acs=00000@0000:00:01.0", False),
        ("pci=disable_acs_redir=00:03.0/00.0", False),
        ("pci=disable_acs_redir=0000:00:09.0", True),
        ("pci=noaer", True),
    ],
)
def test_an_option_may_take_acs_away(words: str, told: bool) -> None:
    found = foretell(host(*PORTS, *CARDS, **booted(words)))
    assert found.told is told


def test_ports_with_controls_elsewhere_isolate_once_the_kernel_is_asked() -> None:
    ids = PciIds(0x8086, 0xA110, class_code=0x060400)
    wide = port("0000:00:1c.0", ids=ids, multifunction=False)
    card = at("0000:03:00.0", "/0000:00:1c.0")
    others = [replace(p, pci=replace(p.pci, acs=ON)) for p in PORTS]
    found = foretell(host(*others, wide, card))
    assert ["00:1c.0"] in groups(found)
    assert ["03:00.0"] in groups(found)


def test_what_is_behind_the_only_vmd_is_in_its_group() -> None:
    vmd = at(
        "0000:00:0e.0",
        pcie_type=PciExpType.RC_END,
        ids=PciIds(0x8086, 0x467F, class_code=0x010400),
    )
    drive = replace(at("10000:e1:00.0"), path="sys/bus/pci/devices/10000:e1:00.0")
    found = foretell(host(vmd, drive, *PORTS))
    assert [d.address for d in found.machine.groups[-1].devices] == [
        "0000:00:0e.0",
        "10000:e1:00.0",
    ]
    other = replace(
        vmd,
        id=DeviceId("0000:00:0f.0", "pci"),
        path="sys/devices/pci0000:00/0000:00:0f.0",
    )
    found = foretell(host(vmd, other, drive, *PORTS))
    assert groups(found) == [["00:01.0"], ["00:01.1"]]
    assert len(found.undecided[0].devices) == 3


def test_a_nameless_function_may_be_the_vmd() -> None:
    nameless = at("0000:00:0e.0", ids=PciIds(), pcie_type=PciExpType.RC_END)
    drive = replace(at("10000:e1:00.0"), path="sys/bus/pci/devices/10000:e1:00.0")
    found = foretell(host(nameless, drive, *PORTS))
    assert not any("00:0e.0" in members for members in groups(found))


def test_amds_root_complex_and_iommu_have_perhaps_no_group() -> None:
    complex_ = at(
        "0000:00:00.0", ids=PciIds(0x1022, 0x1480, class_code=0x060000), pcie_type=None
    )
    unit = at(
        "0000:00:00.2", ids=PciIds(0x1022, 0x1481, class_code=0x080600), pcie_type=None
    )
    bare: dict[str, Any] = {"firmware_tables": Missing.ABSENT}
    found = foretell(host(complex_, unit, *PORTS, *CARDS, **bare))
    assert [[d.address[5:] for d in e.devices] for e in found.undecided] == [
        ["00:00.0", "00:00.2"]
    ]
    assert len(groups(found)) == 4
    # With the IOMMU off in firmware its function is gone; the root complex tells.
    found = foretell(host(complex_, *PORTS, **bare))
    assert facts(found) == {("00:00.0", "reach")}
    found = foretell(host(complex_, *PORTS))  # a table of Intel's
    assert found.told


@each("maker", [0x0014, Missing.ABSENT])
def test_of_an_iommu_of_another_kind_it_is_not_known_what_it_reaches(
    maker: Any,
) -> None:
    unit = at("0000:00:1d.0", ids=PciIds(maker, 0x3C0F, class_code=0x080600))
    found = foretell(host(unit, *PORTS, *CARDS))
    assert groups(found) == []
    other = Processor(Architecture.OTHER)
    assert groups(foretell(host(*PORTS, *CARDS, processor=other))) == []


def test_graphics_that_an_option_takes_from_the_iommu_get_no_group() -> None:
    igpu = at(
        "0000:00:02.0",
        ids=PciIds(0x8086, 0x9A49, class_code=0x030000),
        pcie_type=PciExpType.RC_END,
    )
    found = foretell(host(igpu, *PORTS, **booted("intel_iommu=on,igfx_off")))
    assert groups(found) == [["00:01.0"], ["00:01.1"]]
    assert found.without == ((igpu, "intel_iommu=on,igfx_off"),)
    assert igpu in found.machine.ungrouped
    assert found.told


def test_functions_that_are_left_out_may_belong_to_any_group() -> None:
    found = foretell(host(*PORTS, *CARDS, all_functions=False))
    assert len(groups(found)) == 4
    assert not any(g.whole for g in found.machine.groups)
    assert not found.told
    no_first = foretell(host(*PORTS, CARDS[1]))
    assert no_first.left_out


def test_what_has_no_place_may_join_whatever_is_above_its_bus() -> None:
    lost = replace(CARDS[2], path="sys/bus/pci/devices/0000:02:00.0")
    ports = [
        replace(p, pci=replace(p.pci, secondary_bus=bus))
        for p, bus in zip(PORTS, (1, 9), strict=True)
    ]
    found = foretell(host(*ports, port("0000:00:03.0"), lost))
    assert groups(found) == []
    # A port whose buses begin behind the function's is not above it, and in a slot of
    # its own it is not beside what is.
    far = port("0000:00:03.0", secondary_bus=9)
    found = foretell(host(*ports, far, lost))
    assert groups(found) == [["00:03.0"]]


def test_functions_that_may_be_virtual_are_not_told_apart() -> None:
    absent = Missing.ABSENT
    several: dict[str, Any] = {"multifunction": True, "virtfns": absent}
    nic = at("0000:01:00.0", RP, sriov=Missing.TRUNCATED, **several)
    other = at("0000:01:00.1", RP, physfn=Missing.ABSENT)
    found = foretell(host(*PORTS, nic, other))
    assert groups(found) == [["00:01.0"], ["00:01.1"]]
    owner = DeviceId("0000:01:00.0", "pci")
    shown = at("0000:01:00.1", RP, physfn=owner)
    sure = at("0000:01:00.0", RP, sriov=SrIov(1, 1, 1))
    assert groups(foretell(host(*PORTS, sure, shown)))[2:] == [["01:00.0"], ["01:00.1"]]


def test_what_only_the_log_names_may_be_gone() -> None:
    there: dict[str, Any] = {"pcie_type": None, "answers": True}
    one = at("0000:00:1f.0", multifunction=True, **there)
    two = at("0000:00:1f.2", **there)
    hidden = at("0000:00:1f.1", pcie_type=None)
    whole = host(one, hidden, two)
    source = replace(whole.source, kind="mixed", parts=("dmesg", "lspci"))
    found = foretell(replace(whole, source=source))
    assert groups(found) == []
    assert facts(found) == {("00:1f.1", Unseen.PLACE.value)}


def test_groups_of_a_kernel_count_and_nothing_is_predicted() -> None:
    whole = machine(group(PORTS[0], id="4"), group(PORTS[1], id="7"))
    found = foretell(whole)
    assert found.machine is whole
    assert not found.predicted
    assert [each.group.id for each in found.differs] == ["4", "7"]  # ACS is off
    on = [replace(p, pci=replace(p.pci, acs=ON)) for p in PORTS]
    assert foretell(machine(group(on[0], id="4"), group(on[1], id="7"))).differs == ()


@each("words, word", [("pcie_acs_override=downstream", True), ("quiet", False)])
def test_made_up_isolation_changes_no_prediction_and_is_named(
    words: str, word: bool
) -> None:
    bare = [replace(p, pci=replace(p.pci, acs=None)) for p in PORTS]
    found = foretell(host(*bare, *CARDS, **booted(words)))
    assert len(groups(found)) == 1
    assert found.made_up == (words if word else None)


def forgotten(whole: Machine) -> Machine:
    devices = sorted(whole.devices, key=lambda d: d.id)
    return replace(
        whole,
        groups=(),
        ungrouped=tuple(replace(d, group=None) for d in devices if d.is_pci),
    )


def test_no_group_of_the_labs_machines_is_predicted_wrong() -> None:
    equal = total = 0
    for path in sorted((FIXTURES / "kernels").glob("*.tar.gz")):
        whole = read_machine(open_path(str(path)))
        if any(g.is_noiommu is True for g in whole.groups):
            continue  # vfio made these up
        made = [[d.address[5:] for d in g.devices] for g in whole.groups]
        found = foretell(forgotten(whole))
        assert all(members in made for members in groups(found)), path.name
        equal += len(groups(found))
        total += len(made)
    assert equal / total > 0.9


def test_losing_a_fact_never_makes_another_group() -> None:
    devices = [*PORTS, *CARDS, port("0000:00:02.0", multifunction=False)]
    switch = [
        port("0000:03:00.0", None, "/0000:00:02.0", pcie_type=UP),
        port("0000:04:00.0", OFF, "/0000:00:02.0/0000:03:00.0", pcie_type=DOWN),
        at("0000:05:00.0", "/0000:00:02.0/0000:03:00.0/0000:04:00.0"),
    ]
    devices += switch
    told = groups(foretell(host(*devices)))
    lost: list[dict[str, Any]] = [
        {"pcie_type": Missing.DENIED, "acs": Missing.DENIED},
        {"acs": Missing.TRUNCATED},
        {"multifunction": Missing.ABSENT},
        {"sriov": Missing.TRUNCATED, "virtfns": Missing.ABSENT},
        {"physfn": Missing.ABSENT},
    ]
    for number, one in enumerate(devices):
        without = [replace(one, pci=replace(one.pci, **facts)) for facts in lost]
        without += [replace(one, ids=PciIds()), replace(one, path=one.address)]
        without.append(replace(one, path=f"sys/bus/pci/devices/{one.address}"))
        for less in without:
            found = foretell(host(*devices[:number], less, *devices[number + 1 :]))
            assert all(members in told for members in groups(found)), less
