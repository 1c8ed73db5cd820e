"""Rules about devices where a tree would be long and a fact or two decide."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import UNKNOWN_KERNEL, addresses, device, functions, group, machine

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.asked.target import Target, find_target
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import (
    PCI_CLASS_BRIDGE_ISA,
    PCI_CLASS_SYSTEM_IOMMU,
    PCI_CLASS_SYSTEM_RCEC,
    PciExpType,
)
from iommu_inspect.rules import sriov_mix
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding, Purpose
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.tree.directory import DirTree

PORT = "sys/devices/pci0000:00/0000:00:01.0"


def found(rule: str, host: Machine, *targets: str) -> list[Finding]:
    asked = tuple(find_target(host, target) for target in targets)
    result = audit(host, UNKNOWN_KERNEL, asked)
    return [f for f in result.findings if f.rule == rule]


def below(address: str, driver: Any = "vfio-pci", **more: Any) -> Device:
    """A function behind the port 00:01.0."""
    plain = device(address, driver, **more)
    return dataclasses.replace(plain, path=f"{PORT}/{address}")


def port() -> Device:
    plain = device("0000:00:01.0", "pcieport", bridge=True, group="9")
    return dataclasses.replace(plain, path=PORT)


def card(*functions: Device, release: str = "6.12.1") -> Machine:
    """A port with functions below it; the first has only a reset of its bus."""
    by_group: dict[str, list[Device]] = {}
    for function in functions:
        by_group.setdefault(str(function.group), []).append(function)
    groups = [group(*members, id=g) for g, members in by_group.items()]
    return machine(
        *groups,
        group(port(), id="9"),
        kernel=Kernel(release=release, command_line="quiet"),
    )


def test_an_unbound_neighbour_of_the_group_stops_a_hot_reset_since_5_15() -> None:
    first = below("0000:01:00.0", reset_methods=("bus",))
    second = below("0000:01:00.1", None)
    (warned,) = found("reset-scope", card(first, second), "01:00.0")
    assert warned.severity.value == "warning"
    assert addresses(warned) == ("0000:01:00.0", "0000:01:00.1")
    old = card(first, second, release="5.10.1")
    assert not found("reset-scope", old, "01:00.0")


def test_neighbours_on_vfio_in_the_same_group_are_no_matter() -> None:
    first = below("0000:01:00.0", reset_methods=("bus",))
    host = card(first, below("0000:01:00.1"))
    assert not found("reset-scope", host, "01:00.0")


@pytest.mark.parametrize("own", ["device_specific", "acpi", "flr", "af_flr"])
def test_a_function_with_a_reset_of_its_own_reaches_no_other(own: str) -> None:
    neighbour = below("0000:01:00.1", None)
    alone = card(below("0000:01:00.0", reset_methods=(own,)), neighbour)
    assert not found("reset-scope", alone, "01:00.0")
    unknown = card(below("0000:01:00.0", reset_methods=("bus", own[::-1])), neighbour)
    assert found("reset-scope", unknown, "01:00.0")


def test_a_neighbour_of_an_unknown_driver_makes_a_reset_unknown() -> None:
    first = below("0000:01:00.0", reset_methods=("bus",))
    host = card(first, below("0000:01:00.1", Missing.ABSENT, group="2"))
    (told,) = found("reset-scope", host, "01:00.0")
    assert (told.severity.value, told.certainty.value) == ("info", "unknown")


@pytest.mark.parametrize("missing", list(Missing))
def test_resets_that_are_not_told_are_unknown_and_not_absent(missing: Missing) -> None:
    host = card(below("0000:01:00.0", reset_methods=missing))
    (told,) = found("reset-scope", host, "01:00.0")
    assert told.certainty.value == "unknown"


@pytest.mark.parametrize(
    ("vendor", "kind", "counts"),
    [
        (0x10DE, 0x0C0330, True),
        (0x10DE, 0x0C8000, True),
        (0x1002, 0x040300, True),
        (0x1022, 0x0C0330, False),  # the processor's own controllers, not the card's
        (0x8086, 0x040300, False),
    ],
)
def test_companions_are_those_that_the_kernel_links(
    vendor: int, kind: int, counts: bool
) -> None:
    ids = PciIds(vendor, 2, class_code=kind)
    gpu = dataclasses.replace(
        below("0000:01:00.0"), ids=PciIds(0x10DE, 1, class_code=0x030000)
    )
    other = dataclasses.replace(
        below("0000:01:00.2", "some-driver", group="2"), ids=ids
    )
    assert bool(found("companion-functions", card(gpu, other), "01:00.0")) is counts


def test_a_companion_of_an_unknown_driver_is_no_alarm() -> None:
    gpu = dataclasses.replace(
        below("0000:01:00.0"), ids=PciIds(0x10DE, 1, class_code=0x030000)
    )
    other = dataclasses.replace(
        below("0000:01:00.1", Missing.ABSENT, group="2"),
        ids=PciIds(0x10DE, 2, class_code=0x040300),
    )
    (told,) = found("companion-functions", card(gpu, other), "01:00.0")
    assert (told.severity.value, told.certainty.value) == ("info", "unknown")


def test_no_group_apart_is_made_up_where_no_group_is_known() -> None:
    """The output of lspci shows no groups, and may leave ids out at its margin."""
    gpu = dataclasses.replace(
        below("0000:01:00.0", "nvidia", group=Missing.ABSENT),
        ids=PciIds(0x10DE, 1, class_code=0x030000),
    )
    sound = dataclasses.replace(
        below("0000:01:00.1", "snd_hda_intel", group=Missing.ABSENT),
        ids=PciIds(class_code=0x040300),
    )
    host = machine(ungrouped=[gpu, sound], groups_known=False)
    (told,) = found("companion-functions", host, "01:00.0")
    assert "apart" not in told.message
    assert "0000:01:00.0 (bound to nvidia)" in told.message
    assert "0000:01:00.1 (bound to snd_hda_intel)" in told.message
    assert "does not tell whether it shares its group" in told.message


def test_a_companion_in_another_group_is_said_to_be_apart() -> None:
    gpu = dataclasses.replace(
        below("0000:01:00.0"), ids=PciIds(0x10DE, 1, class_code=0x030000)
    )
    sound = dataclasses.replace(
        below("0000:01:00.1", "snd_hda_intel", group="2"),
        ids=PciIds(0x10DE, 2, class_code=0x040300),
    )
    (told,) = found("companion-functions", card(gpu, sound), "01:00.0")
    assert "in a group apart" in told.message


def test_a_device_on_vfio_shows_that_something_gives_groups() -> None:
    bound = below("0000:01:00.0", "vfio-pci", group=Missing.ABSENT)
    plain = below("0000:01:00.1", "ahci", group=Missing.ABSENT)
    host = machine(ungrouped=[bound, plain], groups_known=False)
    (told,) = found("no-iommu", host, "01:00.0")
    assert "0000:01:00.0 is on a vfio driver" in told.message
    assert "no-IOMMU mode" in told.message
    assert told.certainty.value == "unknown"
    host = machine(ungrouped=[plain], groups_known=False)
    (told,) = found("no-iommu", host, "01:00.1")
    assert "vfio" not in told.message


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (PciIds(0x1002, 1, class_code=0x030000), True),
        (PciIds(0x8086, 1, class_code=0x010601), False),  # a disk controller
        (PciIds(0x10DE, 1, class_code=0x030000), False),
    ],
)
def test_vendor_reset_is_for_graphics_cards_of_amd(ids: PciIds, said: bool) -> None:
    only_one = dataclasses.replace(
        device("0000:01:00.0", "vfio-pci", reset_methods=()), ids=ids
    )
    host = machine(group(only_one))
    (told,) = found("reset-scope", host, "01:00.0")
    assert ("vendor-reset" in told.remedy) is said


def test_behind_an_iommu_without_coherent_caches_no_binding_helps() -> None:
    host = machine(
        group(device("0000:01:00.0", "nvme", iommu="fd800000.iommu")),
        iommus=(IommuUnit("fd800000.iommu", "rk_iommu"),),
        kernel=Kernel(release="6.12.1", command_line=""),
    )
    (told,) = found("not-on-vfio", host, "01:00.0")
    assert "(rk_iommu) does not promise that caches are coherent" in told.message
    assert told.step == "find out whether this kernel asks for coherent caches"


# Registers as kernels show them: an emulated unit, a server's, and one without tables.
@pytest.mark.parametrize(
    ("capability", "width"),
    [
        (0x00D2008C22260286, 39),
        (0x08D2078C106F0466, 48),
        (0x08D2078C106F0066, Missing.UNREADABLE),
        (Missing.ABSENT, Missing.ABSENT),
    ],
)
def test_the_width_is_what_the_page_tables_reach(capability: Any, width: Any) -> None:
    assert IommuUnit("dmar0", capability=capability).address_width == width


@pytest.mark.parametrize(
    ("unit", "bits", "certainty"),
    [
        (IommuUnit("dmar0", capability=0x00D2008C22260286), 39, None),
        (IommuUnit("dmar0", capability=0x00D2008C22260286), 40, "kernel"),
        (IommuUnit("dmar0", capability=0x00D2008C22260286), Missing.ABSENT, "kernel"),
        (IommuUnit("dmar0", capability=0x08D2078C106F0466), Missing.ABSENT, None),
        (IommuUnit("dmar0"), 46, "unknown"),
        (IommuUnit("ivhd0"), 48, None),
    ],
)
def test_a_narrow_unit_is_told_of_and_no_other(
    unit: IommuUnit, bits: Any, certainty: str | None
) -> None:
    member = device("0000:01:00.0", "vfio-pci", iommu=unit.name)
    host = machine(group(member), iommus=(unit,), cpu_address_bits=bits)
    certainties = [f.certainty.value for f in found("address-width", host, "01:00.0")]
    assert certainties == ([certainty] if certainty else [])


@pytest.mark.parametrize(
    ("node", "certainty"),
    [
        (NodeAccess(0o600, 0, 0), "kernel"),
        (NodeAccess(0o660, 0, 36), None),
        (NodeAccess(0o600, 1000, 0), None),
        (Missing.DENIED, "unknown"),
        (Missing.ABSENT, None),
    ],
)
def test_a_node_of_root_alone_is_told_of(node: Any, certainty: str | None) -> None:
    host = machine(group(device("0000:01:00.0", "vfio-pci"), node=node))
    findings = found("vfio-access", host, "01:00.0")
    assert [f.certainty.value for f in findings] == ([certainty] if certainty else [])
    assert all("/dev/vfio/1" in f.message.split() for f in findings)


@pytest.mark.parametrize(
    ("limit", "counts"), [(None, False), (8 << 20, True), (1 << 30, False)]
)
def test_a_low_limit_of_locked_memory_is_told_of(limit: Any, counts: bool) -> None:
    host = machine(group(device("0000:01:00.0", "vfio-pci")), memlock_limit=limit)
    assert bool(found("vfio-access", host, "01:00.0")) is counts


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("suspended", "info"),
        ("active", "warning"),
        ("error", "warning"),
        ("suspending", "info"),
        ("resuming", "info"),
        (Missing.ABSENT, "info"),
    ],
)
def test_sleep_and_loss_are_told_apart(status: Any, severity: str) -> None:
    lost = device(
        "0000:01:00.0", "vfio-pci", power_state="D3cold", runtime_status=status
    )
    (told,) = found("power-d3cold", machine(group(lost)), "01:00.0")
    assert told.severity.value == severity


def test_before_5_7_there_is_no_token() -> None:
    pf = device("0000:01:00.0", "vfio-pci", group="1")
    pf = dataclasses.replace(
        pf, pci=dataclasses.replace(pf.pci, virtfns=functions("0000:01:10.0"))
    )
    vf = device("0000:01:10.0", "vfio-pci", group="2")
    for release, count in (("5.4.1", 0), ("5.7.0", 1)):
        host = machine(
            group(pf, id="1"),
            group(vf, id="2"),
            kernel=Kernel(release=release, command_line="quiet"),
        )
        assert len(found("sriov-mix", host, "01:10.0")) == count


@pytest.mark.parametrize(
    ("driver", "used"), [("nvme", True), ("pci-stub", False), (None, False)]
)
def test_a_virtual_function_on_pci_stub_is_used_by_nobody(
    driver: str | None, used: bool
) -> None:
    pf = device("0000:01:00.0", "vfio-pci", group="1")
    pf = dataclasses.replace(
        pf, pci=dataclasses.replace(pf.pci, virtfns=functions("0000:01:10.0"))
    )
    vf = device("0000:01:10.0", driver, group="2")
    vf = dataclasses.replace(vf, pci=dataclasses.replace(vf.pci, physfn=pf.id))
    host = machine(group(pf, id="1"), group(vf, id="2"))
    said = [f.message for f in found("sriov-mix", host, "01:00.0")]
    assert any("while the host uses" in message for message in said) is used


@pytest.mark.parametrize(
    "ids",
    [
        PciIds(class_code=0x010601),
        PciIds(Missing.DENIED, 0x9230),
        PciIds(0x11F8, 0x8531, class_code=0x068000),  # a Switchtec NTB
    ],
)
def test_aliases_that_cannot_be_told_are_unknown(ids: PciIds) -> None:
    plain = dataclasses.replace(device("0000:01:00.0", "vfio-pci"), ids=ids)
    (told,) = found("dma-alias-quirk", machine(group(plain)), "01:00.0")
    assert (told.severity.value, told.certainty.value) == ("info", "unknown")


def test_a_node_is_looked_at_and_anything_else_is_not_one(tmp_path: Path) -> None:
    assert isinstance(DirTree("/", "a test").node("dev/null"), NodeAccess)
    (tmp_path / "dev" / "vfio").mkdir(parents=True)
    (tmp_path / "dev" / "vfio" / "1").write_text("no device")
    tree = DirTree(str(tmp_path), "a test")
    assert tree.node("dev/vfio/1") is Missing.ABSENT
    assert tree.node("dev/vfio/2") is Missing.ABSENT


def booted(line: str, **more: Any) -> Machine:
    return machine(
        kernel=Kernel(release="6.12.1", command_line=line),
        settings=Settings(command_line=parse_command_line(line)),
        **more,
    )


def test_what_makes_isolation_up_is_read_as_the_kernel_reads_it() -> None:
    for line, counts in {
        "quiet pcie_acs_override=downstream": 1,
        "pcie-acs-override=downstream,multifunction quiet": 1,
        "pci=nommconf,disable_acs_redir=pci:0:0": 1,
        "pci=config_acs=xx1@pci:0:0 pcie_acs-override=id:1:1": 2,
        "quiet -- pcie_acs_override=downstream": 0,
        "quiet -- pci=disable_acs_redir=pci:0:0": 0,
        'x="a pcie_acs_override=downstream"': 0,
        "pcie_acs_override": 0,
        "xpcie_acs_override=downstream": 0,
    }.items():
        assert len(found("acs-override", booted(line))) == counts, line


def test_a_word_in_quotes_puts_no_line_of_its_own_into_a_message() -> None:
    (told,) = found("acs-override", booted('pcie_acs_override="a\nrm -rf"'))
    assert "\n" not in told.message


def test_what_turns_the_iommu_off_is_read_as_the_kernel_reads_it() -> None:
    for line, words in {
        "intel_iommu=off": "Take intel_iommu=off off",
        "intel-iommu=off": "Take intel-iommu=off off",
        "quiet intel-iommu=on,sm_on": "asks for it already",
        "quiet": "Boot with intel_iommu=on",
        "quiet -- intel_iommu=off": "Boot with intel_iommu=on",
        "quiet -- intel_iommu=on": "Boot with intel_iommu=on",
    }.items():
        (told,) = found("no-iommu", booted(line, iommus=()))
        assert words in told.remedy, line


def test_the_iommus_own_function_is_not_offered_to_vfio() -> None:
    for kind in (PCI_CLASS_BRIDGE_ISA, PCI_CLASS_SYSTEM_IOMMU, PCI_CLASS_SYSTEM_RCEC):
        plain = device("0000:00:00.2", None)
        unit = dataclasses.replace(plain, ids=PciIds(0x1022, 1, class_code=kind << 8))
        (told,) = found("not-on-vfio", machine(group(unit)), "00:00.2")
        assert "part of the chipset" in told.message
        assert told.final
        assert "vfio-pci" not in told.remedy + told.step


@pytest.mark.parametrize(
    ("unit", "word"),
    [("dmar0", "iommu=pt"), ("smmu3.0x09050000", "iommu.passthrough=1")],
)
def test_what_turns_translation_off_is_a_word_that_the_kernel_has(
    unit: str, word: str
) -> None:
    host = machine(
        group(device("0000:01:00.0", "uio_pci_generic", iommu=unit)),
        iommus=(IommuUnit(unit),),
        firmware_tables=Missing.ABSENT,
    )
    target = find_target(host, "01:00.0")
    result = audit(host, UNKNOWN_KERNEL, (target,), purpose=Purpose.DPDK)
    (finding,) = (f for f in result.findings if f.rule == "uio-driver")
    assert f"(or boot with {word}, which does not)" in finding.remedy


@pytest.mark.parametrize(
    ("driver", "bus", "release", "said"),
    [
        ("octep_vdpa", "pci", "6.12.1", True),
        ("pds_core", "pci", "7.3.4", True),
        ("octep_vdpa", "pci", "6.1.0", False),
        ("ifcvf", "pci", "6.1.0", True),
        ("rkvdec", "platform", "7.3.4", True),
        ("rkvdec", "platform", "6.12.1", False),
        ("rkvdec", "platform", Missing.ABSENT, True),
        ("mlx5_core", "pci", "7.3.4", False),
    ],
)
def test_who_attaches_a_domain_is_told_by_driver_and_release(
    driver: str, bus: str, release: Any, said: bool
) -> None:
    members = (device("0000:01:00.0", driver, bus=bus), device("0000:01:00.1"))
    host = machine(group(*members), kernel=Kernel(release=release))
    result = audit(host, UNKNOWN_KERNEL, purpose=Purpose.ATTACH)
    assert any(f.rule == "attach-user" for f in result.findings) is said


def chain(count: int) -> Machine:
    """A bridge to conventional PCI, alone in its group, with bridges below it."""
    path, bridges = "sys/devices/pci0000:00", []
    for number in range(count):
        group_id = None if number else "1"
        plain = device(f"0000:{number:02x}:01.0", bridge=True, group=group_id)
        path = f"{path}/{plain.address}"
        kind = None if number else PciExpType.PCI_BRIDGE
        pci = dataclasses.replace(plain.pci, acs=None, sriov=None, pcie_type=kind)
        bridges.append(dataclasses.replace(plain, path=path, pci=pci))
    return machine(group(bridges[0]), ungrouped=bridges[1:])


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (2, "00:01.0 (conventional bus with free slots) and 0000:01:01.0 (con"),
        (3, "slots) and 0000:02:01.0 (conventional bus with free slots):"),
        (4, "0000:02:01.0 (conventional bus with free slots) and 1 more:"),
        (6, "0000:02:01.0 (conventional bus with free slots) and 3 more:"),
    ],
)
def test_of_many_ways_to_grow_three_are_named(count: int, said: str) -> None:
    (finding,) = found("singleton-can-grow", chain(count), "group:1")
    assert said in finding.message


def one_card(driver: str, count: int) -> Machine:
    """A physical function and the virtual ones that the host has, each in a group."""
    pf = device("0000:01:00.0", driver, group="0")
    vfs = [
        device(f"0000:{n >> 8:02x}:{n >> 3 & 31:02x}.{n & 7}", "igbvf", group=str(n))
        for n in range(0x200, 0x200 + count)
    ]
    names = tuple(vf.id for vf in vfs)
    pf = dataclasses.replace(pf, pci=dataclasses.replace(pf.pci, virtfns=names))
    placement = dataclasses.replace(pf.pci, virtfns=(), physfn=pf.id)
    vfs = [dataclasses.replace(vf, pci=placement) for vf in vfs]
    return machine(group(pf, id="0"), *(group(vf, id=str(vf.group)) for vf in vfs))


def calls_to_judge(functions: int) -> int:
    """Count the calls that it takes to judge a card's groups, one at a time."""
    host = one_card("igb", functions)
    case = Case(Inquiry(host, UNKNOWN_KERNEL))
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    try:
        for each in host.groups:  # as the summary of a host asks
            target = Target(f"group:{each.id}", None, each)
            asked = dataclasses.replace(case, targets=(target,))
            told = list(sriov_mix.RULE.run(asked))
            assert len(told) == (each.id == "0")  # vfio-pci would refuse this one
    finally:
        sys.setprofile(None)
    return counted


def test_twice_the_functions_of_a_card_are_judged_with_twice_the_calls() -> None:
    whole = Case(Inquiry(one_card("vfio-pci", 2064), UNKNOWN_KERNEL))
    assert [len(kept.devices) for kept in sriov_mix.RULE.run(whole)] == [2065]
    assert calls_to_judge(800) < 2.5 * calls_to_judge(400)
