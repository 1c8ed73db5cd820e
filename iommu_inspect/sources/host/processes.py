"""Which processes have the nodes of devices open: the links of /proc/PID/fd."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.uses.host import HostUse, UseKind
from iommu_inspect.sources.host.block import Blocks
from iommu_inspect.sources.host.needs import Locate
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Holders", "names_a_device"]

# The class of sysfs that has an entry of the node's name.
_CLASSES = (
    (re.compile(r"dri/((?:card|renderD)[0-9]+)"), "drm"),
    (re.compile(r"snd/((?:control|pcm|hw|midi)C[0-9]+\w*)"), "sound"),
    (re.compile(r"input/((?:event|mouse|js)[0-9]+)"), "input"),
    (re.compile(r"(nvme[0-9]+)"), "nvme"),
    (re.compile(r"(ng[0-9]+n[0-9]+)"), "nvme-generic"),
    (re.compile(r"(uio[0-9]+)"), "uio"),
    (re.compile(r"(video[0-9]+)"), "video4linux"),
    (re.compile(r"infiniband/(uverbs[0-9]+)"), "infiniband_verbs"),
    (re.compile(r"vfio/devices/((?:noiommu-)?vfio[0-9]+)"), "vfio-dev"),
    (re.compile(r"accel/(accel[0-9]+)"), "accel"),
)
_DISK = re.compile(r"(?:nvme[0-9]+n[0-9]+(?:p[0-9]+)?|sd[a-z]+[0-9]*|vd[a-z]+[0-9]*)")
_GROUP = re.compile(r"vfio/(?:noiommu-)?([0-9]+)")
_NVIDIA = re.compile(r"nvidia([0-9]+)")
_MINOR = re.compile(r"^Device Minor:\s*([0-9]+)\s*$", re.MULTILINE)
_GPUS = "proc/driver/nvidia/gpus"


def names_a_device(node: str) -> bool:
    """Say whether a node below /dev can be that of a device which is handed over."""
    single = (_DISK, _GROUP, _NVIDIA, *(pattern for pattern, _ in _CLASSES))
    return node == "kfd" or any(pattern.fullmatch(node) for pattern in single)


class Holders:
    """Who holds the nodes of which device, as far as this user may see it."""

    def __init__(
        self, tree: Tree, locate: Locate, blocks: Blocks, devices: Iterable[Device]
    ) -> None:
        self._tree = tree
        self._locate = locate
        self._blocks = blocks
        self._devices = [d for d in devices if known(d.path)]
        self._places: dict[str, tuple[str, ...]] = {}

    def uses(self) -> tuple[list[HostUse], Missing | None]:
        """Return one use for each device, and why there may be more.

        Only root sees what processes of others have open.
        """
        names = self._tree.names("proc")
        if not known(names):
            return [], names
        numbers = sorted((n for n in names if n.isdecimal() and n.isascii()), key=int)
        why = self._hidden()
        found: dict[str, dict[str, None]] = {}
        nodes: dict[str, set[str]] = {}
        for number in numbers:
            held = self._held(number)
            if not known(held):
                if held is not Missing.ABSENT or not self._tree.whole:
                    why = held
                continue
            for node in held:
                for path in self._devices_of(node):
                    found.setdefault(path, {})[number] = None
                    nodes.setdefault(path, set()).add(node)
        uses = [
            HostUse(
                UseKind.PROCESS,
                tuple(self._named(number) for number in holders),
                ((path,),),
                f"/dev/{min(nodes[path])}",
            )
            for path, holders in found.items()
        ]
        return uses, why

    def _hidden(self) -> Missing | None:
        """Say why there may be processes that are not listed.

        A mount with ``hidepid`` lists those of the user only, and a container its own.
        The second process of a host is kthreadd (rest_init() in init/main.c), root's
        and in no container: who sees it sees all.
        """
        name = self._tree.text("proc/2/comm")
        if not known(name):
            return name
        return None if name == "kthreadd" else Missing.ABSENT

    def _held(self, number: str) -> Fact[tuple[str, ...]]:
        """Return the nodes below /dev that a process has open."""
        directory = f"proc/{number}/fd"
        entries = self._tree.names(directory)
        if not known(entries):
            return entries
        found = set()
        for entry in entries:
            text = self._tree.link_text(f"{directory}/{entry}")
            if known(text) and text.startswith("/dev/"):
                found.add(text.removeprefix("/dev/"))
        return tuple(sorted(found))

    def _named(self, number: str) -> str:
        name = self._tree.text(f"proc/{number}/comm")
        return f"{name} ({number})" if known(name) and name else f"process {number}"

    def _devices_of(self, node: str) -> tuple[str, ...]:
        paths = self._places.get(node)
        if paths is None:
            paths = self._places[node] = tuple(sorted(set(self._read_devices(node))))
        return paths

    def _read_devices(self, node: str) -> Iterable[str]:
        for pattern, name in _CLASSES:
            match = pattern.fullmatch(node)
            if match is not None:
                link = self._tree.target(f"sys/class/{name}/{match[1]}")
                holder = self._locate(link) if known(link) else None
                if isinstance(holder, str):
                    yield holder
                return
        if _DISK.fullmatch(node):
            needs = self._blocks.needs(node)
            yield from (p for one in needs for p in one) if known(needs) else ()
        elif (match := _GROUP.fullmatch(node)) is not None:
            group = match[1]
            yield from self._having(lambda d: d.group == group and _on_vfio(d))
        elif (match := _NVIDIA.fullmatch(node)) is not None:
            yield from self._of_minor(match[1])
        elif node == "kfd":
            # One node for all cards of the driver.
            yield from self._having(lambda d: d.driver == "amdgpu")

    def _of_minor(self, minor: str) -> Iterable[str]:
        """Find the card behind /dev/nvidiaN; any of the driver's, if nothing tells."""
        names = self._tree.names(_GPUS)
        for name in names if known(names) else ():
            text = self._tree.text(f"{_GPUS}/{name}/information")
            match = _MINOR.search(text) if known(text) else None
            if match is not None and match[1] == minor:
                address = name.lower()
                return [str(d.path) for d in self._devices if d.address == address]
        return self._having(lambda d: d.driver == "nvidia")

    def _having(self, fits: Callable[[Device], bool]) -> list[str]:
        return [str(device.path) for device in self._devices if fits(device)]


def _on_vfio(device: Device) -> bool:
    driver = device.driver
    return isinstance(driver, str) and "vfio" in normalised(driver)
