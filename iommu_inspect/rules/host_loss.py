"""What the host lives on is on a device that user space is to have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import Missing, known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import FATAL, HostUse, UseKind
from iommu_inspect.model.uses.losses import (
    Loss,
    could_carry,
    host_losses,
    perhaps_lost,
    perhaps_untold,
)
from iommu_inspect.model.uses.words import NOT_SHOWN, described, names
from iommu_inspect.rules._cures import Cure, Look, Looking, StopUsing
from iommu_inspect.rules._words import leave_to_the_host
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

__all__ = ["RULE", "stopping"]

ABOUT = About(
    id="host-loss",
    summary="the host would lose a file system, swap or network that it lives on",
    severity=Severity.ERROR,
    joint=True,
)
_WAITS = "drivers/vfio/vfio_main.c: vfio_unregister_group_dev()"
_LOOK = {
    UseKind.FILE_SYSTEM: Looking.MOUNTS,
    UseKind.SWAP: Looking.SWAPS,
    UseKind.DEFAULT_ROUTE: Looking.ROUTES,
}


def _check(case: Case) -> Iterator[Finding]:
    losses = host_losses(case.machine, (d for t in case.together for d in t))
    for devices in case.together:
        yield from _of_devices(case, devices, losses)
        for device in devices:
            yield from _untold(case, device)


def _is_said_elsewhere(device: Device, use: HostUse) -> bool:
    """Say whether another rule speaks of a use, or there is nothing to say of it.

    boot-display has framebuffers, and the screens of the card that the host booted
    on. Who has a device open that is on vfio already is the one it was given to.
    """
    if use.kind is UseKind.PROCESS:
        return has_vfio_driver(device) is True
    return use.kind is UseKind.FRAMEBUFFER or (
        use.kind is UseKind.DISPLAY and device.boot_vga is True
    )


def _of_devices(
    case: Case, devices: tuple[Device, ...], losses: Iterable[Loss]
) -> Iterator[Finding]:
    carried: dict[DeviceId, tuple[Device, list[Loss]]] = {}
    below = _Below(devices)
    for loss in losses:
        device = below.first(loss)
        if device is not None and not _is_said_elsewhere(device, loss.use):
            carried.setdefault(device.id, (device, []))[1].append(loss)
    for device, found in carried.values():
        fatal = [loss for loss in found if loss.whole and loss.use.kind in FATAL]
        minor = [loss for loss in found if not (loss.whole and loss.use.kind in FATAL)]
        if fatal:
            yield _error(case, device, [loss.use for loss in fatal])
        if minor:
            yield _warning(case, device, minor)


class _Below:
    """Finds the device that a use is on or, behind VMD, below: the first of several."""

    def __init__(self, devices: tuple[Device, ...]) -> None:
        self._devices = devices
        self._ranks: dict[str | DeviceId, int] = {}
        for rank, device in enumerate(devices):
            if device.is_bridge is True:
                continue
            if known(device.path):
                self._ranks.setdefault(device.path, rank)
            for virtual in value_or(device.pci.virtfns, ()):
                self._ranks.setdefault(virtual, rank)

    def first(self, loss: Loss) -> Device | None:
        """Return the device that a loss is on, ``None`` if it is on none of them."""
        ranks = [rank for path in loss.paths for rank in self._above(path)]
        return self._devices[min(ranks)] if ranks else None

    def _above(self, path: str) -> Iterator[int]:
        lost = DeviceId(path.rpartition("/")[2], "pci")
        if lost in self._ranks:
            yield self._ranks[lost]
        while path:
            if path in self._ranks:
                yield self._ranks[path]
            path = path.rpartition("/")[0]


def _error(case: Case, device: Device, uses: list[HostUse]) -> Finding:
    neighbours = case.neighbours(device)
    return case.finding(
        device,
        f"The host lives on {shown(device.address)}: {described(uses)}. When its "
        "driver lets go of it, the host loses that.",
        _remedy(device, uses, alone=not neighbours),
        cures=stopping(uses),
        others=neighbours,
        certainty=Certainty.DERIVED,
        step=leave_to_the_host(device),
        final=True,
    )


def _warning(case: Case, device: Device, losses: list[Loss]) -> Finding:
    held = [loss.use for loss in losses if loss.use.kind is UseKind.PROCESS]
    mdevs = [loss.use for loss in losses if loss.use.kind is UseKind.MEDIATED]
    others = [loss for loss in losses if loss.use not in (*held, *mdevs)]
    parts = [loss.use for loss in others if not loss.whole]
    ends = [loss.use for loss in others if loss.whole]
    name = shown(device.address)
    sentences, remedies = [], ["Make sure that the host can do without it."]
    if ends:
        sentences.append(
            f"The host uses {name} too: {described(ends)}. When its driver lets go of "
            "it, the host loses that."
        )
    if parts:
        sentences.append(
            f"{name} is one of several that carry {described(parts)}: without it, "
            "that goes on with one less."
        )
    if mdevs:
        sentences.append(
            f"{name} carries {described(mdevs)}, and its driver lets go of it only "
            "when no guest has that open any more."
        )
        remedies.append("Shut such guests down, and remove the mediated devices.")
    if held:
        sentences.append(_open(device, held))
        remedies.append("End these programs first, a session on a display as well.")
    return case.finding(
        device,
        " ".join(sentences),
        " ".join(remedies),
        others=case.neighbours(device),
        severity=Severity.WARNING,
        certainty=Certainty.DERIVED,
        references=(_WAITS,) if mdevs else (),
        cures=[
            *(StopUsing(UseKind.MEDIATED, uuid) for use in mdevs for uuid in use.what),
            *(Look(Looking.HOLDERS, use.via) for use in held),
        ],
    )


def _open(device: Device, held: list[HostUse]) -> str:
    """Say what becomes of those that have a device open, which depends on its driver.

    NVIDIA's waits in its remove function, and says so in the kernel's log:
    "Attempting to remove device ... with non-zero usage count".
    """
    several = sum(len(use.what) for use in held) > 1
    have, they = ("have", "they") if several else ("has", "it")
    subject = f"{names(held)} {have} {shown(device.address)} open: taking its driver"
    if isinstance(device.driver, str) and device.driver == "nvidia":
        return f"{subject} off hangs until {they} {have} closed it."
    return (
        f"{subject} off takes it from {'them' if several else 'that program'}, or "
        f"hangs until {they} {have} closed it."
    )


def _remedy(device: Device, uses: list[HostUse], *, alone: bool) -> str:
    sentences = ["Leave it to the host and hand over another device."]
    if stopping(uses):
        if any(use.kind is not UseKind.DEFAULT_ROUTE for use in uses):
            sentences.append("Or let the host stop using it first.")
        if any(use.kind is UseKind.DEFAULT_ROUTE for use in uses):
            sentences.append(
                "Or give the host another way out first, and look that it has one."
            )
    if device.is_pci and not alone:
        sentences.append(
            "If only its neighbour is wanted, iommu-inspect why says what makes them "
            "share a group."
        )
    return " ".join(sentences)


def stopping(uses: Iterable[HostUse]) -> tuple[Cure, ...]:
    """Return what makes the host stop using a device; none where it holds the root.

    Swap goes first: it may be a file on one of the file systems. Of those, what is
    mounted below another goes before it.
    """
    uses = list(uses)
    points = [p for u in uses if u.kind is UseKind.FILE_SYSTEM for p in u.what]
    if "/" in points:
        return ()
    points.sort(key=lambda point: point.count("/"), reverse=True)
    swaps = [use.what[0] for use in uses if use.kind is UseKind.SWAP]
    found: list[Cure] = [
        *(StopUsing(UseKind.SWAP, name) for name in swaps),
        *(StopUsing(UseKind.FILE_SYSTEM, p) for p in points if p.startswith("/")),
    ]
    if any(use.kind is UseKind.DEFAULT_ROUTE for use in uses):
        found.append(Look(Looking.ROUTES))
    return tuple(found)


def _untold(case: Case, device: Device) -> Iterator[Finding]:
    """Say what cannot be told of a device that a driver of the host has."""
    name = shown(device.address)
    hidden = perhaps_lost(case.machine, device)
    untold = perhaps_untold(case.machine, device)
    if hidden:
        # The host has the same ones for all that may carry the same.
        words, looks = case.inquiry.once(
            ("hidden uses", could_carry(case.machine, device)),
            lambda: (described(hidden), _looks(hidden)),
        )
        yield case.finding(
            device,
            f"The host has {words}, and which device that is on cannot be told: it may "
            f"be {name}.",
            "Look on the host itself which device that is on.",
            cures=looks,
            others=case.neighbours(device),
            certainty=Certainty.UNKNOWN,
            step=f"find out whether the host lives on {name}",
        )
    elif untold:
        # Most captures hold no such files; who is refused them has reason to look.
        is_capture = all(why is Missing.ABSENT for _, why in untold)
        yield case.finding(
            device,
            f"The source does not show {listed(NOT_SHOWN[kind] for kind, _ in untold)}"
            f": whether the host lives on {name} cannot be told.",
            "Before its driver lets go of it, look on the host itself.",
            cures=[Look(_LOOK[kind]) for kind, _ in untold],
            others=case.neighbours(device),
            severity=Severity.INFO if is_capture else Severity.WARNING,
            certainty=Certainty.UNKNOWN,
        )


def _looks(uses: Iterable[HostUse]) -> tuple[Cure, ...]:
    found = []
    for use in uses:
        if use.via.startswith("zfs "):
            found.append(Look(Looking.POOL, use.via.partition(" ")[2]))
        elif use.kind in _LOOK:
            found.append(Look(_LOOK[use.kind]))
    return tuple(dict.fromkeys(found))


RULE = Rule(ABOUT, check_machine=_check)
