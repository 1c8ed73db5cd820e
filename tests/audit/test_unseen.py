"""A host of which the source does not show enough is not said to be in order."""

from __future__ import annotations

from pathlib import Path

from builders import SINCE_6_6, device, group, machine, only
from examples import each
from running import call

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.audits.verdict import audit_text
from iommu_inspect.render.layout import Style
from iommu_inspect.rules.finding import Purpose

ALONE = group(device("0000:01:00.0", "ahci"))
UNTOLD = group(device("0000:02:00.0", Missing.ABSENT, group="2"), id="2")
STRANGE = group(device("0000:03:00.0", "acme-vfio", group="3"), id="3")
READY = group(device("0000:04:00.0", "vfio-pci", group="4"), id="4")
LOST = device("0000:05:00.0", "ahci", group=Missing.UNREADABLE)


@each(
    "host, verdict, sentence",
    [
        (machine(ALONE), "ready", "Nothing is wrong with the IOMMU groups"),
        (
            machine(ALONE, UNTOLD),
            "unknown",
            "Nothing wrong was seen, but the driver of 0000:02:00.0 is not in this "
            "source.",
        ),
        (
            machine(ALONE, STRANGE),
            "unknown",
            "Nothing wrong was seen, but whether the driver of 0000:03:00.0 is vfio's "
            "cannot be told.",
        ),
        # What is in no known group may be in that of a device on vfio.
        (
            machine(READY, ungrouped=[LOST]),
            "unknown",
            "Nothing wrong was seen, but the group of 0000:05:00.0 is not in this",
        ),
        (machine(ALONE, ungrouped=[LOST]), "ready", ""),
    ],
)
def test_what_was_not_seen_is_said(host: Machine, verdict: str, sentence: str) -> None:
    result = audit(host, only(SINCE_6_6))
    assert result.verdict.value == verdict
    assert sentence in audit_text(result, Style(1000))


def test_attach_asks_for_no_driver() -> None:
    result = audit(machine(UNTOLD), only(SINCE_6_6), purpose=Purpose.ATTACH)
    assert result.verdict.value == "ready"


# `lspci -v` of somebody who left the lines of the drivers out.
NO_DRIVERS = """\
00:1f.6 Ethernet controller: Intel Corporation Ethernet Connection I219-V
\tFlags: bus master, fast devsel, latency 0, IRQ 125, IOMMU group 4
\tMemory at a1100000 (32-bit, non-prefetchable) [size=128K]

00:02.0 VGA compatible controller: Intel Corporation UHD Graphics 620
\tFlags: bus master, fast devsel, latency 0, IRQ 128, IOMMU group 5
\tMemory at a0000000 (64-bit, non-prefetchable) [size=16M]
"""


def test_a_text_without_drivers_is_not_a_host_without_faults(tmp_path: Path) -> None:
    text = tmp_path / "lspci.txt"
    text.write_text(NO_DRIVERS)
    done = call("audit", "--from", text)
    assert done.returncode == 3
    assert "Nothing is wrong" not in done.stdout
