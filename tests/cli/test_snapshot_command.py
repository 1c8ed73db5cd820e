"""``snapshot``: the file that it writes, what it says, and what commands make of it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examples import each
from running import call, run
from shared import KERNELS, SHARED, SYSFS, needs_shared

from iommu_inspect.sources.tree import saving

HALF = SYSFS / "half-a-group"
FIXTURES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
# What stands for a name, and lists that are in the order of names.
STAND_IN = re.compile(
    r"(?:dir|name|net|host|user)-[0-9]+|redacted|process|/[0-9]{3}\.conf"
    r"|00000000-0000-4000-8000-[0-9a-f]{12}"
)


def taken(source: Path, file: Path, *words: str) -> Path:
    done = call("snapshot", "--from", source, file, *words)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return file


def questions(source: Path) -> Iterator[tuple[str, ...]]:
    """Yield what is asked of a source: every command, and some of its targets."""
    yield from (("list",), ("predict",), ("audit",), ("audit", "--for", "dpdk"))
    found = json.loads(call("list", "--from", source, "--format", "json").stdout)
    groups = [group["id"] for group in found["groups"]]
    devices = [d["address"] for g in found["groups"] for d in g["devices"]]
    for group in groups[:6]:
        yield ("audit", f"group:{group}")
        yield ("plan", f"group:{group}")
    for address in devices[:4]:
        yield ("why", address)
        yield ("whatif", f"unbind={address}")


def answer(source: Path, *words: str) -> tuple[int, Any]:
    done = call(*words, "--from", source, "--format", "json")
    if not done.stdout:
        return done.returncode, done.stderr.replace(str(source), "SOURCE")
    found = json.loads(done.stdout.replace(str(source), "SOURCE"))
    for about in ("kind", "name", "notes"):
        del found["source"][about]
    return done.returncode, found


def unlike(one: object, other: object, where: str = "") -> Iterator[str]:
    """Yield where two answers differ in more than a name that was replaced."""
    match one, other:
        case dict(), dict() if one.keys() == other.keys():
            for key in one:
                yield from unlike(one[key], other[key], f"{where}.{key}")
        case ((list() | tuple()), (list() | tuple())) if len(one) == len(other):
            for number, pair in enumerate(zip(one, other, strict=True)):
                yield from unlike(*pair, f"{where}[{number}]")
        case str(), str() if STAND_IN.search(other):
            pass
        case _:
            if one != other:
                yield f"{where}: {one!r} became {other!r}"


@each("source", FIXTURES[::3])
def test_every_command_answers_from_a_snapshot_as_from_its_source(
    tmp_path: Path, source: Path
) -> None:
    whole = taken(source, tmp_path / "whole.tar", "--redact", "none")
    scrubbed = taken(source, tmp_path / "scrubbed.tgz")
    for words in questions(source):
        asked = answer(source, *words)
        assert answer(whole, *words) == asked, words
        assert list(unlike(asked, answer(scrubbed, *words))) == [], words


@needs_shared
@each("kernel", KERNELS)
@each("state", ["before", "after"])
def test_so_it_is_for_captures_of_real_kernels(
    tmp_path: Path, kernel: str, state: str
) -> None:
    source = SHARED / "real-kernels" / kernel / f"{state}.tar.gz"
    strict = taken(source, tmp_path / "strict.tgz", "--redact", "strict")
    for words in questions(source):
        assert list(unlike(answer(source, *words), answer(strict, *words))) == []


def test_it_says_what_it_is(tmp_path: Path) -> None:
    file = taken(HALF, tmp_path / "x.tar")
    found = json.loads(call("list", "--from", file, "--format", "json").stdout)
    assert found["source"]["kind"] == "snapshot"
    with tarfile.open(file) as tar:
        manifest = tar.extractfile("iommu-inspect.json")
        assert manifest is not None
        said = json.load(manifest)
    assert said["redaction"] == "default"
    assert said["privileged"] is None
    assert said["kernel"] == found["source"]["kernel"]
    assert said["left_out"]


@each(
    "name, magic", [("x.tgz", b"\x1f\x8b"), ("x.tar.gz", b"\x1f\x8b"), ("x", b"iommu-")]
)
def test_the_name_says_whether_it_is_compressed(
    tmp_path: Path, name: str, magic: bytes
) -> None:
    assert taken(HALF, tmp_path / name).read_bytes().startswith(magic)


def test_the_same_state_has_the_same_bytes(tmp_path: Path) -> None:
    first = taken(HALF, tmp_path / "1.tgz")
    again = taken(first, tmp_path / "2.tgz")
    assert first.read_bytes() == taken(HALF, tmp_path / "3.tgz").read_bytes()
    assert first.read_bytes() == again.read_bytes()


def test_this_host_can_be_captured_and_asked(tmp_path: Path) -> None:
    file = tmp_path / "host.tgz"
    done = run("snapshot", file)
    assert done.returncode == 0, done.stderr
    assert run("list", "--from", file).returncode == run("list").returncode
    # Directories that something is mounted on have other names in a scrubbed one.
    done = run("snapshot", file, "--redact", "none")
    assert done.returncode == 0, done.stderr
    theirs, ours = (
        json.loads(run("list", *words, "--format", "json").stdout)
        for words in (("--from", str(file)), ())
    )
    names = ("groups", "ungrouped", "semantics")
    # Names of devices come from this host's udev, or from its pci.ids.
    assert [_nameless(theirs[n]) for n in names] == [_nameless(ours[n]) for n in names]


def _nameless(found: object) -> object:
    if isinstance(found, list):
        return [_nameless(each) for each in found]
    if isinstance(found, dict):
        skipped = ("name", "vendor_name")
        return {k: _nameless(v) for k, v in found.items() if k not in skipped}
    return found


def test_standard_output_is_a_tar_and_nothing_else() -> None:
    done = call("snapshot", "--from", HALF, "-")
    assert done.returncode == 0
    assert done.stderr == ""
    tar = done.stdout.encode("utf-8", "surrogateescape")
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        assert "iommu-inspect.json" in archive.getnames()


def test_a_terminal_gets_no_tar() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "iommu_inspect", "snapshot", "--from", str(HALF), "-"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"no good on a terminal" in done.stderr


@each(
    "file, says",
    [
        ("/sys/x.tar", "nothing is ever written below /sys"),
        ("/proc/self/x.tar", "nothing is ever written below /proc"),
        ("/dev/shm/x.tar", "nothing is ever written below /dev"),
        ("/sys/../sys/kernel/x", "nothing is ever written below /sys"),
        ("{tmp}/link/x", "nothing is ever written below /dev"),
        ("{tmp}/no/x.tar", "there is no directory"),
        ("{tmp}", "it is a directory"),
        ("{tmp}/pipe", "it is no plain file"),
        ("", "a file's name is expected"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_read(
    tmp_path: Path, file: str, says: str
) -> None:
    (tmp_path / "link").unlink(missing_ok=True)
    (tmp_path / "link").symlink_to("/dev")
    if not (tmp_path / "pipe").exists():
        os.mkfifo(tmp_path / "pipe")
    done = call("snapshot", "--from", HALF, file.format(tmp=tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_that_is_not_this_users_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    done = call("snapshot", "--from", HALF, tmp_path / "x")
    assert done.returncode == 2
    assert "no permission" in done.stderr


@each("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_is_not_finished_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fails(descriptor: int) -> None:
        raise error

    file = tmp_path / "x.tar"
    file.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        try:
            done = call("snapshot", "--from", HALF, file)
            assert done.returncode in (70, 1, 130)
        except KeyboardInterrupt:
            pass
    assert file.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.tar"]


def test_it_is_whole_when_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody who reads the file sees half of it."""
    seen: list[tuple[int, bool]] = []

    def rename(old: str, new: str) -> None:
        seen.append((Path(old).stat().st_size, Path(new).exists()))
        assert Path(old).parent == Path(new).parent
        Path(old).replace(new)

    monkeypatch.setattr(os, "rename", rename)
    file = taken(HALF, tmp_path / "x.tar")
    assert seen == [(file.stat().st_size, False)]


def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "iommu_inspect",
                "snapshot",
                "--from",
                str(HALF),
                "-",
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 70
    assert b"cannot write standard output: No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_text_is_no_source_for_a_snapshot(tmp_path: Path) -> None:
    done = call(
        "snapshot", "--from", "-", tmp_path / "x", stdin=b"00:00.0 Host bridge\n"
    )
    assert done.returncode == 4
    assert "it is a text" in done.stderr
    assert not (tmp_path / "x").exists()


def test_made_without_root_it_says_so_and_so_does_who_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "is_root", lambda: False)
    file = tmp_path / "x.tar"
    done = call("snapshot", file)
    assert done.returncode == 0
    assert "made without root" in done.stderr
    read = call("list", "--from", file)
    assert "made without root" in read.stderr
    again = call("snapshot", "--from", file, tmp_path / "y.tar")
    assert "made without root" in again.stderr
    assert (tmp_path / "y.tar").read_bytes() == file.read_bytes()
