"""What the host lives on is on a device that user space is to have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iommu_inspect.model.fact import Missing, value_or
from iommu_inspect.model.host import HostUse, UseKind
from iommu_inspect.model.host_losses import (
    FATAL,
    Loss,
    host_losses,
    perhaps_lost,
    perhaps_untold,
)
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import listed, quoted, shown
from iommu_inspect.rules._words import leave_to_the_host
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="host-loss",
    summary="the host would lose a file system, swap or network that it lives on",
    severity=Severity.ERROR,
    joint=True,
)
_MOST = 3
_NOT_SHOWN = {
    UseKind.FILE_SYSTEM: "what is mounted",
    UseKind.SWAP: "where the host swaps to",
    UseKind.DEFAULT_ROUTE: "the routes",
}
_LOOK = {
    UseKind.FILE_SYSTEM: "findmnt --real",
    UseKind.SWAP: "swapon --show",
    UseKind.DEFAULT_ROUTE: "ip route",
}


def _check(case: Case) -> Iterator[Finding]:
    losses = [
        loss
        for loss in host_losses(case.machine, (d for t in case.together for d in t))
        # What boot-display says.
        if loss.use.kind is not UseKind.FRAMEBUFFER
    ]
    for devices in case.together:
        yield from _of_devices(case, devices, losses)
        for device in devices:
            yield from _untold(case, device)


def _of_devices(
    case: Case, devices: tuple[Device, ...], losses: Iterable[Loss]
) -> Iterator[Finding]:
    carried: dict[Device, list[Loss]] = {}
    for loss in losses:
        device = _first_below(devices, loss)
        if device is not None:
            carried.setdefault(device, []).append(loss)
    for device, found in carried.items():
        fatal = [loss for loss in found if loss.whole and loss.use.kind in FATAL]
        minor = [loss for loss in found if loss not in fatal]
        if fatal:
            yield _error(case, device, [loss.use for loss in fatal])
        if minor:
            yield _warning(case, device, minor)


def _first_below(devices: tuple[Device, ...], loss: Loss) -> Device | None:
    """Return the device that a use is on or, behind VMD, below."""
    for device in devices:
        if device.is_bridge is True:
            continue
        for path in loss.paths:
            if path == device.path or path.startswith(f"{device.path}/"):
                return device
            lost = DeviceId(path.rpartition("/")[2], "pci")
            if lost in value_or(device.pci.virtfns, ()):
                return device
    return None


def _error(case: Case, device: Device, uses: list[HostUse]) -> Finding:
    neighbours = case.neighbours(device)
    return case.finding(
        device,
        f"The host lives on {shown(device.address)}: {_described(uses)}. When its "
        "driver lets go of it, the host loses that.",
        _remedy(device, uses, alone=not neighbours),
        others=neighbours,
        certainty=Certainty.DERIVED,
        step=leave_to_the_host(device),
        final=True,
    )


def _warning(case: Case, device: Device, losses: list[Loss]) -> Finding:
    parts = [loss.use for loss in losses if not loss.whole]
    ends = [loss.use for loss in losses if loss.whole]
    name = shown(device.address)
    sentences = []
    if ends:
        sentences.append(
            f"The host uses {name} too: {_described(ends)}. When its driver lets go of "
            "it, the host loses that."
        )
    if parts:
        sentences.append(
            f"{name} is one of several that carry {_described(parts)}: without it, "
            "that goes on with one less."
        )
    return case.finding(
        device,
        " ".join(sentences),
        "Make sure that the host can do without it.",
        others=case.neighbours(device),
        severity=Severity.WARNING,
        certainty=Certainty.DERIVED,
    )


def _remedy(device: Device, uses: list[HostUse], *, alone: bool) -> str:
    lines = ["Leave it to the host and hand over another device."]
    mounts = [use for use in uses if use.kind is UseKind.FILE_SYSTEM]
    points = [point for use in mounts for point in use.what]
    # What is mounted below another goes first.
    points.sort(key=lambda point: point.count("/"), reverse=True)
    if "/" not in points:
        moves = [
            *(f"umount {quoted(point)}" for point in points if point[:1] == "/"),
            *(
                f"swapoff {quoted(use.what[0])}"
                for use in uses
                if use.kind is UseKind.SWAP
            ),
        ]
        if moves:
            lines += ["Or let the host stop using it first:", *moves]
        if any(use.kind is UseKind.DEFAULT_ROUTE for use in uses):
            lines += [
                "Or give the host another way out first, and look that it has one:",
                "ip route show default",
            ]
    if device.is_pci and not alone:
        lines += [
            "If only its neighbour is wanted, see why they share a group:",
            f"iommu-inspect why {quoted(device.address)}",
        ]
    return "\n".join(lines)


def _untold(case: Case, device: Device) -> Iterator[Finding]:
    """Say what cannot be told of a device that a driver of the host has."""
    name = shown(device.address)
    hidden = perhaps_lost(case.machine, device)
    untold = perhaps_untold(case.machine, device)
    if hidden:
        yield case.finding(
            device,
            f"The host has {_described(hidden)}, and which device that is on cannot be "
            f"told: it may be {name}.",
            "\n".join(["Look on the host itself:", *_looks(hidden)]),
            others=case.neighbours(device),
            certainty=Certainty.UNKNOWN,
            step=f"find out whether the host lives on {name}",
        )
    elif untold:
        # Most captures hold no such files; who is refused them has reason to look.
        is_capture = all(why is Missing.ABSENT for _, why in untold)
        looks = (_LOOK[kind] for kind, _ in untold)
        yield case.finding(
            device,
            f"The source does not show {listed(_NOT_SHOWN[kind] for kind, _ in untold)}"
            f": whether the host lives on {name} cannot be told.",
            "Before its driver lets go of it, look on the host itself:\n"
            + "\n".join(looks),
            others=case.neighbours(device),
            severity=Severity.INFO if is_capture else Severity.WARNING,
            certainty=Certainty.UNKNOWN,
        )


def _looks(uses: Iterable[HostUse]) -> list[str]:
    commands = []
    for use in uses:
        if use.via.startswith("zfs "):
            commands.append(f"zpool status -P {quoted(use.via.partition(' ')[2])}")
        elif use.kind in _LOOK:
            commands.append(_LOOK[use.kind])
    return list(dict.fromkeys(commands))


def _described(uses: Iterable[HostUse]) -> str:
    """Name uses as a sentence does, a few of each kind."""
    by_kind: dict[UseKind, list[HostUse]] = {}
    for use in uses:
        by_kind.setdefault(use.kind, []).append(use)
    return listed(_of_kind(kind, of_kind) for kind, of_kind in by_kind.items())


def _of_kind(kind: UseKind, uses: list[HostUse]) -> str:
    what = _some(sorted(name for use in uses for name in use.what))
    via = sorted({use.via for use in uses if use.via})
    on = f" (on {_some(via)})" if via and kind is not UseKind.SWAP else ""
    if kind is UseKind.FILE_SYSTEM:
        several = sum(len(use.what) for use in uses) > 1
        return f"the file system{'s' if several else ''} {what}{on}"
    if kind is UseKind.SWAP:
        return f"swap on {what}"
    if kind is UseKind.DEFAULT_ROUTE:
        return f"the default route ({what})"
    if kind is UseKind.CONSOLE:
        return f"the console {what}"
    return f"a network ({what})"


def _some(names: list[str]) -> str:
    words = [shown(name) for name in names]
    if len(words) > _MOST:
        words = [*words[:_MOST], f"{len(words) - _MOST} more"]
    return listed(words)


RULE = Rule(ABOUT, check_machine=_check)
