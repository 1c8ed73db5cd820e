"""Cut a capture down to what the tool reads of it.

``python -m tools.trim CAPTURE OUT`` writes the small tree, to a directory or, if OUT
ends in ``.tar.gz``, to a tar; the machine that is read from it is the same as the one
read from the whole capture, or nothing is left.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from iommu_inspect.model.fact import Fact, known
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["pack", "trim"]

# Directories of which only the names count: their entries may be files.
_NAMES_ONLY = ("sys/firmware/acpi/tables",)
# A fixture with the kernel's type information in it would be megabytes.
_TOO_LARGE = ("sys/kernel/btf/vmlinux",)


class _Recorder(Tree):
    """Answers as another tree does and writes down what was asked for."""

    def __init__(self, inner: Tree, out: Path) -> None:
        super().__init__(inner.label)
        self._inner = inner
        self._out = out

    def data(self, path: str) -> Fact[bytes]:
        found = self._inner.data(path)
        if known(found):
            self._write(path, found)
        return found

    def text(self, path: str) -> Fact[str]:
        found = self._inner.text(path)
        if known(found):
            self._write(path, f"{found}\n".encode("utf-8", "surrogateescape"))
        return found

    def text_bounded(
        self, paths: Sequence[str], seconds: float = 1.0
    ) -> dict[str, Fact[str]]:
        del seconds
        return {path: self.text(path) for path in paths}

    def large_data(self, path: str) -> Fact[bytes]:
        found = self._inner.large_data(path)
        if known(found) and path not in _TOO_LARGE:
            self._write(path, found)
        return found

    def names(self, path: str) -> Fact[tuple[str, ...]]:
        found = self._inner.names(path)
        if not known(found):
            return found
        place = self._place(path)
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        if path in _NAMES_ONLY:
            for name in found:
                self._write(f"{path}/{name}", b"")
        elif not path.startswith("sys/devices/") or "/vfio-dev" in path:
            for name in found:
                if not known(self._inner.target(f"{path}/{name}")):
                    self.exists(f"{path}/{name}")
                else:
                    self.target(f"{path}/{name}")
        return found

    def target(self, path: str) -> Fact[str]:
        found = self._inner.target(path)
        place = self._place(path.rpartition("/")[0])
        if not known(found) or place is None:
            return found
        link = place / path.rpartition("/")[2]
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(self._out / found, place))
        return found

    def exists(self, path: str) -> bool:
        found = self._inner.exists(path)
        place = self._place(path) if found else None
        if place is not None and known(self._inner.names(path)):
            place.mkdir(parents=True, exist_ok=True)
        elif place is not None and not place.exists():
            self.data(path)
        return found

    def has(self, path: str) -> Fact[bool]:
        self.exists(path)
        return self._inner.has(path)

    def _place(self, path: str) -> Path | None:
        real = self._inner.resolve(path)
        return self._out / real if known(real) else None

    def _write(self, path: str, content: bytes) -> None:
        place = self._place(path)
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def _kind(self, path: str) -> Fact[object]:  # type: ignore[override]
        raise NotImplementedError

    _link = _content = _names = _kind  # type: ignore[assignment]


def trim(capture: str, out: Path) -> None:
    """Write what the tool reads of ``capture`` to the directory ``out``.

    Raises:
        SourceError: the capture cannot be read.
        ValueError: the small tree would give another machine; nothing is left then.
    """
    whole = read_machine(_Recorder(open_path(capture), out))
    small = read_machine(open_path(str(out)))
    if (whole.kernel, whole.groups, whole.ungrouped) != (
        small.kernel,
        small.groups,
        small.ungrouped,
    ) or (whole.interrupt_remapping, whole.host) != (
        small.interrupt_remapping,
        small.host,
    ):
        shutil.rmtree(out)
        raise ValueError(f"what was cut from {capture} is missed")


def pack(tree: Path, out: Path) -> None:
    """Pack a directory into a ``.tar.gz`` whose bytes depend on its content only."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    with (
        out.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(tree.rglob("*")):
            name = str(path.relative_to(tree))
            tar.add(path, name, recursive=False, filter=anonymous)


def _main(capture: str, out: Path) -> None:
    if not out.name.endswith(".tar.gz"):
        trim(capture, out)
        return
    with tempfile.TemporaryDirectory() as folder:
        trim(capture, Path(folder) / "tree")
        pack(Path(folder) / "tree", out)


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
