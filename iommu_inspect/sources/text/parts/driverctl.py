"""Reads what ``driverctl list-devices`` prints: addresses and their drivers."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.said import DeviceFacts, Line, Said

__all__ = ["DriverctlReader"]

# list_devices() of driverctl: the driver, then whether it was overridden, and with -v
# what the device is called.
_LINE = re.compile(
    r"(?P<address>[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]) "
    r"(?P<driver>\(none\)|[A-Za-z0-9][\w.+-]*)(?P<mark> \[\*\])?"
    r"(?: \((?P<name>[^()].*)\))?"
)
_COMMAND = re.compile(r".*\bdriverctl\b(?:\s+-\S+)*\s+(?P<what>list-\w+)\b.*")
# Drivers that an override asks for long before they have the device.
_ASKED_FOR = ("vfio", "uio", "igb_uio", "pci-stub", "pciback")


@dataclass(slots=True)
class DriverctlReader:
    """Reads drivers; ``list-overrides`` prints alike what is only asked for.

    So a line with a driver for user space counts if it has the mark of an overridden
    device, which the list of devices alone has.
    """

    KIND: ClassVar[str] = "driverctl"

    _said: list[Said] = field(default_factory=list)
    _asked: str = ""

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line has an address and a driver, and nothing else."""
        return _LINE.fullmatch(bare) is not None

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        if line.prompt:
            command = _COMMAND.fullmatch(line.bare)
            self._asked = command["what"] if command else ""
            return False
        found = _LINE.fullmatch(line.bare)
        address = PciAddress.parse(found["address"]) if found else None
        if found is None or address is None:
            return False
        driver = None if found["driver"] == "(none)" else found["driver"]
        facts = DeviceFacts()
        if found["name"]:
            facts = DeviceFacts(name=found["name"])
        if self._is_bound(driver, marked=found["mark"] is not None):
            facts = DeviceFacts(name=facts.name, driver=driver)
        self._said.append(Said(line.number, DeviceId.of_pci(address), facts))
        return True

    def close(self) -> None:
        """Take note that something else follows."""

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)

    def _is_bound(self, driver: str | None, *, marked: bool) -> bool:
        if self._asked and self._asked != "list-devices":
            return False
        return (
            marked
            or driver is None
            or bool(self._asked)
            or not driver.startswith(_ASKED_FOR)
        )
