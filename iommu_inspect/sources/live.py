"""What only the running host can tell: the names that udev knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.sources.names import Namer, Names
from iommu_inspect.sources.tree.bounded import Reader
from iommu_inspect.sources.udev import context

if TYPE_CHECKING:
    import pyudev

__all__ = ["from_udev"]

# For names nobody waits long: the fallback has nearly all of them.
_LOST, _CHILDREN = 2.0, 3


def from_udev(fallback: Namer) -> Namer:
    """Return a namer that asks udev's database where ``fallback`` knows no name.

    Its names are those of pci.ids, too, and it is not asked first: a process more and
    libudev cost as much as to read a small host. The database is empty where no udevd
    runs (containers, initramfs), and libudev may not be installed at all. It reads
    ``uevent`` of each device, which can wait for a driver for ever, and so is asked in
    a child.
    """
    reader, udev = Reader(_LOST, _CHILDREN), _Udev()
    told: dict[PciIds, Names] = {}

    def ask(device: Device) -> Names:
        names = fallback(device)
        if names.device is not None or not known(device.path):
            return names
        found = reader.ask(udev.names, [("names", device.path, 0)])[0]
        return Names(*found) if isinstance(found, tuple) and any(found) else names

    def name(device: Device) -> Names:
        # The database goes by the ids: one device of a kind stands for all.
        if device.ids.pair is None:
            return ask(device)
        if device.ids not in told:
            told[device.ids] = ask(device)
        return told[device.ids]

    return name


class _Udev:
    """What the child knows, once it was asked."""

    def __init__(self) -> None:
        self._context: pyudev.Context | Missing | None = None

    def names(  # pragma: no cover - runs in a child, unmeasured
        self, _what: str, path: str, _limit: int
    ) -> object:
        """Return the names of a device's vendor and of the device."""
        try:
            import pyudev

            if self._context is None:
                self._context = Missing.UNREADABLE
                self._context = context()
            if isinstance(self._context, Missing):
                return self._context
            device = pyudev.Devices.from_path(self._context, f"/{path}")
            names = ("ID_VENDOR_FROM_DATABASE", "ID_MODEL_FROM_DATABASE")
            return tuple(device.properties.get(name) for name in names)
        except (ImportError, OSError, UnicodeError):
            return Missing.UNREADABLE
        except pyudev.DeviceNotFoundError:
            return Missing.ABSENT
