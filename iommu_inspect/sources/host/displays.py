"""Which devices the host shows something on: screens, consoles, framebuffers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.uses.host import HostUse, UseKind
from iommu_inspect.sources.host.needs import Locate
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["consoles", "framebuffers", "screens"]

# Who says in /proc/iomem that firmware's framebuffer is in use.
_FRAMEBUFFERS = ("BOOTFB", "efifb", "vesafb", "simplefb", "simpledrm")
_CONNECTOR = re.compile(r"(card[0-9]+)-(.+)")


def screens(tree: Tree, locate: Locate) -> Fact[list[HostUse]]:
    """Find the cards with a screen that is on: its connector is enabled.

    ``status`` and ``enabled`` show what the kernel remembers; reading them asks no
    screen (status_show() in drivers/gpu/drm/drm_sysfs.c).
    """
    directory = "sys/class/drm"
    names = tree.names(directory)
    if not known(names):
        return names
    lit: dict[tuple[str, str], list[str]] = {}
    for name in names:
        parts = _CONNECTOR.fullmatch(name)
        if parts is None:
            continue
        states = [tree.text(f"{directory}/{name}/{f}") for f in ("status", "enabled")]
        refused = [s for s in states if not known(s) and s is not Missing.ABSENT]
        if refused:
            return Missing.UNREADABLE
        link = tree.target(f"{directory}/{name}")
        if not known(link) and link is not Missing.ABSENT:
            return link
        holder = locate(link) if known(link) else None
        if states == ["connected", "enabled"] and isinstance(holder, str):
            lit.setdefault((holder, parts[1]), []).append(parts[2])
    return [
        HostUse(UseKind.DISPLAY, tuple(connectors), ((path,),), card)
        for (path, card), connectors in lit.items()
    ]


def consoles(tree: Tree, locate: Locate) -> list[HostUse]:
    """Find the terminals that the kernel's messages go to."""
    active = tree.text("sys/class/tty/console/active")
    found = []
    for name in active.split() if known(active) else ():
        link = tree.target(f"sys/class/tty/{name}")
        holder = locate(link) if known(link) else None
        if isinstance(holder, str):
            found.append(HostUse(UseKind.CONSOLE, (name,), ((holder,),)))
    return found


def framebuffers(tree: Tree, locate: Locate, paths: dict[str, str]) -> list[HostUse]:
    """Find what holds the memory of a display that firmware set up."""
    found: dict[str, set[str]] = {}
    for name, path in _firmware_framebuffers(tree, locate):
        found.setdefault(path, set()).add(name)
    for name, address in _in_memory_map(tree):
        if address in paths:
            found.setdefault(paths[address], set()).add(name)
    return [
        HostUse(UseKind.FRAMEBUFFER, tuple(sorted(names)), ((path,),))
        for path, names in found.items()
    ]


def _firmware_framebuffers(tree: Tree, locate: Locate) -> Iterable[tuple[str, str]]:
    """Yield firmware's framebuffers whose place below a device is told."""
    directory = "sys/bus/platform/devices"
    names = tree.names(directory)
    for name in names if known(names) else ():
        if "-framebuffer." not in name:
            continue
        link = tree.target(f"{directory}/{name}")
        holder = locate(link) if known(link) else None
        if isinstance(holder, str):
            yield name, holder


def _in_memory_map(tree: Tree) -> Iterable[tuple[str, str]]:
    """Yield framebuffers of /proc/iomem with the PCI function whose memory it is.

    Everybody can read the names and how they are nested; the addresses are zero for
    all but root.
    """
    data = tree.large_data("proc/iomem")
    text = map_fact(data, lambda content: content.decode("ascii", "replace"))
    above: list[str] = []
    for line in text.splitlines() if known(text) else ():
        depth = (len(line) - len(line.lstrip(" "))) // 2
        name = line.partition(" : ")[2]
        above = [*above[:depth], name]
        if name in _FRAMEBUFFERS:
            owners = [a for part in above if (a := PciAddress.parse(part)) is not None]
            if owners:
                yield name, str(owners[-1])
