"""No answer gets better, and nothing crashes, when something cannot be read."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

from examples import each
from faults.cases import FaultCase, fault_cases, opened
from faults.failing import FailingTree, Fault
from faults.injecting import ERRNOS, Injection, pairs
from faults.judging import wrong
from running import call
from shared import FIXTURES, SYSFS
from trees import ONE, TWO, tree

from iommu_inspect.audit.auditing import audit
from iommu_inspect.cli import session
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.plan.steps.making import Outcome, make_plan
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.failures import missing_of
from iommu_inspect.verdict.outcome import Verdict

SMALL = ("interrupts-unsafe", "no-iommu-mode")
LARGER = ("in-use", "half-a-group", "sriov-one-group", "host-lives-here")
CARD = f"{ONE}/0000:01:00.0"
ROOT = "sys/devices/pci0000:00"
GROUPS = "sys/kernel/iommu_groups"
OSRELEASE = "proc/sys/kernel/osrelease"
CAPABILITIES = "proc/xen/capabilities"


def lost(name: str, *faults: Fault, live: bool = True) -> Machine:
    """Read a fixture as a host's files, some of which fail."""
    found = opened(FaultCase(str(SYSFS / name), live=live))
    return read_machine(FailingTree(found, *faults), processes=True)


def verdict(machine: Machine, *targets: str, purpose: Purpose) -> Verdict:
    found = tuple(find_target(machine, target) for target in targets)
    return audit(machine, applicable(machine.kernel), found, purpose=purpose).verdict


@each("name", SMALL)
def test_no_single_fault_makes_an_answer_better(name: str) -> None:
    """Every operation, for good; `python -m tools.soak` has all captures and errnos."""
    injection = Injection(FaultCase(str(SYSFS / name), live=True))
    found = {
        str(fault): why
        for operation in injection.operations
        if (why := injection.judge(fault := Fault(operation, errno.EIO)))
    }
    assert found == {}


@each("name", LARGER)
def test_no_fault_of_a_sample_makes_an_answer_better(name: str) -> None:
    dice = random.Random(12)
    for live in (True, False):
        case = FaultCase(str(SYSFS / name), live=live)
        injection = Injection(case)
        for fault in dice.sample(list(injection.faults()), 5):
            assert injection.judge(fault) == (), f"{case}: {fault}"


MDEV = f"{ROOT}/0000:00:03.0/83b8f4f2-509f-482f-9c1e-e6bfe0fa1001"
SILENT = f"{ROOT}/0000:00:02.0"
ARRAY = "sys/devices/virtual/block/md0/md"


@each(
    "name, live, path, operation, how",
    [
        ("dpdk-drivers", True, f"{GROUPS}/2/type", "content", "short"),
        ("firmware-mappings", False, OSRELEASE, "content", "short"),
        ("firmware-mappings", True, f"{GROUPS}/4/reserved_regions", "content", "short"),
        ("host-lives-here", False, "proc/1/mountinfo", "content", "short"),
        ("host-lives-here", True, ARRAY, "kind", errno.EACCES),
        ("host-lives-here", True, f"{ARRAY}/degraded", "content", errno.ENODEV),
        ("host-lives-here", True, f"{ARRAY}/level", "kind", errno.EIO),
        ("host-lives-here", True, f"{ARRAY}/level", "content", "short"),
        ("host-lives-here", True, "sys/block", "kind", errno.ESTALE),
        (
            "host-lives-here",
            True,
            "sys/devices/virtual/net/bond0/bonding",
            "kind",
            errno.EIO,
        ),
        ("ids-lost-race", True, f"{ROOT}/0000:00:04.0", "kind", errno.EACCES),
        ("ids-two-cards", True, f"{ROOT}/0000:00:02.1", "kind", errno.EACCES),
        ("in-use", True, f"{GROUPS}/9/devices", "names", errno.EACCES),
        ("in-use", True, f"{MDEV}/driver", "link", errno.ENODEV),
        ("in-use", False, f"{MDEV}/subsystem", "link", errno.ENODEV),
        ("links-only", True, "sys/bus/pci/devices", "names", errno.EIO),
        ("links-only", True, GROUPS, "kind", errno.ENODEV),
        ("no-answer", True, f"{SILENT}/config", "content", errno.ENODEV),
        ("no-answer", False, f"{SILENT}/config", "content", "short"),
        ("no-answer", True, SILENT, "kind", errno.EACCES),
        ("no-answer", True, "sys/devices", "kind", errno.EIO),
        ("no-driver-links", True, f"{ROOT}/0000:00:01.1/driver", "kind", errno.EIO),
        ("no-iommu-mode", False, f"{GROUPS}/0/name", "content", errno.EACCES),
        ("no-iommu-mode", False, f"{GROUPS}/0/name", "content", "short"),
        ("xen-dom0", True, CAPABILITIES, "content", "short"),
        (
            "variant-by-name",
            False,
            f"{ROOT}/0000:00:05.0/class",
            "content",
            errno.EACCES,
        ),
    ],
)
def test_what_once_made_an_answer_better_makes_it_worse_or_leaves_it(
    name: str, live: bool, path: str, operation: str, how: int | str
) -> None:
    """One of each kind that `python -m tools.soak` found."""
    injection = Injection(FaultCase(str(SYSFS / name), live=live))
    assert (operation, path) in injection.operations
    assert injection.judge(Fault((operation, path), how)) == ()


@each(
    "name, first, second",
    [
        ("bare-capture", ("kind", "sys/bus/pci"), ("kind", "sys/devices")),
        (
            "rhel9-with-vfio-dev",
            ("names", "sys/bus/pci/devices"),
            ("kind", "sys/devices"),
        ),
        ("xen-dom0", ("kind", "proc"), ("kind", "sys/kernel")),
        ("xen-dom0", ("kind", "proc"), ("link", f"{ROOT}/0000:00:1f.6/driver")),
        ("xen-dom0", ("kind", "proc"), ("kind", "sys/hypervisor/type")),
        (
            "xen-dom0",
            ("kind", CAPABILITIES),
            ("kind", "sys/bus/pci/drivers/pciback"),
        ),
    ],
)
def test_what_two_faults_once_made_better_they_make_worse_or_leave(
    name: str, first: tuple[str, str], second: tuple[str, str]
) -> None:
    """One of each kind of pair that `python -m tools.soak` found."""
    injection = Injection(FaultCase(str(SYSFS / name), live=True))
    assert injection.judge(Fault(first, errno.EIO), Fault(second, errno.ESTALE)) == ()


def test_what_may_be_a_part_of_the_chipset_is_not_planned_away() -> None:
    """The soak of real kernels found it: the host bridge, whose class failed."""
    capture = FIXTURES / "kernels" / "5.10-reference-2.tar.gz"
    injection = Injection(FaultCase(str(capture), live=False))
    place = ("content", f"{ROOT}/0000:00:00.0/class")
    assert place in injection.operations
    assert injection.judge(Fault(place, errno.EIO)) == ()


def test_no_pair_of_faults_of_a_sample_makes_an_answer_better() -> None:
    dice = random.Random(7)
    for case in dice.sample(list(fault_cases()), 4):
        assert list(pairs(case, dice, 4)) == []


def test_a_better_answer_is_seen() -> None:
    before = {"audit vfio": "blocked", "list 1": "kernel"}
    assert list(wrong(before, {"audit vfio": "ready", "list 1": "unknown"})) == [
        "audit vfio: blocked -> ready"
    ]
    assert list(wrong(before, {"list 1": "kernel", "audit vfio": "unknown"})) == []
    assert list(wrong({}, {"audit vfio group:1": "ready"})) != []


def commands(name: str) -> Iterator[tuple[str, ...]]:
    source = ("--from", str(SYSFS / name))
    yield ("list", *source)
    yield ("list", "--predict-groups", *source)
    yield ("predict", *source)
    yield ("why", "0000:03:00.0", *source)
    yield ("whatif", "unbind=0000:03:00.0", *source)
    yield ("diff", str(SYSFS / name), str(SYSFS / name))
    for purpose in Purpose:
        yield ("audit", "--for", purpose.value, *source)
        yield ("plan", "0000:03:00.0", "--for", purpose.value, *source)
    for output in ("sh", "json", "libvirt", "driverctl"):
        yield ("plan", "0000:03:00.0", "--format", output, *source)


def test_no_command_crashes_whatever_cannot_be_read() -> None:
    """A crash is raised here; an exit code is one of the documented."""
    dice = random.Random(3)
    found = opened(FaultCase(str(SYSFS / "host-lives-here"), live=True))
    whole = FailingTree(found)
    read_machine(whole, processes=True)
    for command in commands("host-lives-here"):
        fault = Fault(dice.choice(whole.made), dice.choice(ERRNOS))
        failing = FailingTree(found, fault)
        with (
            mock.patch.object(session, "open_source", return_value=failing),
            mock.patch("running._load_once", session.load),
        ):
            done = call(*command)
        assert done.returncode in (0, 1, 2, 3, 4), f"{command} with {fault}"


def test_groups_that_cannot_be_listed_are_not_whole() -> None:
    fault = Fault(("names", "sys/kernel/iommu_groups"), errno.EIO)
    machine = lost("groups-of-one", fault)
    assert machine.groups
    assert not any(group.whole for group in machine.groups)
    for purpose in (Purpose.VFIO, Purpose.ATTACH):
        group = f"group:{machine.groups[0].id}"
        assert verdict(machine, group, purpose=purpose) is Verdict.UNKNOWN


def test_a_device_of_unknown_group_may_be_in_any(tmp_path: Path) -> None:
    """The capture has no lists of the groups' own: only the devices name them."""
    spec = {
        f"sys/bus/pci/devices/{path.rpartition('/')[2]}": f"->{path}"
        for path in (ONE, TWO)
    }
    for path in (ONE, TWO):
        spec |= {
            f"{path}/uevent": "",
            f"{path}/iommu_group": "->sys/kernel/iommu_groups/1",
        }
    found = tree(tmp_path, spec)
    whole = read_machine(found)
    assert verdict(whole, "group:1", purpose=Purpose.ATTACH) is not Verdict.READY
    (tmp_path / f"{TWO}/iommu_group").unlink()
    (tmp_path / f"{TWO}/iommu_group").symlink_to("iommu_group")
    after = read_machine(tree(tmp_path, {}))
    assert [group.whole for group in after.groups] == [False]
    assert verdict(after, "group:1", purpose=Purpose.ATTACH) is Verdict.UNKNOWN


@each(
    "lost_path",
    [
        "proc",
        "proc/1",
        "proc/1/mountinfo",
        "sys/class/block",
        "sys/class/block/nvme0n1p1",
    ],
)
def test_the_hosts_disk_is_never_planned_away_for_want_of_a_file(
    lost_path: str,
) -> None:
    faults = [
        Fault((operation, lost_path), errno.EACCES)
        for operation in ("kind", "link", "names", "content")
    ]
    for live in (True, False):
        whole = lost("in-use", live=live)
        disk = find_target(whole, "0000:00:04.0")
        rules = applicable(whole.kernel)
        assert make_plan(whole, rules, [disk]).outcome is Outcome.REFUSED
        machine = lost("in-use", *faults, live=live)
        plan = make_plan(machine, rules, [find_target(machine, "0000:00:04.0")])
        assert plan.outcome is not Outcome.PLANNED
        looked = {look.about for c in plan.conditions for look in c.looks}
        assert plan.refusals or disk.device is None or disk.device.id in looked


@each("file", ["proc/1/mountinfo", "proc/swaps", "proc/net/route"])
def test_a_table_that_breaks_off_is_not_taken_for_whole(file: str) -> None:
    whole = lost("host-lives-here")
    assert whole.host.untold == ()
    machine = lost("host-lives-here", Fault(("content", file), "short"))
    assert [why for _, why in machine.host.untold] == [Missing.TRUNCATED]


def test_an_id_that_breaks_off_is_no_other_id() -> None:
    path = "sys/devices/pci0000:00/0000:00:03.0/0000:3b:00.0"
    machine = lost("sriov-one-group", Fault(("content", f"{path}/vendor"), "short"))
    (device,) = [d for d in machine.devices if d.path == path]
    assert device.ids.vendor is Missing.TRUNCATED


def test_virtual_functions_of_a_directory_that_cannot_be_listed_are_not_forgotten() -> (
    None
):
    card = "sys/devices/pci0000:00/0000:00:07.0/0000:07:00.0"
    machine = lost("device-facts", Fault(("names", card), errno.EIO))
    device = find_target(machine, "0000:07:00.0").device
    assert device is not None
    assert not known(device.pci.virtfns)
    target = find_target(machine, "0000:07:00.0")
    plan = make_plan(machine, applicable(machine.kernel), [target])
    assert plan.outcome is Outcome.UNKNOWN
    assert "sriov-mix" in {refusal.rule for refusal in plan.refusals}


def test_a_listed_virtual_function_whose_link_is_gone_is_no_shorter_list() -> None:
    link = "sys/devices/pci0000:00/0000:00:03.0/0000:3b:00.0/virtfn1"
    machine = lost("sriov-one-group", Fault(("kind", link), errno.ENOENT))
    device = find_target(machine, "0000:3b:00.0").device
    assert device is not None
    assert device.pci.virtfns is Missing.UNREADABLE


@each("number", [errno.EIO, errno.EACCES, errno.ENODEV])
def test_vfio_devices_that_cannot_be_read_are_neither_there_nor_not(
    number: int,
) -> None:
    path = "sys/devices/pci0000:00/0000:00:05.0/vfio-dev"
    machine = lost("variant-by-vfio-dev", Fault(("kind", path), number))
    device = next(d for d in machine.devices if d.path and str(d.path) in path)
    assert has_vfio_driver(device) is None


@each("operation", ["kind", "link"])
def test_a_host_with_a_driver_that_cannot_be_read_is_not_called_in_order(
    operation: str,
) -> None:
    machine = lost("groups-of-one")
    assert verdict(machine, purpose=Purpose.VFIO) is Verdict.READY
    device = next(d for d in machine.devices if d.driver == "ifcvf")
    fault = Fault((operation, f"{device.path}/driver"), errno.EIO)
    after = lost("groups-of-one", fault)
    assert verdict(after, purpose=Purpose.VFIO) is Verdict.UNKNOWN


@each("name", ["driver", "iommu_group", "vfio-dev"])
def test_what_a_directory_lists_is_not_taken_for_absent(name: str) -> None:
    """The listing and the link contradict each other: one of the two was too late."""
    machine = lost("groups-of-one")
    device = next(d for d in machine.devices if d.driver == "vfio-pci")
    listed = known(device.vfio_devices) and device.vfio_devices
    if name == "vfio-dev" and not listed:
        return
    fault = Fault(("kind", f"{device.path}/{name}"), errno.ENOENT)
    after = lost("groups-of-one", fault).device(device.id)
    assert after is not None
    facts = {
        "driver": after.driver,
        "vfio-dev": after.vfio_devices,
        "iommu_group": after.group,
    }
    # The group lists the device too, which is as good.
    assert (
        facts[name] == device.group if name == "iommu_group" else not known(facts[name])
    )


@each(
    "number, missing",
    [
        (errno.ENOENT, Missing.ABSENT),
        (errno.ENOTDIR, Missing.ABSENT),
        (errno.EACCES, Missing.DENIED),
        (errno.EPERM, Missing.DENIED),
        *(
            (number, Missing.UNREADABLE)
            for number in (
                errno.ENODEV,
                errno.ENXIO,
                errno.ESTALE,
                errno.ENAMETOOLONG,
                errno.EIO,
                errno.EMFILE,
                errno.ENOMEM,
                errno.ELOOP,
            )
        ),
        (None, Missing.UNREADABLE),
    ],
)
def test_only_two_errors_say_that_there_is_no_file(
    number: int | None, missing: Missing
) -> None:
    assert missing_of(number) is missing


@each("operation", ["kind", "link"])
def test_a_device_whose_link_on_the_bus_fails_is_shown_once(operation: str) -> None:
    address = "0000:00:04.0"
    whole = lost("groups-of-one")
    for live in (True, False):
        machine = lost(
            "groups-of-one",
            Fault((operation, f"sys/bus/pci/devices/{address}"), errno.EIO),
            live=live,
        )
        names = [device.address for device in machine.devices]
        assert names == [device.address for device in whole.devices]
        (group,) = [
            g for g in machine.groups if address in {d.address for d in g.devices}
        ]
        assert group.whole


def test_a_bus_that_cannot_be_listed_leaves_the_host_unknown() -> None:
    fault = Fault(("names", "sys/bus/pci/devices"), errno.EIO)
    machine = lost("groups-of-one", fault)
    assert machine.unlisted == (("pci", Missing.UNREADABLE),)
    assert verdict(machine, purpose=Purpose.VFIO) is Verdict.UNKNOWN


@each("lost_driver", [Missing.UNREADABLE, Missing.DENIED])
def test_what_one_driver_hides_does_not_spare_the_look_at_another_device(
    lost_driver: Missing,
) -> None:
    """A group of two: vfio has one, told by its ``vfio-dev`` alone; a NIC moves."""
    path = FIXTURES / "kernels" / "7.3-no-remapping-1.tar.gz"
    machine = read_machine(opened(FaultCase(str(path), live=False)))
    untold = ((UseKind.DEFAULT_ROUTE, Missing.ABSENT),)
    machine = replace(
        machine,
        interrupt_remapping=InterruptRemapping.ON,
        host=replace(machine.host, untold=untold),
    )
    taken = machine.device(DeviceId("0000:03:01.0", "pci"))
    assert taken is not None
    after = machine.with_device(taken, replace(taken, driver=lost_driver))
    for target in ("group:7", "0000:03:02.0"):
        for each_one in (machine, after):
            plan = make_plan(
                each_one,
                applicable(machine.kernel),
                [find_target(each_one, target)],
            )
            assert plan.outcome is Outcome.UNKNOWN
            looked = {str(look.about) for c in plan.conditions for look in c.looks}
            assert "0000:03:02.0" in looked


def test_a_slot_whose_card_cannot_be_read_is_not_empty() -> None:
    """The group names the card; its address says on which bus it is."""
    path = FIXTURES / "kernels" / "5.10-empty-slot-2.tar.gz"
    injection = Injection(FaultCase(str(path), live=False))
    card = f"{ROOT}/0000:00:01.0/0000:01:00.0"
    for number in ERRNOS:
        assert injection.judge(Fault(("kind", card), number)) == ()


BEHIND = f"{ROOT}/0000:00:01.2/vendor"
VIRTUAL_OF = f"{ROOT}/0000:00:01.0/0000:01:00.0"


@each(
    "name, faults",
    [
        # Whether there are groups is not told: their way may be open.
        ("7.3-own-sriov-vfio-3", [("kind", "sys/class/vfio")]),
        # VFIO asks for no interrupts where it may have made the group up.
        ("7.3-own-no-iommu-unsafe-1", [("link", "sys/bus/pci/devices/0000:00:1f.2")]),
        ("7.3-own-no-iommu-unsafe-1", [("content", f"{GROUPS}/1/name")]),
        ("7.3-own-no-iommu-unsafe-1", [("kind", GROUPS)]),
        # Virtual functions that are there are no way for more.
        ("6.1-sriov-no-acs-1", [("link", f"{VIRTUAL_OF}/virtfn1")]),
        ("6.1-sriov-no-acs-1", [("names", VIRTUAL_OF)]),
        # Of a port nothing can be read, whether it is one neither.
        ("6.12-disable-acs-redir-0", [("kind", "sys/bus"), ("kind", BEHIND)]),
    ],
)
def test_no_answer_is_made_up_for_what_is_lost(
    name: str, faults: list[tuple[str, str]]
) -> None:
    """Found by the whole soak: no better answer, and none that was not true before."""
    path = FIXTURES / "kernels" / f"{name}.tar.gz"
    injection = Injection(FaultCase(str(path), live=False))
    assert injection.judge(*(Fault(at, errno.EIO) for at in faults)) == ()
