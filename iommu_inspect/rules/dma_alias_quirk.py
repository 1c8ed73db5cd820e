"""Devices known to send requests under the id of another function."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.grouping.making.dma_aliases import alias_devfns, devfn
from iommu_inspect.model.device import Device
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="dma-alias-quirk",
    summary="a device sends requests under the id of another function",
    severity=Severity.INFO,
    references=("drivers/pci/quirks.c: quirk_dma_func1_alias() and others",),
)
_MANY = 6


def _check(case: Case, device: Device) -> Iterator[Finding]:
    if not device.is_pci:
        return
    aliases = alias_devfns(device)
    if aliases is None:
        yield case.finding(
            device,
            f"The source does not tell vendor and device of {shown(device.address)}, "
            "so whether it sends requests under another id is not known."
            if device.ids.pair is None
            else f"{shown(device.address)} is a Switchtec NTB: under which ids it "
            "sends requests only the hardware can tell.",
            "Look for DMA faults in dmesg once it is in use.",
            certainty=Certainty.UNKNOWN,
        )
        return
    others = sorted(aliases - {devfn(device)})
    if not others:
        return
    yield case.finding(
        device,
        f"{shown(device.address)} is one of the devices that send requests under "
        f"another id than their own: {_ids(others)} of its bus. The kernel "
        "knows it, maps these ids as well, and groups what has them with it.",
        "Nothing, unless dmesg shows DMA faults of such an id: then that function is "
        "not mapped. A kernel option cannot mend it; another card can.",
    )


def _ids(others: list[int]) -> str:
    if len(others) > _MANY:
        return f"{len(others)} ids"
    return listed(f"{number >> 3:02x}.{number & 7}" for number in others)


RULE = Rule(ABOUT, check_device=_check)
