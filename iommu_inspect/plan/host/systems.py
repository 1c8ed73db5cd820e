"""Where each system keeps what holds at every boot: initramfs and command line."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.host.system import Initramfs, Loader, System

__all__ = ["MODPROBE_FILE", "Place", "initramfs_places", "loader_places"]

MODPROBE_FILE = "/etc/modprobe.d/vfio-passthrough.conf"
_MODULES = ("vfio-pci", "vfio_iommu_type1")
_DRACUT_FILE = "/etc/dracut.conf.d/vfio-passthrough.conf"
_NIXOS_FILE = "/etc/nixos/configuration.nix"
_GRUB_FILE = "/etc/default/grub"

# What is shown where nothing tells how the host boots; --all-systems shows the rest.
_COMMON_INITRAMFS = (Initramfs.INITRAMFS_TOOLS, Initramfs.DRACUT, Initramfs.MKINITCPIO)
_COMMON_LOADERS = (
    Loader.UPDATE_GRUB,
    Loader.GRUB_MKCONFIG,
    Loader.GRUBBY,
    Loader.SYSTEMD_BOOT,
    Loader.PROXMOX_SYSTEMD_BOOT,
)


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


def initramfs_places(
    system: System, modprobe: Sequence[str], *, all_systems: bool
) -> tuple[Place, ...]:
    """Say how this host's initramfs gets vfio-pci and the settings.

    vfio-pci has to be in there, since the drivers are that it has to come before.
    ``modprobe`` are the lines of the file in modprobe.d.
    """
    kinds = value_or(system.image_makers, _COMMON_INITRAMFS)
    return tuple(
        _initramfs(kind, modprobe) for kind in (Initramfs if all_systems else kinds)
    )


def _initramfs(kind: Initramfs, modprobe: Sequence[str]) -> Place:
    # The file is taken along by itself only in images made for one host.
    dracut = (
        f'force_drivers+=" {" ".join(_MODULES)} "',
        f'install_items+=" {MODPROBE_FILE} "',
    )
    match kind:
        case Initramfs.INITRAMFS_TOOLS:
            return Place(
                "initramfs-tools (Debian, Proxmox)",
                "/etc/initramfs-tools/modules",
                "add",
                _MODULES,
                ("update-initramfs -u -k all",),
            )
        case Initramfs.DRACUT:
            run = "dracut --force --regenerate-all"
            return Place("dracut (Fedora)", _DRACUT_FILE, "create", dracut, (run,))
        case Initramfs.TRANSACTIONAL:
            return Place(
                "dracut (MicroOS)",
                _DRACUT_FILE,
                "create",
                dracut,
                ("transactional-update initrd",),
            )
        case Initramfs.RPM_OSTREE:
            options = " ".join(
                f"--arg={option} --arg={value}"
                for option, value in (
                    *(("--force-drivers", module) for module in _MODULES),
                    ("-I", MODPROBE_FILE),
                )
            )
            run = f"rpm-ostree initramfs --enable {options}"
            return Place("rpm-ostree (Silverblue)", "", "add", (), (run,))
        case Initramfs.MKINITCPIO:
            return Place(
                "mkinitcpio (Arch; HOOKS must have modconf)",
                "/etc/mkinitcpio.conf.d/vfio-passthrough.conf",
                "create",
                ("MODULES+=(vfio_pci vfio_iommu_type1)",),
                ("mkinitcpio -P",),
            )
        case Initramfs.BOOSTER:
            return Place(
                "booster (Arch)",
                "/etc/booster.yaml",
                "add",
                ("modules_force_load: vfio_pci,vfio_iommu_type1",),
                ("/usr/lib/booster/regenerate_images",),
            )
        case Initramfs.NIXOS:
            return Place(
                "NixOS (in place of modprobe.d)",
                _NIXOS_FILE,
                "add",
                _nixos(modprobe),
                ("nixos-rebuild boot",),
            )


def _nixos(modprobe: Sequence[str]) -> tuple[str, ...]:
    """Return the same as NixOS writes it, whose modprobe has another place.

    An ``install`` line becomes commands that run before the first driver is loaded.
    """
    modules = " ".join(f'"{m.replace("-", "_")}"' for m in _MODULES)
    lines = [f"boot.initrd.kernelModules = [ {modules} ];"]
    install = [x for x in modprobe if x.startswith("install ")]
    plain = [x for x in modprobe if x not in install]
    if plain:
        lines += ["boot.extraModprobeConfig = ''", *(f"  {x}" for x in plain), "'';"]
    for line in install:
        writes = line.removeprefix("install vfio-pci ").split("/sbin/modprobe")[0]
        commands = [part.strip() for part in writes.split("; ")]
        lines += [
            "boot.initrd.preDeviceCommands = ''",
            *(f"  {command}" for command in commands if command),
            "'';",
        ]
    return tuple(lines)


def loader_places(
    words: Sequence[str], system: System, *, all_systems: bool
) -> tuple[Place, ...]:
    """Say where this host's boot loader keeps the kernel's command line."""
    if not words:
        return ()
    kinds = value_or(system.loaders, _COMMON_LOADERS)
    return tuple(_loader(kind, words) for kind in (Loader if all_systems else kinds))


def _loader(kind: Loader, words: Sequence[str]) -> Place:
    text = " ".join(words)
    grub = f'GRUB_CMDLINE_LINUX="... {text}"'
    match kind:
        case Loader.UPDATE_GRUB:
            run = "update-grub"
            return Place("GRUB (Debian, Proxmox)", _GRUB_FILE, "add", (grub,), (run,))
        case Loader.GRUB_MKCONFIG:
            run = "grub-mkconfig -o /boot/grub/grub.cfg"
            return Place("GRUB (Arch)", _GRUB_FILE, "add", (grub,), (run,))
        case Loader.GRUB2_MKCONFIG:
            run = "grub2-mkconfig -o /boot/grub2/grub.cfg"
            return Place("GRUB (openSUSE)", _GRUB_FILE, "add", (grub,), (run,))
        case Loader.TRANSACTIONAL:
            run = "transactional-update grub.cfg"
            return Place("GRUB (MicroOS)", _GRUB_FILE, "add", (grub,), (run,))
        case Loader.PROXMOX_GRUB:
            run = "proxmox-boot-tool refresh"
            return Place("GRUB (Proxmox)", _GRUB_FILE, "add", (grub,), (run,))
        case Loader.GRUBBY:
            run = f'grubby --update-kernel=ALL --args="{text}"'
            return Place("Fedora", "", "add", (), (run,))
        case Loader.RPM_OSTREE:
            run = " ".join(
                ["rpm-ostree kargs", *(f"--append-if-missing={w}" for w in words)]
            )
            return Place("rpm-ostree (Silverblue)", "", "add", (), (run,))
        case Loader.KERNELSTUB:
            run = f'kernelstub -a "{text}"'
            return Place("systemd-boot (Pop!_OS)", "", "add", (), (run,))
        case Loader.SYSTEMD_BOOT:
            entries, line = "/boot/loader/entries/*.conf", f"options ... {text}"
            return Place("systemd-boot", entries, "add", (line,), ())
        case Loader.PROXMOX_SYSTEMD_BOOT:
            return Place(
                "systemd-boot (Proxmox)",
                "/etc/kernel/cmdline",
                "add",
                (f"... {text}",),
                ("proxmox-boot-tool refresh",),
            )
        case Loader.U_BOOT_MENU:
            return Place(
                "U-Boot (Debian)",
                "/etc/default/u-boot",
                "add",
                (f'U_BOOT_PARAMETERS="... {text}"',),
                ("u-boot-update",),
            )
        case Loader.RASPBERRY_PI:
            file = "/boot/firmware/cmdline.txt"
            return Place("Raspberry Pi", file, "add", (f"... {text}",), ())
        case Loader.NIXOS:
            line = "boot.kernelParams = [ " + " ".join(f'"{w}"' for w in words) + " ];"
            run = "nixos-rebuild boot"
            return Place("NixOS", _NIXOS_FILE, "add", (line,), (run,))
