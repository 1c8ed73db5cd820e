"""Fuzz the readers of archives: ``python -m fuzz.archives``.

Small tars of every format with odd members are damaged before and after compression;
check sums of headers are put right most of the time, or nothing behind them would ever
be read. Whatever comes: a capture, a text or a refusal, within bounds, and no path that
leaves the capture.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import sys
import tarfile
from functools import cache
from pathlib import Path

from fuzz.mutate import mutated
from fuzz.run import Target, main
from iommu_inspect.model.fact import known
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.snapshot.making import take
from iommu_inspect.sources.tree.opening import Text, open_path, open_source
from iommu_inspect.sources.tree.snapshot import Manifest
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["TARGET", "check", "make"]

_FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
_BLOCK = 512
_NAMES = (
    "sys",
    "sys/kernel/iommu_groups/1/devices/0000:00:01.0",
    "sys/devices/pci0000:00/0000:00:01.0/vendor",
    "sys/devices/pci0000:00/0000:00:01.0/config",
    "sys/bus/pci/devices/0000:00:01.0",
    "./sys/bus/pci/drivers/vfio-pci",
    "host/sys/x",
    "host2/sys/x",
    "proc/cmdline",
    "iommu-inspect.json",
    "/etc/passwd",
    "../x",
    "sys/../../x",
    "a" * 300,
    "d/" * 70,
    "sys/\u0661\u202e",
    "sys/a\nb",
    "",
    ".",
)
_TYPES = (
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE),
    *(tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE),
    *(tarfile.GNUTYPE_SPARSE, tarfile.XHDTYPE, tarfile.XGLTYPE, b"V", b"\0", b"\xff"),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.SOLARIS_XHDTYPE),
)
_PAX = (
    b"30 path=sys/devices/x/../y\n",
    b"12 size=100\n",
    b"22 size=99999999999999\n",
    b"12 size=-10\n",
    b"25 GNU.sparse.major=1\n",
    b"25 GNU.sparse.name=sys/x\n",
    b"999999999 path=x\n",
    b"0 path=x\n",
    b"6 =\n",
    b" path\n",
    b"19 linkpath=\xff/sys\n",
    b"\xd9\xa1\xd9\xa2 path=x\n",
)
_SIZES = (b"00000000000\0", b"00000001000\0", b"77777777777\0", b"-0000000001\0")
_NUMBERS = (
    *_SIZES,
    b"\x80" + b"\0" * 10 + b"\x10",
    b"\xff" * 12,
    b"\x80" + b"\xff" * 11,
)
_MANIFEST: tuple[object, ...] = (
    *(None, True, -1, 1e308, "", "sys", [], {}, [[]], {"": ["x"]}, {"sys": [1]}),
    *("../x", [1, 2], [1, 2, "x"], {"x": [1, 2, 3]}, "\ud800", "default", "strict"),
)


@cache
def _snapshots() -> tuple[bytes, ...]:
    trees = [open_path(str(path)) for path in sorted(_FIXTURES.glob("sysfs/*/"))]
    return tuple(b"".join(take(t, Manifest("1", "none")).pieces()) for t in trees[::6])


@cache
def _captures() -> tuple[bytes, ...]:
    files = sorted(_FIXTURES.glob("kernels/6.12-*.tar.gz"))
    return tuple(gzip.decompress(path.read_bytes()) for path in files[::4])


def _own(dice: random.Random) -> bytes:
    """Return a tar of a few members, some of them odd."""
    out = io.BytesIO()
    form = dice.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    pax = {"comment": "x" * dice.randrange(9)} if form == tarfile.PAX_FORMAT else None
    with tarfile.open(
        fileobj=out, mode="w", format=form, pax_headers=pax, errors="surrogateescape"
    ) as archive:
        for _ in range(dice.randint(1, 12)):
            info = tarfile.TarInfo(dice.choice(_NAMES))
            info.type = dice.choice(_TYPES) if dice.randrange(3) else tarfile.REGTYPE
            info.linkname = dice.choice(_NAMES) if dice.randrange(2) else ""
            content = dice.choice((b"", b"0x8086\n", b"\0" * 4096, b"x" * 600))
            if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
                content = b"".join(dice.choices(_PAX, k=3))
            info.size = len(content)
            if info.name == "iommu-inspect.json":
                content = _manifest(dice)
                info.size, info.type = len(content), tarfile.REGTYPE
            try:
                archive.addfile(info, io.BytesIO(content))
            except ValueError:
                continue
            if not info.isreg():
                out.write(content.ljust(-(-len(content) // _BLOCK) * _BLOCK, b"\0"))
                archive.offset = out.tell()
    return out.getvalue()


def _manifest(dice: random.Random) -> bytes:
    said = json.loads(Manifest("1").to_json())
    for _ in range(dice.choice((0, 1, 1, 2))):
        _change(said, dice)
    text = json.dumps(said).encode()
    return (
        mutated(text, dice, (b"[" * 5000, b"1" * 5000))
        if dice.randrange(3) == 0
        else text
    )


def _change(said: dict[str, object], dice: random.Random) -> None:
    key = dice.choice([*said, "new"])
    said[key] = dice.choice(_MANIFEST)
    if dice.randrange(4) == 0:
        said.pop(key)


def _rewritten(tar: bytes, dice: random.Random) -> bytes:
    """Change fields of headers, and the manifest if there is one."""
    data = bytearray(tar)
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(max(len(data) // _BLOCK, 1)) * _BLOCK
        match dice.randrange(7):
            case 0:
                data[at + 124 : at + 136] = dice.choice(_NUMBERS)
            case 1:
                data[at + 156 : at + 157] = dice.choice(_TYPES)
            case 2:
                data[at : at + 8] = dice.choice(_NAMES).encode()[:8].ljust(8, b"\0")
            case 3:
                data[at + 157 : at + 165] = dice.choice(_NAMES).encode()[:8].ljust(8)
            case 4:
                data[at + 345 : at + 350] = dice.choice((b"../x\0", b"\xff/sys"))
            case 5:
                to = dice.randrange(max(len(data) // _BLOCK, 1)) * _BLOCK
                data[to:to] = data[at : at + _BLOCK * dice.randint(1, 3)]
            case _:
                data = bytearray(mutated(bytes(data), dice, _PAX))
    return bytes(data)


def _summed(tar: bytes) -> bytes:
    """Put the check sums of what look like headers right."""
    data = bytearray(tar)
    for at in range(0, len(data) - _BLOCK + 1, _BLOCK):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + _BLOCK])
    return bytes(data)


def _compressed(tar: bytes, dice: random.Random) -> bytes:
    match dice.randrange(8):
        case 0:
            return gzip.compress(tar, 1, mtime=0)
        case 1:
            return bz2.compress(tar, 1)
        case 2:
            return lzma.compress(tar, preset=dice.choice((0, 1)))
        case 3:
            half = len(tar) // 2
            return gzip.compress(tar[:half], 1, mtime=0) + gzip.compress(
                tar[half:], 1, mtime=0
            )
    return tar


def make(dice: random.Random) -> bytes:
    """Return an archive that something is wrong with."""
    match dice.randrange(4):
        case 0:
            tar = dice.choice(_snapshots())
        case 1:
            tar = dice.choice(_captures())
        case _:
            tar = _own(dice)
    tar = _rewritten(tar, dice)
    if dice.randrange(4):
        tar = _summed(tar)
    data = _compressed(tar, dice)
    return mutated(data, dice) if dice.randrange(4) == 0 else data


def check(data: bytes) -> None:
    """Raise if an archive is not read in bounds, or leads out of itself."""
    try:
        opened = open_source("-", io.BytesIO(data))
        if isinstance(opened, Text):
            return
        _walk(opened, "", 300)
        for note in opened.notes:
            if not note.isprintable():
                raise AssertionError(f"note: {note!r}")
        read_source(opened, processes=True)
        again = io.BytesIO(b"".join(take(opened, Manifest("1")).pieces()))
        read_source(open_source("-", again), processes=True)
    except SourceError as error:
        if "\n" in str(error):
            raise AssertionError(f"message: {error}") from error


def _walk(tree: Tree, path: str, left: int) -> int:
    names = tree.names(path)
    for name in names if known(names) else ():
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise AssertionError(f"name: {name!r}")
        if left <= 0:
            return left
        below = f"{path}/{name}" if path else name
        spot = tree.resolve(below)
        if known(spot) and (spot.startswith("/") or ".." in spot.split("/")):
            raise AssertionError(f"outside: {spot!r}")
        tree.exists(below)
        tree.target(below)
        tree.link_text(below)
        if not below.startswith("dev/vfio") and spot == below:
            left = _walk(tree, below, left - 1)
    return left


TARGET = Target("archives", make, check, by_lines=False)

if __name__ == "__main__":
    sys.exit(main(TARGET))
