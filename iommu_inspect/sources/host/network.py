"""Which devices a network interface stands on: bonds, bridges, VLANs, Open vSwitch."""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.model.fact import Fact, Missing, known
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
        if not known(path) or depth > _DEEPEST:
            return Missing.ABSENT
        holder = self._locate(path)
        if not known(holder):
            return holder
        if holder is not None:
            return ((holder,),)
        if not path.startswith("sys/devices/virtual/"):
            return ()
        parts = [self.needs(lower, depth + 1) for lower in self._lower(name)]
        told = [part for part in parts if known(part)]
        if self._tree.exists(f"{_CLASS}/{name}/bonding"):
            return any_of(parts)
        # Ports of a bridge that are not told are those of guests and containers.
        return all_of(told) if told else Missing.ABSENT

    def _lower(self, name: str) -> tuple[str, ...]:
        directory = f"{_CLASS}/{name}"
        inside = self._tree.names(directory)
        listed = inside if known(inside) else ()
        lower = [
            entry.removeprefix(_LOWER) for entry in listed if entry.startswith(_LOWER)
        ]
        if not lower and "brif" in listed:
            ports = self._tree.names(f"{directory}/brif")
            lower = list(ports) if known(ports) else []
        if not lower and "bonding" in listed:
            slaves = self._tree.text(f"{directory}/bonding/slaves")
            lower = slaves.split() if known(slaves) else []
        if not lower:
            # The bridge of Open vSwitch is a port of its datapath like any other.
            above = self._tree.target(f"{directory}/master")
            if isinstance(above, str) and above.endswith("/ovs-system"):
                lower = ["ovs-system"] if name != "ovs-system" else []
        return tuple(lower)
