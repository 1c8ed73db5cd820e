"""Which layer is missing, on whose machine, and what is of no use any more."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from builders import SINCE_6_6, device, group, machine, only
from examples import each
from running import call
from shared import SYSFS

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.platform import Architecture, IortNode, Processor, XenRole
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules._cures import WriteLine
from iommu_inspect.rules.finding import Finding
from iommu_inspect.settings.maker import Maker, iommu_maker, turned_off
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.text.machine import read_texts

INTEL = Processor(Architecture.X86, "intel")
AMD = Processor(Architecture.X86, "amd")
ARM = Processor(Architecture.ARM)
CARD = "0000:01:00.0"


def bare(line: str = "quiet", **more: Any) -> Machine:
    """A host without groups and units."""
    fields: dict[str, Any] = {
        "iommus": (),
        "firmware_tables": Missing.ABSENT,
        "ungrouped": [device(CARD, "nouveau", group=None)],
        "kernel": Kernel(release="6.12.1", command_line=line),
        "settings": Settings(command_line=parse_command_line(line)),
    }
    return machine(**{**fields, **more})


def judged(host: Machine, *targets: str) -> Audit:
    asked = tuple(find_target(host, target) for target in targets)
    return audit(host, only(SINCE_6_6), asked)


def told(host: Machine, *targets: str, rule: str = "no-iommu") -> list[Finding]:
    return [f for f in judged(host, *targets).findings if f.rule == rule]


@each(
    "host, words, line",
    [
        (bare(processor=INTEL), "VT-d (not only VT-x)", "intel_iommu=on"),
        (bare("intel_iommu=on", processor=INTEL), "VT-d (not only VT-x)", None),
        (bare(processor=AMD), "Enabled rather than Auto", None),
        (bare("amd_iommu=off", processor=AMD), "take amd_iommu=off off", None),
        (bare("amd_iommu=off", processor=INTEL), "VT-d", "intel_iommu=on"),
        (bare(processor=ARM), "the SMMU", None),
        (bare("iommu=off", processor=ARM), "Turn on the SMMU in", None),
        (bare(), "VT-d, AMD-Vi (IOMMU) or the SMMU", None),
        (bare(firmware_tables=("DMAR",)), "Boot with intel_iommu=on", "intel_iommu=on"),
        (bare("intel_iommu=on", firmware_tables=("DMAR",)), "asks for it", None),
        (
            bare("intel_iommu=on intel_iommu=off", firmware_tables=("DMAR",)),
            "Take intel_iommu=off off",
            None,
        ),
        (bare("intel_iommu=off,on", firmware_tables=("DMAR",)), "asks for it", None),
        (bare("iommu=off", firmware_tables=("IVRS",)), "Take iommu=off off", None),
        (bare("intel_iommu=off", firmware_tables=("IVRS",)), "errors of AMD-Vi", None),
        (bare(firmware_tables=(), guest=False, processor=AMD), "AMD-Vi", None),
        (
            bare("intel_iommu=on", iommus=(IommuUnit("dmar0"),)),
            "asks for it already",
            None,
        ),
        (bare(iommus=(IommuUnit("ivhd0"),)), "errors of AMD-Vi", None),
    ],
)
def test_what_helps_follows_the_maker_and_what_is_there_already(
    host: Machine, words: str, line: str | None
) -> None:
    for targets in ((), (CARD,)):
        (found,) = told(host, *targets)
        assert words in found.remedy
        lines = [c.line for c in found.cures if isinstance(c, WriteLine)]
        assert lines == ([line] if line else [])
        assert judged(host, *targets).verdict.value == "blocked"


@each(
    "nodes, message",
    [
        ((IortNode.ITS_GROUP, IortNode.ROOT_COMPLEX), "describes no SMMU"),
        ((), "describes no SMMU"),
        ((IortNode.ITS_GROUP, IortNode.SMMU_V3), "describes an IOMMU (IORT)"),
        ((IortNode.SMMU,), "describes an IOMMU (IORT)"),
        (Missing.DENIED, "only root may read it"),
    ],
)
def test_an_iort_is_there_without_an_smmu_too(nodes: Any, message: str) -> None:
    host = bare(firmware_tables=("IORT",), iort_nodes=nodes)
    (found,) = told(host)
    assert message in found.message


def bridge(vendor: int, **more: Any) -> Device:
    ids = PciIds(vendor, 0x1234, class_code=0x060000, **more)
    return dataclasses.replace(device("0000:00:00.0", group=None), ids=ids)


@each(
    "host, maker",
    [
        (bare(processor=INTEL), Maker.INTEL),
        (bare(processor=AMD, firmware_tables=("DMAR",)), Maker.INTEL),  # in a guest
        (bare(firmware_tables=("DMAR", "IVRS"), processor=AMD), None),
        (bare(iommus=(IommuUnit("smmu3.0x09050000"),)), Maker.ARM),
        (bare(iommus=(IommuUnit("arm-smmu-v3.0.auto"),)), Maker.ARM),
        (bare(processor=Processor(Architecture.X86, "other")), None),
        (bare(processor=Processor(Architecture.OTHER)), None),
        (bare(ungrouped=[bridge(0x8086)]), Maker.INTEL),
        (bare(ungrouped=[bridge(0x1022)]), Maker.AMD),
        (bare(ungrouped=[bridge(0x1234)]), None),
        (bare(ungrouped=[bridge(0x8086)], guest=True), None),
        (bare(ungrouped=[bridge(0x8086, subsystem_vendor=0x1AF4)]), None),
        (bare(ungrouped=[]), None),
    ],
)
def test_whose_iommu_it_is(host: Machine, maker: Maker | None) -> None:
    assert iommu_maker(host) is maker


@each(
    "line, maker, words",
    [
        ("iommu=off", Maker.INTEL, ("iommu=off",)),
        ("iommu=pt,off", Maker.AMD, ("iommu=pt,off",)),
        ("iommu=off", Maker.ARM, ()),
        ("iommu=offline", None, ("iommu=offline",)),
        ("intel_iommu=off", Maker.AMD, ()),
        ("intel-iommu=on,off", Maker.INTEL, ("intel-iommu=on,off",)),
        ("intel_iommu=off intel_iommu=on", Maker.INTEL, ()),
        ("amd_iommu=off amd_iommu=on", None, ("amd_iommu=off",)),
        ("quiet", None, ()),
    ],
)
def test_what_turns_an_iommu_off(
    line: str, maker: Maker | None, words: tuple[str, ...]
) -> None:
    assert turned_off(parse_command_line(line), maker) == words


def beside_a_group(*out: Device, line: str = "quiet") -> Machine:
    return machine(
        group(device("0000:09:00.0", group="1")),
        ungrouped=out,
        settings=Settings(command_line=parse_command_line(line)),
    )


def display(address: str = "0000:00:02.0", vendor: int = 0x8086) -> Device:
    ids = PciIds(vendor, 0x3E92, class_code=0x030000)
    return dataclasses.replace(device(address, "i915", group=None), ids=ids)


def on_a_board() -> Device:
    path = "sys/devices/platform/axi/1000110000.pcie/pci0001:00/0001:01:00.0"
    return dataclasses.replace(device("0001:01:00.0", "igb", group=None), path=path)


@each(
    "line, step",
    [
        (
            "intel_iommu=on,igfx_off",
            "take igfx_off out of intel_iommu=on,igfx_off on the kernel command line "
            "(intel_iommu=on stays)",
        ),
        (
            "intel_iommu=igfx_off",
            "take intel_iommu=igfx_off off the kernel command line",
        ),
        (
            "intel_iommu=intgpu_off,on,igfx_off,sp_off",
            "take intgpu_off and igfx_off out of "
            "intel_iommu=intgpu_off,on,igfx_off,sp_off on the kernel command line "
            "(intel_iommu=on,sp_off stays)",
        ),
    ],
)
def test_graphics_come_back_without_the_iommu_being_turned_off(
    line: str, step: str
) -> None:
    host = beside_a_group(display(), line=line)
    (finding,) = told(host, "00:02.0")
    assert finding.step == step
    assert finding.remedy.startswith(f"T{step[1:]}, if the device")


@each(
    "host, target, words, severity",
    [
        (beside_a_group(display()), "00:02.0", "no IOMMU unit covers it", "warning"),
        (
            beside_a_group(display(), line="intel_iommu=on,igfx_off"),
            "00:02.0",
            "intel_iommu=on,igfx_off on the kernel command line takes graphics out",
            "info",
        ),
        (
            beside_a_group(display(), line="intel_iommu=intgpu_off"),
            "00:02.0",
            "intel_iommu=intgpu_off",
            "info",
        ),
        (
            beside_a_group(display(vendor=0x10DE), line="intel_iommu=igfx_off"),
            "00:02.0",
            "no IOMMU unit covers it",
            "warning",
        ),
        (beside_a_group(on_a_board()), "0001:01:00.0", "1000110000.pcie no", "warning"),
    ],
)
def test_a_function_without_a_group_where_others_have_one(
    host: Machine, target: str, words: str, severity: str
) -> None:
    (of_host,), (of_target,) = told(host), told(host, target)
    assert words in of_host.message
    assert words in of_target.message
    assert (of_host.severity.value, of_target.severity.value) == (severity, "error")
    assert judged(host).verdict.value == "ready"
    assert judged(host, target).verdict.value == "blocked"


def test_many_functions_without_a_group_are_one_finding() -> None:
    out = [device(f"0000:0{n}:00.0", group=None) for n in range(1, 8)]
    (found,) = told(beside_a_group(*out))
    assert len(found.devices) == 7
    assert "0000:04:00.0 and 3 more have no IOMMU group" in found.message


@each(
    "out",
    [
        [],
        [bridge(0x8086)],  # host bridges often have none
        [device(CARD, group=Missing.ABSENT)],  # it is not told
        [device("axi:gpu", bus="platform", group=None)],
    ],
)
def test_nothing_is_said_where_every_function_has_its_group(out: list[Device]) -> None:
    assert told(beside_a_group(*out)) == []


@each(
    "role, driver, dom0",
    [
        (XenRole.DOM0, "nouveau", True),
        (XenRole.UNTOLD, "pciback", True),
        (XenRole.UNTOLD, "xen-pciback", True),
        (XenRole.UNTOLD, "nouveau", False),
        (XenRole.GUEST, "pciback", False),
        (None, "pciback", False),
        (Missing.ABSENT, "nouveau", False),
        (Missing.ABSENT, "pciback", True),
    ],
)
def test_in_dom0_the_iommu_is_xens(role: Any, driver: str, dom0: bool) -> None:
    host = bare(guest=True, xen=role, ungrouped=[device(CARD, driver, group=None)])
    xen, none = told(host, rule="xen-dom0"), told(host)
    assert (len(xen), len(none)) == ((1, 0) if dom0 else (0, 1))
    assert judged(host, CARD).verdict.value == "blocked"
    if role is XenRole.UNTOLD and not dom0:
        assert "guest of Xen, or its dom0" in none[0].message


def test_in_dom0_no_plan_supposes_groups_that_were_not_captured(tmp_path: Path) -> None:
    copy = tmp_path / "dom0"
    shutil.copytree(SYSFS / "xen-dom0", copy, symlinks=True)
    shutil.rmtree(copy / "sys/kernel/iommu_groups", ignore_errors=True)
    done = call("plan", "00:02.0", "--from", copy)
    assert done.returncode == 1
    assert "error: xen-dom0" in done.stdout
    assert (
        "vfio-pci"
        not in call("plan", "00:02.0", "--for", "dpdk", "--from", copy).stdout
    )
    text = copy / "lspci.txt"
    text.write_text(
        "00:02.0 VGA compatible controller [0300]: Intel [8086:5917]\n"
        "00:1f.6 Ethernet controller [0200]: Intel [8086:15b8]\n"
        "\tKernel driver in use: pciback\n"
    )
    assert "error: xen-dom0" in call("plan", "00:02.0", "--from", text).stdout


def test_in_dom0_the_kernel_command_line_is_no_cure() -> None:
    text = call("plan", "00:02.0", "--from", SYSFS / "xen-dom0").stdout
    assert "intel_iommu=on" not in text
    assert "Xen" in text


def answering(answers: Any, **more: Any) -> Device:
    placement = PciPlacement(0, False, physfn=None, virtfns=(), answers=answers)
    return dataclasses.replace(device(CARD, "vfio-pci", **more), pci=placement)


@each(
    "card, severity, verdict",
    [
        (answering(answers=False), "error", "blocked"),
        (answering(answers=False, power_state="D0"), "error", "blocked"),
        (answering(answers=False, power_state="D3cold"), "warning", "ready"),
        (answering(answers=True), None, "ready"),
        (answering(Missing.ABSENT), None, "ready"),
        (answering(Missing.DENIED), "error", "unknown"),
    ],
)
def test_a_card_whose_registers_are_all_ones(
    card: Device, severity: str | None, verdict: str
) -> None:
    host = machine(group(card))
    found = told(host, CARD, rule="no-answer")
    assert [f.severity.value for f in found] == ([severity] if severity else [])
    assert judged(host, CARD).verdict.value == verdict
    assert len(told(host, rule="no-answer")) == (
        1 if severity and verdict != "unknown" else 0
    )


@each(
    "text, answers",
    [
        ("01:00.0 VGA compatible controller: NVIDIA GP104 (rev ff)\n", False),
        (
            "01:00.0 VGA compatible controller: NVIDIA GP104 (rev ff) (prog-if ff)\n"
            "\t!!! Unknown header type 7f\n\tKernel driver in use: vfio-pci\n",
            False,
        ),
        ("01:00.0 VGA compatible controller: NVIDIA GP104 (rev a1)\n", Missing.ABSENT),
        (
            "01:00.0 VGA compatible controller: NVIDIA GP104 (rev a1)\n"
            "\tFlags: bus master, fast devsel, latency 0\n",
            True,
        ),
    ],
)
def test_what_lspci_shows_of_a_card_that_does_not_answer(
    text: str, answers: object
) -> None:
    (card,) = read_texts([(text, "a paste")]).devices
    assert card.pci.answers == answers
