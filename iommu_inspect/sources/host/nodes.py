"""The names of network interfaces and disks, and the devices that each stands on."""

from __future__ import annotations

from iommu_inspect.model.fact import Fact, Missing, known, map_fact, value_or
from iommu_inspect.sources.host.block import Blocks
from iommu_inspect.sources.host.needs import Needs
from iommu_inspect.sources.host.network import Interfaces
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_nodes"]

_INTERFACES = "sys/class/net"
_BLOCKS = "sys/class/block"
_DISKS = "sys/block"


def read_nodes(
    tree: Tree, blocks: Blocks, interfaces: Interfaces
) -> Fact[tuple[tuple[str, Fact[tuple[str, ...]]], ...]]:
    """Return each name with the paths of all devices that it stands on.

    Missing where neither interfaces nor disks are listed.
    """
    links = tree.names(_INTERFACES)
    if not known(links) and not known(blocks.names):
        return links if links is not Missing.ABSENT else blocks.names
    found = {
        name: map_fact(blocks.needs(name), _paths)
        for name in (*value_or(blocks.names, ()), *_partitions(tree))
    }
    for name in value_or(links, ()):
        if name == "bonding_masters":  # a file beside the links
            continue
        # One name for both a disk and an interface names neither.
        found[name] = (
            Missing.UNREADABLE
            if name in found
            else map_fact(interfaces.needs(name), _paths)
        )
    return tuple(sorted(found.items(), key=lambda item: item[0]))


def _partitions(tree: Tree) -> tuple[str, ...]:
    """Return the partitions of the disks where only whole disks are listed."""
    if known(tree.names(_BLOCKS)):
        return ()
    return tuple(
        name
        for disk in value_or(tree.names(_DISKS), ())
        for name in value_or(tree.names(f"{_DISKS}/{disk}"), ())
        if name.startswith(disk)
    )


def _paths(needs: Needs) -> tuple[str, ...]:
    return tuple(sorted({path for some in needs for path in some}))
