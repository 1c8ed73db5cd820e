"""Drivers for whose device somebody in the kernel calls ``iommu_attach_device()``.

The callers are those of a whole-tree search of v6.12; v6.1 has the same ones, v7.3 one
more, and in each of the last two the parents of vDPA devices are two more. Only those
are here whose device shows the driver's name in sysfs. Others attach a child
that has no driver (ath10k_snoc, ath11k, venus), or the device of a whole class of
drivers (remoteproc, exynos, msm and nouveau's Tegra displays, ARM32's DMA mapping).
"""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.machine import Machine

__all__ = ["AttachUser", "attach_user"]


@dataclass(frozen=True, slots=True)
class AttachUser:
    """Who calls, when, what fails then, and where in the kernel's sources.

    ``since`` is the first release that was read to have it, where older ones have not.
    """

    caller: str
    when: str
    failure: str
    source: str
    since: tuple[int, int] = (0, 0)


_USNIC = AttachUser(
    "usnic_verbs",
    "when a process opens the adapter's verbs",
    "queue pairs and protection domains cannot be made",
    "drivers/infiniband/hw/usnic/usnic_uiom.c",
)
# vhost-vdpa attaches the parent's DMA device unless the parent maps memory itself
# (set_map or dma_map among its operations, as mlx5 has).
_VDPA = AttachUser(
    "vhost-vdpa",
    "when /dev/vhost-vdpa-N is opened",
    "the open fails",
    "drivers/vhost/vdpa.c",
)
_ROCKCHIP = AttachUser(
    "rockchip-drm",
    "when the display comes up",
    "there is no display, or none behind the IOMMU",
    "drivers/gpu/drm/rockchip/rockchip_drm_drv.c",
)
_RKVDEC = AttachUser(
    "rkvdec",
    "when the decoder was reset after an error",
    "its IOMMU keeps an empty table: it decodes nothing more",
    "drivers/media/platform/rockchip/rkvdec/rkvdec.c: rkvdec_iommu_restore()",
    (7, 3),
)
_VDPA_SINCE_6_12 = replace(_VDPA, since=(6, 12))
_USERS = {
    ("pci", "usnic_verbs"): _USNIC,
    ("pci", "ifcvf"): _VDPA,
    ("pci", "vp_vdpa"): _VDPA,
    ("pci", "alibaba_eni_vdpa"): _VDPA,
    ("pci", "snet_vdpa_driver"): _VDPA,
    ("pci", "octep_vdpa"): _VDPA_SINCE_6_12,
    ("pci", "pds_core"): _VDPA_SINCE_6_12,
    ("platform", "rkvdec"): _RKVDEC,
    ("platform", "rockchip_vop"): _ROCKCHIP,
    ("platform", "rockchip_vop2"): _ROCKCHIP,
}


def attach_user(device: Device, machine: Machine) -> AttachUser | None:
    """Return who attaches a domain to a device because of the driver it is bound to.

    ``None`` where nobody is known to, and where the driver is not known. A kernel whose
    release is not known may be any.
    """
    driver, bus = device.driver, device.bus
    if driver is None or not known(driver) or not known(bus):
        return None
    user = _USERS.get((bus, normalised(driver)))
    version = version_of(value_or(machine.kernel.release, ""))
    if user is None or (version is not None and version < user.since):
        return None
    return user
