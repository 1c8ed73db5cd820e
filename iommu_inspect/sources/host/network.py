"""Which devices a network interface stands on: bonds, bridges, VLANs, Open vSwitch."""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.model.fact import Fact, Missing, complete, known, map_fact
from iommu_inspect.sources.host.needs import Locate, Needs, all_of, any_of
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Interfaces"]

_CLASS = "sys/class/net"
_LOWER = "lower_"
_DEEPEST = 16


class Interfaces:
    """The network interfaces that a tree shows (its network namespace's)."""

    def __init__(self, tree: Tree, locate: Locate) -> None:
        self._tree = tree
        self._locate = locate

    @cached_property
    def carriers(self) -> Fact[tuple[str, ...]]:
        """The paths of the devices that have a network interface below them."""
        names = self._tree.names(_CLASS)
        if not known(names):
            return names
        found = set()
        for name in names:
            path = self._tree.target(f"{_CLASS}/{name}")
            if not known(path):
                if name == "bonding_masters":  # a file beside the links
                    continue
                return path
            holder = self._locate(path)
            if isinstance(holder, str):
                found.add(holder)
        return tuple(sorted(found))

    def needs(self, name: str, depth: int = 0) -> Fact[Needs]:
        """Return what an interface stands on; missing where that is not told."""
        path = self._tree.target(f"{_CLASS}/{name}")
        if not known(path):
            return path
        if depth > _DEEPEST:
            return Missing.ABSENT
        holder = self._locate(path)
        if not known(holder):
            return holder
        if holder is not None:
            return ((holder,),)
        if not path.startswith("sys/devices/virtual/"):
            return ()
        lower = self._lower(name)
        if not known(lower):
            return lower
        parts = [self.needs(each, depth + 1) for each in lower]
        if self._tree.exists(f"{_CLASS}/{name}/bonding"):
            return any_of(parts)
        # Ports of a bridge that are on no device are those of guests and containers.
        told = complete(parts)
        if not known(told):
            return told
        return all_of(told) if told else Missing.ABSENT

    def _lower(self, name: str) -> Fact[tuple[str, ...]]:
        directory = f"{_CLASS}/{name}"
        listed = self._tree.names(directory)
        if not known(listed):
            return listed
        lower = [
            entry.removeprefix(_LOWER) for entry in listed if entry.startswith(_LOWER)
        ]
        if lower:
            return tuple(lower)
        if "brif" in listed:
            ports = self._tree.names(f"{directory}/brif")
            if not known(ports) or ports:
                return ports
        if "bonding" in listed:
            slaves = self._tree.text(f"{directory}/bonding/slaves")
            if not known(slaves) or slaves:
                return map_fact(slaves, lambda text: tuple(text.split()))
        # The bridge of Open vSwitch is a port of its datapath like any other.
        above = self._tree.target(f"{directory}/master")
        if not known(above):
            return () if above is Missing.ABSENT else above
        in_datapath = above.endswith("/ovs-system") and name != "ovs-system"
        return ("ovs-system",) if in_datapath else ()
