"""Reads ``lspci -vmm`` and the older ``-vm``: a field a line, a function a block."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.parts.forms import ADDRESS
from iommu_inspect.sources.text.parts.lspci.class_names import class_of_name
from iommu_inspect.sources.text.parts.lspci.first_line import split_name
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Line, Said

__all__ = ["FieldReader"]

_FIELD = re.compile(
    r"(?P<key>Slot|Device|Class|Vendor|SVendor|SDevice|PhySlot|Rev|ProgIf|Driver|Module"
    r"|NUMANode|IOMMUGroup|DTNode):\s*(?P<value>\S.*)"
)
_BEGIN = re.compile(rf"(?:Slot|Device):\s+(?P<address>{ADDRESS})")


@dataclass(slots=True)
class _Block:
    address: PciAddress
    line: int
    fields: dict[str, list[str]] = field(default_factory=dict)
    closed: bool = False


@dataclass(slots=True)
class FieldReader:
    """Reads blocks of fields that begin with ``Slot:``."""

    KIND: ClassVar[str] = "lspci"

    _blocks: list[_Block] = field(default_factory=list)
    _current: _Block | None = None

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is a field."""
        return _FIELD.fullmatch(bare) is not None

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        begin = _BEGIN.fullmatch(line.bare)
        if begin:
            self.close()
            address = PciAddress.parse(begin["address"])
            if address is None:
                return False
            self._current = _Block(address, line.number)
            self._blocks.append(self._current)
            return True
        if line.after_gap or line.prompt:
            self.close()
        found = _FIELD.fullmatch(line.bare)
        if self._current is None or found is None:
            return False
        self._current.fields.setdefault(found["key"], []).append(found["value"])
        return True

    def close(self) -> None:
        """Take note that something else follows."""
        if self._current is not None:
            self._current.closed = True
        self._current = None

    def said(self) -> tuple[Said, ...]:
        """Return what the blocks say."""
        drivers = any("Driver" in block.fields for block in self._blocks)
        groups = any("IOMMUGroup" in block.fields for block in self._blocks)
        return tuple(
            Said(
                block.line,
                DeviceId.of_pci(block.address),
                _facts(block, drivers=drivers, groups=groups),
            )
            for block in self._blocks
        )


def _facts(block: _Block, *, drivers: bool, groups: bool) -> DeviceFacts:
    name, kind = split_name(_one(block, "Class"))
    vendor_name, vendor = split_name(_one(block, "Vendor"))
    device_name, device = split_name(_one(block, "Device"))
    code = kind if known(kind) else class_of_name(name)
    interface = _hexadecimal(_one(block, "ProgIf"))
    low = interface if known(interface) else 0
    words = f"{vendor_name} {device_name}".strip()
    cut = CUT in words
    return DeviceFacts(
        name=Missing.TRUNCATED if cut else words or Missing.ABSENT,
        ids=PciIds(
            vendor,
            device,
            split_name(_one(block, "SVendor"))[1],
            split_name(_one(block, "SDevice"))[1],
            map_fact(code, lambda base: base << 8 | low),
            _hexadecimal(_one(block, "Rev")),
        ),
        driver=_driver(block, shown=drivers),
        group=_group(block, shown=groups),
        slot=_slot(block),
    )


def _one(block: _Block, key: str) -> str:
    """Return a field's value; a field that comes twice and differs has none."""
    values = set(block.fields.get(key, ()))
    return next(iter(values)) if len(values) == 1 else ""


def _slot(block: _Block) -> Fact[str]:
    name = _one(block, "PhySlot").rstrip()
    if CUT in name:
        return Missing.TRUNCATED
    return name or Missing.ABSENT


def _hexadecimal(text: str) -> Fact[int]:
    return int(text, 16) if re.fullmatch(r"[0-9a-f]{2}", text) else Missing.ABSENT


def _driver(block: _Block, *, shown: bool) -> Fact[str | None]:
    if "Driver" in block.fields:
        name = _one(block, "Driver")
        return name if re.fullmatch(r"[\w.+-]*[\w+]", name) else Missing.UNREADABLE
    if "Module" in block.fields:  # comes behind the driver
        return None
    return None if shown and block.closed else Missing.ABSENT


def _group(block: _Block, *, shown: bool) -> Fact[str | None]:
    if "IOMMUGroup" in block.fields:
        name = _one(block, "IOMMUGroup")
        return str(int(name)) if re.fullmatch(r"\d{1,6}", name) else Missing.UNREADABLE
    return None if shown and block.closed else Missing.ABSENT
