"""Reads what ``dpdk-devbind.py --status`` prints."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Line, Said

__all__ = ["DevbindReader"]

# show_device_status() and display_devices() of dpdk-devbind.py
_SECTION = re.compile(
    r"[A-Z][\w/ -]{1,40} devices using (?:DPDK-compatible|kernel) driver"
    r"|(?P<other>Other [\w/ -]{1,40} devices)"
    r"|No '[^']{1,40}' devices detected"
)
_RULE = re.compile(r"=={5,}|<none>")
_LINE = re.compile(
    r"(?P<address>[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]) "
    r"['\u2018](?P<name>.{0,200})['\u2019] (?P<rest>[a-z_]+=.*)"
)
_FIELD = re.compile(r"(?P<key>[a-z_]+)=(?P<value>\S*)|(?P<active>\*Active\*)")


@dataclass(slots=True)
class DevbindReader:
    """Reads drivers and names of interfaces.

    A device has no driver where it is listed among the others, without ``drv=``.
    """

    KIND: ClassVar[str] = "devbind"

    _said: list[Said] = field(default_factory=list)
    _others: bool = False

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is a heading, or a device in its list."""
        return any(p.fullmatch(bare) for p in (_SECTION, _RULE)) or (
            _LINE.fullmatch(bare) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        if line.prompt:
            return False
        section = _SECTION.fullmatch(line.bare)
        if section:
            self._others = section["other"] is not None
            return True
        found = _LINE.fullmatch(line.bare)
        if found is None:
            return _RULE.fullmatch(line.bare) is not None
        address = PciAddress.parse(found["address"])
        fields = _fields(found["rest"])
        if address is None or fields is None:
            return False
        names = fields.get("if", "").split(",")
        facts = DeviceFacts(
            driver=self._driver(fields),
            nodes=tuple(sorted(n for n in names if re.fullmatch(r"[\w.@-]{1,15}", n))),
        )
        self._said.append(Said(line.number, DeviceId.of_pci(address), facts))
        return True

    def close(self) -> None:
        """Take note that something else follows."""
        self._others = False

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)

    def _driver(self, fields: dict[str, str]) -> Fact[str | None]:
        driver = fields.get("drv")
        if driver:
            return driver
        listed = driver is None and "unused" in fields and self._others
        return None if listed else Missing.ABSENT


def _fields(rest: str) -> dict[str, str] | None:
    """Take ``if=eth0 drv=igb unused=vfio-pci *Active*`` apart; only whole words."""
    found: dict[str, str] = {}
    words = rest.split()
    for place, word in enumerate(words):
        part = _FIELD.fullmatch(word)
        if part is None or CUT in word:
            # What is cut off may have been anything; what is before it is not.
            return found if place and CUT in word else None
        if part["key"]:
            found[part["key"]] = part["value"]
    return found
