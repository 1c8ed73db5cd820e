"""What one header of a tar says, out of bytes that nobody vouches for.

`tarfile` decodes them, and takes as long for it as all else that is done with a member.
So what tar programs write for files, directories and links of /sys is decoded here, to
the same (tests/sources/test_tar_header.py), and whatever is less plain by `tarfile`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "BLOCK",
    "DIRTYPE",
    "GNUTYPE_LONGLINK",
    "GNUTYPE_LONGNAME",
    "GNUTYPE_SPARSE",
    "LNKTYPE",
    "SOLARIS_XHDTYPE",
    "SYMTYPE",
    "XGLTYPE",
    "XHDTYPE",
    "Header",
    "decode",
]

BLOCK = 512
# The names of types are those of `tarfile`.
REGTYPE, AREGTYPE, LNKTYPE, SYMTYPE, DIRTYPE = b"0", b"\0", b"1", b"2", b"5"
CONTTYPE, XHDTYPE, SOLARIS_XHDTYPE, XGLTYPE = b"7", b"x", b"X", b"g"
GNUTYPE_LONGNAME, GNUTYPE_LONGLINK, GNUTYPE_SPARSE = b"L", b"K", b"S"
# mode, uid, gid, size, mtime, chksum as octal digits that fill their fields.
_NUMBERS = re.compile(
    rb"[0-7]{7}[\0 ][0-7]{7}[\0 ][0-7]{7}[\0 ]([0-7]{11})[\0 ][0-7]{11}[\0 ]"
    rb"([0-7]{6})[\0 ]{2}([025])"
)
_NUMBERS_AT, _NUMBERS_END = 100, 157
_CHKSUM = slice(148, 156)
_LINK = slice(157, 257)
# devmajor and devminor, and no prefix of the name.
_NO_MORE = re.compile(rb"(?:\0{8}|[0-7]{7}[\0 ]){2}\0")
_NO_MORE_AT = 329
_REGULAR = frozenset((REGTYPE, AREGTYPE, CONTTYPE, GNUTYPE_SPARSE))


class Header(NamedTuple):
    """A member as its header has it; ``type`` is the one byte of it."""

    name: str
    type: bytes
    size: int
    linkname: str

    @property
    def is_folder(self) -> bool:
        """Say whether it is a directory."""
        return self.type == DIRTYPE

    @property
    def is_symlink(self) -> bool:
        """Say whether it is a symbolic link."""
        return self.type == SYMTYPE

    @property
    def is_hard_link(self) -> bool:
        """Say whether it is another name of an earlier member."""
        return self.type == LNKTYPE

    @property
    def is_file(self) -> bool:
        """Say whether it is a plain file, sparse ones among them."""
        return self.type in _REGULAR


def decode(block: bytes) -> Header:
    """Decode the 512 bytes of a header.

    Raises:
        ValueError: it is none, or damaged.
    """
    return _plain(block) or _by_tarfile(block)


def _plain(block: bytes) -> Header | None:
    """Decode a header of which nothing has to be interpreted, if it is one."""
    numbers = _NUMBERS.match(block, _NUMBERS_AT)
    if (
        numbers is None
        or len(block) != BLOCK
        or not block.isascii()
        or _NO_MORE.match(block, _NO_MORE_AT) is None
    ):
        return None
    # The field of the sum counts as spaces in it.
    if sum(block) - sum(block[_CHKSUM]) + 8 * 0x20 != int(numbers[2], 8):
        return None
    name = block[:_NUMBERS_AT].partition(b"\0")[0].decode("ascii")
    kind = numbers[3]
    return Header(
        name.rstrip("/") if kind == DIRTYPE else name,
        kind,
        int(numbers[1], 8),
        block[_LINK].partition(b"\0")[0].decode("ascii"),
    )


def _by_tarfile(block: bytes) -> Header:
    import tarfile

    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return Header(info.name, info.type, info.size, info.linkname)
