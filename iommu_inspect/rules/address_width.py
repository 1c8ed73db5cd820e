"""An IOMMU that translates shorter addresses than the processor has."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="address-width",
    summary="the IOMMU translates shorter addresses than the processor has",
    severity=Severity.INFO,
)
# Three levels of page tables: the least that a processor of today comes with.
_SHORT = 39


def _check(case: Case) -> Iterator[Finding]:
    units = case.machine.iommus
    if not known(units):
        return
    for unit in units:
        devices = [device for device in case.wanted if device.iommu == unit.name]
        if devices and _is_intel(unit):
            yield from _judge(case, unit, devices)


def _is_intel(unit: IommuUnit) -> bool:
    """Only VT-d shows its widths in sysfs; others of today have 48 bits or more."""
    return unit.name.startswith("dmar")


def _judge(case: Case, unit: IommuUnit, devices: list[Device]) -> Iterator[Finding]:
    width, processor = unit.address_width, case.machine.cpu_address_bits
    if not known(width):
        yield case.finding(
            None,
            f"The source does not tell how wide the addresses that {shown(unit.name)} "
            f"translates are, for {addresses(devices)}.",
            "Look at the unit's capability register on the host itself.",
            others=devices,
            certainty=Certainty.UNKNOWN,
            cures=[Look(Looking.IOMMU_CAPABILITY, unit.name)],
        )
        return
    if not _is_short(width, processor):
        return
    than = f", the processor {processor}" if known(processor) else ""
    yield case.finding(
        None,
        f"{shown(unit.name)}, the IOMMU of {addresses(devices)}, translates addresses "
        f"of {width} bits{than}. A guest whose memory or device windows lie at or "
        f"above {_size(width)} cannot map them: VFIO_IOMMU_MAP_DMA fails.",
        "Keep the guest's addresses below that. QEMU: -cpu host,host-phys-bits=on,"
        f"host-phys-bits-limit={width}; libvirt: <maxphysaddr mode='passthrough' "
        f"limit='{width}'/>.",
        others=devices,
    )


def _is_short(width: int, processor: Fact[int]) -> bool:
    if not known(processor):
        return width <= _SHORT
    return width < processor


def _size(width: int) -> str:
    return f"{1 << width - 40} TiB" if width >= 40 else f"{1 << width - 30} GiB"


RULE = Rule(ABOUT, check_machine=_check)
