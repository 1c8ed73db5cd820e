"""Which devices a network interface stands on: bonds, bridges, VLANs, Open vSwitch."""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.model.fact import Fact, Missing, complete, known, map_fact
from iommu_inspect.sources.host.needs import Bound, Locate, Needs, all_of, any_of
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Interfaces"]

_CLASS = "sys/class/net"
_LOWER = "lower_"
_DEEPEST = 16
# The interface of the datapath, whose ports are those of all bridges.
_DATAPATH = "ovs-system"
# What interfaces of other kinds have.
_OTHERS = {"bonding", "bridge", "brif", "tun_flags"}


class Interfaces:
    """The network interfaces that a tree shows (its network namespace's)."""

    def __init__(self, tree: Tree, locate: Locate) -> None:
        self._tree = tree
        self._locate = locate
        self._needs: dict[str, Fact[Needs]] = {}
        self._bound = Bound()

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
        found = self._needs.get(name)
        if found is None and depth > _DEEPEST:
            return Missing.ABSENT
        if found is None:
            found = self._needs[name] = self._bound.within(
                self._read_needs(name, depth)
            )
        return found

    def _read_needs(self, name: str, depth: int) -> Fact[Needs]:
        path = self._tree.target(f"{_CLASS}/{name}")
        if not known(path):
            return path
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
        if not parts:
            return Missing.ABSENT
        bonded = self._tree.has(f"{_CLASS}/{name}/bonding")
        if not known(bonded):
            return bonded
        if bonded:
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
        inside = self._is_in_datapath(name, listed)
        if not known(inside):
            return inside
        return (_DATAPATH,) if inside else ()

    def _is_in_datapath(self, name: str, listed: tuple[str, ...]) -> Fact[bool]:
        """Say whether this is a port of Open vSwitch that the kernel made for it.

        Such a port, which a bridge of Open vSwitch has its name from, has no link to
        its datapath (``internal_dev_create()`` in net/openvswitch/); those that were
        there before have (``ovs_netdev_link()``). So every Ethernet interface counts
        that shows nothing of another kind: tun and tap have ``tun_flags``, most
        others a DEVTYPE in ``uevent``.
        """
        if name == _DATAPATH:
            return False
        directory = f"{_CLASS}/{name}"
        above = self._tree.target(f"{directory}/master")
        if known(above) and above.endswith(f"/{_DATAPATH}"):
            return True
        if not known(above) and above is not Missing.ABSENT:
            return above
        if known(above) or not self._tree.exists(f"{_CLASS}/{_DATAPATH}"):
            return False
        if _OTHERS & set(listed):
            return False
        kind = self._tree.text(f"{directory}/type")
        event = self._tree.text(f"{directory}/uevent")
        is_ethernet = not known(kind) or kind == "1"
        return is_ethernet and not (known(event) and "DEVTYPE=" in event)
