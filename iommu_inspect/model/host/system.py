"""How the host itself boots: its distribution, its initramfs, its boot loader."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing

__all__ = ["Initramfs", "Loader", "System"]


class Initramfs(enum.Enum):
    """What makes the initramfs."""

    INITRAMFS_TOOLS = "initramfs-tools"
    DRACUT = "dracut"
    MKINITCPIO = "mkinitcpio"
    BOOSTER = "booster"
    TRANSACTIONAL = "transactional-update"
    RPM_OSTREE = "rpm-ostree"
    NIXOS = "nixos"


class Loader(enum.Enum):
    """How the words of the kernel's command line are changed for every boot.

    Two ways of one boot loader are two members, where distributions differ.
    """

    UPDATE_GRUB = "update-grub"
    GRUB_MKCONFIG = "grub-mkconfig"
    GRUB2_MKCONFIG = "grub2-mkconfig"
    GRUBBY = "grubby"
    SYSTEMD_BOOT = "systemd-boot"
    PROXMOX_SYSTEMD_BOOT = "proxmox-boot-tool with systemd-boot"
    PROXMOX_GRUB = "proxmox-boot-tool with GRUB"
    KERNELSTUB = "kernelstub"
    TRANSACTIONAL = "transactional-update"
    RPM_OSTREE = "rpm-ostree"
    NIXOS = "nixos"
    U_BOOT_MENU = "u-boot-menu"
    RASPBERRY_PI = "Raspberry Pi"


@dataclass(frozen=True, slots=True)
class System:
    """What a source tells of how the host boots.

    ``distribution`` is the id of os-release, or ``proxmox``. ``image_makers`` make
    the initramfs. They and ``loaders`` hold one member, or several where more than
    one may be in use; they are missing where nothing tells.
    """

    distribution: Fact[str] = Missing.ABSENT
    image_makers: Fact[tuple[Initramfs, ...]] = Missing.ABSENT
    loaders: Fact[tuple[Loader, ...]] = Missing.ABSENT
