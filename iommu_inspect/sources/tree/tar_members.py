"""The members of a tar one after the other, out of bytes that nobody vouches for.

Their sequence is followed here, because `tarfile` reads extended headers of any length
and searches them with expressions that take quadratic time on the interpreters that
hosts still run (CVE-2024-6232), and takes a damaged header for the end of the archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, TypeAlias, cast

from iommu_inspect.model.fact import Missing
from iommu_inspect.sources.tree.inflating import (
    MAX_TOTAL,
    UnreadableTarError,
    past,
    pieces,
)
from iommu_inspect.sources.tree.tar_header import (
    BLOCK,
    DIRTYPE,
    GNUTYPE_LONGLINK,
    GNUTYPE_LONGNAME,
    GNUTYPE_SPARSE,
    LNKTYPE,
    SOLARIS_XHDTYPE,
    SYMTYPE,
    XGLTYPE,
    XHDTYPE,
    Header,
    decode,
)
from iommu_inspect.sources.tree.tree import MAX_LARGE

__all__ = [
    "BYTES_EACH",
    "FREE_MEMBERS",
    "MAX_HEADER",
    "MAX_HEADERS",
    "MAX_MEMBERS",
    "Content",
    "Member",
    "Padded",
    "members",
    "too_many",
]

MAX_MEMBERS = 400_000
"""Headers; members, and directories that are only implied by their names."""
FREE_MEMBERS, BYTES_EACH = 30_000, 24
"""Members that a file may have whatever its size, and the bytes that each of more takes
at least, compressed: of captures of /sys it is about that."""
MAX_HEADER = 1 << 20
"""Bytes of one extended header."""
MAX_HEADERS = 32 << 20
"""Bytes of all of them: nothing takes longer to read."""
_ZEROS = bytes(BLOCK)
_PAX_TYPES = (XHDTYPE, SOLARIS_XHDTYPE)
_DESCRIBING = frozenset((*_PAX_TYPES, GNUTYPE_LONGNAME, GNUTYPE_LONGLINK))
# Links, directories, and device files and pipes.
_NO_DATA_TYPES = frozenset((LNKTYPE, SYMTYPE, DIRTYPE, b"3", b"4", b"6"))

_CUT_OFF = "the tar is cut off"
_DAMAGED = "the tar is damaged"


class Padded(NamedTuple):
    """A file without its trailing zero bytes.

    tar believes the 4096 bytes that sysfs states as the size of each attribute and
    fills them up with zeros; kept as they are, they would be most of the memory.
    """

    content: bytes
    size: int


Content: TypeAlias = bytes | Padded | Missing
"""What is in a file: ``TRUNCATED`` for one that is too long, ``UNREADABLE`` for what
is no plain file."""


class Member(NamedTuple):
    """One member, with the name and the link that its extended headers give it."""

    info: Header
    content: Content


def too_many() -> UnreadableTarError:
    """Return the error that says that there are too many members."""
    return UnreadableTarError(
        f"the tar holds more than {MAX_MEMBERS} members; capture less of /sys"
    )


class _Counted:
    """A file, and how many bytes were read of it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._taken = 0

    def read(self, size: int) -> bytes:
        found = self._source.read(size)
        self._taken += len(found)
        return found

    @property
    def most_members(self) -> int:
        """Say how many members there may be so far."""
        return min(FREE_MEMBERS + self._taken // BYTES_EACH, MAX_MEMBERS)


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
            raise past("the tar is", MAX_TOTAL)
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
            raise UnreadableTarError(_CUT_OFF)
        return taken

    def skip(self, size: int) -> None:
        """Pass over so many bytes, which the archive has promised."""
        while (there := len(self._piece) - self._at) < size:
            size -= there
            if not self._next():
                raise UnreadableTarError(_CUT_OFF)
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

    def add(self, kind: bytes, content: bytes) -> None:
        if kind in _PAX_TYPES:
            self._pax(content)
        elif kind == GNUTYPE_LONGNAME:
            self.name = _decoded(content.partition(b"\0")[0])
        else:
            self.link = _decoded(content.partition(b"\0")[0])

    def applied(self, info: Header) -> Header:
        if self.name is None and self.link is None:
            return info
        name = info.name if self.name is None else self.name
        link = info.linkname if self.link is None else self.link
        return info._replace(name=name, linkname=link)

    def _pax(self, content: bytes) -> None:
        at = 0
        while at < len(content) and content[at]:
            space = content.find(b" ", at, at + 9)
            digits = content[at:space] if space > 0 else b""
            end = at + int(digits) if digits.isdigit() else -1
            if not space < end <= len(content):
                raise UnreadableTarError(_DAMAGED)
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
                raise UnreadableTarError(_DAMAGED)
            self.size = int(value)
        elif key.startswith(b"GNU.sparse."):
            self.sparse = True
            if key == b"GNU.sparse.name":
                self.name = _decoded(value)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def members(source: BinaryIO) -> Iterator[Member]:
    """Yield the members of a tar, plain or compressed with gzip, bzip2 or xz.

    Raises:
        UnreadableTarError: It is none, or not a whole one, or past a limit.
    """
    try:
        counted = _Counted(source)
        stream = _Stream(pieces(cast("BinaryIO", counted)))
        yield from _sequence(stream, counted)
        stream.drain()
    except ImportError as error:
        raise UnreadableTarError(
            f"this python has no module {error.name}; decompress it first"
        ) from None
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise UnreadableTarError(reason[:1].lower() + reason[1:]) from None


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
    return (
        "it is no tar; a directory or a tar with sys/ is expected; 'iommu-inspect "
        "snapshot FILE' makes one"
    )


def _sequence(stream: _Stream, counted: _Counted) -> Iterator[Member]:
    extended, described, count = _Extended(), 0, 0
    while (block := stream.read(BLOCK)) != _ZEROS or not count:
        if count and len(block) < BLOCK:
            raise UnreadableTarError(_CUT_OFF)
        try:
            info = decode(block)
        except ValueError:
            raise UnreadableTarError(_DAMAGED if count else _first(block)) from None
        count += 1
        if count > counted.most_members:
            if count > MAX_MEMBERS:
                raise too_many()
            raise UnreadableTarError(
                "the tar holds far more members than its size lets expect; capture "
                "less of /sys"
            )
        if info.type in _DESCRIBING:
            described += info.size
            if described > MAX_HEADERS:
                raise past("what the tar says of its members is", MAX_HEADERS)
            extended.add(info.type, _header(stream, info.size))
        else:
            content = _data(stream, info, extended, block)
            if info.type != XGLTYPE:
                yield Member(extended.applied(info), content)
            extended = _Extended()


def _header(stream: _Stream, size: int) -> bytes:
    if not 0 <= size <= MAX_HEADER:
        raise UnreadableTarError(
            f"the tar has an extended header larger than {MAX_HEADER >> 20} MiB"
        )
    content = stream.exactly(size)
    stream.skip(-size % BLOCK)
    return content


def _data(stream: _Stream, info: Header, extended: _Extended, block: bytes) -> Content:
    """Pass over what follows a member's header, and return what is kept of it."""
    size = info.size if extended.size is None else extended.size
    if info.type in _NO_DATA_TYPES:
        size = 0
    if size < 0:
        raise UnreadableTarError(_DAMAGED)
    if size > MAX_TOTAL:
        raise past("a member of the tar is", MAX_TOTAL)
    sparse = extended.sparse or info.type == GNUTYPE_SPARSE
    if info.type == GNUTYPE_SPARSE:
        _skip_sparse_map(stream, block)
    if sparse or not info.is_file or size > MAX_LARGE:
        stream.skip(size + -size % BLOCK)
        kept = info.is_file and not sparse
        return Missing.TRUNCATED if kept else Missing.UNREADABLE
    content = stream.exactly(size)
    stream.skip(-size % BLOCK)
    if not content.endswith(b"\0\0\0\0\0\0\0\0"):
        return content
    return Padded(content.rstrip(b"\0"), size)


def _skip_sparse_map(stream: _Stream, block: bytes) -> None:
    """Pass over the rest of an old GNU sparse map, which follows its header."""
    more = block[482]
    while more:
        more = stream.exactly(BLOCK)[504]
