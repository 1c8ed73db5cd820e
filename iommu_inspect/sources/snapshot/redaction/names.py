"""The names that paths are made of: interfaces, disks, directories, device files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iommu_inspect.sources.snapshot.redaction.pseudonyms import Pseudonyms
from iommu_inspect.sources.snapshot.redaction.secrets import Words

__all__ = ["Names"]

# What udev, the kernel and the usual programs call interfaces; people's names are none.
_INTERFACE = re.compile(
    r"(?:(?:en|et|wl|ww|sl|ib)(?:P[0-9]+)?(?:p[0-9]+)?[osbvc][0-9]+(?:f[0-9]+)?"
    r"(?:n(?:p?[0-9]+|s[0-9]+))?(?:d[0-9]+)?(?:u[0-9]+)*(?:c[0-9]+)?(?:i[0-9]+)?"
    r"(?:v[0-9]+)?(?:r[0-9]+)?(?:np?[0-9]+)?"
    r"|(?:eth|wlan|wwan|ib|usb|em|bond|br|vmbr|virbr|docker|lxcbr|lxdbr|cni|vxlan|team"
    r"|dummy|ifb|tap|tun|wg|vnet|macvtap|macvlan|ovs-br|bridge|xenbr|tunl|sit|gre|hsn"
    r"|fwbr|fwln|fwpr|ovsbr)[0-9]+(?:[ip][0-9]+)*(?:-nic)?"
    r"|p[0-9]+p[0-9]+(?:_[0-9]+)?|vif[0-9]+\.[0-9]+|br-(?:int|ex|tun))(?:\.[0-9]{1,4})?",
    re.ASCII,
)
_ALWAYS = ("lo", "ovs-system", "bonding_masters")
_BLOCK = re.compile(
    r"(?:[shv]d[a-z]+|xvd[a-z]+|dasd[a-z]+)[0-9]*|nvme[0-9]+(?:c[0-9]+)?n[0-9]+(?:p[0-9]+)?"
    r"|(?:dm-|sr|fd|ram|zram|bcache|drbd|scd|pktcdvd|md_d)[0-9]+"
    r"|(?:md|loop|nbd|rbd|zd|mmcblk|ublkb|mtdblock|bcache)[0-9]+(?:boot[0-9]+|s?p?[0-9]+)*"
    r"|(?:cciss|ida|rd|i2o)!\w+|[0-9]+:[0-9]+|pmem[0-9]+(?:\.[0-9]+)?s?(?:p[0-9]+)?|features|by-(?:id|label|path|uuid)",
    re.ASCII,
)
_DEV_FILES = ("fuse", "root", "shm", "pts", "hugepages", "mqueue", "null")
# File Hierarchy Standard, and where distributions and virtual machines keep things.
_FOLDERS = frozenset(
    (
        *("boot", "bin", "cache", "containers", "data", "dev", "docker", "efi"),
        *("EFI", "esp", "etc", "grub", "home", "images", "lib", "lib64", "libvirt"),
        *("local", "log", "machines", "media", "mnt", "nix", "opt", "overlay"),
        *("overlay2", "proc", "pve", "qemu", "root", "run", "sbin", "snap"),
        *("snapshots", ".snapshots", "spool", "srv", "store", "storage", "swap"),
        *("swapfile", "swap.img", "sys", "sysroot", "tmp", "user", "usr", "var"),
        *("vz", "kernel", "hugepages", "mqueue", "pts", "shm"),
    )
)
_DISK_FOLDERS = ("block", "slaves", "holders")
_DISK_LISTS = ("ext4", "xfs", "f2fs")
_SETTINGS = re.compile(r".*(?:modprobe|modules-load|mkinitcpio\.conf|dracut\.conf)\.d")


class Names:
    """What may pass as a name, and what stands for the others."""

    def __init__(self, pseudonyms: Pseudonyms, words: Words, *, strict: bool) -> None:
        self._pseudonyms = pseudonyms
        self._words = words
        self._strict = strict
        self._files: dict[str, str] = {}
        self._paths: dict[str, str] = {}

    def interface(self, name: str) -> str:
        """Return the name of an interface, or what stands for it."""
        usual = not self._strict and _INTERFACE.fullmatch(name) is not None
        if usual or name in _ALWAYS:
            return name
        return self._pseudonyms.of("net", name)

    def block(self, name: str) -> str:
        """Return the kernel's name of a block device, or what stands for it."""
        return name if _BLOCK.fullmatch(name) else self._pseudonyms.of("name", name)

    def label(self, name: str) -> str:
        """Return what stands for a name that a person gave."""
        if self._pseudonyms.is_uuid(name.removeprefix("luks-")):
            return self._pseudonyms.swept(name)
        return self._pseudonyms.of("name", name)

    def folder(self, path: str) -> str:
        """Return a path of a host's directories, part by part."""
        if not path.startswith("/"):
            return self._pseudonyms.of("dir", path)
        return "/".join(map(self._folder_part, path.split("/")))

    def _folder_part(self, name: str) -> str:
        usual = name in _FOLDERS and not self._strict
        return name if usual or not name else self._pseudonyms.of("dir", name)

    def device_file(self, path: str) -> str:
        """Return a file below /dev as one can write it for what stands there."""
        file = path.removeprefix("/dev/")
        first, slash, rest = file.partition("/")
        if first == "mapper" and rest:
            return f"/dev/mapper/{self.label(rest)}"
        if first == "disk" and rest.startswith("by-"):
            kind, _, name = rest.partition("/")
            return f"/dev/disk/{self.block(kind)}/{self.label(name)}"
        if file in _DEV_FILES or _BLOCK.fullmatch(file.replace("/", "!")):
            return f"/dev/{file}"
        return f"/dev/{self.label(file.replace('/', '!') if slash else file)}"

    def settings_files(self, paths: Iterable[str]) -> None:
        """Learn the files of settings, of whose names the order must stay."""
        names = {
            name
            for folder, _, name in (path.rpartition("/") for path in paths)
            if _SETTINGS.fullmatch(folder)
        }
        for number, name in enumerate(sorted(names)):
            _, dot, ending = name.rpartition(".")
            self._files[name] = f"{number:03}{dot}{ending}" if dot else f"{number:03}"

    def path(self, path: str) -> str:
        """Return a path, each part as it may be shown."""
        found = self._paths.get(path)
        if found is None:
            above, slash, part = path.rpartition("/")
            start = f"{self.path(above)}/" if slash else ""
            found = start + self._part(above.split("/") if slash else [], part)
            self._paths[path] = found
        return found

    def link(self, place: str, text: str) -> str:
        """Return the text of the link at a place."""
        if place.startswith("proc/"):
            return text
        above = [] if text.startswith("/") else place.split("/")[:-1]
        done = []
        for part in text.split("/"):
            if part == "..":
                above = above[:-1]
            elif part not in ("", "."):
                done.append(self._part(above, part))
                above = [*above, part]
                continue
            done.append(part)
        return "/".join(done)

    def _part(self, above: list[str], part: str) -> str:
        last = above[-1] if above else ""
        if above[:1] == ["sys"]:
            if last in ("net", "brif"):
                return self.interface(part)
            for mark in ("lower_", "upper_"):
                if part.startswith(mark):
                    return mark + self.interface(part.removeprefix(mark))
            if last in _DISK_FOLDERS or (above[:2] == ["sys", "fs"] and len(above) > 2):
                return self._of_disk(above, part)
            if above[-2:-1] == ["block"] and last and part.startswith(last):
                return self.block(last) + part.removeprefix(last)
        if _SETTINGS.fullmatch("/".join(above)):
            if self._strict:
                return self._files.get(part, part)
            return self._words.without(part)
        if last == "modules" and above[0] != "sys":
            return self._words.without(part)
        return self._pseudonyms.swept(part)

    def _of_disk(self, above: list[str], part: str) -> str:
        if above[1:2] == ["fs"]:
            listed = above[2] in _DISK_LISTS and len(above) == 3
            member = above[2] == "btrfs" and above[-1] == "devices"
            return (
                self.block(part) if listed or member else self._pseudonyms.swept(part)
            )
        return self.block(part)
