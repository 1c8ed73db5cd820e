"""IOMMUs whose drivers promise no cache coherency: VFIO takes no device behind them.

VFIO maps all memory as cacheable and asks ``IOMMU_CAP_CACHE_COHERENCY`` of the device
when a vfio driver binds: commit e8ae0e140c05 ("vfio: Require that devices support DMA
cache coherence") (in v5.19). The drivers here have no ``.capable`` in v6.1, v6.12 and
v7.3. Arm's SMMUs have one that looks at the hardware, and sysfs does not show what it
says; of those nothing is claimed.
"""

from __future__ import annotations

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Machine

__all__ = ["WITHOUT_COHERENCY", "incoherent_iommu", "refuses_all"]

WITHOUT_COHERENCY = frozenset(
    [
        "apple-dart",
        "exynos-sysmmu",
        "ipmmu-vmsa",
        "msm_iommu",
        "mtk-iommu",
        "mtk-iommu-v1",
        "omap-iommu",
        "riscv,iommu",
        "rk_iommu",
        "sprd-iommu",
        "sun50i-iommu",
        "vsi_iommu",
    ]
)
"""The drivers' names, as the IOMMU's own device in sysfs links to them."""


def incoherent_iommu(machine: Machine, device: Device) -> str | None:
    """Return the driver of a device's IOMMU, if VFIO takes nothing behind that."""
    if not known(device.iommu) or device.iommu is None:
        return None
    for unit in value_or(machine.iommus, ()):
        if unit.name == device.iommu and known(unit.driver):
            return unit.driver if unit.driver in WITHOUT_COHERENCY else None
    return None


def refuses_all(semantics: Semantics) -> bool | None:
    """Say whether the kernel asks at all; ``None`` where eras differ."""
    found = {era.dma_owner for era in semantics.eras}
    return found.pop() if len(found) == 1 else None
