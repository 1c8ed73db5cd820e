"""Which devices the host's file systems and swap areas stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.model.fact import Fact, Missing, complete, known, value_or
from iommu_inspect.model.uses.host import Carrier, HostUse, UseKind
from iommu_inspect.sources.host.block import Blocks
from iommu_inspect.sources.host.mounts import Mount, Route
from iommu_inspect.sources.host.needs import Locate, Needs, all_of
from iommu_inspect.sources.host.network import Interfaces
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["FileSystems"]

# File systems whose source does not name the devices that they are on.
_POOLED = ("zfs",)
# What comes over a network; its options name the server: addr=192.0.2.1.
_REMOTE = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "afs", "lustre", "fuse.glusterfs")
)
# What a hypervisor shares, by the virtio driver that does it.
_SHARED = {"9p": "9pnet_virtio", "virtiofs": "virtiofs"}
_NOT_A_DISK = ("/dev/fuse",)


class FileSystems:
    """The file systems of one host; ``mounts`` are all of one mount namespace."""

    def __init__(
        self,
        tree: Tree,
        mounts: Sequence[Mount],
        *,
        locate: Locate,
        blocks: Blocks,
        interfaces: Interfaces,
        routes: Sequence[Route],
    ) -> None:
        self._tree = tree
        # Of mounts over one another only the last can be seen.
        self._mounts = list({mount.point: mount for mount in mounts}.values())
        self._every = mounts
        self._locate = locate
        self._blocks = blocks
        self._interfaces = interfaces
        self._routes = routes

    def uses(self) -> list[HostUse]:
        """Return one use for each file system, with all its mount points."""
        points: dict[tuple[str, str], list[str]] = {}
        needs: dict[tuple[str, str], HostUse] = {}
        for mount in self._every:
            use = self._use(mount)
            if use is None:
                continue
            key = (use.via, use.carrier.value)
            needs[key] = use
            points.setdefault(key, []).append(mount.point)
        found = [
            HostUse(use.kind, _ordered(points[key]), use.needs, use.via, use.carrier)
            for key, use in needs.items()
        ]
        return [*found, *self._unseen({use.via for use in found})]

    def swaps(self, swaps: Iterable[tuple[str, bool]]) -> list[HostUse]:
        """Return the swap areas; a file's is on what its file system is on."""
        return [self._swap(name, is_device) for name, is_device in swaps]

    def _swap(self, name: str, is_device: bool) -> HostUse:
        needs: Fact[Needs] = Missing.ABSENT
        via = self._blocks.by_source(name) or ""
        if is_device:
            needs = self._blocks.needs(via) if via else Missing.ABSENT
        else:
            mount = self._around(name)
            use = None if mount is None else self._use(mount)
            if use is not None:
                needs, via = use.needs, use.via
        return HostUse(UseKind.SWAP, (name,), needs, via, Carrier.DISK)

    def _unseen(self, seen: set[str]) -> list[HostUse]:
        """Return file systems that only other mount namespaces have."""
        found = []
        for kind, name in self._blocks.mounted():
            needs = self._blocks.needs(name)
            if name in seen or (kind == "btrfs" and self._has_btrfs(name, seen)):
                continue
            if kind == "btrfs":
                needs = self._blocks.btrfs(name)
            what = (f"{kind} on {name}",)
            found.append(HostUse(UseKind.FILE_SYSTEM, what, needs, name, Carrier.DISK))
        return found

    def _has_btrfs(self, name: str, seen: set[str]) -> bool:
        wanted = self._blocks.btrfs(name)
        return any(self._blocks.btrfs(other) == wanted for other in seen if other)

    def _use(self, mount: Mount) -> HostUse | None:
        """Return the use that a mount is, ``None`` for one that is on no device."""
        name = self._block_device(mount)
        if name is not None:
            btrfs = mount.type == "btrfs"
            needs = self._blocks.btrfs(name) if btrfs else self._blocks.needs(name)
            return _file_system(needs, name, Carrier.DISK)
        if mount.type in _POOLED:
            pool = mount.source.partition("/")[0]
            return _file_system(Missing.ABSENT, f"{mount.type} {pool}", Carrier.DISK)
        if mount.type in _REMOTE:
            needs, via = self._route_to(mount)
            return _file_system(needs, via, Carrier.INTERFACE)
        if mount.type in _SHARED:
            needs = self._shared(_SHARED[mount.type])
            return _file_system(needs, f"{mount.type} {mount.source}", Carrier.ANY)
        if mount.type == "bcachefs":
            parts = [self._source_needs(part) for part in mount.source.split(":")]
            return _file_system(all_of(parts), mount.source, Carrier.DISK)
        if mount.type == "overlay" and mount.point == "/":
            return self._overlay(mount)
        if self._is_on_a_disk(mount):
            return _file_system(Missing.ABSENT, mount.source, Carrier.DISK)
        return None

    def _source_needs(self, source: str) -> Fact[Needs]:
        name = self._blocks.by_source(source)
        return Missing.ABSENT if name is None else self._blocks.needs(name)

    def _block_device(self, mount: Mount) -> str | None:
        if mount.number is not None and not mount.number.startswith("0:"):
            found = self._blocks.by_number(mount.number)
            if found is not None:
                return found
        if mount.type == "bcachefs":
            return None
        return self._blocks.by_source(mount.source)

    def _is_on_a_disk(self, mount: Mount) -> bool:
        if mount.number is not None and not mount.number.startswith("0:"):
            return True
        is_file = mount.source.startswith("/dev/")
        return is_file and mount.source not in _NOT_A_DISK

    def _overlay(self, mount: Mount) -> HostUse | None:
        """Judge a root that is laid over directories which may not be seen here."""
        lower = False
        for option in mount.options.split(","):
            key, _, value = option.partition("=")
            if key not in ("lowerdir", "upperdir"):
                continue
            lower = True
            for directory in value.split(":"):
                around = self._around(directory)
                if around is None or around.point == "/":
                    return _file_system(Missing.ABSENT, "overlay", Carrier.ANY)
        # Every overlay has a lower directory: options without one were cut off.
        return None if lower else _file_system(Missing.ABSENT, "overlay", Carrier.ANY)

    def _around(self, path: str) -> Mount | None:
        """Return the mount that a path is in."""
        found = None
        for mount in self._mounts:
            inside = mount.point == "/" or f"{path}/".startswith(f"{mount.point}/")
            if inside and (found is None or len(mount.point) > len(found.point)):
                found = mount
        return found

    def _shared(self, driver: str) -> Fact[Needs]:
        """Find the device of a share; several cannot be told apart by all kernels."""
        directory = f"sys/bus/virtio/drivers/{driver}"
        names = self._tree.names(directory)
        links = complete(
            self._tree.target(f"{directory}/{name}") for name in value_or(names, ())
        )
        if not known(links):
            return links
        held = {h for h in map(self._locate, links) if isinstance(h, str)}
        return ((held.pop(),),) if len(held) == 1 else Missing.ABSENT

    def _route_to(self, mount: Mount) -> tuple[Fact[Needs], str]:
        """Find the interface through which a server is reached."""
        from ipaddress import ip_address

        for option in mount.options.split(","):
            key, _, value = option.partition("=")
            if key != "addr":
                continue
            try:
                address = ip_address(value.partition("%")[0])
            except ValueError:
                continue
            bits = address.max_prefixlen
            if address.is_loopback:
                return (), "loopback"
            name = _best_route(self._routes, int(address), bits)
            if name is not None:
                return self._interfaces.needs(name), name
        return Missing.ABSENT, mount.type


def _best_route(routes: Iterable[Route], address: int, bits: int) -> str | None:
    """Return the interface of the route with the longest prefix that fits."""
    best = None
    for route in routes:
        if route.bits != bits:
            continue
        shift = bits - route.length
        fits = route.network >> shift == address >> shift
        if fits and (best is None or route.length > best.length):
            best = route
    return None if best is None else best.interface


def _file_system(needs: Fact[Needs], via: str, carrier: Carrier) -> HostUse:
    return HostUse(UseKind.FILE_SYSTEM, (), needs, via, carrier)


def _ordered(points: Iterable[str]) -> tuple[str, ...]:
    """Sort mount points, which puts the root first."""
    return tuple(sorted(set(points)))
