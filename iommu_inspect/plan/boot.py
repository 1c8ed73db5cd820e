"""What to write down so that the plan holds at every boot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.commands import driverctl_set
from iommu_inspect.plan.making import Plan
from iommu_inspect.plan.modules import built_in, modules_of
from iommu_inspect.plan.moves import VFIO_PCI, Decision, Move
from iommu_inspect.rules._words import addresses

__all__ = ["MODPROBE_FILE", "Boot", "Place", "boot", "cure", "loaders"]

MODPROBE_FILE = "/etc/modprobe.d/vfio-passthrough.conf"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written down: lines for a file, then commands.

    ``how`` says what to do with the lines: ``create`` the file with them, or
    ``add`` them to what is there (for a command line: to its words).
    """

    title: str
    path: str
    how: str
    lines: tuple[str, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Boot:
    """The settings. ``method`` is ``ids`` or ``address``, and ``why`` says why.

    ``kernel_words`` do the same on the kernel's command line, where that can be done.
    ``notes`` are sentences for people.
    """

    method: str
    why: str
    modprobe: tuple[str, ...]
    initramfs: tuple[Place, ...]
    kernel_words: tuple[str, ...]
    command_line: tuple[Place, ...]
    driverctl: tuple[str, ...]
    notes: tuple[str, ...]


def boot(plan: Plan) -> Boot | None:
    """Return the settings for every boot, ``None`` if there is nothing to set."""
    to_vfio = [m for m in plan.moves if m.device.is_pci and _goes_to_vfio(m)]
    freed = [m for m in plan.moves if m.decision is Decision.RELEASED]
    if not to_vfio and not freed:
        return None
    virtual = [m for m in to_vfio if m.device.pci.is_virtual]
    early = [m for m in (*to_vfio, *freed) if m.device.is_pci and m not in virtual]
    method, why = _method(plan.machine, early, freed)
    modprobe: list[str] = []
    if early:
        modprobe += [f"# {_names(early)} (iommu-inspect plan)"]
        modprobe += _by_ids(early) if method == "ids" else _by_address(early)
        modprobe += _softdeps(plan.machine, early)
    if plan.unsafe:
        modprobe.append("options vfio_iommu_type1 allow_unsafe_interrupts=1")
    words = (f"vfio-pci.ids={_ids(early)}",) if early and method == "ids" else ()
    return Boot(
        method=method,
        why=why,
        modprobe=tuple(modprobe),
        initramfs=_initramfs() if early else (),
        kernel_words=words,
        command_line=loaders(words),
        driverctl=tuple(_driverctl(move) for move in (*to_vfio, *freed)),
        notes=tuple(_notes(plan, virtual, freed)),
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
    if freed:
        return "address", (
            f"by address, since {_names(freed)} must stay without a driver, which ids "
            "cannot say"
        )
    mine = [move.device for move in early]
    if any(device.ids.pair is None for device in mine):
        return "address", "by address, since the source does not tell the ids"
    pairs = {device.ids.pair for device in mine}
    others = [
        d
        for d in machine.devices
        if d.is_pci and d.ids.pair in pairs and not any(d is m for m in mine)
    ]
    if others:
        return "address", (
            f"by address, since {addresses(others)} has the same vendor and device id: "
            "ids= would take it from the host as well"
        )
    return "ids", "by vendor and device id: nothing else on this host has these ids"


def _ids(moves: Iterable[Move]) -> str:
    pairs = (move.device.ids.pair for move in moves)
    return ",".join(dict.fromkeys(pair for pair in pairs if pair))


def _by_ids(moves: Sequence[Move]) -> list[str]:
    return [f"options vfio-pci ids={_ids(moves)}"]


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
    path = f"/sys/bus/pci/devices/{move.device.address}"
    pair = move.device.ids.pair
    write = f"echo {_kept(move)} > $d/driver_override; "
    if pair is None:
        return f"d={path}; {write}"
    vendor, _, model = pair.partition(":")
    return (
        f"d={path}; read v < $d/vendor && read p < $d/device && "
        f"[ $v:$p = 0x{vendor}:0x{model} ] && {write}"
    )


def _kept(move: Move) -> str:
    """Return the override that a member has at every boot."""
    return "none" if move.decision is Decision.RELEASED else VFIO_PCI


def _softdeps(machine: Machine, moves: Sequence[Move]) -> list[str]:
    """Have the drivers of the host wait; names are plain, or no line is written."""
    modules = dict.fromkeys(
        name
        for move in moves
        for name in modules_of(machine, move.device)
        if name.replace("_", "").replace("-", "").isalnum()
    )
    return [f"softdep {module} pre: vfio-pci" for module in modules]


def _driverctl(move: Move) -> str:
    return driverctl_set(move.device, _kept(move), save=True)


def _names(moves: Sequence[Move]) -> str:
    return addresses(move.device for move in moves)


def _initramfs() -> tuple[Place, ...]:
    """Have vfio-pci in the initramfs, before the drivers that are in there too."""
    return (
        Place(
            "initramfs-tools (Debian, Proxmox)",
            "/etc/initramfs-tools/modules",
            "add",
            ("vfio-pci", "vfio_iommu_type1"),
            ("update-initramfs -u -k all",),
        ),
        Place(
            "dracut (Fedora)",
            "/etc/dracut.conf.d/vfio-passthrough.conf",
            "create",
            (
                'force_drivers+=" vfio-pci vfio_iommu_type1 "',
                # Taken along by itself only in images made for one host.
                f'install_items+=" {MODPROBE_FILE} "',
            ),
            ("dracut --force --regenerate-all",),
        ),
        Place(
            "mkinitcpio (Arch; HOOKS must have modconf)",
            "/etc/mkinitcpio.conf.d/vfio-passthrough.conf",
            "create",
            ("MODULES+=(vfio_pci vfio_iommu_type1)",),
            ("mkinitcpio -P",),
        ),
    )


def loaders(words: Sequence[str]) -> tuple[Place, ...]:
    """Say where each boot loader keeps the kernel's command line."""
    if not words:
        return ()
    text = " ".join(words)
    grub, entry = (f'GRUB_CMDLINE_LINUX="... {text}"',), (f"options ... {text}",)
    default = "/etc/default/grub"
    mkconfig = "grub-mkconfig -o /boot/grub/grub.cfg"
    grubby = f'grubby --update-kernel=ALL --args="{text}"'
    entries, line = "/boot/loader/entries/*.conf", "/etc/kernel/cmdline"
    refresh = "proxmox-boot-tool refresh"
    return (
        Place("GRUB (Debian, Proxmox)", default, "add", grub, ("update-grub",)),
        Place("GRUB (Arch)", default, "add", grub, (mkconfig,)),
        Place("Fedora", "", "add", (), (grubby,)),
        Place("systemd-boot", entries, "add", entry, ()),
        Place("systemd-boot (Proxmox)", line, "add", (f"... {text}",), (refresh,)),
    )


def _notes(plan: Plan, virtual: Sequence[Move], freed: Sequence[Move]) -> Iterable[str]:
    if virtual:
        yield (
            f"{_names(virtual)} is a virtual function: it is not there at boot, but "
            "comes when something writes sriov_numvfs. modprobe.d does not reach it; "
            "driverctl does."
        )
    settled = [
        m for m in plan.moves if m.decision is Decision.STAYS and _goes_to_vfio(m)
    ]
    if settled and any(not modules_of(plan.machine, move.device) for move in settled):
        yield (
            f"{_names(settled)} is on vfio-pci already: if other settings see to that "
            "at boot, keep one of the two; which driver of the host would take it "
            "cannot be seen, so there is no softdep line for it."
        )
    elsewhere = [move for move in freed if not move.device.is_pci]
    if elsewhere:
        yield (
            f"{_names(elsewhere)} is no PCI function: modprobe.d does not reach it; "
            "driverctl does, or a unit that unbinds it."
        )
    early = [m for m in plan.moves if m.decision is Decision.MOVES and m not in virtual]
    if early:
        yield _about_built_in(plan.machine)


def _about_built_in(machine: Machine) -> str:
    """Say what modprobe.d cannot do for code that is a part of the kernel."""
    later = "driverctl moves the device later, when udev finds it"
    here = built_in(machine, "vfio_pci")
    if here:
        return (
            "vfio-pci is built into this kernel, and does not read modprobe.d: use the "
            f"kernel's command line, or driverctl: {later}."
        )
    text = f"A driver that is built into the kernel binds before any of this: {later}."
    if here is None:
        text += " vfio-pci built in does not read modprobe.d either."
    return text


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
