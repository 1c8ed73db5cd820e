"""Which groups and devices a person wants to see."""

from __future__ import annotations

from iommu_inspect.kernel.ownership.inquiry import Inquiry, Owned
from iommu_inspect.model.asked.target import devices_named
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.classes import CLASSES, class_name, is_called

__all__ = ["CLASSES", "Selection", "named", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters; ``None`` lets everything through, several must all fit."""

    group: str | None = None
    devices: frozenset[DeviceId] | None = None
    driver: str | None = None
    pci_class: str | None = None
    ownership: str | None = None

    @property
    def wants_groups(self) -> bool:
        """Say whether devices without a group cannot fit."""
        return self.group is not None or self.ownership is not None

    def fits(self, device: Device) -> bool:
        """Say whether a device passes the filters on devices."""
        return (
            (self.devices is None or device.id in self.devices)
            and (self.driver is None or device.driver == self.driver)
            and (self.pci_class is None or _of_class(device, self.pci_class))
        )


def select(
    inquiry: Inquiry, wanted: Selection
) -> tuple[tuple[Owned, ...], tuple[Device, ...]]:
    """Return the groups of which a device fits, and the ungrouped devices that fit.

    A group is shown with all its members: its ownership is that of them all.
    """
    filtering = wanted != Selection()
    groups = []
    for owned in map(inquiry.owned, inquiry.machine.groups):
        if wanted.group is not None and owned.group.id != wanted.group:
            continue
        if wanted.ownership not in (None, owned.ownership.value):
            continue
        if any(wanted.fits(d) for d in owned.group.devices) or not filtering:
            groups.append(owned)
    ungrouped = tuple(
        d
        for d in inquiry.machine.ungrouped
        if not wanted.wants_groups and wanted.fits(d)
    )
    return tuple(groups), ungrouped


def _of_class(device: Device, text: str) -> bool:
    code = device.ids.class_code
    if not known(code):
        return False
    wanted = text.lower().removeprefix("0x")
    digits = f"{code:06x}"
    if wanted in CLASSES:
        return is_called(code, wanted)
    return digits.startswith(wanted) or wanted in (class_name(code) or "").lower()


def named(machine: Machine, text: str) -> frozenset[DeviceId]:
    """Return the devices that a text names, one or several.

    Raises:
        UnknownTargetError: it names none; the message says what is near it.
    """
    return frozenset(device.id for device in devices_named(machine, text))
