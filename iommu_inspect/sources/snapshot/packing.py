"""A capture as the bytes of a tar, which depend on the capture and nothing else."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator

from iommu_inspect.sources.snapshot.capture import FOLDER, Capture, Link
from iommu_inspect.sources.tree.snapshot import MANIFEST, Manifest

__all__ = ["packed", "zipped"]

_BLOCK = 512


def packed(capture: Capture, manifest: Manifest) -> Iterator[bytes]:
    """Yield the pieces of a tar: nobody's files, without a time, in order."""
    yield _member(MANIFEST, manifest.to_json())
    for path in sorted(_with_parents(capture)):
        entry = capture.entries.get(path, FOLDER)
        if isinstance(entry, Link):
            yield _header(path, tarfile.SYMTYPE, link=entry.text)
        elif isinstance(entry, bytes):
            yield _member(path, entry)
        elif entry == FOLDER:
            yield _header(path, tarfile.DIRTYPE)
        else:
            yield _member(path, b"")
    yield bytes(2 * _BLOCK)


def _with_parents(capture: Capture) -> set[str]:
    found = {"sys"}
    for path in capture.entries:
        here = path
        while here and here not in found:
            found.add(here)
            here = here.rpartition("/")[0]
    return found


def _member(path: str, content: bytes) -> bytes:
    padding = bytes(-len(content) % _BLOCK)
    return _header(path, tarfile.REGTYPE, size=len(content)) + content + padding


def _header(path: str, kind: bytes, *, size: int = 0, link: str = "") -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.size, info.linkname = kind, size, link
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def zipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield them compressed with gzip, without a name or a time."""
    # 31: the largest window, and the header of gzip.
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    for piece in pieces:
        yield squeeze.compress(piece)
    yield squeeze.flush()
