"""Reads what lshw prints: which names devices have, and which drivers."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Line, Said

__all__ = ["LshwReader"]

_ADDRESS = r"(?P<address>[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])"
_CLASSES = (
    r"(?:system|bus|memory|processor|bridge|display|network|input|multimedia"
    r"|communication|generic|storage|disk|volume|printer|power|tape)"
)
# lshw -businfo: where it is, what it is called if it is, its class, its name.
_ROW = re.compile(
    rf"pci@{_ADDRESS}\s+(?:(?P<node>(?!{_CLASSES}\s)\S+)\s+)?(?P<class>{_CLASSES})"
    r"(?:\s+(?P<name>\S.*))?"
)
_OTHER_ROW = re.compile(
    rf"(?:(?:usb|scsi|cpu|nvme|virtio|pnp|ide|mmc)@\S+\s+)?(?:/dev/\S+\s+)?{_CLASSES}"
    r"\s{2,}\S.*|Bus info\s+Device\s+Class\s+Description"
)
_NODE = re.compile(r"\*-[a-z]\w*(?::\d+)?(?: [A-Z]+)?")
_DETAIL = re.compile(
    r"(?P<key>description|product|vendor|physical id|bus info|logical name|version"
    r"|serial|size|capacity|width|clock|capabilities|configuration|resources|slot)"
    r": (?P<value>.*)"
)
_BUS = re.compile(rf"pci@{_ADDRESS}")
_DRIVER = re.compile(rf"(?:^|\s)driver=(?P<driver>[^\s{CUT}]+)(?:\s|$)")
_INTERFACE = re.compile(r"[\w.@-]{1,15}")
_DISK = re.compile(r"/dev/(?P<disk>nvme\d+n\d+|[svh]d[a-z]+)")


@dataclass(slots=True)
class LshwReader:
    """Reads the table of ``lshw -businfo``, and the list of plain ``lshw``."""

    KIND: ClassVar[str] = "lshw"

    _said: list[Said] = field(default_factory=list)
    _listing: bool = False
    _network: bool = False
    _device: DeviceId | None = None

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is a row of the table, or begins one of the list."""
        return (
            _ROW.fullmatch(bare) is not None
            or _NODE.fullmatch(bare) is not None
            or bare.startswith(("Bus info ", "bus info: ", "logical name: "))
            or bare.startswith(("configuration: ", "capabilities: ", "resources: "))
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of lshw's."""
        if line.prompt:
            return False
        bare = line.bare
        row = _ROW.fullmatch(bare)
        if row:
            return self._row(line, row)
        if _NODE.fullmatch(bare):
            self._listing, self._device = True, None
            self._network = bare.startswith("*-network")
            return True
        detail = _DETAIL.fullmatch(bare) if self._listing else None
        if detail:
            self._detail(line, detail["key"], detail["value"])
            return True
        return _OTHER_ROW.fullmatch(bare) is not None

    def close(self) -> None:
        """Take note that something else follows."""
        self._listing, self._device = False, None

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)

    def _say(self, line: Line, device: DeviceId, facts: DeviceFacts) -> None:
        self._said.append(Said(line.number, device, facts))

    def _row(self, line: Line, row: re.Match[str]) -> bool:
        device = _device(row["address"])
        if device is None:
            return False
        self._say(line, device, DeviceFacts(nodes=_nodes(row["node"], row["class"])))
        return True

    def _detail(self, line: Line, key: str, value: str) -> None:
        if key == "bus info":
            bus = _BUS.fullmatch(value)
            self._device = _device(bus["address"]) if bus else None
            if self._device is not None:
                self._say(line, self._device, DeviceFacts())
        if self._device is None:
            return
        if key == "logical name":
            kind = "network" if self._network else ""
            self._say(line, self._device, DeviceFacts(nodes=_nodes(value, kind)))
        elif key == "configuration" and not self._network:
            # Of an interface it has ethtool's name, as mlx4_en for mlx4_core.
            found = _DRIVER.search(value)
            driver: Fact[str | None] = found["driver"] if found else Missing.ABSENT
            self._say(line, self._device, DeviceFacts(driver=driver))


def _device(text: str) -> DeviceId | None:
    address = PciAddress.parse(text)
    return None if address is None else DeviceId.of_pci(address)


def _nodes(name: str | None, kind: str) -> tuple[str, ...]:
    """Return an interface's or a disk's name; lshw has others for others."""
    if name is None or CUT in name:
        return ()
    if kind == "network" and _INTERFACE.fullmatch(name):
        return (name,)
    disk = _DISK.fullmatch(name)
    return (disk["disk"],) if disk else ()
