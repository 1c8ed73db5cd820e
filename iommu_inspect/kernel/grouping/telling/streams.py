"""Why devices outside the PCI bus share a group.

The driver of their IOMMU decides (``device_group`` in struct iommu_ops). Read in v6.12:
devices with a stream id in common (``arm_smmu_device_group()``), all devices of one
container (``fsl_mc_device_group()``), or all behind one IOMMU
(``generic_single_device_group()``: rockchip, omap, sun50i, sprd;
vsi since v7.3).
"""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine

__all__ = ["why_one_stream"]

_EITHER = (
    "both have a stream id in common, or the driver of their IOMMU makes one group for "
    "all that is behind it; the source does not tell which"
)


def why_one_stream(machine: Machine, one: Device, other: Device) -> str | None:
    """Say why two devices that are no PCI functions share a group.

    ``None`` where different IOMMUs translate for them: then nothing here explains it.
    """
    if one.bus == other.bus == "fsl-mc":
        return (
            "both are in one container of the fsl-mc bus, and the kernel gives a "
            "container one group"
        )
    units = {one.iommu, other.iommu}
    if len(units) > 1 and not any(not known(unit) for unit in units):
        return None
    unit = one.iommu
    if unit is None or not known(unit) or len(units) > 1:
        return _EITHER
    groups = {
        group.id
        for group in machine.groups
        if any(d.iommu == unit for d in group.devices)
    }
    if len(groups) > 1:
        return (
            f"both are behind {unit}, which keeps other devices apart: these two have "
            "a stream id in common"
        )
    return (
        f"both are behind {unit}, and all that is seen behind it is in this group: its "
        "driver makes one group for all, or they have a stream id in common"
    )
