"""Reads paths and links of sysfs: what ``find``, ``ls -l`` and ``readlink`` print."""

from __future__ import annotations

import re
from dataclasses import field
from itertools import pairwise
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.parts.forms import ADDRESS
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Line, Said

__all__ = ["LinkReader", "device_id"]

_NAME = rf"[^\s/:{CUT}]+(?:{ADDRESS})?|{ADDRESS}"
_DOMAIN_NAME = rf"(?:{ADDRESS}|[\w.,@+-]+(?::[\w.,@+-]+)*)"
_GROUP_PATH = re.compile(
    rf"iommu_groups/(?P<group>\d{{1,6}})/devices/(?P<device>{_DOMAIN_NAME})(?=$|\s|/)"
)
_GROUP_FOLDER = re.compile(r"\S*iommu_groups/(?P<group>\d{1,6})(?:/devices)?/?:")
_OF_DEVICE = re.compile(
    rf"devices/(?:[^\s{CUT}]*/)?(?P<device>{ADDRESS})/(?P<what>iommu_group|driver)"
    rf"(?:\s+->)?\s+(?P<target>[^\s{CUT}]+)$"
)
# What scripts print of the controllers that USB buses hang from.
_USB_BUS = re.compile(
    rf"Bus \d+ -+> (?P<device>{ADDRESS}) \(IOMMU group (?P<group>\d{{1,6}})\)"
)
_TARGET_GROUP = re.compile(r"(?:.*/)?iommu_groups/(?P<group>\d{1,6})/?")
_TARGET_DRIVER = re.compile(r"(?:.*/)?drivers/(?P<driver>[\w.+-]*[\w+])/?")
_LINK = re.compile(
    rf"(?<![\w.,@+:-])(?P<name>{_DOMAIN_NAME})\s+->\s+(?P<target>[^\s{CUT}]*/[^\s{CUT}]+)$"
)
_NODE = re.compile(r"/(?:net|block|nvme/nvme\d+)/(?P<node>[\w.-]+)$")
_PLACE = re.compile(
    rf"/pci(?P<domain>[0-9a-f]{{4,8}}):[0-9a-f]{{2}}/(?P<way>[^\s{CUT}]*)"
)
_ONLY_NAMES = re.compile(rf"(?:{ADDRESS})(?:\s+{ADDRESS})*")
_LISTED = re.compile(r"[bcdlps-][rwxsStT-]{9}[.+@]?\s")
_TOTAL = re.compile(r"total \d+")
_BRANCH = re.compile(r"(?P<lines>[\s│|├└─`+-]*[─-]\s)(?P<name>\S.*)")
_PATH_LINE = re.compile(
    r"(?:\./|/|[a-z]+:)?(?:sys/)?\S*(?:iommu_groups/\d|bus/pci/devices/|devices/pci[0-9a-f]{4})"
)


@dataclass(slots=True)
class LinkReader:
    """Reads lines with paths below ``/sys``, and the answers to commands about them."""

    KIND: ClassVar[str] = "links"

    _said: list[Said] = field(default_factory=list)
    _folder: str | None = None
    _asked: tuple[str, str] | None = None
    _branches: list[tuple[int, str]] = field(default_factory=list)

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line begins with a path of sysfs, or as ``ls -l`` does."""
        return (
            _PATH_LINE.match(bare) is not None
            or _USB_BUS.fullmatch(bare) is not None
            or _LISTED.match(bare) is not None
            or _TOTAL.fullmatch(bare) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        bare = line.bare
        if line.prompt:
            self.close()
            self._ask(bare)
            return False
        taken = False
        if line.after_gap and self._folder is not None:
            self.close()
        folder = _GROUP_FOLDER.fullmatch(bare)
        if folder:
            self._folder = folder["group"]
            return True
        if _TOTAL.fullmatch(bare):
            return True
        taken = self._paths(line) or taken
        taken = self._link(line) or taken
        if taken:
            return True
        return self._names(line) or self._answer(line) or self._branch(line)

    def close(self) -> None:
        """Take note that something else follows."""
        self._folder = None
        self._asked = None
        self._branches.clear()

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)

    def _say(self, line: Line, device: DeviceId, facts: DeviceFacts) -> None:
        self._said.append(Said(line.number, device, facts))

    def _paths(self, line: Line) -> bool:
        taken = False
        for found in _GROUP_PATH.finditer(line.bare):
            facts = DeviceFacts(group=str(int(found["group"])))
            self._say(line, device_id(found["device"]), facts)
            taken = True
        usb = _USB_BUS.fullmatch(line.bare)
        if usb:
            facts = DeviceFacts(group=str(int(usb["group"])))
            self._say(line, device_id(usb["device"]), facts)
            taken = True
        own = _OF_DEVICE.search(line.bare)
        if own:
            target = _target(own["what"], own["target"])
            if target is not None:
                self._say(line, device_id(own["device"]), target)
                taken = True
        return taken

    def _link(self, line: Line) -> bool:
        """Read ``NAME -> TARGET``: below a group's folder NAME is a member."""
        found = _LINK.search(line.bare)
        place = _PLACE.search(found["target"] if found else line.bare)
        taken = False
        if found and self._folder is not None and "/" not in line.bare[: found.start()]:
            facts = DeviceFacts(group=self._folder)
            self._say(line, device_id(found["name"]), facts)
            taken = True
        if place and (found or line.bare.startswith(("/", "."))):
            taken = self._way(line, place["way"], place.string) or taken
        return taken

    def _way(self, line: Line, way: str, path: str) -> bool:
        """Say which functions are above which: directories of sysfs are the tree."""
        functions = []
        for part in way.split("/"):
            address = PciAddress.parse(part)
            if address is None or part.count(":") != 2:
                break
            functions.append(DeviceId.of_pci(address))
        if not functions:
            return False
        self._say(line, functions[0], DeviceFacts(parent=None))
        for above, below in pairwise(functions):
            self._say(line, below, DeviceFacts(parent=above))
        node = _NODE.search(path)
        if node:
            self._say(line, functions[-1], DeviceFacts(nodes=(node["node"],)))
        return True

    def _names(self, line: Line) -> bool:
        """Read the names that ``ls`` prints of a group's folder."""
        if self._folder is None or not _ONLY_NAMES.fullmatch(line.bare):
            return False
        for name in line.bare.split():
            facts = DeviceFacts(group=self._folder)
            self._say(line, device_id(name), facts)
        return True

    def _ask(self, command: str) -> None:
        folder = re.search(
            rf"\bls\b[^|;&]*iommu_groups/(\d{{1,6}})/devices/?[^\S{CUT}]*$", command
        )
        if folder:
            self._folder = str(int(folder[1]))
        asked = re.search(
            rf"\breadlink\b[^|;&]*/({ADDRESS})/(iommu_group|driver)/?[\s\"']*$", command
        )
        if asked:
            self._asked = asked[1], asked[2]

    def _answer(self, line: Line) -> bool:
        if self._asked is None or line.bare.endswith(CUT):
            return False
        device, what = self._asked
        facts = _target(what, line.bare)
        if facts is None:
            return False
        self._asked = None
        self._say(line, device_id(device), facts)
        return True

    def _branch(self, line: Line) -> bool:
        """Read a line of ``tree /sys/kernel/iommu_groups``."""
        found = _BRANCH.fullmatch(line.text.rstrip())
        if found is None:
            return False
        at, name = len(found["lines"]), found["name"].split(" -> ")[0].strip()
        while self._branches and self._branches[-1][0] >= at:
            self._branches.pop()
        if re.fullmatch(r"\d{1,6}", name) or name == "devices":
            self._branches.append((at, name))
            return True
        above = [text for _, text in self._branches]
        if above[-1:] != ["devices"] or len(above) < 2 or not above[-2].isdigit():
            return bool(above) and name in ("reserved_regions", "type", "name")
        if not re.fullmatch(_DOMAIN_NAME, name):
            return False
        self._say(line, device_id(name), DeviceFacts(group=above[-2]))
        return True


def _target(what: str, target: str) -> DeviceFacts | None:
    if what == "iommu_group":
        found = _TARGET_GROUP.fullmatch(target)
        return DeviceFacts(group=str(int(found["group"]))) if found else None
    driver = _TARGET_DRIVER.fullmatch(target)
    return DeviceFacts(driver=driver["driver"]) if driver else None


def device_id(name: str) -> DeviceId:
    """Return the identity of a device that a text names; the bus of others is open."""
    from iommu_inspect.model.fact import Missing

    address = PciAddress.parse(name)
    if address is None:
        return DeviceId(name, Missing.ABSENT)
    return DeviceId.of_pci(address)
