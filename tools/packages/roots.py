"""Small Debians to try packages in, made once and kept below ``dist/roots``.

A program in one runs with no network (``unshare``), and with nothing of this machine
but the files that were copied in.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tools.packages.running import run

__all__ = ["PYTHONS", "Root"]

_MIRROR = "http://deb.debian.org/debian"
# python3-venv for the wheel; man and the shells find what was installed.
_WITH = ("python3", "python3-venv", "libudev1", "man-db", "zsh", "fish")
# bash has its pipes' names from /proc.
_ENTER = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
# Each release, and its interpreter.
PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}


class Root:
    """A new Debian for as long as it is used.

    Making the first of a release takes half a minute and Debian's mirror.
    """

    def __init__(self, release: str, kept: Path) -> None:
        """Take the release's name, and the folder in which archives are kept."""
        self.release = release
        self._archive = kept / f"{release}.tar"

    def __enter__(self) -> Root:
        if not self._archive.exists():
            self._make()
        self._folder = Path(tempfile.mkdtemp(prefix=f"iommu-inspect-{self.release}-"))
        run(["tar", "-xf", self._archive, "-C", self._folder])
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder)

    def path(self, inside: str) -> Path:
        """Return where a path of the root lies on this machine."""
        return self._folder / inside.lstrip("/")

    def put(self, source: Path, inside: str) -> None:
        """Copy a file or a folder in, under its name."""
        target = self.path(inside)
        target.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            skip = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / source.name, ignore=skip)
        else:
            shutil.copy(source, target)

    def call(self, script: str, *, codes: tuple[int, ...] = (0,)) -> bytes:
        """Run a script of ``sh`` in it, in /srv and with a bare environment.

        Raises:
            FailedError: if its exit code is none of ``codes``.
        """
        bare = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8")
        return run(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork"),
                *("/bin/sh", "-euc", _ENTER, "sh", self._folder),
                *("/usr/bin/env", "-i", *bare, "DEBIAN_FRONTEND=noninteractive"),
                *("/bin/sh", "-euc", f"cd /srv\n{script}"),
            ],
            codes=codes,
        )

    def _make(self) -> None:
        self._archive.parent.mkdir(parents=True, exist_ok=True)
        # The name's end says what kind of archive is wanted.
        new = self._archive.with_name(f"new-{self._archive.name}")
        run(
            [
                *("mmdebstrap", "--variant=minbase", f"--include={','.join(_WITH)}"),
                *(self.release, new, _MIRROR),
            ]
        )
        new.replace(self._archive)
