"""What to write down so that the plan holds at every boot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from iommu_inspect.kernel.denylist import is_listed
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.system import Initramfs
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PCI_BASE_CLASS_DISPLAY
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import UseKind, some
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import VFIO_PCI, Decision, Move
from iommu_inspect.plan.host.boot_notes import (
    boot_notes,
    has_word,
    word_notes,
)
from iommu_inspect.plan.host.commands import driverctl_set
from iommu_inspect.plan.host.ids import ids_of, ids_word, left_out
from iommu_inspect.plan.host.modules import modules_of
from iommu_inspect.plan.host.systems import Place, initramfs_places, loader_places
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._words import addresses, verb

__all__ = ["Boot", "boot", "cure", "leads_with_boot", "nothing_set"]

# Uses of a display that make its driver hang, or the host go dark, when it lets go:
# by the words of their kinds.
_OF_A_DISPLAY = frozenset(
    kind for kind in UseKind if kind.value in ("display", "console", "process")
)


@dataclass(frozen=True, slots=True)
class Boot:
    """The settings. ``method`` is ``ids`` or ``address``, and ``why`` says why.

    ``kernel_words`` do the same on the kernel's command line, where that can be done;
    those that are on it already are left out. ``notes`` are sentences for people.
    ``own_system`` says that it is written for the system of the source alone.
    """

    method: str
    why: str
    modprobe: tuple[str, ...]
    initramfs: tuple[Place, ...]
    kernel_words: tuple[str, ...]
    command_line: tuple[Place, ...]
    driverctl: tuple[str, ...]
    notes: tuple[str, ...]
    own_system: bool


def nothing_set(why: str, *notes: str, by_driverctl: Sequence[str] = ()) -> Boot:
    """Return settings that are in no file: in driverctl's own ones, or in none."""
    return Boot(
        method="address",
        why=why,
        modprobe=(),
        initramfs=(),
        kernel_words=(),
        command_line=(),
        driverctl=tuple(by_driverctl),
        notes=notes,
        own_system=False,
    )


def boot(plan: Plan, *, all_systems: bool = False) -> Boot | None:
    """Return the settings for every boot, ``None`` if there is nothing to set.

    They are written for the system that the source shows, or for each kind of them.
    """
    machine = plan.machine
    to_vfio = [m for m in plan.moves if m.device.is_pci and _goes_to_vfio(m)]
    freed = [m for m in plan.moves if m.decision is Decision.RELEASED]
    if not to_vfio and not freed:
        return None
    late = [m for m in to_vfio if m.device.pci.is_virtual or _kept(m) != VFIO_PCI]
    early = [m for m in (*to_vfio, *freed) if m.device.is_pci and m not in late]
    method, why = _method(machine, early, freed)
    options = ["disable_denylist=1"] if _denied(machine, early) else []
    modprobe: list[str] = []
    if early:
        modprobe += [f"# {_names(early)} (iommu-inspect plan)"]
        modprobe += _by_ids(early) if method == "ids" else _by_address(early)
        modprobe += [f"options vfio-pci {option}" for option in options]
        modprobe += _softdeps(machine, early)
    if plan.unsafe:
        modprobe.append("options vfio_iommu_type1 allow_unsafe_interrupts=1")
    words: tuple[str, ...] = ()
    if early and method == "ids":
        words = (ids_word(machine, early), *(f"vfio-pci.{o}" for o in options))
    # NixOS writes all of it into its one file.
    own = known(machine.system.image_makers) or known(machine.system.loaders)
    has_own_way = value_or(machine.system.image_makers, ()) == (Initramfs.NIXOS,)
    absent = tuple(word for word in words if not has_word(machine, word))
    return Boot(
        method=method,
        why=why,
        modprobe=() if has_own_way and not all_systems else tuple(modprobe),
        initramfs=initramfs_places(machine.system, modprobe, all_systems=all_systems)
        if early
        else (),
        kernel_words=absent,
        command_line=loader_places(absent, machine.system, all_systems=all_systems),
        driverctl=tuple(_driverctl(move) for move in (*to_vfio, *freed)),
        notes=(
            *boot_notes(plan, to_vfio, late, freed),
            *word_notes(machine, words, absent),
            *(left_out(machine, early) if words else ()),
            *(_about_denylist(early) if options else ()),
        ),
        own_system=own and not all_systems,
    )


def leads_with_boot(plan: Plan) -> str | None:
    """Say why the settings for every boot come first, ``None`` if they do not.

    A driver that is taken off a display which is in use may never let go, and the
    screen goes dark; bound at boot, the host never has it.
    """
    for move in plan.moves:
        if not move.changes or move.device.driver is None:
            continue
        name = shown(move.device.address)
        uses = [use for use in plan.machine.host.uses if move.device.path in use.paths]
        if any(use.kind is UseKind.FRAMEBUFFER for use in uses):
            return f"the firmware's framebuffer is on {name}"
        if move.device.boot_vga is True:
            return f"the host booted on the display {name}"
        base = move.device.base_class
        if known(base) and base >> 8 == PCI_BASE_CLASS_DISPLAY:
            names = [shown(w) for u in uses if u.kind in _OF_A_DISPLAY for w in u.what]
            if names:
                return f"{name} is in use ({listed(names)})"
    return None


def _denied(machine: Machine, moves: Iterable[Move]) -> bool:
    """Say whether vfio-pci takes one of these only without its denylist."""
    return machine.vfio.disable_denylist is True and any(
        is_listed(m.device) for m in moves
    )


def _about_denylist(moves: Sequence[Move]) -> Iterable[str]:
    it = verb(moves, "it", "them")
    yield (
        f"disable_denylist=1 stays with {it}: {_names(moves)} "
        f"{verb(moves, 'is', 'are')} in the denylist of vfio-pci, because a guest may "
        f"harm the host through {it}. Only trusted guests should get {it}."
    )


def _goes_to_vfio(move: Move) -> bool:
    """Say whether it belongs to vfio-pci at every boot; other vfio drivers stay."""
    driver = move.device.driver
    if move.decision is Decision.MOVES:
        return move.to_vfio
    return isinstance(driver, str) and normalised(driver) == "vfio_pci"


def _method(
    machine: Machine, early: Sequence[Move], freed: Sequence[Move]
) -> tuple[str, str]:
    """Choose ids only where they match nothing else on this host."""
    if not early and not freed:
        return "address", "by address: vfio-pci's ids are of no use here"
    if freed:
        return "address", (
            f"by address, since {_names(freed)} must stay without a driver, which ids "
            "cannot say"
        )
    mine = {move.device.id: move.device for move in early}
    if any(device.ids.pair is None for device in mine.values()):
        return "address", "by address, since the source does not tell the ids"
    pairs = {device.ids.pair for device in mine.values()}
    others = [
        d
        for d in machine.devices
        if d.is_pci and d.ids.pair in pairs and d.id not in mine
    ]
    nameless = [d for d in machine.devices if d.is_pci and d.ids.pair is None]
    if nameless:
        return "address", (
            f"by address, since the source does not tell the ids of "
            f"{some(d.address for d in nameless)}: ids= might take it from the host"
        )
    if not machine.all_functions:
        return "address", (
            "by address, since the source may not show all devices: ids= might take "
            "another one with these ids from the host"
        )
    if others:
        has, them = ("has", "it") if len(others) == 1 else ("have", "them")
        return "address", (
            f"by address, since {addresses(others)} {has} the same vendor and device "
            f"id: ids= would take {them} from the host as well"
        )
    return "ids", "by vendor and device id: nothing else on this host has these ids"


def _by_ids(moves: Sequence[Move]) -> list[str]:
    return [f"options vfio-pci ids={ids_of(moves)}"]


def _by_address(moves: Sequence[Move]) -> list[str]:
    """Say by address who alone may bind, just before vfio-pci is loaded.

    modprobe.d(5): an ``install`` line runs in place of loading the module. Addresses
    move when cards do, so each is looked at first.
    """
    overrides = "".join(_override(move) for move in moves)
    return [
        f"install vfio-pci {overrides}/sbin/modprobe --ignore-install vfio-pci "
        "$CMDLINE_OPTS"
    ]


def _override(move: Move) -> str:
    path = shell.sysfs(move.device)
    pair = move.device.ids.pair
    write = f"echo {shell.driver(_kept(move))} > $d/driver_override; "
    if pair is None:
        return f"d={path}; {write}"
    vendor, _, model = pair.partition(":")
    return (
        f"d={path}; read v < $d/vendor && read p < $d/device && "
        f"[ $v:$p = 0x{vendor}:0x{model} ] && {write}"
    )


def _kept(move: Move) -> str:
    """Return the override that a member has at every boot."""
    if move.decision is Decision.STAYS:
        return VFIO_PCI
    return move.override


def _softdeps(machine: Machine, moves: Sequence[Move]) -> list[str]:
    """Have the drivers of the host wait, where these have the names of modules."""
    lines: dict[str, None] = {}
    for move in moves:
        for name in modules_of(machine, move.device):
            with suppress(shell.UnwritableError):
                lines[f"softdep {shell.module(name)} pre: vfio-pci"] = None
    return list(lines)


def _driverctl(move: Move) -> str:
    return driverctl_set(move.device, _kept(move), save=True)


def _names(moves: Sequence[Move]) -> str:
    return addresses(move.device for move in moves)


def cure(machine: Machine) -> tuple[str, ...]:
    """Return the words that may turn the IOMMU on, none where that is not it.

    Only VT-d waits to be asked (CONFIG_INTEL_IOMMU_DEFAULT_ON); AMD-Vi and the SMMU
    are on by themselves.
    """
    tables = value_or(machine.firmware_tables, ())
    if "DMAR" not in tables or machine.groups or value_or(machine.iommus, ()):
        return ()
    words = value_or(machine.settings.command_line, ())
    given = (f"{w.key}={w.value}" for w in words if w.value is not None)
    if any(word.startswith(("intel_iommu=", "iommu=off")) for word in given):
        return ()
    return ("intel_iommu=on",)
