"""How the host boots: what is installed counts before the distribution's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples import each

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.system import Initramfs, Loader, System
from iommu_inspect.sources.host.system import read_system
from iommu_inspect.sources.tree.opening import open_path

GRUB_LINE = "BOOT_IMAGE=/boot/vmlinuz-6.1 root=/dev/sda1 quiet"
STUB_LINE = "initrd=\\initramfs-linux.img root=/dev/sda1"
PROXMOX_LINE = "initrd=\\EFI\\proxmox\\6.8.12-4-pve\\initrd.img root=ZFS=rpool"
OSTREE_LINE = "BOOT_IMAGE=(hd0,gpt2)/ostree/x/vmlinuz ostree=/ostree/boot.1/fedora/x/0"
DEBIAN, UBUNTU = "ID=debian", 'ID=ubuntu\nID_LIKE="debian"'
ARCH, MANJARO = "ID=arch", "ID=manjaro\nID_LIKE=arch"
FEDORA, ROCKY = "ID=fedora", 'ID="rocky"\nID_LIKE="rhel centos fedora"'
SUSE = 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"'
MICRO = 'ID="opensuse-microos"\nID_LIKE="suse opensuse"'
NIXOS, VOID = "ID=nixos", 'ID="void"'

INITRAMFS_TOOLS, DRACUT = (Initramfs.INITRAMFS_TOOLS,), (Initramfs.DRACUT,)
MKINITCPIO, BOOSTER = (Initramfs.MKINITCPIO,), (Initramfs.BOOSTER,)
UNKNOWN = Missing.ABSENT


def system_of(
    folder: Path, files: dict[str, str], line: str = "", release: str = "6.12.1"
) -> System:
    (folder / "sys").mkdir(parents=True)
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    kernel = Kernel(release, command_line=line or Missing.ABSENT)
    return read_system(open_path(str(folder)), kernel)


def has(*names: str, release: str = "") -> dict[str, str]:
    files = dict.fromkeys(names, "")
    return {**files, "etc/os-release": release} if release else files


@each(
    "files, line, initramfs, loaders",
    [
        (has(), "", UNKNOWN, UNKNOWN),
        (has(release=VOID), "", UNKNOWN, UNKNOWN),
        (has(release=DEBIAN), GRUB_LINE, INITRAMFS_TOOLS, (Loader.UPDATE_GRUB,)),
        (has(release=UBUNTU), "quiet", INITRAMFS_TOOLS, (Loader.UPDATE_GRUB,)),
        (has(release=FEDORA), GRUB_LINE, DRACUT, (Loader.GRUBBY,)),
        (has(release=ROCKY), "", DRACUT, (Loader.GRUBBY,)),
        (has(release=SUSE), GRUB_LINE, DRACUT, (Loader.GRUB2_MKCONFIG,)),
        (has(release=ARCH), GRUB_LINE, MKINITCPIO, (Loader.GRUB_MKCONFIG,)),
        (has(release=ARCH), STUB_LINE, MKINITCPIO, (Loader.SYSTEMD_BOOT,)),
        (has(release=ARCH), "quiet", MKINITCPIO, UNKNOWN),
        # A relative of Arch may have any of the three.
        (has(release=MANJARO), GRUB_LINE, UNKNOWN, (Loader.GRUB_MKCONFIG,)),
        # What is there counts before the name.
        (has("usr/bin/dracut", release=ARCH), STUB_LINE, DRACUT, None),
        (has("usr/bin/booster", release=ARCH), STUB_LINE, BOOSTER, None),
        (has("usr/bin/dracut", release=DEBIAN), GRUB_LINE, DRACUT, None),
        (has("etc/mkinitcpio.conf"), STUB_LINE, MKINITCPIO, (Loader.SYSTEMD_BOOT,)),
        # Settings stay behind when their program goes.
        (
            has("usr/bin/dracut", "etc/initramfs-tools/initramfs.conf"),
            "",
            DRACUT,
            UNKNOWN,
        ),
        (has("usr/sbin/update-initramfs", "usr/bin/dracut"), "", DRACUT, UNKNOWN),
        (has("usr/sbin/mkinitramfs"), "", INITRAMFS_TOOLS, UNKNOWN),
        (
            has("usr/bin/dracut", "usr/bin/mkinitcpio"),
            "",
            (Initramfs.DRACUT, Initramfs.MKINITCPIO),
            UNKNOWN,
        ),
        # The boot loader, where the command line does not tell.
        (has("boot/loader/loader.conf", release=ARCH), "quiet", None, "stub"),
        (has("efi/loader/loader.conf", release=ARCH), "quiet", None, "stub"),
        (has("etc/default/grub", release=ARCH), "quiet", None, "grub"),
        (has("boot/grub2/grub.cfg"), "", UNKNOWN, (Loader.GRUB2_MKCONFIG,)),
        (has("etc/default/u-boot", release=DEBIAN), "", None, (Loader.U_BOOT_MENU,)),
        (
            has("boot/firmware/cmdline.txt", release=DEBIAN),
            "",
            None,
            (Loader.RASPBERRY_PI,),
        ),
        (has(release="ID=pop\nID_LIKE='ubuntu debian'"), STUB_LINE, None, "pop"),
        # Systems that are changed in a way of their own.
        (has(release=NIXOS), STUB_LINE, (Initramfs.NIXOS,), (Loader.NIXOS,)),
        (has("etc/NIXOS"), "", (Initramfs.NIXOS,), (Loader.NIXOS,)),
        (
            has(release=FEDORA),
            OSTREE_LINE,
            (Initramfs.RPM_OSTREE,),
            (Loader.RPM_OSTREE,),
        ),
        (
            has("run/ostree-booted", release=FEDORA),
            "",
            (Initramfs.RPM_OSTREE,),
            (Loader.RPM_OSTREE,),
        ),
        (has(release="ID=endless"), OSTREE_LINE, UNKNOWN, UNKNOWN),
        (
            has(release=MICRO),
            GRUB_LINE,
            (Initramfs.TRANSACTIONAL,),
            (Loader.TRANSACTIONAL,),
        ),
    ],
)
def test_what_is_installed_tells_how_the_host_boots(
    tmp_path_factory: Any,
    files: dict[str, str],
    line: str,
    initramfs: object,
    loaders: object,
) -> None:
    named = {
        "stub": (Loader.SYSTEMD_BOOT,),
        "grub": (Loader.GRUB_MKCONFIG,),
        "pop": (Loader.KERNELSTUB,),
    }
    found = system_of(tmp_path_factory.mktemp("host"), files, line)
    if initramfs is not None:
        assert found.image_makers == initramfs
    if loaders is not None:
        wanted = named[loaders] if isinstance(loaders, str) else loaders
        assert found.loaders == wanted


@each(
    "files, line, release, loaders",
    [
        (has(), PROXMOX_LINE, "6.8.12-4-pve", (Loader.PROXMOX_SYSTEMD_BOOT,)),
        (has(release=DEBIAN), GRUB_LINE, "6.8.12-4-pve", (Loader.UPDATE_GRUB,)),
        (
            has("etc/kernel/proxmox-boot-uuids", release=DEBIAN),
            GRUB_LINE,
            "6.8.12-4-pve",
            (Loader.PROXMOX_GRUB,),
        ),
        (
            has("etc/kernel/proxmox-boot-uuids", "etc/default/grub", release=DEBIAN),
            "quiet",
            "6.8.12-4-pve",
            (Loader.PROXMOX_SYSTEMD_BOOT, Loader.PROXMOX_GRUB),
        ),
        (
            has("etc/default/grub", "etc/pve/x", release=DEBIAN),
            "quiet",
            "6.12.1",
            (Loader.UPDATE_GRUB,),
        ),
        (
            has(),
            "quiet",
            "6.8.12-4-pve",
            (Loader.UPDATE_GRUB, Loader.PROXMOX_SYSTEMD_BOOT),
        ),
    ],
)
def test_proxmox_has_copies_on_its_esps_or_plain_grub(
    tmp_path_factory: Any,
    files: dict[str, str],
    line: str,
    release: str,
    loaders: tuple[Loader, ...],
) -> None:
    found = system_of(tmp_path_factory.mktemp("host"), files, line, release)
    assert found.distribution == "proxmox"
    assert found.image_makers == INITRAMFS_TOOLS
    assert found.loaders == loaders


@each(
    "release, distribution",
    [
        ("6.12.4+deb13-amd64", "debian"),
        ("6.8.9-300.fc40.x86_64", "fedora"),
        ("5.14.0-427.el9.x86_64", "rhel"),
        ("6.12.1-arch1-1", UNKNOWN),
        ("6.12.1", UNKNOWN),
    ],
)
def test_the_kernels_name_tells_some_distributions(
    tmp_path_factory: Any, release: str, distribution: object
) -> None:
    found = system_of(tmp_path_factory.mktemp("host"), {}, "", release)
    assert found.distribution == distribution


@each("mark", [".dockerenv", "run/.containerenv"])
def test_a_containers_own_system_is_not_the_hosts(
    tmp_path_factory: Any, mark: str
) -> None:
    files = has(mark, "usr/bin/dracut", "etc/default/grub", release=FEDORA)
    found = system_of(tmp_path_factory.mktemp("host"), files, STUB_LINE)
    assert found.distribution is UNKNOWN
    assert found.image_makers is UNKNOWN
    # The kernel's command line is the host's.
    assert found.loaders == (Loader.SYSTEMD_BOOT,)


def test_an_os_release_of_a_stranger_is_only_read(tmp_path: Path) -> None:
    text = "ID=$(reboot)\nBAD='\n#ID=arch\nID_LIKE=`x` debian\n"
    found = system_of(tmp_path, {"etc/os-release": text})
    assert found.distribution == "$(reboot)"
