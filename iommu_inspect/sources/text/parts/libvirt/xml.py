"""Reads the XML of ``virsh nodedev-dumpxml``, of one device or of many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import PciHeaderType
from iommu_inspect.sources.text.parts.libvirt.markup import Markup, Token
from iommu_inspect.sources.text.parts.libvirt.names import function_of
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Line, Said

__all__ = ["NodeXmlReader"]

_ELEMENTS = re.compile(
    r"</?(?:device|devices|name|path|parent|driver|capability|domain|bus|slot|function"
    r"|product|vendor|class|iommuGroup|address|numa|pci-express|link|interface|block"
    r"|type|deviceAPI|availableInstances|devnode|link|feature|fields|hardware|firmware"
    r"|subclass|protocol|number|host|target|lun|size|model|serial|drive_type)\b"
    r"|<\?xml |<!DOCTYPE"
)
_MOST_DEEP = 24
_COMPUTER = "computer"
_BRIDGES = {
    "pci-bridge": PciHeaderType.BRIDGE,
    "cardbus-bridge": PciHeaderType.CARDBUS,
}


@dataclass(slots=True)
class _Node:
    """What one ``<device>`` holds, as text."""

    line: int
    texts: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    group: str | None = None
    members: list[PciAddress] = field(default_factory=list)
    owner: PciAddress | None = None
    virtfns: list[PciAddress] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.texts.get("device/name", "")

    def function(self) -> DeviceId | None:
        """Return the PCI function, if its name and its numbers agree."""
        named = function_of(self.name)
        place = "device/capability/"
        address = _address(
            *(self.texts.get(place + p) for p in ("domain", "bus", "slot", "function"))
        )
        if "pci" not in self.kinds or address is None:
            return None
        mine = DeviceId.of_pci(address)
        return mine if named in (None, mine) else None


@dataclass(slots=True)
class NodeXmlReader:
    """Reads node devices. That a driver or a group is missing counts if others have it.

    Old versions do not print groups, and people leave lines out.
    """

    KIND: ClassVar[str] = "nodedev"

    _nodes: list[_Node] = field(default_factory=list)
    _markup: Markup = field(default_factory=Markup)
    _path: list[tuple[str, str]] = field(default_factory=list)
    _node: _Node | None = None

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line begins with an element of a node device."""
        return _ELEMENTS.match(bare) is not None

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of a node device's."""
        if line.prompt:
            return False
        bare = line.bare
        if self._node is None and not _opens(bare):
            return False
        if self._node is not None and not self._path:
            self._node = None
        if CUT in bare and not bare.endswith(CUT):
            bare = bare.replace(CUT, "")
        for token in self._markup.feed(bare.rstrip(CUT)):
            self._read(line.number, token)
        if self._markup.broken:
            self.close()
        return True

    def close(self) -> None:
        """Take note that something else follows: what is open is left out."""
        self._markup = Markup()
        self._path.clear()
        self._node = None

    def said(self) -> tuple[Said, ...]:
        """Return what the devices say that are there from beginning to end."""
        return tuple(self._all_said())

    def _read(self, number: int, token: Token) -> None:
        if token.kind == "open":
            self._open(number, token)
        elif token.kind == "close":
            self._close(token.text)
        elif self._node is not None and self._path:
            place = "/".join(name for name, _ in self._path)
            self._node.texts.setdefault(place, token.text)

    def _open(self, number: int, token: Token) -> None:
        if token.text == "device" and not self._inside_capability():
            self._path.clear()
            self._node = _Node(number)
        elif self._node is None:
            return
        if len(self._path) >= _MOST_DEEP:
            self._markup.broken = True
            return
        kind = token.attribute("type") or ""
        self._path.append((token.text, kind))
        self._note(token, kind)

    def _inside_capability(self) -> bool:
        """Say whether ``<device>`` here is a USB device's number."""
        return any(name == "capability" for name, _ in self._path)

    def _note(self, token: Token, kind: str) -> None:
        node, depth = self._node, len(self._path)
        if node is None:
            return
        if token.text == "capability":
            if depth == 2 or self._path[1] == ("capability", "pci"):
                node.kinds.add(kind)
        elif self._path[1:2] != [("capability", "pci")]:
            return
        elif token.text in ("product", "vendor") and depth == 3:
            node.ids[token.text] = token.attribute("id") or ""
        elif token.text == "iommuGroup" and depth == 3:
            number = token.attribute("number") or ""
            node.group = str(int(number)) if re.fullmatch(r"\d{1,9}", number) else None
        elif token.text == "address" and depth == 4:
            self._address(node, token)

    def _address(self, node: _Node, token: Token) -> None:
        parts = ("domain", "bus", "slot", "function")
        address = _address(*(token.attribute(part) for part in parts))
        above = self._path[2]
        if address is None:
            return
        if above[0] == "iommuGroup":
            node.members.append(address)
        elif above == ("capability", "phys_function"):
            node.owner = address
        elif above == ("capability", "virt_functions"):
            node.virtfns.append(address)

    def _close(self, name: str) -> None:
        if self._node is None:
            return
        if not self._path or self._path[-1][0] != name:
            # Something was left out between; what is open cannot be told.
            self._path.clear()
            self._node = None
            return
        self._path.pop()
        if not self._path:
            self._nodes.append(self._node)
            self._node = None

    def _all_said(self) -> Iterator[Said]:
        groups = any(node.group is not None for node in self._nodes)
        drivers = any("device/driver/name" in node.texts for node in self._nodes)
        by_name = {node.name: node for node in self._nodes}
        for node in self._nodes:
            function = node.function()
            if function is not None:
                facts = _facts(node, groups=groups, drivers=drivers)
                yield Said(node.line, function, facts)
                for virtual in node.virtfns:
                    facts = DeviceFacts(physfn=function)
                    yield Said(node.line, DeviceId.of_pci(virtual), facts)
            if node.group is not None:
                for member in node.members:
                    facts = DeviceFacts(group=node.group)
                    yield Said(node.line, DeviceId.of_pci(member), facts)
            name = _node_name(node)
            owner = _owner(node, by_name) if name else None
            if name and owner is not None:
                yield Said(node.line, owner, DeviceFacts(nodes=(name,)))


def _opens(bare: str) -> bool:
    """Say whether a line begins a node device, or a list of them."""
    return re.match(r"<(?:device|devices)>|<\?xml ", bare) is not None


def _number(text: str | None) -> int | None:
    if text is None or not re.fullmatch(r"0x[0-9a-fA-F]{1,8}|\d{1,10}", text):
        return None
    return int(text, 16 if text.startswith("0x") else 10)


def _address(*parts: str | None) -> PciAddress | None:
    numbers = [_number(part) for part in parts]
    limits = (0xFFFFFFFF, 0xFF, 0x1F, 7)
    for number, limit in zip(numbers, limits, strict=True):
        if number is None or number > limit:
            return None
    domain, bus, slot, function = (n or 0 for n in numbers)
    return PciAddress(domain, bus, slot, function)


def _facts(node: _Node, *, groups: bool, drivers: bool) -> DeviceFacts:
    place = "device/capability/"
    vendor, product = (node.texts.get(place + p, "") for p in ("vendor", "product"))
    name = f"{vendor} {product}".strip()
    driver = node.texts.get("device/driver/name")
    bridges = [header for kind, header in _BRIDGES.items() if kind in node.kinds]
    return DeviceFacts(
        name=name if vendor and product else Missing.ABSENT,
        ids=_ids(node),
        driver=driver or (None if drivers else Missing.ABSENT),
        group=node.group or (None if groups else Missing.ABSENT),
        header_type=bridges[0] if len(bridges) == 1 else Missing.ABSENT,
        physfn=DeviceId.of_pci(node.owner) if node.owner else Missing.ABSENT,
        enabled_vfs=(
            len(node.virtfns) if "virt_functions" in node.kinds else Missing.ABSENT
        ),
        parent=_parent(node.texts.get("device/parent", "")),
    )


def _ids(node: _Node) -> PciIds:
    def told(number: int | None, most: int) -> Fact[int]:
        return Missing.ABSENT if number is None or number >= most else number

    return PciIds(
        vendor=told(_number(node.ids.get("vendor")), 0xFFFF),
        device=told(_number(node.ids.get("product")), 0xFFFF),
        class_code=told(_number(node.texts.get("device/capability/class")), 0xFFFFFF),
    )


def _parent(name: str) -> Fact[DeviceId | None]:
    if name == _COMPUTER:
        return None
    return function_of(name) or Missing.ABSENT


def _node_name(node: _Node) -> str | None:
    """Return the name of an interface or of a disk that a node device is."""
    place = "device/capability/"
    if "net" in node.kinds:
        name = node.texts.get(f"{place}interface", "")
        return name if re.fullmatch(r"[\w.@-]{1,15}", name) else None
    if "storage" in node.kinds:
        found = re.fullmatch(r"/dev/([\w-]+)", node.texts.get(f"{place}block", ""))
        return found[1] if found else None
    return None


def _owner(node: _Node, by_name: dict[str, _Node]) -> DeviceId | None:
    """Return the PCI function above an interface or a disk, by its parents."""
    seen: set[str] = set()
    name = node.texts.get("device/parent", "")
    while name not in seen:
        seen.add(name)
        function = function_of(name)
        if function is not None:
            return function
        above = by_name.get(name)
        name = above.texts.get("device/parent", "") if above else ""
    return None
