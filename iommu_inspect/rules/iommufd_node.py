"""A device on vfio without the character device that iommufd users open."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.text import shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="iommufd-node",
    summary="a device on vfio has no node for iommufd",
    severity=Severity.INFO,
    references=("drivers/vfio/device_cdev.c (v6.6)",),
)


def _check(case: Case, device: Device) -> Iterator[Finding]:
    # Without vfio-dev this is an older kernel, which not-on-vfio and others judge.
    if has_vfio_driver(device) is not True or device.vfio_devices == ():
        return
    if device.vfio_cdev is True:
        return
    told = known(device.vfio_cdev)
    name = shown(device.address)
    yield case.finding(
        device,
        f"{name} has no node in /dev/vfio/devices: this kernel lacks "
        "CONFIG_VFIO_DEVICE_CDEV (v6.6). QEMU with -object iommufd cannot open it."
        if told
        else f"The source does not tell whether {name} has a node in "
        "/dev/vfio/devices, which users of iommufd open.",
        "Use the group's node (QEMU without iommufd=, libvirt without "
        "<driver iommufd='yes'/>), or a kernel that has it.",
        certainty=Certainty.KERNEL if told else Certainty.UNKNOWN,
    )


RULE = Rule(ABOUT, check_device=_check)
