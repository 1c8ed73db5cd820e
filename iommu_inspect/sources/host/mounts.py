"""The texts of /proc that say what is mounted, swapped to and routed through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Mount", "Route", "mountinfo", "mounts", "routes4", "routes6", "swaps"]

_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_UP, _REJECT = 0x1, 0x200


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount; ``number`` is the block device's ``MAJOR:MINOR`` where it is told.

    File systems without a block device of their own have a number with major 0.
    """

    point: str
    type: str
    source: str
    options: str
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the main table: ``network`` and ``length`` of its prefix.

    ``bits`` is 32 for IPv4 and 128 for IPv6.
    """

    interface: str
    network: int
    length: int
    bits: int


def mountinfo(text: str) -> tuple[Mount, ...]:
    """Parse ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5)); odd lines are left out.

    Fields before " - " are 36 35 98:0 /root /point options [tags...], those behind
    it the type, the source and the super block's options.
    """
    found = []
    for line in text.splitlines():
        before, separator, behind = line.partition(" - ")
        first, last = before.split(" "), behind.split(" ")
        if separator and len(first) >= 6 and len(last) >= 2:
            options = " ".join(last[2:])
            found.append(
                Mount(_plain(first[4]), last[0], _plain(last[1]), options, first[2])
            )
    return tuple(found)


def mounts(text: str) -> tuple[Mount, ...]:
    """Parse ``/proc/mounts``: source, mount point, type, options."""
    lines = (line.split(" ") for line in text.splitlines())
    return tuple(
        Mount(_plain(words[1]), words[2], _plain(words[0]), words[3])
        for words in lines
        if len(words) >= 4
    )


def swaps(text: str) -> tuple[tuple[str, bool], ...]:
    """Parse ``/proc/swaps`` to names and whether each is a block device."""
    lines = (line.split() for line in text.splitlines()[1:])
    return tuple(
        (_plain(words[0]), words[1] == "partition") for words in lines if len(words) > 2
    )


def routes4(text: str) -> tuple[Route, ...]:
    """Parse ``/proc/net/route`` (``fib_route_seq_show()``): hexadecimal, as stored.

    The words are in the byte order of the host that wrote them, and one mask that is
    neither empty nor full tells which: its ones begin at the first byte.
    """
    rows = [
        (words[0], network, mask & 0xFFFFFFFF)
        for words, network, mask in _usable(text.splitlines()[1:], 1, 7, 3)
    ]
    little = not any(mask >> 24 > mask & 0xFF for _, _, mask in rows)
    return tuple(
        Route(interface, _swapped(network) if little else network, mask.bit_count(), 32)
        for interface, network, mask in rows
    )


def routes6(text: str) -> tuple[Route, ...]:
    """Parse ``/proc/net/ipv6_route`` (``ipv6_route_native_seq_show()``)."""
    return tuple(
        Route(words[9], network, min(length, 128), 128)
        for words, network, length in _usable(text.splitlines(), 0, 1, 8)
        if len(words) > 9
    )


def _usable(
    lines: Iterable[str], network: int, length: int, flags: int
) -> Iterator[tuple[list[str], int, int]]:
    """Yield the words, the network and its length or mask of routes that are up.

    The numbers are where in a line they stand.
    """
    for line in lines:
        words = line.split()
        if len(words) <= max(network, length, flags):
            continue
        where, size, state = (_hexadecimal(words[n]) for n in (network, length, flags))
        if where is None or size is None or state is None:
            continue
        if state & _UP and not state & _REJECT:
            yield words, where, size


def _plain(word: str) -> str:
    """Undo the octal escapes for space, tab, newline and backslash."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), word)


def _hexadecimal(word: str) -> int | None:
    try:
        return int(word, 16)
    except ValueError:
        return None


def _swapped(number: int) -> int:
    return int.from_bytes((number & 0xFFFFFFFF).to_bytes(4, "little"), "big")
