"""A header is decoded to what `tarfile` makes of it, whatever is in it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import FIXTURES

from iommu_inspect.sources.tree import tar_header
from iommu_inspect.sources.tree.tar_header import BLOCK, Header, decode

NAMES = st.one_of(
    st.text(st.sampled_from("abc/.:0-\u00e9\u20ac"), min_size=1, max_size=99),
    st.text(max_size=30),
    # Those of more than 100 bytes are split in two by ustar.
    st.lists(st.sampled_from(["devices", "pci0000:00", "\u20ac"]), min_size=11).map(
        "/".join
    ),
)
TYPES = st.sampled_from([b"0", b"\0", b"1", b"2", b"3", b"5", b"7", b"L", b"S", b"x"])


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """Headers as programs write them, or with other bytes in a few places."""
    info = tarfile.TarInfo(draw(NAMES))
    info.type, info.linkname = draw(TYPES), draw(st.just("") | NAMES)
    info.size = draw(st.integers(0, 1 << 20) | st.integers(0, 1 << 40))
    info.uid, info.mode = (
        draw(st.sampled_from([0, 1000, 1 << 22])),
        draw(st.integers(0, 0o7777)),
    )
    info.mtime = draw(st.integers(0, 1 << 31) | st.integers(0, 1 << 34))
    try:
        if draw(st.booleans()):
            raw = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")
        else:
            raw = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        block = raw[-BLOCK:]
    except (ValueError, UnicodeError):
        block = bytes(BLOCK)
    changed = bytearray(block)
    for _ in range(draw(st.integers(0, 3))):
        places = st.integers(0, 511) | st.integers(96, 160) | st.integers(326, 346)
        changed[draw(places)] = draw(st.sampled_from(b"\0 07/x\xff\x80"))
    if draw(st.booleans()):
        total = sum(changed) - sum(changed[148:156]) + 256
        ends = st.sampled_from([b"\0 ", b" \0", b"  ", b"\0\0"])
        changed[148:156] = b"%06o" % total + draw(ends)
    return bytes(changed[: draw(st.sampled_from([BLOCK, BLOCK, BLOCK, 511]))])


def by_tarfile(block: bytes) -> Header | None:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError):
        return None
    return Header(info.name, info.type, info.size, info.linkname)


@settings(max_examples=1000)
@given(blocks())
def test_a_header_is_what_tarfile_makes_of_it(block: bytes) -> None:
    try:
        found = decode(block)
    except ValueError:
        found = None
    assert found == by_tarfile(block)


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("kernels/*.tar.gz")))
def test_what_tar_writes_of_sys_needs_no_tarfile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what takes the time: all but long names are decoded at once."""
    rest: list[bytes] = []

    def asked(block: bytes) -> Header:
        rest.append(block)
        return by_tarfile(block) or Header("", b"", 0, "")

    monkeypatch.setattr(tar_header, "_by_tarfile", asked)
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    for info in members:
        decode(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")[-BLOCK:])
    assert len(members) > 100
    assert rest == []


def test_the_kinds_of_members_are_told_as_by_tarfile() -> None:
    for kind in (b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"S"):
        info = tarfile.TarInfo("x")
        info.type = kind
        found = decode(info.tobuf())
        assert found.is_folder is info.isdir()
        assert found.is_file is info.isreg()
        assert found.is_symlink is info.issym()
        assert found.is_hard_link is info.islnk()
