"""ids-take-others, ids-without-effect and settings-typo: how bad, and how sure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import ReservedRegion
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.settings import ModprobeConfig, ModuleState, Settings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.render.audits.verdict import audit_text
from iommu_inspect.rules._cures import ByAddress, Cure, WriteLine
from iommu_inspect.rules.finding import Finding, Purpose
from iommu_inspect.settings.maker import knows_relax_rmrr
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe

LOADED, BUILT_IN, NOT_LOADED = ModuleState
FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
BY_ADDRESS = ByAddress(DeviceId(FIRST, "pci"), "vfio-pci")
SOFTDEP = WriteLine("/etc/modprobe.d/vfio.conf", "softdep nouveau pre: vfio-pci")


def card(address: str, driver: Fact[str | None], **more: Any) -> Device:
    ids = more.pop("ids", PciIds(0x10DE, 0x1E04, class_code=0x030000))
    return replace(device(address, driver, group=address[5:7], **more), ids=ids)


def host(
    *cards: Device,
    command_line: str = "vfio-pci.ids=10de:1e04",
    modprobe: Fact[ModprobeConfig] = Missing.ABSENT,
    vfio_pci: ModuleState | None = LOADED,
    others: Iterable[tuple[str, ModuleState]] = (("nouveau", LOADED),),
    **more: Any,
) -> Machine:
    states = [*others, *([("vfio_pci", vfio_pci)] if vfio_pci else [])]
    return machine(
        *(group(c, id=str(c.group)) for c in cards),
        kernel=Kernel(release="6.12.1", command_line=command_line),
        settings=Settings(
            modprobe=modprobe,
            command_line=parse_command_line(command_line),
            modules=tuple(states),
            driver_modules=(("nouveau", "nouveau"), ("vfio-pci", "vfio_pci")),
        ),
        **more,
    )


def judged(machine: Machine, *targets: str) -> Audit:
    found = tuple(find_target(machine, text) for text in targets)
    return audit(machine, only(SINCE_6_6), found)


def of(rule: str, machine: Machine, *targets: str) -> list[Finding]:
    return [f for f in judged(machine, *targets).findings if f.rule == rule]


@pytest.mark.parametrize(
    ("first", "second", "targets", "severity"),
    [
        ("vfio-pci", "nouveau", (), "warning"),
        ("vfio-pci", "nouveau", (FIRST,), "warning"),
        ("nouveau", "nouveau", (FIRST,), "error"),
        (None, "nouveau", (FIRST,), "error"),
        ("nouveau", "vfio-pci", (FIRST,), "warning"),
        ("nouveau", None, (FIRST,), "warning"),
        ("vfio-pci", "vfio-pci", (FIRST,), "info"),
        ("vfio-pci", "vfio-pci", (), "warning"),
        ("nouveau", "nouveau", (), None),
        ("vfio-pci", None, (), None),
        ("vfio-pci", "nouveau", (FIRST, SECOND), None),
    ],
)
def test_how_bad_it_is_that_ids_name_another_one(
    first: str | None, second: str | None, targets: tuple[str, ...], severity: str
) -> None:
    both = host(card(FIRST, first), card(SECOND, second))
    found = of("ids-take-others", both, *targets)
    assert [f.severity.value for f in found] == ([severity] if severity else [])


def test_it_never_makes_a_device_that_is_ready_blocked() -> None:
    both = host(card(FIRST, "vfio-pci"), card(SECOND, "nouveau"))
    assert judged(both, FIRST).verdict.value == "ready"


def test_an_override_keeps_the_other_card_out_of_it() -> None:
    """As after truenas/middleware pull request 11397: by address, no ids counting."""
    kept = card(SECOND, "nouveau", driver_override="nouveau")
    assert of("ids-take-others", host(card(FIRST, "vfio-pci"), kept), FIRST) == []


def test_a_subsystem_in_the_entry_tells_two_cards_apart_or_is_not_told() -> None:
    line = "vfio-pci.ids=10de:1e04:1043:8674"
    mine = PciIds(0x10DE, 0x1E04, 0x1043, 0x8674)
    other = PciIds(0x10DE, 0x1E04, 0x1458, 0x37C4)
    untold = PciIds(0x10DE, 0x1E04)
    first = card(FIRST, "nouveau", ids=mine)
    for ids, expected in ((other, []), (untold, ["warning unknown"])):
        both = host(first, card(SECOND, "nouveau", ids=ids), command_line=line)
        found = of("ids-take-others", both, FIRST)
        assert [f"{f.severity.value} {f.certainty.value}" for f in found] == expected


def test_a_neighbour_in_the_group_has_to_go_along_anyway() -> None:
    first, second = card(FIRST, "vfio-pci"), card("0000:01:00.1", "vfio-pci")
    both = host(first, second)
    together = replace(both, groups=(group(first, second, id="01"),))
    assert of("ids-take-others", together, FIRST) == []


def test_ids_that_modprobe_d_gives_to_a_built_in_driver_take_nobody() -> None:
    both = host(
        card(FIRST, "vfio-pci"),
        card(SECOND, "nouveau"),
        command_line="quiet",
        modprobe=parse_modprobe("options vfio-pci ids=10de:1e04"),
        vfio_pci=BUILT_IN,
    )
    assert of("ids-take-others", both, FIRST) == []


@pytest.mark.parametrize(
    ("vfio_pci", "nouveau", "modprobe", "message", "cure"),
    [
        (LOADED, LOADED, "", "was there first.", SOFTDEP),
        (
            LOADED,
            LOADED,
            "softdep nouveau pre: vfio-pci",
            "although a softdep",
            None,
        ),
        (LOADED, BUILT_IN, "", "before any module", BY_ADDRESS),
        (NOT_LOADED, LOADED, "", "vfio-pci is not loaded,", SOFTDEP),
        (NOT_LOADED, BUILT_IN, "", "vfio-pci is not loaded,", BY_ADDRESS),
        (
            NOT_LOADED,
            LOADED,
            "install vfio-pci /bin/false",
            "runs another command",
            SOFTDEP,
        ),
        (BUILT_IN, LOADED, "", "vfio-pci is built into this kernel, but", BY_ADDRESS),
        (None, LOADED, "", "the source does not tell", SOFTDEP),
    ],
)
def test_why_the_ids_have_no_effect(
    vfio_pci: ModuleState | None,
    nouveau: ModuleState,
    modprobe: str,
    message: str,
    cure: Cure | None,
) -> None:
    lost = host(
        card(FIRST, "nouveau"),
        modprobe=parse_modprobe(modprobe),
        vfio_pci=vfio_pci,
        others=(("nouveau", nouveau),),
    )
    for targets in ((), (FIRST,)):
        (found,) = of("ids-without-effect", lost, *targets)
        assert message in found.message
        assert "bound to nouveau" in found.message
        assert found.cures == (() if cure is None else (cure,))
        assert ("initramfs" in found.remedy) is (cure != BY_ADDRESS)
        assert found.severity.value == "warning"
        assert found.certainty.value == ("derived" if vfio_pci else "unknown")


def test_what_the_command_line_forbids_is_named() -> None:
    line = "vfio-pci.ids=10de:1e04 module_blacklist=vfio-pci,nouveau"
    lost = host(card(FIRST, "nouveau"), command_line=line, vfio_pci=NOT_LOADED)
    (found,) = of("ids-without-effect", lost)
    assert "module_blacklist=vfio-pci,nouveau" in found.message


@pytest.mark.parametrize("word", ["module_blacklist=nouveau", "blacklist=vfio-pci"])
def test_what_forbids_another_module_is_not_named(word: str) -> None:
    line = f"vfio-pci.ids=10de:1e04 {word}"
    lost = host(card(FIRST, "nouveau"), command_line=line, vfio_pci=NOT_LOADED)
    (found,) = of("ids-without-effect", lost)
    assert word not in found.message


@pytest.mark.parametrize(
    "quiet",
    [
        host(card(FIRST, "vfio-pci")),  # it worked
        host(card(FIRST, "mlx5_vfio_pci")),  # a variant is as good
        host(card(FIRST, "nouveau"), command_line="quiet"),
        host(card(FIRST, "nouveau", driver_override="nouveau")),
        host(card(FIRST, "nouveau", driver_override="vfio-pci")),
        host(card(FIRST, Missing.ABSENT)),  # the driver is not told
        host(card(FIRST, "pcieport", bridge=True)),
        host(card(FIRST, "nouveau"), command_line="vfio-pci.ids=10de:1e04:1:1"),
    ],
)
def test_nothing_is_said_of_ids_that_work_or_do_not_count(quiet: Machine) -> None:
    assert of("ids-without-effect", quiet) == []
    assert of("ids-without-effect", quiet, FIRST) == []


@pytest.mark.parametrize(
    ("driver", "targets", "severity"),
    [
        ("nouveau", (), "warning"),
        ("nouveau", (FIRST,), "error"),
        (None, (FIRST,), "error"),
        ("vfio-pci", (FIRST,), "info"),
        ("vfio-pci", (), "info"),
        ("nouveau", (SECOND,), "info"),  # it is not what was asked for
    ],
)
def test_a_typo_is_as_bad_as_what_it_does(
    driver: str | None, targets: tuple[str, ...], severity: str
) -> None:
    other = card(SECOND, "vfio-pci", ids=PciIds(0x8086, 0x1533))
    typo = host(card(FIRST, driver), other, command_line="vfio-pci-ids=10de:1e04")
    (found,) = of("settings-typo", typo, *targets)
    assert found.severity.value == severity
    if SECOND in targets:
        assert judged(typo, SECOND).verdict.value == "ready"


@pytest.mark.parametrize(
    ("units", "groups", "severity"),
    [(("ivhd0",), True, "info"), (("dmar0",), True, "info"), ((), False, "warning")],
)
def test_an_option_that_the_kernel_does_not_know_is_a_note_where_the_iommu_works(
    units: tuple[str, ...], groups: bool, severity: str
) -> None:
    found = host(
        *([card(FIRST, "nouveau")] if groups else []),
        command_line="amd_iommu=on",
        iommus=tuple(IommuUnit(name) for name in units),
        firmware_tables=("DMAR",) if "dmar0" in units else ("IVRS",),
    )
    (odd,) = of("settings-typo", found)
    assert odd.severity.value == severity
    assert ("of AMD" in odd.message) is ("dmar0" in units)


def test_a_file_that_cannot_be_read_is_named_where_something_was_asked_for() -> None:
    locked = host(
        card(FIRST, "vfio-pci"),
        command_line="quiet",
        modprobe=ModprobeConfig(unread=("/etc/modprobe.d/vfio.conf",)),
    )
    assert of("settings-typo", locked) == []
    (found,) = of("settings-typo", locked, FIRST)
    assert (found.severity.value, found.certainty.value) == ("info", "unknown")
    assert judged(locked, FIRST).verdict.value == "ready"


@each(
    "line, cures",
    [
        ("vfio-pci.ids=10de:1e04", ["ByAddress"]),
        ("vfio-pci.ids=01:00.0", ["ByAddress"]),
        ("vfio-pci-ids=10de:1e04", ["WriteLine"]),
        ("vfio-pci-ids=10de:1e04;id", []),
    ],
)
def test_what_would_help_is_data_and_no_remedy_is_a_command(
    line: str, cures: list[str]
) -> None:
    both = host(card(FIRST, "nouveau"), card(SECOND, "nouveau"), command_line=line)
    rules = ("ids-take-others", "settings-typo")
    found = [f for f in judged(both, FIRST).findings if f.rule in rules]
    assert [type(cure).__name__ for f in found for cure in f.cures] == cures
    assert not any("\n" in f.remedy for f in found)


THIRD = "0000:03:00.0"


@each(
    "cards, severity",
    [
        ([FIRST, SECOND], "warning"),
        ([FIRST, SECOND, THIRD], "info"),  # so many are meant
        ([FIRST, "0000:01:00.1"], None),  # ports of one card
        ([FIRST], None),
    ],
)
def test_both_of_two_alike_cards_are_taken(
    cards: list[str], severity: str | None
) -> None:
    taken = [replace(card(c, "vfio-pci"), group=c[5:]) for c in cards]
    found = of("ids-take-others", host(*taken))
    assert [f.severity.value for f in found] == ([severity] if severity else [])
    assert all(not f.cures for f in found)  # which one is to go back is not known


def test_two_cards_in_one_group_go_together() -> None:
    first, second = card(FIRST, "vfio-pci"), card(SECOND, "vfio-pci")
    both = replace(host(first, second), groups=(group(first, second, id="01"),))
    assert of("ids-take-others", both) == []


NAMED = PciIds(0x10DE, 0x1F91, 0x1043, 0x109F, 0x030000)


@each(
    "line, others, targets, severity, near",
    [
        ("10de:1f19", [], (), "warning", True),  # two digits exchanged
        ("10de:1f90", [], (), "warning", True),  # one digit wrong
        ("1043:109f", [], (), "warning", True),  # the subsystem's
        ("10de:1f91:1458:0000", [], (), "warning", True),  # another subsystem
        ("10de:1f19", [], (FIRST,), "warning", True),
        ("10de:1f19", [], (SECOND,), "info", True),
        ("10de:2204", [], (), "info", False),
        ("8086:10d3", [], (), "info", False),
        ("10de:1f91", [], (), None, False),
        ("10de:ffffffff", [], (), None, False),
        ("10de:1f19,10de:1f91", [], (), "info", False),  # that one is named
        ("10de:1f19", [0x1F18, 0x1F1A, 0x1F29, 0x1F39], (), "info", False),
    ],
)
def test_an_id_that_no_device_has(
    line: str,
    others: list[int],
    targets: tuple[str, ...],
    severity: str | None,
    near: bool,
) -> None:
    many = [
        card(f"0000:0{4 + n}:00.0", None, ids=PciIds(0x10DE, model))
        for n, model in enumerate(others)
    ]
    second = card(SECOND, "e1000e", ids=PciIds(0x8086, 0x1539))
    here = host(
        card(FIRST, "nouveau", ids=NAMED),
        second,
        *many,
        command_line=f"vfio-pci.ids={line}",
    )
    found = of("ids-name-nothing", here, *targets)
    assert [f.severity.value for f in found] == ([severity] if severity else [])
    assert [FIRST in f.message for f in found] == ([near] if severity else [])


def test_what_cannot_be_seen_may_be_what_an_id_names() -> None:
    unseen = card(SECOND, "nouveau", ids=PciIds())
    here = host(
        card(FIRST, "nouveau", ids=NAMED), unseen, command_line="vfio-pci.ids=1:2"
    )
    assert of("ids-name-nothing", here) == []


def test_a_bridge_has_the_ids_though_vfio_pci_does_not_take_it() -> None:
    bridge = device("0000:00:01.0", "pcieport", bridge=True, group="9")
    here = host(bridge, command_line="vfio-pci.ids=8086:1234")
    assert of("ids-name-nothing", here) == []


@each(
    "release, kind, code, patched",
    [
        ("6.8.12-4-pve", "direct", 0x020000, True),
        ("6.8.12-4-generic", "direct", 0x020000, Missing.ABSENT),
        ("6.8.12-4-generic", "direct-relaxable", 0x020000, True),
        ("6.8.12-4-generic", "direct-relaxable", 0x0C0330, Missing.ABSENT),
        ("6.8.12-4-generic", "direct-relaxable", 0x030000, Missing.ABSENT),
        ("6.8.12-4-generic", "direct-relaxable", Missing.ABSENT, Missing.ABSENT),
        ("6.12.107+deb13-amd64", "direct", 0x020000, False),
        ("6.1.0-50-amd64", "direct", 0x020000, False),
        (Missing.ABSENT, "direct", 0x020000, Missing.ABSENT),
    ],
)
def test_whether_a_kernel_has_the_patch_for_relax_rmrr(
    release: Fact[str], kind: str, code: Fact[int], patched: Fact[bool]
) -> None:
    function = replace(device(FIRST, None), ids=PciIds(1, 2, class_code=code))
    regions = (ReservedRegion(0xE8000, 0xE8FFF, kind),)
    here = machine(group(function, regions=regions), kernel=Kernel(release=release))
    assert knows_relax_rmrr(here) is patched


def drive(address: str, **more: Any) -> Device:
    return card(
        address, "nvme", ids=PciIds(0x144D, 0xA808, class_code=0x010802), **more
    )


def with_root(on: str) -> Host:
    use = HostUse(UseKind.FILE_SYSTEM, ("/",), ((f"sys/devices/{on}",),))
    return Host(uses=(use,), untold=(), disks=(f"sys/devices/{on}",), interfaces=())


@each(
    "rule, command_line, modprobe",
    [
        ("ids-without-effect", "vfio-pci.ids=144d:a808", ""),
        ("ids-without-effect", "quiet", "options vfio-pci ids=144d:a808"),
        ("settings-typo", "vfio-pci.id=144d:a808", ""),
        ("settings-typo", "quiet", "options vfio-pci id=144d:a808"),
        ("settings-typo", "quiet", "options vfio-cpi ids=144d:a808"),
        (
            "settings-typo",
            "vfio-pci.ids=144d:a808",
            "softdep nvme pre: vfio-cpi",
        ),
    ],
)
def test_ids_that_name_the_root_disk_are_not_helped(
    rule: str, command_line: str, modprobe: str
) -> None:
    """One of two alike drives was meant, and the host lives on the other one."""
    there = host(
        drive(FIRST),
        drive(SECOND),
        command_line=command_line,
        modprobe=parse_modprobe(modprobe, "/etc/modprobe.d/vfio.conf"),
        others=[("nvme", LOADED)],
        host=with_root(SECOND),
    )
    existing = replace(there.settings, existing=(("vfio_cpi", False),))
    there = replace(there, settings=existing)
    for targets in ((), (FIRST,)):
        found = of(rule, there, *targets)
        assert found
        for finding in found:
            assert SECOND in finding.remedy
            assert "lives on it" in finding.remedy
            assert finding.cures == ()


def test_alike_drives_of_which_one_may_be_the_hosts_are_not_helped_either() -> None:
    told = host(drive(FIRST), drive(SECOND), command_line="vfio-pci.ids=144d:a808")
    untold = replace(told, host=Host())
    (finding, *_) = of("ids-without-effect", untold)
    assert "may live on one of them" in finding.remedy
    (alone,) = of(
        "ids-without-effect",
        replace(host(drive(FIRST), command_line="vfio-pci.ids=144d:a808"), host=Host()),
    )
    assert "softdep" in str(alone.cures)


def test_what_dpdk_works_with_through_its_own_driver_is_bound_to_nothing() -> None:
    """An id that names two such cards is no reason to bind one to vfio-pci."""
    cards = [
        card(address, "mlx5_core", ids=PciIds(0x15B3, 0x1017, class_code=0x020000))
        for address in (FIRST, SECOND)
    ]
    there = host(*cards, command_line="vfio-pci.ids=15b3:1017", others=())
    found = find_target(there, FIRST)
    result = audit(there, only(SINCE_6_6), (found,), purpose=Purpose.DPDK)
    assert result.verdict.value == "ready"
    assert "set-override" not in audit_text(result, notes=True)
