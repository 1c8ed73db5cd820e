"""Which devices a block device stands on: partitions, LVM, LUKS, md, multipath."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from iommu_inspect.model.fact import Fact, Missing, known, map_fact, unread
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.host.needs import Bound, Locate, Needs, any_of, spared
from iommu_inspect.sources.sysfs.numbers import decimal
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Blocks"]

# Block devices that are memory, or a file in a file system that is mounted itself.
_OF_NO_DEVICE = re.compile(r"(?:loop|ram|zram|fd)\d")
# Disks at the far end of a network: iSCSI in software, NVMe over fabrics, Ceph.
_REMOTE = ("/session", "/nvme-fabrics/", "/rbd/")
_CONTROLLER = re.compile(r"nvme\d+")
_MULTIPATH = "mpath-"
# Names of md arrays: md0, md127, md_home, md_d0.
_MD = re.compile(r"md(?:\d+|_.+)")
_SPARED = {"raid4": 1, "raid5": 1, "raid6": 2, "raid10": 1}
# Those without redundancy, which have no file that tells what is lost. "" is that of an
# array without a personality (level_show() in drivers/md/md.c).
_NOTHING_SPARED = frozenset(
    ("", "container", "faulty", "linear", "multipath", "none", "raid0")
)
# Profiles of btrfs that outlive the loss of one device.
_BTRFS_SPARED = frozenset(("raid1", "raid1c3", "raid1c4", "raid10", "raid5", "raid6"))
_DEEPEST = 16


class Blocks:
    """The block devices of one tree, by the names that the kernel gives them."""

    def __init__(self, tree: Tree, locate: Locate) -> None:
        self._tree = tree
        self._locate = locate
        self._needs: dict[str, Fact[Needs]] = {}
        self._bound = Bound()

    @cached_property
    def names(self) -> Fact[tuple[str, ...]]:
        """Every block device, partitions included where the source lists them."""
        every = self._tree.names("sys/class/block")
        disks = self._tree.names("sys/block")
        if not known(every) and not known(disks):
            return every
        both = dict.fromkeys((*_names(every), *_names(disks)))
        return tuple(sorted(both, key=natural_key))

    @cached_property
    def _listed(self) -> frozenset[str]:
        return frozenset(_names(self.names))

    @cached_property
    def carriers(self) -> Fact[tuple[str, ...]]:
        """The paths of the devices that have a block device below them.

        Missing where one block device is listed and its place is not told.
        """
        found: set[str] = set()
        if not known(self.names):
            return self.names
        for name in self.names:
            path = self._path(name)
            if not known(path):
                return path
            needs = self.needs(name)
            if known(needs):
                found |= {path for some in needs for path in some}
        return tuple(sorted(found))

    def by_number(self, number: str) -> str | None:
        """Return the name of the device ``MAJOR:MINOR``."""
        link = self._tree.target(f"sys/dev/block/{number}")
        if known(link):
            return link.rpartition("/")[2]
        return self._numbers.get(number)

    def by_source(self, source: str) -> str | None:
        """Return the kernel's name of a file of ``/dev``, if one can be found."""
        if not source.startswith("/dev/"):
            return None
        file = source.removeprefix("/dev/")
        if file.startswith("mapper/"):
            return self._mapped.get(file.removeprefix("mapper/"))
        # "/" in the kernel's own names is "!" in sysfs: cciss!c0d0.
        name = file.replace("/", "!")
        if name in self._listed:
            return name
        return name if known(self._path(name)) else None

    def needs(self, name: str, depth: int = 0) -> Fact[Needs]:
        """Return what a block device stands on; missing where that is not told."""
        if depth > _DEEPEST:
            return Missing.UNREADABLE
        needs = self._needs.get(name)
        if needs is None:
            needs = self._needs[name] = self._bound.within(
                self._read_needs(name, depth)
            )
        return needs

    def btrfs(self, name: str) -> Fact[Needs]:
        """Return what a btrfs stands on, of which ``name`` is one device."""
        pools, why = self._pools
        uuid = self._pool_of.get(name)
        if uuid is None:
            return self.needs(name) if why is None else why
        if uuid not in self._pool_needs:
            parts = [self.needs(member) for member in pools[uuid]]
            needs = spared(parts, self._btrfs_spare(f"sys/fs/btrfs/{uuid}"))
            self._pool_needs[uuid] = self._bound.within(needs)
        return self._pool_needs[uuid]

    @cached_property
    def _pool_needs(self) -> dict[str, Fact[Needs]]:
        return {}

    @cached_property
    def _pool_of(self) -> dict[str, str]:
        pools, _ = self._pools
        return {name: uuid for uuid, members in pools.items() for name in members}

    @cached_property
    def _pools(self) -> tuple[dict[str, tuple[str, ...]], Missing | None]:
        """The devices of each file system of btrfs, as far as they can be listed."""
        found: dict[str, tuple[str, ...]] = {}
        every = self._tree.names("sys/fs/btrfs")
        if isinstance(every, Missing):
            return found, every if unread(every) else None
        for uuid in every:
            listed = self._tree.names(f"sys/fs/btrfs/{uuid}/devices")
            if isinstance(listed, Missing):
                if unread(listed):
                    return found, listed
                continue
            found[uuid] = listed
        return found, None

    def mounted(self) -> tuple[tuple[str, str], ...]:
        """Return (type, name) of file systems that show themselves in ``sys/fs``.

        They do so whatever the mount namespace of who asks.
        """
        found = []
        for kind in ("ext4", "xfs", "f2fs"):
            for name in _names(self._tree.names(f"sys/fs/{kind}")):
                if name in self._listed:
                    found.append((kind, name))
        pools, _ = self._pools
        found += [("btrfs", members[0]) for members in pools.values() if members]
        return tuple(found)

    def _btrfs_spare(self, directory: str) -> int:
        profiles: set[str] = set()
        for kind in ("data", "metadata", "system"):
            place = f"{directory}/allocation/{kind}"
            for name in _names(self._tree.names(place)):
                if isinstance(self._tree.names(f"{place}/{name}"), tuple):
                    profiles.add(name)
        return 1 if profiles and profiles <= _BTRFS_SPARED else 0

    @cached_property
    def _numbers(self) -> dict[str, str]:
        found = {}
        for name in _names(self.names):
            number = self._attribute(name, "dev")
            if known(number):
                found[number] = name
        return found

    @cached_property
    def _mapped(self) -> dict[str, str]:
        found = {}
        for name in _names(self.names):
            if name.startswith("dm-"):
                mapped = self._attribute(name, "dm/name")
                if known(mapped):
                    found[mapped] = name
        return found

    def _attribute(self, name: str, attribute: str) -> Fact[str]:
        text = self._tree.text(f"sys/class/block/{name}/{attribute}")
        if text is not Missing.ABSENT:
            return text
        return self._tree.text(f"sys/block/{name}/{attribute}")

    def _path(self, name: str) -> Fact[str]:
        for directory in ("sys/class/block", "sys/block"):
            path = self._tree.target(f"{directory}/{name}")
            if known(path):
                return path
        for end in range(1, len(name)):
            # A partition, where only whole disks are listed.
            disk = name[:end]
            if disk in self._disks and self._tree.exists(f"sys/block/{disk}/{name}"):
                above = self._tree.target(f"sys/block/{disk}")
                return map_fact(above, lambda path: f"{path}/{name}")
        return Missing.ABSENT

    @cached_property
    def _disks(self) -> frozenset[str]:
        return frozenset(_names(self._tree.names("sys/block")))

    def _read_needs(self, name: str, depth: int) -> Fact[Needs]:
        path = self._path(name)
        if not known(path):
            return path
        holder = self._locate(path)
        if not known(holder):
            return holder
        if holder is not None:
            return ((holder,),)
        if any(part in path for part in _REMOTE):
            return Missing.ABSENT
        if "/nvme-subsystem/" in path:
            return self._multipath_nvme(path)
        if not path.startswith("sys/devices/virtual/block/"):
            return ()
        disk = path.split("/")[4]
        if _OF_NO_DEVICE.match(disk):
            return ()
        return self._stacked(disk, depth)

    def _multipath_nvme(self, path: str) -> Fact[Needs]:
        """Find the controllers that lead to one namespace (nvme-core multipath)."""
        parts = path.split("/")
        subsystem = "/".join(parts[: parts.index("nvme-subsystem") + 2])
        found: list[Fact[Needs]] = []
        for name in _names(self._tree.names(subsystem)):
            if not _CONTROLLER.fullmatch(name):
                continue
            link = self._tree.target(f"{subsystem}/{name}")
            holder = self._locate(link) if known(link) else link
            found.append(((holder,),) if isinstance(holder, str) else Missing.ABSENT)
        return any_of(found) if found else Missing.ABSENT

    def _stacked(self, disk: str, depth: int) -> Fact[Needs]:
        slaves = self._tree.names(f"sys/block/{disk}/slaves")
        if not known(slaves):
            slaves = self._tree.names(f"sys/class/block/{disk}/slaves")
        if not known(slaves) or not slaves:
            # zvols, DRBD, NBD: virtual, and nothing says on what.
            return Missing.ABSENT
        parts = [self.needs(name, depth + 1) for name in slaves]
        identity = self._attribute(disk, "dm/uuid")
        if not known(identity):
            if unread(identity):
                return identity
        elif identity.startswith(_MULTIPATH):
            return any_of(parts)
        spare = self._md_spare(disk)
        return spared(parts, spare) if known(spare) else spare

    def _md_spare(self, disk: str) -> Fact[int]:
        """Return how many members an md array can lose now; 0 for what is none.

        Where a fact of an array is missing none of its members is known to be needed.
        """
        there = self._tree.has(f"sys/block/{disk}/md")
        if not known(there):
            return there
        if not there:
            return Missing.ABSENT if _MD.fullmatch(disk) else 0
        files = [
            f"sys/block/{disk}/md/{name}"
            for name in ("level", "raid_disks", "degraded")
        ]
        level, disks, degraded = self._tree.text_bounded(files).values()
        if not known(level):
            return level
        if level in _NOTHING_SPARED:
            return 0
        if level != "raid1" and level not in _SPARED:
            return Missing.UNREADABLE
        lost = decimal(degraded) if known(degraded) else degraded
        if not known(lost):
            return lost
        if level != "raid1":
            return _SPARED[level] - lost
        # "2", or "3 (2)" while it is reshaped.
        count = decimal(disks.split(" ")[0]) if known(disks) else disks
        return count - 1 - lost if known(count) else count


def _names(names: Fact[Iterable[str]]) -> tuple[str, ...]:
    return tuple(names) if known(names) else ()
