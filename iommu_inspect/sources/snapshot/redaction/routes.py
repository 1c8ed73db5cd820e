"""Routes without their networks: others, which are chosen for the same addresses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.host.mounts import Route, routes4, routes6

__all__ = ["Addresses", "written4", "written6"]

# For benchmarks, and for documentation (RFC 2544, RFC 3849): nobody's.
_NETWORK4, _NETWORK6 = int(IPv4Address("198.18.0.0")), int(IPv6Address("2001:db8::"))
_ELSEWHERE = {32: IPv4Address("192.0.2.1"), 128: IPv6Address("2001:db8:ffff::1")}
_HEAD4 = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"
_LINK_LOCAL, _MULTICAST = 0xFE80 << 112, 0xFF << 120


@dataclass(frozen=True)
class Addresses:
    """Each network, by its route, gets one address of its own."""

    given: dict[tuple[int, int, int], int]
    routes: Sequence[Route]

    @classmethod
    def of(cls, four: str, six: str) -> Addresses:
        """Read the tables of both families."""
        routes = (*routes4(four), *routes6(six))
        given: dict[tuple[int, int, int], int] = {}
        for route in routes:
            key = (route.bits, route.network, route.length)
            if not _stays(route) and key not in given:
                base = _NETWORK4 if route.bits == 32 else _NETWORK6
                given[key] = base + len(given) + 1
        return cls(given, routes)

    def shown(self, route: Route) -> tuple[int, int]:
        """Return the network that stands for a route's, and its length."""
        if route.length == 0:
            return 0, 0
        if _stays(route):
            kept = _MULTICAST if route.network >> 120 == 0xFF else _LINK_LOCAL
            return kept, min(route.length, 64)
        key = (route.bits, route.network, route.length)
        return self.given[key], route.bits

    def address(self, text: str) -> str:
        """Return an address that goes the way of the given one."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return str(_ELSEWHERE[32])
        if address.is_loopback:
            return str(address)
        bits = address.max_prefixlen
        best: Route | None = None
        for route in self.routes:
            if route.bits != bits or route.length == 0:
                continue
            shift = bits - route.length
            fits = route.network >> shift == int(address) >> shift
            if fits and (best is None or route.length > best.length):
                best = route
        if best is None:
            return str(_ELSEWHERE[bits])
        network, _ = self.shown(best)
        return str(IPv4Address(network) if bits == 32 else IPv6Address(network))


def _stays(route: Route) -> bool:
    """Say whether a route tells nothing: the default one, or what all hosts have."""
    if route.length == 0:
        return True
    if route.bits == 32:
        return False
    return route.network >> 118 == 0xFE80 >> 6 or route.network >> 120 == 0xFF


def written4(routes: Iterable[tuple[str, int, int]]) -> str:
    """Return a table as ``/proc/net/route`` has it: interface, network, length."""
    lines = [_HEAD4.replace(" ", "\t")]
    for name, network, length in routes:
        mask = 0xFFFFFFFF << 32 - length & 0xFFFFFFFF
        where, which = (
            int.from_bytes(n.to_bytes(4, "little"), "big") for n in (network, mask)
        )
        lines.append(
            f"{name}\t{where:08X}\t00000000\t0001\t0\t0\t0\t{which:08X}\t0\t0\t0"
        )
    return "\n".join(lines) + "\n"


def written6(routes: Iterable[tuple[str, int, int]]) -> str:
    """Return a table as ``/proc/net/ipv6_route`` has it."""
    zero = f"{0:032x}"
    return "".join(
        f"{network:032x} {length:02x} {zero} 00 {zero} 00000000 00000000 00000000 "
        f"00000001 {name}\n"
        for name, network, length in routes
    )
