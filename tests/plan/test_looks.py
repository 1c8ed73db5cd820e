"""What is to be looked at is looked at where the kernel shows it."""

from __future__ import annotations

from examples import each

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.plan.host.cures import cure_lines
from iommu_inspect.rules._cures import Look, Looking

CARD = DeviceId("0000:01:00.0", "pci")
HERE = "/sys/bus/pci/devices/0000:01:00.0"


@each(
    "what, about, line",
    [
        (Looking.DRIVER, CARD, f"readlink {HERE}/driver"),
        (Looking.IOMMU_GROUP, CARD, f"readlink {HERE}/iommu_group"),
        (Looking.GROUP_TYPE, CARD, f"cat {HERE}/iommu_group/type"),
        (Looking.MEMBERS, "7", "ls -l /sys/kernel/iommu_groups/7/devices"),
        (Looking.MODULE, "vfio", "ls -d /sys/module/vfio"),
        (Looking.HOLDERS, "/dev/vfio/7", "fuser -v /dev/vfio/7"),
    ],
)
def test_each_fact_is_read_from_its_file(
    what: Looking, about: DeviceId | str, line: str
) -> None:
    assert cure_lines(Look(what, about)) == (line,)
