"""What is done to a guest while ``watch`` runs in it, and what is to be told."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import LabError
from lab.machines import MACHINES, Machine
from lab.machines.model import Device, port
from lab.machines.parts import MIXED, sriov_disk

__all__ = ["BURST", "Expected", "Move", "Watch", "find_watch"]

BURST = 100
"""How often a device is bound and let go in a burst: twice as many events."""


@dataclass(frozen=True)
class Expected:
    """An event that is to be told: the kernel's word, the device, a driver if any."""

    event: str
    device: str
    driver: str | None = None


@dataclass(frozen=True)
class Move:
    """One thing that is done.

    ``script`` is for the guest's shell; ``@NAME@`` stands for a device's address.
    ``plug`` and ``unplug`` name a card instead. It is done when the shell finds
    ``done`` true. ``conflict`` are the devices that are then named: those on drivers of
    the kernel, and those on VFIO's.
    """

    name: str
    expected: tuple[Expected, ...]
    script: str = ""
    plug: str = ""
    unplug: str = ""
    done: str = "true"
    conflict: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Watch:
    """A machine, and what is done in it, one after the other."""

    machine: Machine
    moves: tuple[Move, ...]


def _bind(name: str, driver: str, **more: object) -> Move:
    override = "" if driver != "vfio-pci" else driver
    script = (
        f"echo {override or ''} > $pci/devices/@{name}@/driver_override; "
        f"echo @{name}@ > $pci/drivers/{driver}/bind"
    )
    told = (Expected("bind", name, driver),)
    return Move(f"bind {name} to {driver}", told, script, **more)  # type: ignore[arg-type]


def _unbind(name: str, driver: str, **more: object) -> Move:
    script = f"echo @{name}@ > $pci/devices/@{name}@/driver/unbind"
    told = (Expected("unbind", name, driver),)
    return Move(f"unbind {name}", told, script, **more)  # type: ignore[arg-type]


def _burst(name: str, driver: str) -> Move:
    device = f"$pci/devices/@{name}@"
    script = (
        f"echo {driver} > {device}/driver_override; n=0; "
        f"while [ $n -lt {BURST} ]; do n=$((n+1)); "
        f"echo @{name}@ > $pci/drivers/{driver}/bind; "
        f"echo @{name}@ > {device}/driver/unbind; done"
    )
    told = (Expected("bind", name, driver), Expected("unbind", name, driver))
    return Move(f"{2 * BURST} events at once", told * BURST, script)


_BRIDGED = (
    _unbind("old1", "e1000"),
    # Beside old2, which e1000 has: that is a conflict at once.
    _bind("old1", "vfio-pci", conflict=(("old2",), ("old1",))),
    _unbind("old2", "e1000", owner="user"),
    _bind("old2", "e1000", conflict=(("old2",), ("old1",))),
    _unbind("old2", "e1000", owner="user"),
    _burst("old2", "pci-stub"),
)
_FUNCTIONS = tuple(f"disk/{number}" for number in range(2))
_SRIOV = (
    Move(
        "make virtual functions",
        tuple(Expected("add", name) for name in _FUNCTIONS),
        "echo 0 > $pci/devices/@disk@/sriov_drivers_autoprobe; "
        "echo 2 > $pci/devices/@disk@/sriov_numvfs",
    ),
    _bind("disk/0", "vfio-pci"),
    Move(
        "take virtual functions away",
        (
            Expected("unbind", "disk/0", "vfio-pci"),
            *(Expected("remove", name) for name in _FUNCTIONS),
        ),
        "echo 0 > $pci/devices/@disk@/sriov_numvfs",
    ),
)
_SLOT = (
    Move(
        "plug a card in",
        (Expected("add", "card"), Expected("bind", "card", "e1000e")),
        plug="card",
        done="[ -e $pci/devices/@card@/driver ]",
    ),
    Move(
        "take the card out",
        (Expected("unbind", "card", "e1000e"), Expected("remove", "card")),
        unplug="card",
        done="[ ! -e $pci/devices/@card@ ]",
    ),
)
_WATCHES = {
    "reference": Watch(MACHINES["reference"], _BRIDGED),
    "watched": Watch(
        Machine(
            "watched",
            "two NICs behind a bridge, a drive with virtual functions, an empty slot",
            (
                *MIXED,
                port("rp3", 3, "5.0"),
                *sriov_disk("disk", "rp3"),
                port("rp4", 4, "6.0"),
            ),
            spare=(Device("e1000e", "card", "rp4"),),
        ),
        (*_BRIDGED, *_SRIOV, *_SLOT),
    ),
}


def find_watch(name: str) -> Watch:
    """Return the watch of a machine."""
    try:
        return _WATCHES[name]
    except KeyError:
        known = ", ".join(_WATCHES)
        raise LabError(f"'{name}' is not watched; there are: {known}") from None
