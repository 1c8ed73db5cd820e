"""Opens what ``--from`` was given."""

# Raw descriptors are what gives O_NOFOLLOW and the second look at what was opened,
# and pathlib would cost more than the system calls do.
# ruff: noqa: PTH100, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Missing
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.tree import Kind, Tree, is_forbidden

__all__ = [
    "Text",
    "acts_when_read",
    "open_live",
    "open_path",
    "open_source",
    "open_stream",
]

MAX_TEXT = 16 << 20
"""Bytes of a text such as that of ``lspci``."""
MAX_INFLATED_TEXT = 2 << 20
"""The same of one that is compressed: a small file takes as long as what it holds."""

_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_EXPECTED = (
    "a directory or a tar that holds sys/ is expected; 'iommu-inspect snapshot FILE' "
    "makes one"
)
_GZIP = b"\x1f\x8b"
# UTF-16, as editors of Windows write it.
_WIDE = (b"\xff\xfe", b"\xfe\xff")
# What people send in place of a text.
_NO_SOURCES = {
    b"%PDF-": "a PDF document",
    b"\x89PNG": "an image (PNG)",
    b"\xff\xd8\xff": "an image (JPEG)",
    b"GIF8": "an image (GIF)",
    b"RIFF": "an image (WebP) or a film",
    b"BM": "an image (BMP)",
    b"\x7fELF": "a program",
    b"SQLite format": "a database",
    b"\xd0\xcf\x11\xe0": "a document of an office program",
}
# Bytes that tell a text from an archive, and characters that a text may have beside
# printable ones.
_FIRST_BLOCK = 512
_IN_TEXTS = frozenset({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\n\r\f\b\x1b"})


def open_live() -> Tree:
    """Return the running host."""
    return DirTree("/", "this host", live=True)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that somebody captured, and what to call it in messages."""

    content: str
    label: str


def open_path(source: str, stdin: BinaryIO | None = None) -> Tree:
    """Return the capture in a directory or a tar; see `open_source`.

    Raises:
        SourceError: There is none, or it cannot be read.
    """
    opened = open_source(source, stdin)
    if isinstance(opened, Text):
        raise SourceError(f"cannot read {opened.label}: it is a text; {_EXPECTED}")
    return opened


def open_source(source: str, stdin: BinaryIO | None = None) -> Tree | Text:
    """Return the capture in a directory or a tar, or a text.

    Args:
        source: Where it is, or ``-`` for a tar or a text on standard input.
        stdin: The standard input, if it is not that of the process.

    Raises:
        SourceError: There is none, or it cannot be read.
    """
    if source == "-":
        # A process can be started without any standard input.
        given = stdin or (sys.stdin.buffer if sys.stdin else None)
        if given is None:
            raise SourceError(
                "cannot read standard input: it is closed; pipe the capture into this "
                "command, or name its file in place of -"
            )
        return open_stream(given, "standard input")
    label = _printable(source)
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            return _open_folder(os.path.abspath(source), label)
        if not stat.S_ISREG(mode):
            hint = "; give a pipe as -" if stat.S_ISFIFO(mode) else ""
            raise SourceError(f"cannot read {label}: {_EXPECTED}{hint}")
        if acts_when_read(source):
            raise SourceError(f"cannot read {label}: reading it acts on a device")
        descriptor = os.open(source, _OPEN_FLAGS)
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError(f"cannot read {label}: {_EXPECTED}")
            return open_stream(file, label)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {label}: {_reason(error)}") from None


def acts_when_read(path: str) -> bool:
    """Say whether a file that somebody named is one that is never opened.

    A host's sys/ can be mounted below any directory; by another name it is not known.
    """
    _, found, below = os.path.realpath(path).rpartition("/sys/")
    return is_forbidden(f"sys/{below}") if found else False


class _Rewound(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            found, self._first = self._first + self._rest.read(), b""
            return found
        if self._first:
            found, self._first = self._first[:size], self._first[size:]
            return found
        return self._rest.read(size)


def open_stream(file: BinaryIO, label: str) -> Tree | Text:
    """Return what a stream holds: a text or a tar, told by its first bytes.

    Raises:
        SourceError: It holds neither, or cannot be read.
    """
    most = MAX_TEXT
    try:
        first = b""
        while len(first) < _FIRST_BLOCK and (more := file.read(_FIRST_BLOCK)):
            first += more
        if first.startswith(_GZIP) and _IN_TEXTS.issuperset(_peeked(first) or b"\0"):
            first, file = _inflated(cast("BinaryIO", _Rewound(first, file)), label)
            most = MAX_INFLATED_TEXT
        if first.startswith(_WIDE) or (first and _IN_TEXTS.issuperset(first)):
            return _open_text(first, file, label, most)
        for magic, kind in _NO_SOURCES.items():
            if first.startswith(magic):
                raise SourceError(f"cannot read {label}: it is {kind}; send its text")
        return _open_tar(cast("BinaryIO", _Rewound(first, file)), label)
    except OSError as error:
        raise SourceError(f"cannot read {label}: {_reason(error)}") from None


def _open_text(first: bytes, rest: BinaryIO, label: str, most: int) -> Text:
    parts, left = [first], most - len(first)
    while left >= 0 and (more := rest.read(min(left + 1, 1 << 20))):
        parts.append(more)
        left -= len(more)
    if left < 0:
        was = "a text" if most == MAX_TEXT else "a compressed text"
        raise SourceError(
            f"cannot read {label}: {was} of more than {most >> 20} MiB; give the part "
            "about devices and groups"
        )
    content = b"".join(parts)
    encoding = "utf-16" if content.startswith(_WIDE) else "utf-8"
    return Text(content.decode(encoding, "replace"), label)


class _Pieces(io.RawIOBase):
    """A stream of what a compressed one holds."""

    def __init__(self, pieces: Iterator[bytes], label: str) -> None:
        self._pieces, self._label, self._left = pieces, label, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        from iommu_inspect.sources.tree.inflating import UnreadableTarError

        try:
            while size < 0 or len(self._left) < size:
                more = next(self._pieces, b"")
                if not more:
                    break
                self._left += more
        except UnreadableTarError as error:
            raise SourceError(f"cannot read {self._label}: {error}") from None
        size = len(self._left) if size < 0 else size
        found, self._left = self._left[:size], self._left[size:]
        return found


def _peeked(first: bytes) -> bytes:
    """Return what the first bytes of a gzip stream hold, as far as they show it."""
    import zlib

    try:
        return zlib.decompressobj(31).decompress(first, _FIRST_BLOCK)
    except zlib.error:
        return b""


def _inflated(file: BinaryIO, label: str) -> tuple[bytes, BinaryIO]:
    """Return the first bytes of what a compressed stream holds, and the rest."""
    from iommu_inspect.sources.tree.inflating import pieces

    stream = cast("BinaryIO", _Pieces(pieces(file), label))
    return stream.read(_FIRST_BLOCK), stream


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _reason(error: Exception) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text[:1].lower() + text[1:]


def _open_folder(root: str, label: str) -> Tree:
    tree = DirTree(root, label)
    inside = os.listdir(root)
    prefix, is_sys = _find_root(tree, inside, label)
    if prefix or is_sys:
        tree = DirTree(os.path.join(root, prefix), label, is_sys=is_sys)
    return _with_manifest(tree)


def _with_manifest(files: Tree) -> Tree:
    """Make a snapshot of files that have a manifest; few captures need json."""
    if files._kind("iommu-inspect.json") is Missing.ABSENT:
        return files
    from iommu_inspect.sources.tree.snapshot import as_snapshot

    return as_snapshot(files)


def _open_tar(file: BinaryIO, label: str) -> Tree:
    # Only here: a live host must not wait for modules that it does not need.
    from iommu_inspect.sources.tree.tar import TarTree, UnreadableTarError, read_tar

    try:
        archive = read_tar(file)
    except UnreadableTarError as error:
        raise SourceError(f"cannot read {label}: {error}") from None
    top = archive.top
    prefix, is_sys = _find_root(TarTree(top, label), top, label)
    if is_sys:
        top = {"sys": top}
    elif isinstance(inner := top.get(prefix), dict):
        top = inner
    return _with_manifest(TarTree(top, label, archive.notes))


def _find_root(tree: Tree, inside: Iterable[str], label: str) -> tuple[str, bool]:
    """Return the directory that holds sys/, and whether it is one itself instead."""

    def folder(path: str) -> bool:
        return tree._kind(path) is Kind.FOLDER

    if folder("sys"):
        return "", False
    if folder("devices") and (folder("bus") or folder("kernel/iommu_groups")):
        return "", True
    found = [name for name in inside if folder(f"{name}/sys")]
    if len(found) == 1:
        return found[0], False
    if found:
        raise SourceError(
            f"cannot read {label}: it holds {len(found)} captures; give one of them"
        )
    raise SourceError(f"cannot read {label}: there is no sys/ in it; {_EXPECTED}")
