"""Tars: read as they are where they are whole, refused in one line where not."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from examples import each
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree import inflating, tar_members
from iommu_inspect.sources.tree import tar as tar_module
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tree import MAX_FILE, MAX_LARGE, Tree

# Spelled out here, because a child process runs this module on its own.
CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "data"
END = bytes(1024)


def member(
    name: str | bytes,
    content: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    size: int | None = None,
) -> bytes:
    """Return a member as it lies in a tar, whatever it says of itself."""
    raw = name.encode() if isinstance(name, str) else name
    length = len(content) if size is None else size
    stated = (
        b"%011o\0" % length if length < 8**11 else b"\x80" + length.to_bytes(11, "big")
    )
    block = bytearray(512)
    block[: len(raw)] = raw
    block[100:148] = b"0000644\0" + b"0000000\0" * 2 + stated + b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(link)] = link.encode()
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content + bytes(-len(content) % 512)


def pax(records: dict[str, bytes]) -> bytes:
    content = b""
    for key, value in records.items():
        rest = b" " + key.encode() + b"=" + value + b"\n"
        digits = len(str(len(rest) + 1))
        length = len(rest) + max(digits, len(str(len(rest) + digits)))
        content += str(length).encode() + rest
    return member("pax", content, tarfile.XHDTYPE)


def opened(*members: bytes, end: bytes = END) -> Tree:
    return open_path("-", io.BytesIO(member("sys/x") + b"".join(members) + end))


def refusal(raw: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        open_path("-", io.BytesIO(raw))
    message = str(caught.value)
    assert message.startswith("cannot read standard input: ")
    assert "\n" not in message
    return message.removeprefix("cannot read standard input: ")


@pytest.fixture
def limits() -> Iterator[Callable[..., None]]:
    patch = pytest.MonkeyPatch()

    def lower(**values: int) -> None:
        for name, value in values.items():
            for module in (inflating, tar_module, tar_members):
                if hasattr(module, name):
                    patch.setattr(module, name, value)

    yield lower
    patch.undo()


def sample(format_: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar with everything that tars have, as the library writes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format_) as tar:
        for name in ("sys", "sys/bus"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        for name in ("sys/a", "sys/" + "d/" * 40 + "n" * 60, "sys/caf\udce9/\u00e9"):
            info = tarfile.TarInfo(name)
            if format_ == tarfile.USTAR_FORMAT:
                info.name = name[:120]
            info.size = 700
            tar.addfile(info, io.BytesIO(name.encode("utf-8", "surrogateescape") * 700))
        for n, target in enumerate(["../sys/a", "/sys/a", "../" + "t" * 90]):
            info = tarfile.TarInfo(f"sys/link{n}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            if format_ != tarfile.USTAR_FORMAT:
                info.linkname += "/t" * 60
            tar.addfile(info)
        info = tarfile.TarInfo("sys/hard")
        info.type, info.linkname = tarfile.LNKTYPE, "sys/a"
        tar.addfile(info)
    return file.getvalue()


SAMPLE = sample()
PACKED = {
    "": SAMPLE,
    "gz": gzip.compress(SAMPLE, mtime=0),
    "bz2": bz2.compress(SAMPLE),
    "xz": lzma.compress(SAMPLE),
}


def assert_same_as_the_library(tree: Tree, tar: tarfile.TarFile, prefix: str) -> int:
    compared = 0
    last = {info.name: info for info in tar}
    for info in last.values():
        if not info.name.startswith(f"{prefix}sys/"):
            continue
        path = info.name.removeprefix(prefix)
        entry = tree._entry(path)  # type: ignore[attr-defined]
        if info.issym():
            assert entry == tar_module.Link(info.linkname)
        elif info.isdir():
            assert isinstance(entry, dict)
        elif info.size <= MAX_LARGE:
            file = tar.extractfile(info)
            assert file is not None
            assert tree._content(path, MAX_LARGE) == file.read()
        compared += 1
    return compared


@pytest.mark.parametrize(
    "format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_every_format_reads_as_the_library_reads_it(format_: int) -> None:
    raw = sample(format_)
    tree = open_path("-", io.BytesIO(raw))
    with tarfile.open(fileobj=io.BytesIO(raw), errors="surrogateescape") as tar:
        assert assert_same_as_the_library(tree, tar, "") == 8
    assert tree.notes == ()


@pytest.mark.parametrize("name", ["hwloc/2pa*.tar.bz2", "ghw/*415ee*.tar.gz"])
def test_captures_of_real_machines_read_as_the_library_reads_them(name: str) -> None:
    path = next(CAPTURES.glob(name), None)
    if path is None:
        pytest.skip(f"no {name} in {CAPTURES}")
    with tarfile.open(path) as tar:
        first = tar.getnames()[0]
        prefix = "" if first in ("sys", "proc") else first.partition("/")[0] + "/"
        assert assert_same_as_the_library(open_path(str(path)), tar, prefix) > 1000


def test_a_capture_by_gnu_tar_reads_as_the_tree_it_was_made_of(tmp_path: Path) -> None:
    if not shutil.which("tar"):
        pytest.skip("no tar here")
    folder = tmp_path / "sys/bus"
    folder.mkdir(parents=True)
    (folder / ("n" * 200)).write_text("1\n")
    (folder / "link").symlink_to("t" * 200)
    (folder / "hole").touch()
    with (folder / "hole").open("r+b") as file:
        for at in range(0, 40 << 20, 1 << 20):
            file.seek(at)
            file.write(b"x")
    (folder / "z").write_text("2\n")
    for format_ in ("gnu", "pax"):
        command = ["tar", f"--format={format_}", "--sparse", "-czf", "x.tgz", "sys"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        tree = open_path(str(tmp_path / "x.tgz"))
        assert tree.names("sys/bus") == ("hole", "link", "n" * 200, "z")
        assert tree.text("sys/bus/" + "n" * 200) == "1"
        assert tree.target("sys/bus/link") == "sys/bus/" + "t" * 200
        assert not known(tree.text("sys/bus/hole"))
        assert tree.text("sys/bus/z") == "2"


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_compression_is_told_by_content(packed: bytes) -> None:
    assert open_path("-", io.BytesIO(packed)).exists("sys/a")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_streams_one_after_the_other_are_one(pack: Callable[[bytes], bytes]) -> None:
    cuts = [0, 1, 700, 700, len(SAMPLE)]
    pieces = [pack(SAMPLE[a:b]) for a, b in itertools.pairwise(cuts)]
    for padding in (b"", bytes(4)):
        tree = open_path("-", io.BytesIO(padding.join(pieces) + bytes(4096)))
        assert tree.exists("sys/a")


def test_what_follows_the_end_does_not_matter() -> None:
    assert opened(end=END + b"anything").exists("sys/x")
    packed = gzip.compress(member("sys/x") + END)
    assert open_path("-", io.BytesIO(packed + b"anything")).exists("sys/x")


@each(
    "raw, message",
    [
        (b"", "it is empty"),
        (gzip.compress(b""), "it is empty"),
        (bytes(10240), "the tar is empty"),
        (b"\x28\xb5\x2f\xfd" + bytes(range(256)), "it is compressed with zstd"),
        (b"PK\x03\x04" + bytes(99), "it is compressed with zip"),
        (bytes(range(256)) * 4, "it is no tar"),
        (b"00:00.0 Host bridge: Intel\n" * 99, "it is a text"),
        ("caf\u00e9 ".encode() * 500, "it is a text"),
        (gzip.compress(b"00:00.0 Host bridge\n" * 99), "it is a text"),
        (gzip.compress(gzip.compress(SAMPLE)), "it is no tar"),
        (SAMPLE[:300], "it is no tar"),
        (SAMPLE[:512], "the tar is cut off"),
        (SAMPLE[:2900], "the tar is cut off"),
        (SAMPLE.rstrip(b"\0"), "the tar is cut off"),
        (member("sys/x"), "the tar is cut off"),
        (member("sys/x", b"1", size=2000) + END, "the tar is cut off"),
        (member("sys/x") + b"noise" * 200, "the tar is damaged"),
        (member("sys/x") + b"\0" * 511 + b"x" + END, "the tar is damaged"),
        (PACKED["gz"][:-20], "the compressed data is cut off"),
        (PACKED["gz"][:-8] + bytes(8), "the compressed data is damaged"),
        (PACKED["bz2"][:-20], "the compressed data is cut off"),
        (PACKED["xz"][:-20], "the compressed data is cut off"),
        (PACKED["xz"][:-4] + bytes(4), "the compressed data is damaged"),
        (member("sys/x", size=8**11) + END, "a member of the tar is larger"),
        (member("sys/x", size=(1 << 88) - 1) + END, "a member of the tar is larger"),
        (pax({"size": b"-1"}) + member("sys/x") + END, "the tar is damaged"),
        (pax({"size": b"x"}) + member("sys/x") + END, "the tar is damaged"),
        (member("p", b"999 path=x\n", tarfile.XHDTYPE) + END, "the tar is damaged"),
        (member("p", b"1" * 999, tarfile.XHDTYPE) + END, "the tar is damaged"),
        (member("p", b"0 path=x\n", tarfile.XHDTYPE) + END, "the tar is damaged"),
        (member("p", b"3 path=x\n", tarfile.XHDTYPE) + END, "the tar is damaged"),
        (member("p", kind=tarfile.XHDTYPE, size=2 << 20), "the tar has an extended"),
        (member("p", kind=tarfile.GNUTYPE_LONGNAME, size=2 << 20), "the tar has an ex"),
    ],
)
def test_what_is_no_whole_tar_is_refused_in_one_line(raw: bytes, message: str) -> None:
    assert refusal(raw).startswith(message)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sys/../../etc/passwd", "with names that leave the capture"),
        ("../sys/y", "with names that leave the capture"),
        ("..", "with names that leave the capture"),
        ("sys/" + "d/" * 70, "with names that are too long or too deep"),
        ("sys/" + "/" * 300 + "y", "with names that are too long or too deep"),
        ("sys/" + "n" * 5000, "with names that are too long or too deep"),
        ("sys/y\0y", "with names that no file can have"),
        ("sys/x/y", "below something that is no directory"),
    ],
)
def test_a_name_that_cannot_be_trusted_is_ignored_and_noted(
    name: str, why: str
) -> None:
    hostile = pax({"path": name.encode()}) + member("z")
    tree = opened(hostile, member("sys/z"))
    assert tree.names("") == ("sys",)
    assert tree.names("sys") == ("x", "z")
    assert tree.notes == (f"1 member {why} was ignored",)
    assert opened(hostile, hostile).notes == (f"2 members {why} were ignored",)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ((member("sys/y", b"1"), member("sys/y", b"2")), "2"),
        ((member("sys/y", b"1"), member("sys/./y", b"2")), "2"),
        ((member("sys/y", kind=b"2", link="x"), member("sys/y", b"2")), "2"),
        ((member("sys/y/z", b"1"), member("sys/y", b"2")), "2"),
        ((member("sys/y", b"1"), member("sys/y", kind=b"5")), Missing.UNREADABLE),
    ],
)
def test_of_two_members_with_one_name_the_last_counts(
    members: tuple[bytes, ...], text: Fact[str]
) -> None:
    assert opened(*members).text("sys/y") == text


def test_a_directory_that_comes_twice_keeps_what_is_in_it() -> None:
    folder = member("sys/d", kind=tarfile.DIRTYPE)
    assert opened(folder, member("sys/d/y"), folder).names("sys/d") == ("y",)


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ("sys/a", "1"),
        ("/sys/./a", "1"),
        ("sys/later", Missing.UNREADABLE),
        ("sys/hard", Missing.UNREADABLE),
        ("sys", Missing.UNREADABLE),
        ("", Missing.UNREADABLE),
        ("../sys/a", Missing.UNREADABLE),
        ("sys/link", "1"),
    ],
)
def test_a_hard_link_is_what_an_earlier_member_is(link: str, text: Fact[str]) -> None:
    tree = opened(
        member("sys/a", b"1"),
        member("sys/link", kind=tarfile.SYMTYPE, link="a"),
        member("sys/hard", kind=tarfile.LNKTYPE, link=link, size=700),
        member("sys/later", b"2"),
    )
    assert tree.text("sys/hard") == text
    assert tree.text("sys/later") == "2"
    assert bool(tree.notes) is not known(text)


@pytest.mark.parametrize("kind", [b"3", b"4", b"6", b"7"])
def test_what_is_no_plain_file_is_named_and_unreadable(kind: bytes) -> None:
    tree = opened(member("sys/odd", kind=kind), member("sys/z", b"1"))
    assert tree.names("sys") == ("odd", "x", "z")
    assert tree.text("sys/odd") is (Missing.UNREADABLE if kind != b"7" else "") or (
        tree.text("sys/odd") == ""
    )
    assert tree.text("sys/z") == "1"


@pytest.mark.parametrize("link", [b"", b"a\0b", b"t" * 5000])
def test_a_link_to_what_no_path_can_be_is_unreadable(link: bytes) -> None:
    hostile = pax({"linkpath": link}) + member("sys/l", kind=tarfile.SYMTYPE)
    tree = opened(hostile)
    assert not isinstance(tree.target("sys/l"), str)
    assert tree.text("sys/l") is Missing.UNREADABLE


def test_a_header_of_the_whole_archive_is_no_member() -> None:
    comment = member("pax_global_header", b"18 comment=0123456\n", tarfile.XGLTYPE)
    assert opened(comment).names("") == ("sys",)


def test_files_longer_than_are_kept_are_truncated() -> None:
    tree = opened(
        member("sys/x", bytes(MAX_LARGE + 1)),
        member("sys/y", bytes(MAX_FILE + 1)),
        member("sys/z"),
    )
    assert tree.large_data("sys/x") is Missing.TRUNCATED
    assert tree.data("sys/y") is Missing.TRUNCATED
    assert tree.large_data("sys/y") == bytes(MAX_FILE + 1)
    assert tree.data("sys/z") == b""


def test_large_files_crowd_out_no_small_ones(limits: Callable[..., None]) -> None:
    limits(MAX_KEPT=1 << 20)
    large = b"x" * (400 << 10)
    small = [member(f"sys/{n}", b"x" * (60 << 10)) for n in range(9)]
    tree = opened(member("sys/a", large), member("sys/b", large), *small)
    assert tree.large_data("sys/a") == large
    assert tree.large_data("sys/b") is Missing.TRUNCATED
    assert tree.data("sys/8") == b"x" * (60 << 10)


def test_padding_takes_no_memory(limits: Callable[..., None]) -> None:
    limits(MAX_KEPT=64 << 10)
    files = [member(f"sys/{n}", b"1\n" + bytes(4094)) for n in range(100)]
    tree = opened(*files)
    assert tree.text("sys/50") == "1"
    assert tree.data("sys/50") == b"1\n" + bytes(4094)


@pytest.mark.parametrize(
    ("limit", "value", "raw", "message"),
    [
        ("MAX_TOTAL", 4096, SAMPLE, "the file is larger"),
        ("MAX_TOTAL", 4096, PACKED["gz"], "the tar is larger"),
        ("MAX_TOTAL", 4096, PACKED["bz2"], "the tar is larger"),
        ("MAX_TOTAL", 4096, PACKED["xz"], "the tar is larger"),
        ("MAX_KEPT", 1024, SAMPLE, "what the tar's members hold is larger"),
        ("MAX_MEMBERS", 5, SAMPLE, "the tar holds more than 5 members"),
        ("MAX_MEMBERS", 9, member("a/b/c/d/e/f/g/h/i/j") + END, "the tar holds more"),
        ("MAX_HEADERS", 99, SAMPLE, "what the tar says of its members is larger"),
        ("MAX_STREAMS", 9, gzip.compress(b"") * 10, "it is made of more than 9"),
        ("MAX_XZ_MEMORY", 1024, PACKED["xz"], "the compressed data asks for too much"),
    ],
)
def test_past_a_limit_nothing_is_read_on(
    limits: Callable[..., None], limit: str, value: int, raw: bytes, message: str
) -> None:
    limits(**{limit: value})
    assert refusal(raw).startswith(message)


def test_the_size_of_a_message_does_not_depend_on_the_capture() -> None:
    assert refusal(member("etc/\x1b[31m" + "n" * 80) + END) == (
        "there is no sys/ in it; a directory or a tar that holds sys/ is expected; "
        "'iommu-inspect snapshot FILE' makes one"
    )


BOMBS = {
    # More than a thousand million zeros, in few streams and in very many.
    "member": "head(1 << 28) + many(b'', 20)",
    "streams": "head(1 << 27) + many(b'', 3) + empty * 20000",
    # 64 directories for each of the headers.
    "depth": "deep()",
    "content": "b''.join(wide(n) for n in range(1100))",
    "xz": "xz()",
}
BUILD_BOMB = """
import gzip, io, itertools, lzma, os, sys
from test_tar import END, member, pax
zeros = gzip.compress(bytes(64 << 20), 1)
empty = gzip.compress(b"")
def head(size):
    return gzip.compress(member("sys/x", size=size))
def many(first, count):
    return gzip.compress(first) + zeros * count
def deep():
    names = (f"sys/{n}/" + "d/" * 60 + "x" for n in range(7000))
    return gzip.compress(b"".join(member(n[:99], b"") if len(n) < 100 else
        pax({"path": n.encode()}) + member("x") for n in names), 1)
def wide(n):
    return member(f"sys/{n}", os.urandom(256) * 256)
def xz():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 64 << 20, "mode": 1,
                "mf": lzma.MF_HC3, "nice_len": 273}]
    raw = member("sys/x", size=200 << 20) + bytes(80 << 20)
    return lzma.compress(raw, filters=filters)
"""
READ_BOMB = """
import sys, time
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.opening import open_path
start = time.process_time()
try:
    open_path(sys.argv[1])
except SourceError as error:
    print(error)
used = time.process_time() - start
# Not ru_maxrss: it starts from what the parent had.
status = dict(line.split(":") for line in open("/proc/self/status"))
print(used, int(status["VmHWM"].split()[0]) >> 10)
"""


def run_python(script: str, *arguments: str) -> list[str]:
    paths = [
        str(Path(tar_module.__file__).parents[2]),
        *map(str, Path(__file__).parents[:2]),
    ]
    script = f"import sys; sys.path[:0] = {paths!r}\n{script}"
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_costs_bounded_memory_and_time(kind: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    build = f"{BUILD_BOMB}\nopen(sys.argv[1], 'wb').write({BOMBS[kind]})"
    run_python(build, str(bomb))
    *message, measured = run_python(READ_BOMB, str(bomb))
    seconds, mebibytes = (float(part) for part in measured.split())
    assert len(message) == 1
    assert message[0].startswith("cannot read ")
    assert mebibytes < 300
    assert seconds < 30


def read(raw: bytes) -> None:
    """Read it, and ask it for everything."""
    try:
        tree = open_path("-", io.BytesIO(raw))
    except SourceError as error:
        assert "\n" not in str(error)
        return
    names = tree.names("sys")
    for name in names if known(names) else ():
        tree.data(f"sys/{name}")
        tree.target(f"sys/{name}")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["", *PACKED]), st.binary(max_size=2000))
@example("", b"")
def test_no_bytes_raise_anything_else(kind: str, noise: bytes) -> None:
    magic = PACKED[kind][:6] if kind else b""
    read(noise)
    read(magic + noise)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(PACKED)),
    st.one_of(st.none(), st.integers(0, len(SAMPLE))),
    st.lists(st.tuples(st.integers(0, len(SAMPLE)), st.integers(1, 255)), max_size=9),
)
def test_no_damage_raises_anything_else(
    kind: str, cut: int | None, flips: list[tuple[int, int]]
) -> None:
    raw = bytearray(PACKED[kind][:cut])
    for at, bits in flips:
        if raw:
            raw[at % len(raw)] ^= bits
    read(bytes(raw))


FIELDS = st.one_of(
    st.sampled_from(["path", "linkpath", "size", "GNU.sparse.name", "GNU.sparse.map"]),
)
VALUES = st.one_of(st.binary(max_size=20), st.sampled_from([b"sys/y", b"..", b"1"]))
MEMBERS = st.one_of(
    st.builds(
        member,
        st.binary(max_size=90).map(lambda tail: b"sys/" + tail),
        st.binary(max_size=600),
        st.sampled_from([bytes([c]) for c in b"0123456789DKLMNSVXgxA\0"]),
        st.sampled_from(["", "x", "sys/x", "../../..", "/"]),
        st.one_of(st.none(), st.integers(0, 1 << 60)),
    ),
    st.builds(pax, st.dictionaries(FIELDS, VALUES)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MEMBERS, max_size=6))
def test_no_members_raise_anything_else(members: list[bytes]) -> None:
    read(member("sys/x") + b"".join(members) + END)
