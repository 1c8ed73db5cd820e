"""Debian's own shell and programs for the guest, for plans that are carried out there.

busybox is what the lab's own commands run on; a plan is for a host, whose ``sh`` is
dash, and whose checks call ``ip``, ``findmnt`` and ``swapon``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.apt import Archive, run, unpack
from lab.cache import cache_root, locked, new_directory
from lab.cpio import Cpio

__all__ = ["LSPCI", "PATH", "userland"]

# Where they are in the guest; what is missing there (modprobe) is busybox's.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
LSPCI = "/usr/bin/lspci"
_SUITE = "trixie"
_PACKAGES = ("dash", "e2fsprogs", "iproute2", "mount", "pciutils", "util-linux")
_PROGRAMS = (
    "usr/bin/dash",
    "usr/bin/findmnt",
    "usr/bin/ip",
    "usr/bin/lspci",
    "usr/sbin/mke2fs",
    "usr/sbin/mkswap",
    "usr/sbin/swapoff",
    "usr/sbin/swapon",
)
_DATA = ("usr/share/misc/pci.ids",)
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_LOADER = f"{_LIBRARIES}/ld-linux-x86-64.so.2"
# The path that the programs themselves name.
_LOADER_LINK = "lib64/ld-linux-x86-64.so.2"


def userland(say: Callable[[str], None] = lambda _: None) -> bytes:
    """Return an archive with the programs and their libraries, made when needed.

    Raises:
        Unavailable: the packages cannot be downloaded.
    """
    digest = hashlib.sha256(repr((_SUITE, _PACKAGES, _PROGRAMS, _DATA)).encode())
    target = cache_root() / "userland" / digest.hexdigest()[:12]
    with locked("userland"):
        if not target.is_dir():
            say(f"fetching a shell and programs for the guest from {_SUITE}")
            with new_directory(target) as draft:
                (draft / "archive").write_bytes(_fetch(draft / "root"))
    return (target / "archive").read_bytes()


def _fetch(root: Path) -> bytes:
    archive = Archive((_SUITE,), "amd64")
    archive.refresh()
    unpack(archive.download_closure(_PACKAGES), root)
    files = sorted({*_PROGRAMS, *_DATA, _LOADER, *_libraries(root)})
    packed = Cpio()
    for folder in _folders([*files, _LOADER_LINK]):
        packed.add(folder, 0o040755)
    for name in files:
        packed.add(name, 0o100755, (root / name).read_bytes())
    packed.add(_LOADER_LINK, 0o120777, f"/{_LOADER}".encode())
    return packed.finish()


def _libraries(root: Path) -> set[str]:
    """Return what the programs load, as their own loader finds it."""
    loader = (str(root / _LOADER), "--library-path", str(root / _LIBRARIES), "--list")
    found = set[str]()
    for program in _PROGRAMS:
        said = run((*loader, str(root / program)), seconds=60)
        found |= set(re.findall(rf"=> {re.escape(str(root))}/(\S+)", said))
    return found


def _folders(files: Iterable[str]) -> list[str]:
    """Return the directories above files, the upper ones first."""
    return sorted(
        {str(above) for name in files for above in Path(name).parents} - {"."}
    )
