"""Whatever file an option is given, the answer is one line; nothing is waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import each
from running import call
from shared import SYSFS

HALF = SYSFS / "half-a-group"
DIGITS = "9" * 900_000
TEXTS: dict[str, str | bytes] = {
    "number": f"x = {DIGITS}",
    "short number": f"[[ignore]]\nrule = {DIGITS[:4090]}",
    "hexadecimal": f"[[ignore]]\nrule = 0x{'f' * 4000}",
    "deep": "x = " + "[" * 100_000,
    "deep lines": "x = " + "[\n" * 100_000,
    "deep tables": "{a=" * 100_000,
    "dotted": "a." * 100_000 + "b = 1",
    "date": "x = 9999-99-99",
    "json number": f'{{"schema": {DIGITS}}}',
    "json deep": '{"schema":' * 100_000,
    "json": '{"schema": "iommu-inspect/audit/1", "purpose": ["\\u001b"]}',
    "nul": "\0" * 1000,
    "long": "x" * 1_000_000,
    "longer": "x" * 2_000_000,
    "bytes": bytes(range(256)) * 10,
    "wide": "a = 1\n".encode("utf-16"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("named")
    for name, text in TEXTS.items():
        (place / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (place / "loop").symlink_to("loop")
    (place / "dangling").symlink_to("nothing")
    (place / "folder").mkdir()
    os.mkfifo(place / "pipe")
    below = place / "sys/devices/pci0000:00/0000:00:01.0"
    below.mkdir(parents=True)
    for name in ("rom", "resource0", "vpd"):
        (below / name).write_text("acts")
    (place / "to a rom").symlink_to(below / "rom")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(place / "socket"))
        yield place


@each("option", ["--config", "--expect", "--baseline", "--from"])
def test_a_file_that_is_none_is_one_short_line(place: Path, option: str) -> None:
    # Brackets in lines pass for a list of groups without any device.
    no_text = option in ("--baseline", "--from")
    others = {"sys", "deep lines"} if no_text else {"sys"}
    named = [str(path) for path in place.iterdir() if path.name not in others]
    named += map(str, (place / "sys/devices/pci0000:00/0000:00:01.0").iterdir())
    named += ["/dev/zero", "/dev/full", "/dev/tty", "/dev/kmsg", "/dev/ptmx"]
    named += ["/dev/vfio/vfio", "", "a\0b", "x" * 5000, str(place / "nothing")]
    for name in named:
        words = ["audit", option, name]
        start = time.process_time()
        done = call(*words, *([] if option == "--from" else ["--from", str(HALF)]))
        assert done.returncode in (2, 4), (name, done)
        assert done.stderr.count("\n") == 1, (name, done)
        assert len(done.stderr) < 6000, name
        assert time.process_time() - start < 10, name


@each("option", ["--config", "--expect"])
def test_an_empty_file_and_no_file_say_nothing(tmp_path: Path, option: str) -> None:
    (tmp_path / "empty").touch()
    plain = call("audit", "--from", str(HALF))
    for name in (str(tmp_path / "empty"), os.devnull):
        done = call("audit", option, name, "--from", str(HALF))
        assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)


def test_a_pipe_is_waited_for_while_somebody_writes() -> None:
    reader, writer = os.pipe()
    words = ["audit", "--config", f"/dev/fd/{reader}", "--from", str(HALF)]
    running = subprocess.Popen(
        [sys.executable, "-m", "iommu_inspect", *words],
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=[reader],
    )
    os.close(reader)
    text = b'[[ignore]]\nrule = "mixed-ownership"\nreason = "known"\n'
    for at in range(0, len(text), 20):
        time.sleep(0.3)
        os.write(writer, text[at : at + 20])
    os.close(writer)
    assert "ignored" in running.communicate(timeout=60)[0]
