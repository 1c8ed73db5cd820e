"""The bytes of a file, inflated if they are compressed: bounded, piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

__all__ = [
    "MAX_RATIO",
    "MAX_STREAMS",
    "MAX_TOTAL",
    "MAX_XZ_MEMORY",
    "RATIO_FREE",
    "UnreadableTarError",
    "past",
    "pieces",
]

MAX_TOTAL = 256 << 20
"""Bytes that are read from the source, and bytes that they may inflate to."""
MAX_RATIO, RATIO_FREE = 64, 16 << 20
"""Bytes that each byte of a compressed file may inflate to, and how many may come of it
whatever its size. Captures of /sys, all zeros and likeness, inflate to 56 times."""
MAX_STREAMS = 10_000
"""Compressed streams one after the other, as parallel compressors write them."""
MAX_XZ_MEMORY = 72 << 20
"""Just enough for `xz -9`."""

_HEAD = 512
_CHUNK = 64 << 10
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_OTHER_FORMATS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress (.Z)",
    b"LZIP": "lzip",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}


class UnreadableTarError(Exception):
    """The bytes are not a tar that can be read; the message is half a line."""


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
        while len(self._head) < _HEAD and (more := source.read(_CHUNK)):
            self._head += more

    @property
    def may_inflate_to(self) -> int:
        """Say how many bytes may come of what was read so far."""
        return RATIO_FREE + MAX_RATIO * (MAX_TOTAL - self._left)

    @property
    def head(self) -> bytes:
        return self._head[:_HEAD]

    def read(self) -> bytes:
        piece, self._head = self._head or self._source.read(_CHUNK), b""
        self._left -= len(piece)
        if self._left < 0:
            raise past("the file is", MAX_TOTAL)
        return piece


def past(what: str, limit: int) -> UnreadableTarError:
    """Return the error that says which limit was passed."""
    return UnreadableTarError(
        f"{what} larger than {limit >> 20} MiB; capture less of /sys"
    )


def _plain(source: _Input) -> Iterator[bytes]:
    while piece := source.read():
        yield piece


def _gzip(source: _Input) -> Iterator[bytes]:
    return _inflate(source, _GZIP, lambda: zlib.decompressobj(31), zlib.error)


def _bzip2(source: _Input) -> Iterator[bytes]:
    import bz2  # a python can be built without it

    return _inflate(source, _BZIP2, bz2.BZ2Decompressor, OSError)


def _xz(source: _Input) -> Iterator[bytes]:
    import lzma  # a python can be built without it

    def start(limit: int | None = MAX_XZ_MEMORY) -> _Decompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limit)

    def begins(limit: int | None) -> bool:
        try:
            start(limit).decompress(source.head, 1)
        except lzma.LZMAError:
            return False
        except MemoryError:
            return True
        return True

    # Only the text of its error would tell; memory that is not written to costs none.
    if not begins(MAX_XZ_MEMORY) and begins(None):
        raise UnreadableTarError(
            "the compressed data asks for too much memory; decompress it first"
        )
    return _inflate(source, _XZ, start, lzma.LZMAError)


def _inflate(
    source: _Input,
    magic: bytes,
    start: Callable[[], _Decompressor],
    error: type[Exception],
) -> Iterator[bytes]:
    """Yield what the source's streams inflate to, a small piece at a time."""
    data, inflated = source.read(), 0
    for _ in range(MAX_STREAMS):
        stream = start()
        while not stream.eof:
            try:
                piece = stream.decompress(data, _CHUNK)
            except error:
                raise UnreadableTarError("the compressed data is damaged") from None
            inflated += len(piece)
            if inflated > source.may_inflate_to:
                raise UnreadableTarError(
                    f"it inflates to more than {MAX_RATIO} times its size, as no "
                    "capture does; decompress it first"
                )
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


def pieces(source: BinaryIO) -> Iterator[bytes]:
    """Return what a file holds, plain or compressed with gzip, bzip2 or xz.

    Raises:
        UnreadableTarError: It is empty, of another format, or past a limit.
    """
    given = _Input(source)
    head = given.head
    if not head:
        raise UnreadableTarError("it is empty")
    for magic, inflate in ((_GZIP, _gzip), (_BZIP2, _bzip2), (_XZ, _xz)):
        if head.startswith(magic):
            return inflate(given)
    for magic, name in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise UnreadableTarError(
                f"it is compressed with {name}, which is not read here; "
                "decompress it first"
            )
    return _plain(given)
