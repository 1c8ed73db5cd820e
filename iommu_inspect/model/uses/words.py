"""How sentences name what the host uses its devices for."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import HostUse, UseKind

__all__ = ["NOT_SHOWN", "described", "names"]

_MOST = 3
NOT_SHOWN = {
    UseKind.FILE_SYSTEM: "what is mounted",
    UseKind.SWAP: "where the host swaps to",
    UseKind.DEFAULT_ROUTE: "the routes",
    UseKind.DISPLAY: "which screens are on",
    UseKind.MEDIATED: "mediated devices",
    UseKind.PROCESS: "who has devices open",
    UseKind.USB: "what is plugged into USB",
    UseKind.THUNDERBOLT: "what is plugged into Thunderbolt",
}
"""What a source does not show, in words, by kind of use."""


def described(uses: Iterable[HostUse]) -> str:
    """Name uses as a sentence does, a few of each kind."""
    by_kind: dict[UseKind, list[HostUse]] = {}
    for use in uses:
        by_kind.setdefault(use.kind, []).append(use)
    return listed(_of_kind(kind, of_kind) for kind, of_kind in by_kind.items())


def names(uses: Iterable[HostUse]) -> str:
    """Name what the uses are called, a few of them, as a sentence does."""
    return _some(dict.fromkeys(name for use in uses for name in use.what))


def _of_kind(kind: UseKind, uses: list[HostUse]) -> str:
    count = sum(len(use.what) for use in uses)
    s = "s" if count > 1 else ""
    match kind:
        case UseKind.FILE_SYSTEM:
            what = _some(sorted(name for use in uses for name in use.what))
            via = sorted({use.via for use in uses if use.via})
            on = f" (on {_some(via)})" if via else ""
            return f"the file system{s} {what}{on}"
        case UseKind.SWAP:
            return f"swap on {names(uses)}"
        case UseKind.DEFAULT_ROUTE:
            return f"the default route ({names(uses)})"
        case UseKind.NETWORK:
            return f"a network ({names(uses)})"
        case UseKind.DISPLAY:
            return f"the screen{s} on {names(uses)}"
        case UseKind.CONSOLE:
            return f"the console {names(uses)}"
        case UseKind.FRAMEBUFFER:
            return f"the firmware's framebuffer ({names(uses)})"
        case UseKind.MEDIATED:
            return f"the mediated device{s} {names(uses)}"
        case UseKind.VIRTUAL_FUNCTION:
            return f"the virtual function{s} {names(uses)}"
        case UseKind.PROCESS:
            return f"what {names(uses)} {'have' if s else 'has'} open"
        case UseKind.USB:
            return f"what is plugged into USB ({names(uses)})"
        case UseKind.THUNDERBOLT:
            return f"what is plugged into Thunderbolt ({names(uses)})"


def _some(every: Iterable[str]) -> str:
    words = [shown(name) for name in every]
    if len(words) > _MOST:
        words = [*words[:_MOST], f"{len(words) - _MOST} more"]
    return listed(words)
