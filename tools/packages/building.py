"""Builds all that is handed out: source archive, wheel, zipapp, Debian package.

The wheel and the Debian package are built from the unpacked source archive, so that
something that it lacks is seen.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from tools.packages.running import FailedError, run
from tools.zipapp.bundled import wheels

__all__ = ["ROOT", "build_all", "build_deb", "build_wheel"]

ROOT = Path(__file__).resolve().parents[2]
# Not the virtual environment's: dh_python3 and its kind are Debian's.
_SYSTEM = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def build_all(source: Path, into: Path, *, umask: int = 0o022) -> dict[str, Path]:
    """Build everything of a tree; return each artifact by its kind.

    Raises:
        FailedError: if something cannot be built.
    """
    into.mkdir(parents=True, exist_ok=True)
    with _unpacked(source, into, umask) as unpacked:
        built = {
            "source archive": _only(into, "*.tar.gz"),
            "wheel": build_wheel(unpacked, into, umask=umask),
            "zipapp": into / "iommu-inspect.pyz",
            "deb": _deb(unpacked, into, umask),
        }
    run(
        [sys.executable, "-m", "tools.zipapp", built["zipapp"]],
        source,
        more={"PYTHONPATH": str(source)},
        umask=umask,
    )
    return built


def build_deb(source: Path, into: Path) -> Path:
    """Build the Debian package of a tree, from its source archive.

    Raises:
        FailedError: if it cannot be built.
    """
    into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as sources,
        _unpacked(source, Path(sources), 0o022) as unpacked,
    ):
        return _deb(unpacked, into, 0o022)


def build_wheel(source: Path, into: Path, *, umask: int = 0o022) -> Path:
    """Build the wheel of a tree, or of an unpacked source archive."""
    _build("--wheel", source, into, umask)
    return _only(into, "*.whl")


class _unpacked:  # noqa: N801 -- used as a function
    """Builds the source archive, and has it unpacked for as long as it is used."""

    def __init__(self, source: Path, into: Path, umask: int) -> None:
        self._source, self._into, self._umask = source, into, umask

    def __enter__(self) -> Path:
        _build("--sdist", self._source, self._into, self._umask)
        self._folder = tempfile.TemporaryDirectory(prefix="iommu-inspect-source-")
        with tarfile.open(_only(self._into, "*.tar.gz")) as archive:
            # Installers refuse links that lead out of it, and it needs none.
            if others := [it.name for it in archive if not it.isreg()]:
                raise FailedError(f"the source archive has a link: {others[0]}")
            archive.extractall(self._folder.name)
        (only,) = Path(self._folder.name).iterdir()
        return only

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _build(what: str, source: Path, into: Path, umask: int) -> None:
    run(
        [
            *(sys.executable, "-m", "build", "--no-isolation", what),
            *("--outdir", into, source),
        ],
        umask=umask,
    )


def _deb(unpacked: Path, into: Path, umask: int) -> Path:
    needed = unpacked / "dist/wheels"
    needed.mkdir(parents=True)
    for wheel in wheels().values():
        shutil.copy(wheel, needed)
    run(
        ["dpkg-buildpackage", "--build=binary", "--no-sign"],
        unpacked,
        more=_SYSTEM,
        umask=umask,
    )
    made = _only(unpacked.parent, "*.deb")
    return Path(shutil.copy(made, into / made.name))


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise FailedError(f"{folder}: {len(found)} files are {pattern}")
    return found[0]
