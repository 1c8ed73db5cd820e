"""What the host itself uses its devices for, as /proc and sysfs show it."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, unread
from iommu_inspect.model.uses.host import Carrier, Host, HostUse, UseKind
from iommu_inspect.sources.host import mounts
from iommu_inspect.sources.host.attached import mediated, thunderbolt, usb
from iommu_inspect.sources.host.block import Blocks
from iommu_inspect.sources.host.displays import consoles, framebuffers, screens
from iommu_inspect.sources.host.file_systems import FileSystems
from iommu_inspect.sources.host.mounts import Mount, Route
from iommu_inspect.sources.host.needs import locator
from iommu_inspect.sources.host.network import Interfaces
from iommu_inspect.sources.host.nodes import read_nodes
from iommu_inspect.sources.host.processes import Holders
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_host"]


def read_host(
    tree: Tree,
    devices: Iterable[Device],
    *,
    processes: bool = False,
    all_members: bool = True,
) -> Host:
    """Read what the host lives on, and on which of these devices that is.

    Args:
        tree: The host's files.
        devices: What can be handed over.
        processes: Whether to look at what every process has open, which takes as
            long as there are open files; else that is not told.
        all_members: Whether every member of the groups could be read: one that could
            not may be a mediated device.
    """
    devices = tuple(devices)
    paths = {d.address: d.path for d in devices if isinstance(d.path, str)}
    locate = locator(paths.values())
    blocks, interfaces = Blocks(tree, locate), Interfaces(tree, locate)
    mounted, no_mounts = _mounts(tree)
    swapped, no_swaps = _swaps(tree)
    routes, no_routes = _routes(tree)
    untold: list[tuple[UseKind, Missing]] = [
        (kind, why)
        for kind, why in (
            (UseKind.FILE_SYSTEM, no_mounts),
            (UseKind.SWAP, no_swaps),
            (UseKind.DEFAULT_ROUTE, no_routes),
        )
        if why is not None
    ]
    file_systems = FileSystems(
        tree,
        mounted,
        locate=locate,
        blocks=blocks,
        interfaces=interfaces,
        routes=routes,
    )
    uses = [
        *file_systems.uses(),
        *file_systems.swaps(swapped),
        *_networks(routes, interfaces),
        *consoles(tree, locate),
        *framebuffers(tree, locate, paths),
    ]
    for kind, attached in (
        (UseKind.DISPLAY, screens(tree, locate)),
        (UseKind.MEDIATED, mediated(tree, locate, devices, all_members=all_members)),
        (UseKind.USB, usb(tree, locate)),
        (UseKind.THUNDERBOLT, thunderbolt(tree, locate)),
    ):
        if known(attached):
            uses += attached
        # A running kernel without the bus or class has no such devices.
        elif not (tree.whole and attached is Missing.ABSENT):
            untold.append((kind, attached))
    why: Missing | None = Missing.ABSENT
    if processes:
        held, why = Holders(tree, locate, blocks, devices).uses()
        uses += held
    if why is not None:
        untold.append((UseKind.PROCESS, why))
    order = list(UseKind)
    return Host(
        # What needs no device that could be handed over cannot be lost.
        uses=tuple(
            sorted(
                (use for use in uses if use.needs != ()),
                key=lambda use: (order.index(use.kind), use.what),
            )
        ),
        untold=tuple(untold),
        disks=blocks.carriers,
        interfaces=interfaces.carriers,
        nodes=read_nodes(tree, blocks, interfaces),
    )


def _mounts(tree: Tree) -> tuple[tuple[Mount, ...], Missing | None]:
    """Return the mounts that are told, and why there may be others.

    Those of the first process come first: it may see more than this one.
    """
    told: tuple[Mount, ...] = ()
    why = Missing.ABSENT
    for file, parse in (
        ("proc/1/mountinfo", mounts.mountinfo),
        ("proc/self/mountinfo", mounts.mountinfo),
        ("proc/1/mounts", mounts.mounts),
        ("proc/mounts", mounts.mounts),
    ):
        if _is_mounted(tree) and not file.startswith("proc/1/"):
            continue
        text = _large(tree, file)
        found = parse(text) if known(text) else ()
        if found and _is_whole(text):
            return found, None
        told = told or found
        if unread(text) or found:
            why = text if not known(text) else Missing.TRUNCATED
    return told, why


def _swaps(tree: Tree) -> tuple[tuple[tuple[str, bool], ...], Missing | None]:
    """Return the swap areas that are told, and why there may be others.

    The kernel writes a head line always (``swap_show()`` in mm/swapfile.c).
    """
    text = _large(tree, "proc/swaps")
    if not known(text):
        return (), text
    if _is_blank(text):
        return (), Missing.ABSENT
    return mounts.swaps(text), None if _is_whole(text) else Missing.TRUNCATED


def _routes(tree: Tree) -> tuple[tuple[Route, ...], Missing | None]:
    """Return the routes that are told, and why there may be others.

    Every kernel that has a network has the table of IPv4; one without IPv6 lacks the
    other, which makes that no lost fact. Before the first route the table of IPv4 has
    not even a head line (``fib_route_seq_start()``), that of IPv6 has ``lo`` always:
    both empty in a capture are files that were not copied.
    """
    net = "proc/1/net" if _is_mounted(tree) else "proc/net"
    four, six = _large(tree, f"{net}/route"), _large(tree, f"{net}/ipv6_route")
    if not tree.whole and _is_blank(four) and not (known(six) and six.strip()):
        four = Missing.ABSENT
    told = (map_fact(four, mounts.routes4), map_fact(six, mounts.routes6))
    routes = tuple(route for part in told if known(part) for route in part)
    if not known(four):
        return routes, four
    if not known(six):
        return routes, None if six is Missing.ABSENT else six
    whole = _is_whole(four) and _is_whole(six)
    return routes, None if whole else Missing.TRUNCATED


def _is_mounted(tree: Tree) -> bool:
    """Say whether a running host's files were mounted for us: ``--from /host``.

    In a container ``proc/self`` of them is this process, whose mounts and network are
    the container's; ``proc/net`` leads there as well (``proc_net_init()`` in
    fs/proc/proc_net.c, in 6.12). The host's are those of its first process.
    """
    return tree.hot and not tree.live


def _large(tree: Tree, path: str) -> Fact[str]:
    content = tree.large_data(path)
    # The names of interfaces are bytes, as those of files are.
    return map_fact(content, lambda data: data.decode("utf-8", "surrogateescape"))


def _is_whole(table: Fact[str]) -> bool:
    """Say whether a table was read to its end: the kernel ends each line of it."""
    return not known(table) or not table or table.endswith("\n")


def _is_blank(text: Fact[str]) -> bool:
    """Say whether a file is empty: so ``tar`` copies those of /proc."""
    return known(text) and not text.strip()


def _networks(routes: Iterable[Route], interfaces: Interfaces) -> list[HostUse]:
    """Return one use for each interface: the default route, or another network."""
    default: dict[str, bool] = {}
    for route in routes:
        if route.interface == "lo" or _is_link_local(route):
            continue
        leads_out = route.length == 0
        default[route.interface] = default.get(route.interface, False) or leads_out
    found = []
    for name, leads_out in default.items():
        needs = interfaces.needs(name)
        if not known(needs) and not leads_out:
            continue  # of containers and guests: it is on nothing that can be lost
        kind = UseKind.DEFAULT_ROUTE if leads_out else UseKind.NETWORK
        found.append(HostUse(kind, (name,), needs, carrier=Carrier.INTERFACE))
    return found


def _is_link_local(route: Route) -> bool:
    """Say whether every interface that is up has such a route (IPv6)."""
    if route.bits != 128:
        return False
    return route.network >> 118 == 0xFE80 >> 6 or route.network >> 120 == 0xFF
