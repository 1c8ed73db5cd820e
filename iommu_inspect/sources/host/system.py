"""How the host boots, from what is installed; the distribution only where that fails.

What is there counts before the distribution's name: Arch has three makers of an
initramfs, and Debian two.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.settings import Word
from iommu_inspect.model.host.system import Initramfs, Loader, System
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_system"]

_BINARIES = ("usr/sbin", "usr/bin", "sbin", "bin")
# A container's os-release and tools are not those of the host whose kernel it sees.
_CONTAINERS = (".dockerenv", "run/.containerenv")
_TOOLS = (
    # Not update-initramfs, which Debian's dracut has as well.
    (Initramfs.INITRAMFS_TOOLS, "mkinitramfs", "etc/initramfs-tools/initramfs.conf"),
    (Initramfs.DRACUT, "dracut", "etc/dracut.conf"),
    (Initramfs.MKINITCPIO, "mkinitcpio", "etc/mkinitcpio.conf"),
    (Initramfs.BOOSTER, "booster", "etc/booster.yaml"),
)
_DEBIAN, _FEDORA, _SUSE, _ARCH = "debian", "fedora", "suse", "arch"
_FAMILIES = (
    (_DEBIAN, ("debian", "ubuntu", "proxmox")),
    (_FEDORA, ("fedora", "rhel", "centos")),
    (_SUSE, ("suse", "opensuse", "sles")),
    (_ARCH, ("arch",)),
)
# Releases that name a distribution ("6.8.12-4-pve", "6.12.4+deb13-amd64").
_RELEASES = (
    ("-pve", "proxmox"),
    ("+deb", "debian"),
    (".fc", "fedora"),
    (".el", "rhel"),
)
_MICRO = ("opensuse-microos", "opensuse-aeon", "sl-micro", "sle-micro")


def read_system(tree: Tree, kernel: Kernel) -> System:
    """Read how the host boots."""
    words = _words(kernel)
    ids = _ids(tree, kernel)
    family = next((name for name, of in _FAMILIES if not {*ids}.isdisjoint(of)), "")
    return System(
        distribution=ids[0] if ids else Missing.ABSENT,
        image_makers=_image_makers(tree, ids, family, words),
        loaders=_loaders(tree, ids, family, words),
    )


def _words(kernel: Kernel) -> tuple[Word, ...]:
    line = kernel.command_line
    return parse_command_line(line) if known(line) else ()


def _in_a_container(tree: Tree) -> bool:
    return any(tree.exists(mark) for mark in _CONTAINERS)


def _ids(tree: Tree, kernel: Kernel) -> tuple[str, ...]:
    """Return the distribution's id and those it is like, the nearest first."""
    release = value_or(kernel.release, "")
    named = [name for mark, name in _RELEASES if mark in release]
    if _in_a_container(tree):
        return tuple(named)
    for file in ("etc/os-release", "usr/lib/os-release"):
        text = tree.text(file)
        if known(text):
            found = _assignments(text)
            ids = [found.get("ID", ""), *found.get("ID_LIKE", "").split()]
            if tree.exists("etc/pve") or "-pve" in release:
                ids.insert(0, "proxmox")
            return tuple(dict.fromkeys(filter(None, ids)))
    return tuple(named)


def _assignments(text: str) -> dict[str, str]:
    """Read os-release(5): assignments as a shell's, which are not run."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                found[name] = " ".join(shlex.split(value))
            except ValueError:
                continue
    return found


def _has_program(tree: Tree, name: str) -> bool:
    return any(tree.exists(f"{folder}/{name}") for folder in _BINARIES)


def _is_ostree(tree: Tree, words: Iterable[Word]) -> bool:
    return tree.exists("run/ostree-booted") or any(w.key == "ostree" for w in words)


def _is_nixos(tree: Tree, ids: tuple[str, ...]) -> bool:
    return "nixos" in ids[:1] or tree.exists("etc/NIXOS")


def _image_makers(
    tree: Tree, ids: tuple[str, ...], family: str, words: tuple[Word, ...]
) -> Fact[tuple[Initramfs, ...]]:
    if _is_nixos(tree, ids):
        return (Initramfs.NIXOS,)
    if _is_ostree(tree, words):
        return (Initramfs.RPM_OSTREE,) if family == _FEDORA else Missing.ABSENT
    if {*ids} & {*_MICRO}:
        return (Initramfs.TRANSACTIONAL,)
    if not _in_a_container(tree):
        programs = [tool for tool, name, _ in _TOOLS if _has_program(tree, name)]
        # A file of settings stays behind when its program goes.
        files = [tool for tool, _, file in _TOOLS if tree.exists(file)]
        if found := programs or files:
            return tuple(found)
    usual = {
        _DEBIAN: Initramfs.INITRAMFS_TOOLS,
        _FEDORA: Initramfs.DRACUT,
        _SUSE: Initramfs.DRACUT,
    }
    # Relatives of Arch make it with other programs; Arch itself with this one.
    if ids[:1] == ("arch",):
        return (Initramfs.MKINITCPIO,)
    return (usual[family],) if family in usual else Missing.ABSENT


def _loaders(
    tree: Tree, ids: tuple[str, ...], family: str, words: tuple[Word, ...]
) -> Fact[tuple[Loader, ...]]:
    if _is_nixos(tree, ids):
        return (Loader.NIXOS,)
    if _is_ostree(tree, words):
        return (Loader.RPM_OSTREE,) if family == _FEDORA else Missing.ABSENT
    if {*ids} & {*_MICRO}:
        return (Loader.TRANSACTIONAL,)
    if ids[:1] == ("proxmox",):
        return _of_proxmox(tree, words)
    grub, stub = _booted_by(words)
    outside = not _in_a_container(tree)
    if not grub and not stub and outside:
        if tree.exists("etc/default/u-boot"):
            return (Loader.U_BOOT_MENU,)
        if tree.exists("boot/firmware/cmdline.txt"):
            return (Loader.RASPBERRY_PI,)
        grub = any(
            tree.exists(file)
            for file in (
                "etc/default/grub",
                "boot/grub/grub.cfg",
                "boot/grub2/grub.cfg",
            )
        )
        stub = any(
            tree.exists(f"{folder}/loader/loader.conf")
            for folder in ("boot", "efi", "boot/efi")
        )
    ways = [*(_grub(tree, family) if grub else ()), *(_stub(ids) if stub else ())]
    if ways:
        return tuple(ways)
    usual = {_DEBIAN: Loader.UPDATE_GRUB, _FEDORA: Loader.GRUBBY}
    return (usual[family],) if family in usual else Missing.ABSENT


def _booted_by(words: Iterable[Word]) -> tuple[bool, bool]:
    """Say whether GRUB, or the kernel's EFI stub, was given this command line.

    GRUB puts ``BOOT_IMAGE=`` before it; the stub takes the initramfs by name, which
    systemd-boot writes with the backslashes of EFI.
    """
    grub = any(word.key == "BOOT_IMAGE" for word in words)
    stub = any(w.key == "initrd" and "\\" in (w.value or "") for w in words)
    return grub, stub


def _of_proxmox(tree: Tree, words: Iterable[Word]) -> tuple[Loader, ...]:
    """Tell proxmox-boot-tool, which keeps copies on the ESPs, from plain GRUB."""
    grub, stub = _booted_by(words)
    if stub:
        return (Loader.PROXMOX_SYSTEMD_BOOT,)
    if tree.exists("etc/kernel/proxmox-boot-uuids"):
        both = (Loader.PROXMOX_SYSTEMD_BOOT, Loader.PROXMOX_GRUB)
        return both[1:] if grub else both
    # Here update-grub calls proxmox-boot-tool itself, where that is in use.
    if grub or tree.exists("etc/default/grub"):
        return (Loader.UPDATE_GRUB,)
    return (Loader.UPDATE_GRUB, Loader.PROXMOX_SYSTEMD_BOOT)


def _grub(tree: Tree, family: str) -> tuple[Loader, ...]:
    outside = not _in_a_container(tree)
    if family == _FEDORA or (outside and _has_program(tree, "grubby")):
        return (Loader.GRUBBY,)
    if family == _DEBIAN or (outside and _has_program(tree, "update-grub")):
        return (Loader.UPDATE_GRUB,)
    if family == _SUSE or (outside and tree.exists("boot/grub2")):
        return (Loader.GRUB2_MKCONFIG,)
    if family == _ARCH or (outside and tree.exists("boot/grub")):
        return (Loader.GRUB_MKCONFIG,)
    return (
        Loader.UPDATE_GRUB,
        Loader.GRUB_MKCONFIG,
        Loader.GRUB2_MKCONFIG,
        Loader.GRUBBY,
    )


def _stub(ids: tuple[str, ...]) -> tuple[Loader, ...]:
    return (Loader.KERNELSTUB if ids[:1] == ("pop",) else Loader.SYSTEMD_BOOT,)
