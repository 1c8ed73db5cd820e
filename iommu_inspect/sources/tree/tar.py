"""A capture in a tar: bounded decompression and parsing, never unpacked to disk.

The file comes from somebody else, so nothing in it is believed: whatever it says of
itself, reading it costs bounded time and memory. `tarfile` decodes the single headers;
their sequence is followed here, because `tarfile` reads extended headers of any length
and searches them with expressions that take quadratic time on the interpreters that
hosts still run (CVE-2024-6232), and takes a damaged header for the end of the archive.
"""

from __future__ import annotations

import sys
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple, Protocol, TypeAlias

from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.sources.tree.tree import MAX_FILE, Kind, Tree

__all__ = [
    "MAX_DEPTH",
    "MAX_HEADER",
    "MAX_HEADERS",
    "MAX_KEPT",
    "MAX_MEMBERS",
    "MAX_NAME",
    "MAX_TOTAL",
    "Archive",
    "Entry",
    "Folder",
    "Link",
    "Padded",
    "TarTree",
    "UnreadableTarError",
    "read_tar",
]

MAX_TOTAL = 256 << 20
"""Bytes that are read from the source, and bytes that they may inflate to."""
MAX_KEPT = 64 << 20
"""Bytes of names, link targets and contents that stay in memory."""
MAX_MEMBERS = 400_000
"""Members, and directories that are only implied by the names of members."""
MAX_HEADER = 1 << 20
"""Bytes of one extended header."""
MAX_HEADERS = 32 << 20
"""Bytes of all of them: nothing takes longer to read."""
MAX_NAME = 4096
MAX_DEPTH = 64
MAX_STREAMS = 10_000
"""Compressed streams one after the other, as parallel compressors write them."""
MAX_XZ_MEMORY = 72 << 20
"""Just enough for `xz -9`."""

_BLOCK = 512
_CHUNK = 64 << 10
_ZEROS = bytes(_BLOCK)
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_OTHER_FORMATS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress (.Z)",
    b"LZIP": "lzip",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG_TYPES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_NO_DATA_TYPES = frozenset(
    (
        tarfile.LNKTYPE,
        tarfile.SYMTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
        tarfile.FIFOTYPE,
    )
)

CUT_OFF = "the tar is cut off"
DAMAGED = "the tar is damaged"


class UnreadableTarError(Exception):
    """The bytes are not a tar that can be read; the message is half a line."""


class Link(NamedTuple):
    """A symbolic link as the archive has it."""

    target: str


class Padded(NamedTuple):
    """A file without its trailing zero bytes.

    tar believes the 4096 bytes that sysfs states as the size of each attribute and
    fills them up with zeros; kept as they are, they would be most of the memory.
    """

    content: bytes
    size: int


Folder: TypeAlias = dict[str, "Entry"]
Entry: TypeAlias = Folder | bytes | Padded | Link | Missing
"""A directory, a file, a link, or what stands for a file that has no content:
``TRUNCATED`` for one that is too long, ``UNREADABLE`` for what is no plain file."""


class Archive(NamedTuple):
    """The members of a tar by name, and what was ignored."""

    top: Folder
    notes: tuple[str, ...]


class TarTree(Tree):
    """A tar that holds ``sys/``, or what is in one, all of it in memory."""

    def __init__(self, top: Folder, label: str, ignored: tuple[str, ...] = ()) -> None:
        super().__init__(label)
        self._top = top
        self._ignored = ignored

    def _entry(self, path: str) -> Entry | None:
        entry: Entry | None = self._top
        for part in path.split("/") if path else ():
            if not isinstance(entry, dict):
                return None
            entry = entry.get(part)
        return entry

    def _kind(self, path: str) -> Fact[Kind]:
        entry = self._entry(path)
        if entry is None:
            return Missing.ABSENT
        if isinstance(entry, dict):
            return Kind.FOLDER
        if entry is Missing.UNREADABLE:
            return Kind.OTHER
        return Kind.LINK if isinstance(entry, Link) else Kind.FILE

    def _link(self, path: str) -> Fact[str]:
        entry = self._entry(path)
        return entry.target if isinstance(entry, Link) else Missing.UNREADABLE

    def _names(self, path: str) -> Fact[Iterable[str]]:
        entry = self._entry(path)
        return entry if isinstance(entry, dict) else Missing.ABSENT

    def _content(
        self,
        path: str,
        limit: int,  # noqa: ARG002 - what is longer was not kept
    ) -> Fact[bytes]:
        entry = self._entry(path)
        if isinstance(entry, Padded):
            return entry.content.ljust(entry.size, b"\0")
        return entry if isinstance(entry, bytes | Missing) else Missing.UNREADABLE


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Input:
    """The source's bytes, counted, with a look ahead at the first of them."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._left = MAX_TOTAL
        self._head = b""
        while len(self._head) < _BLOCK and (more := source.read(_CHUNK)):
            self._head += more

    @property
    def head(self) -> bytes:
        return self._head[:_BLOCK]

    def read(self) -> bytes:
        piece, self._head = self._head or self._source.read(_CHUNK), b""
        self._left -= len(piece)
        if self._left < 0:
            raise _past("the file is", MAX_TOTAL)
        return piece


def _past(what: str, limit: int) -> UnreadableTarError:
    return UnreadableTarError(
        f"{what} larger than {limit >> 20} MiB; capture less of /sys"
    )


def _gzip() -> _Decompressor:
    return zlib.decompressobj(31)


def _bzip2() -> _Decompressor:
    import bz2  # a python can be built without it

    return bz2.BZ2Decompressor()


def _xz() -> _Decompressor:
    import lzma  # a python can be built without it

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_XZ_MEMORY)


def _plain(source: _Input) -> Iterator[bytes]:
    while piece := source.read():
        yield piece


def _inflate(
    source: _Input, start: Callable[[], _Decompressor], magic: bytes
) -> Iterator[bytes]:
    """Yield what the source's streams inflate to, a small piece at a time."""
    data = source.read()
    for _ in range(MAX_STREAMS):
        stream = start()
        while not stream.eof:
            piece = stream.decompress(data, _CHUNK)
            if piece:
                yield piece
            # zlib hands back what it did not take; the others keep it to themselves.
            data = getattr(stream, "unconsumed_tail", b"")
            hungry = getattr(stream, "needs_input", not data)
            if hungry and not stream.eof:
                data = source.read()
                if not data and not piece:
                    raise UnreadableTarError("the compressed data is cut off")
        data = stream.unused_data
        # Streams may be padded with zeros, and the magic of the next may be cut.
        while len(data := data.lstrip(b"\0")) < len(magic):
            more = source.read()
            if not more:
                return
            data += more
        if not data.startswith(magic):
            return
    raise UnreadableTarError(f"it is made of more than {MAX_STREAMS} streams")


class _Stream:
    """The tar's bytes, read forwards only, never more of them than is allowed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = b""
        self._at = 0
        self._left = MAX_TOTAL

    def _next(self) -> bool:
        self._piece, self._at = next(self._pieces, b""), 0
        self._left -= len(self._piece)
        if self._left < 0:
            raise _past("the tar is", MAX_TOTAL)
        return bool(self._piece)

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        end = self._at + size
        if end <= len(self._piece):
            taken = self._piece[self._at : end]
            self._at = end
            return taken
        parts = [self._piece[self._at :]]
        missing = size - len(parts[0])
        while missing and self._next():
            parts.append(self._piece[:missing])
            self._at = len(parts[-1])
            missing -= self._at
        return b"".join(parts)

    def exactly(self, size: int) -> bytes:
        """Return so many bytes, which the archive has promised."""
        taken = self.read(size)
        if len(taken) < size:
            raise UnreadableTarError(CUT_OFF)
        return taken

    def skip(self, size: int) -> None:
        """Pass over so many bytes, which the archive has promised."""
        while (there := len(self._piece) - self._at) < size:
            size -= there
            if not self._next():
                raise UnreadableTarError(CUT_OFF)
        self._at += size

    def drain(self) -> None:
        """Read to the end, so that the compressed data's check sums are checked."""
        while self._next():
            pass


class _Extended:
    """What extended headers say about the member that follows them."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.link: str | None = None
        self.size: int | None = None
        self.sparse = False

    def long(self, kind: bytes, content: bytes) -> None:
        text = _decoded(content.partition(b"\0")[0])
        if kind == tarfile.GNUTYPE_LONGNAME:
            self.name = text
        else:
            self.link = text

    def pax(self, content: bytes) -> None:
        at = 0
        while at < len(content) and content[at]:
            space = content.find(b" ", at, at + 9)
            digits = content[at:space] if space > 0 else b""
            end = at + int(digits) if digits.isdigit() else -1
            if not space < end <= len(content):
                raise UnreadableTarError(DAMAGED)
            key, _, value = content[space + 1 : end].removesuffix(b"\n").partition(b"=")
            self._record(key, value)
            at = end

    def _record(self, key: bytes, value: bytes) -> None:
        if key == b"path" and not self.sparse:
            self.name = _decoded(value)
        elif key == b"linkpath":
            self.link = _decoded(value)
        elif key == b"size":
            if not value.isdigit() or len(value) > 20:
                raise UnreadableTarError(DAMAGED)
            self.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            self.sparse = True
            if key == b"GNU.sparse.name":
                self.name = _decoded(value)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


class _Builder:
    """The archive as it grows."""

    def __init__(self) -> None:
        self.top: Folder = {}
        self._nodes = 0
        self._kept = 0
        self._ignored: dict[str, int] = {}

    def count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_MEMBERS:
            raise UnreadableTarError(
                f"the tar holds more than {MAX_MEMBERS} members; capture less of /sys"
            )

    def _keep(self, thing: str | bytes) -> None:
        # What it takes in memory: the width of a string's characters differs.
        self._kept += sys.getsizeof(thing)
        if self._kept > MAX_KEPT:
            raise _past("what the tar's members hold is", MAX_KEPT)

    def ignore(self, why: str) -> None:
        self._ignored[why] = self._ignored.get(why, 0) + 1

    def parts(self, name: str) -> list[str] | None:
        """Split a member's name; without a value where it cannot be trusted."""
        if len(name) > MAX_NAME or name.count("/") > 2 * MAX_DEPTH:
            self.ignore("with names that are too long or too deep")
            return None
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            self.ignore("with names that leave the capture")
        elif len(parts) > MAX_DEPTH:
            self.ignore("with names that are too long or too deep")
        elif "\0" in name:
            self.ignore("with names that no file can have")
        else:
            return parts
        return None

    def put(self, parts: list[str], entry: Entry) -> None:
        """Add a member; of two with the same name the last one counts."""
        if not parts:
            return
        folder = self.top
        for part in parts[:-1]:
            below = folder.get(part)
            if below is None:
                self.count()
                self._keep(part)
                below = folder[part] = {}
            if not isinstance(below, dict):
                self.ignore("below something that is no directory")
                return
            folder = below
        leaf = parts[-1]
        there = folder.get(leaf)
        if isinstance(entry, dict) and isinstance(there, dict):
            return
        if there is None:
            self._keep(leaf)
        if isinstance(entry, (Link, Padded)):
            self._keep(entry[0])
        elif isinstance(entry, bytes):
            self._keep(entry)
        folder[leaf] = entry

    def earlier(self, name: str) -> Entry:
        """Return what a hard link names, which has to come before it."""
        entry: Entry | None = self.top
        for part in self.parts(name) or ["/"]:
            entry = entry.get(part) if isinstance(entry, dict) else None
        if entry is None or isinstance(entry, dict):
            self.ignore("that are hard links to nothing")
            return Missing.UNREADABLE
        return entry

    def archive(self) -> Archive:
        notes = [
            f"{count} member{'s' if count > 1 else ''} {why} were ignored"
            if count > 1
            else f"1 member {why} was ignored"
            for why, count in self._ignored.items()
        ]
        return Archive(self.top, tuple(notes))


def read_tar(source: BinaryIO) -> Archive:
    """Read a tar, plain or compressed with gzip, bzip2 or xz, from its bytes.

    Raises:
        UnreadableTarError: It is none, or not a whole one, or past a limit.
    """
    try:
        given = _Input(source)
        stream = _Stream(_pieces(given))
        builder = _Builder()
        _members(stream, builder)
        stream.drain()
    except ImportError as error:
        raise UnreadableTarError(
            f"this python has no module {error.name}; decompress it first"
        ) from None
    except tarfile.TarError:
        raise UnreadableTarError(DAMAGED) from None
    # lzma.LZMAError is an Exception of its own, and lzma may not even be there.
    except (zlib.error, EOFError, OSError, ValueError, OverflowError) as error:
        raise UnreadableTarError(_reason(error)) from None
    except Exception as error:
        if type(error).__name__ != "LZMAError":
            raise
        raise UnreadableTarError(_reason(error)) from None
    return builder.archive()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    if isinstance(error, ValueError | OverflowError):
        return DAMAGED
    if "emory" in str(error) and type(error).__name__ == "LZMAError":
        return "the compressed data asks for too much memory; decompress it first"
    return "the compressed data is damaged"


def _pieces(given: _Input) -> Iterator[bytes]:
    head = given.head
    if not head:
        raise UnreadableTarError("it is empty")
    if head.startswith(_GZIP):
        return _inflate(given, _gzip, _GZIP)
    if head.startswith(_BZIP2):
        return _inflate(given, _bzip2, _BZIP2)
    if head.startswith(_XZ):
        return _inflate(given, _xz, _XZ)
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise UnreadableTarError(
                f"it is compressed with {name}, which is not read here; "
                "decompress it first"
            )
    return _plain(given)


def _first(block: bytes) -> str:
    """Say what the bytes are that do not begin with a tar header."""
    if not block:
        return "it is empty"
    if block.startswith(_ZEROS):
        return "the tar is empty"
    text = block.decode("utf-8", "ignore")
    if "\0" not in text and len(text.encode()) >= len(block) - 3:
        return (
            "it is a text in an archive's place; unpack it if it is lspci's, else a "
            "directory or a tar with sys/ is expected"
        )
    return "it is no tar; a directory or a tar with sys/ is expected"


def _members(stream: _Stream, builder: _Builder) -> None:
    first, extended, described = True, _Extended(), 0
    while (block := stream.read(_BLOCK)) != _ZEROS or first:
        if not first and len(block) < _BLOCK:
            raise UnreadableTarError(CUT_OFF)
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.TarError, ValueError):
            raise UnreadableTarError(_first(block) if first else DAMAGED) from None
        first = False
        builder.count()
        if info.type in _PAX_TYPES or info.type in _LONG_TYPES:
            described += info.size
            if described > MAX_HEADERS:
                raise _past("what the tar says of its members is", MAX_HEADERS)
        if info.type in _PAX_TYPES:
            extended.pax(_header(stream, info.size))
        elif info.type in _LONG_TYPES:
            extended.long(info.type, _header(stream, info.size))
        else:
            _member(stream, builder, info, extended, block)
            extended = _Extended()


def _header(stream: _Stream, size: int) -> bytes:
    if not 0 <= size <= MAX_HEADER:
        raise UnreadableTarError(
            f"the tar has an extended header larger than {MAX_HEADER >> 20} MiB"
        )
    content = stream.exactly(size)
    stream.skip(-size % _BLOCK)
    return content


def _member(
    stream: _Stream,
    builder: _Builder,
    info: tarfile.TarInfo,
    extended: _Extended,
    block: bytes,
) -> None:
    kind = info.type
    size = info.size if extended.size is None else extended.size
    if kind in _NO_DATA_TYPES:
        size = 0
    if size < 0:
        raise UnreadableTarError(DAMAGED)
    if size > MAX_TOTAL:
        raise _past("a member of the tar is", MAX_TOTAL)
    sparse = extended.sparse or kind == tarfile.GNUTYPE_SPARSE
    if kind == tarfile.GNUTYPE_SPARSE:
        _skip_sparse_map(stream, block)
    content = _content(stream, size, keep=info.isreg() and not sparse)
    if kind == tarfile.XGLTYPE:
        return
    name = info.name if extended.name is None else extended.name
    link = info.linkname if extended.link is None else extended.link
    parts = builder.parts(name)
    if parts is not None:
        builder.put(parts, _entry(builder, info, link, content))


def _entry(
    builder: _Builder, info: tarfile.TarInfo, link: str, content: Entry
) -> Entry:
    if info.isdir():
        return {}
    if info.issym():
        usable = 0 < len(link) <= MAX_NAME and "\0" not in link
        return Link(link) if usable else Missing.UNREADABLE
    if info.islnk():
        return builder.earlier(link)
    return content


def _content(stream: _Stream, size: int, *, keep: bool) -> Entry:
    """Pass over a member's data, and return what is kept of it."""
    if not keep or size > MAX_FILE:
        stream.skip(size + -size % _BLOCK)
        return Missing.TRUNCATED if keep else Missing.UNREADABLE
    content = stream.exactly(size)
    stream.skip(-size % _BLOCK)
    if not content.endswith(b"\0\0\0\0\0\0\0\0"):
        return content
    return Padded(content.rstrip(b"\0"), size)


def _skip_sparse_map(stream: _Stream, block: bytes) -> None:
    """Pass over the rest of an old GNU sparse map, which follows its header."""
    more = block[482]
    while more:
        more = stream.exactly(_BLOCK)[504]
