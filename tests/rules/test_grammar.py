"""Sentences about one device and about several."""

from __future__ import annotations

import pytest
from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.asked.target import find_target

NAMES = ("0000:02:00.0", "0000:02:00.1", "0000:02:00.2")


def told(driver: str | None, members: int) -> str:
    """Return what partial-group says of the first where the others have ``driver``."""
    first, *others = NAMES[:members]
    rest = [device(name, driver, group="2") for name in others]
    host = machine(group(device(first, "vfio-pci", group="2"), *rest, id="2"))
    result = audit(host, only(SINCE_6_6), (find_target(host, first),))
    return next(f.message for f in result.findings if f.rule == "partial-group")


@pytest.mark.parametrize(
    "driver, members, words",
    [
        ("vfio-pci", 2, "02:00.1 in group 2 is on a vfio driver too"),
        ("vfio-pci", 3, "02:00.2 in group 2 are on a vfio driver too"),
        (None, 2, "02:00.1 in group 2 has no driver and goes along with"),
        (None, 3, "02:00.2 in group 2 have no driver and go along with"),
    ],
)
def test_one_device_has_and_several_have(
    driver: str | None, members: int, words: str
) -> None:
    assert words in told(driver, members)
