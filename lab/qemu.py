"""Which QEMU a machine is booted with: the host's, or a newer one of Debian's.

A device that the host's QEMU does not know is no reason to leave a machine out: a
newer QEMU is unpacked in the cache, and runs there with its own libraries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.apt import Archive, unpack
from lab.cache import cache_root, locked, new_directory

__all__ = ["newer_qemu"]

_SUITE = "trixie"
_PACKAGE = "qemu-system-x86"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def newer_qemu(
    say: Callable[[str], None] = lambda _: None,
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the words that start it, and its environment.

    Raises:
        Unavailable: the packages cannot be downloaded.
    """
    target = cache_root() / "qemu" / _SUITE
    with locked("qemu"):
        if not target.is_dir():
            say(f"fetching QEMU from {_SUITE}")
            with new_directory(target) as draft:
                _fetch(draft)
    libraries = target / _LIBRARIES
    words = (
        *(str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)),
        str(target / "usr/bin/qemu-system-x86_64"),
        *(
            "-L",
            str(target / "usr/share/qemu"),
            "-L",
            str(target / "usr/share/seabios"),
        ),
    )
    # Its modules are of one build with it, and not those of the host's QEMU.
    return words, {**os.environ, "QEMU_MODULE_DIR": str(libraries / "qemu")}


def _fetch(into: Path) -> None:
    archive = Archive((_SUITE,), "amd64")
    archive.refresh()
    unpack(archive.download_closure([_PACKAGE]), into)
