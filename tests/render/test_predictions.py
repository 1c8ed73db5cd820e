"""The table of ``predict``."""

from __future__ import annotations

from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.host.kernel import VFIO_GROUP, Kernel
from iommu_inspect.render.predictions import predict_table


def test_what_an_iommufd_changes_stands_below_in_few_columns() -> None:
    cards = [device(f"0000:01:00.{n}", "vfio-pci") for n in range(2)]
    kernel = Kernel(features=frozenset({VFIO_GROUP, "iommufd"}))
    inquiry = Inquiry(machine(group(*cards), kernel=kernel), only(SINCE_6_6))
    lines = predict_table(inquiry.predictions()).splitlines()
    asked = [line[7:].split("  ")[0] for line in lines if line[7:9].strip()]
    assert [name for name in asked if "iommufd" in name or "FD" in name] == [
        "VFIO_GROUP_SET_CONTAINER(iommufd)",
        "VFIO_GROUP_GET_DEVICE_FD 0000:01:00.0",
        "the same with an iommufd",
        "VFIO_GROUP_GET_DEVICE_FD 0000:01:00.1",
        "the same with an iommufd",
    ]
