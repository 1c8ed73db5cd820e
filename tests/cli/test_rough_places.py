"""Where the program is run badly it says so in a line; it never falls over."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from examples import each
from running import watched
from shared import SYSFS

from iommu_inspect.cli.commands import list as list_command
from iommu_inspect.cli.main import main
from iommu_inspect.cli.output import complain, ending_in_order

HALF = str(SYSFS / "half-a-group")
# A message whose characters few encodings have, and one that is no character.
ODD = ("explain", "é ☃ \udcff")


def run(
    *words: str,
    environment: Mapping[str, str] | None = None,
    before: Callable[[], None] | None = None,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.CompletedProcess[bytes]:
    """Run the program as a process; ``before`` runs in it first."""
    return subprocess.run(
        [sys.executable, "-m", "iommu_inspect", *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env={"PATH": "/usr/bin:/bin", **watched(), **(environment or {})},
        preexec_fn=before,
        timeout=120,
    )


def named(place: Path) -> str:
    """Make a tree with a device on a driver whose name is not of ASCII."""
    device = place / "sys/devices/pci0000:00/0000:00:01.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x8086\n")
    links = {
        device / "driver": "../../../bus/pci/drivers/tré☃b",
        place / "sys/bus/pci/devices/0000:00:01.0": "../../../devices/pci0000:00/"
        "0000:00:01.0",
    }
    for link, target in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    return str(place)


@each(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": "garbage"},
        {"COLUMNS": "0"},
        {"COLUMNS": "1"},
        {"COLUMNS": "100000"},
        {"PYTHONOPTIMIZE": "2"},
        {"HOME": "/nowhere"},
    ],
)
def test_a_name_gets_through_whatever_the_environment_is(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    source = named(tmp_path / str(len(list(tmp_path.iterdir()))))
    done = run("list", "--numeric", "--from", source, environment=environment)
    assert done.returncode == 3, done.stderr
    assert b"tr" in done.stdout
    assert b"0000:00:01.0" in done.stdout
    assert b"Traceback" not in done.stderr
    done = run(*ODD, environment=environment)
    assert done.returncode == 2, done.stderr


@each(
    "words, code",
    [
        (("list", "--from", HALF), 0),
        (("list", "--from", "/nowhere"), 4),
        (("list", "--nonsense"), 2),
        (("list", "--group", "77", "--from", HALF), 2),
        (("audit", "--from", HALF), 1),
        (("--help",), 0),
    ],
)
def test_what_nobody_can_be_told_changes_no_exit_code(
    words: tuple[str, ...], code: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert run(*words, stdout=writer, stderr=writer).returncode == code
    os.close(writer)
    with Path("/dev/full").open("w") as full:
        assert run(*words, stderr=full.fileno()).returncode == code
        silent = code in (2, 4)  # nothing is printed to standard output
        for other in (subprocess.PIPE, full.fileno()):
            done = run(*words, stdout=full.fileno(), stderr=other)
            assert done.returncode == (code if silent else 70), done.stderr
            assert (done.stderr or b"").count(b"\n") <= 1 or code == 2


@each("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_closed_descriptors_change_no_exit_code(closed: tuple[int, ...]) -> None:
    def close() -> None:
        for number in closed:
            os.close(number)

    assert run("audit", "--from", HALF, before=close).returncode == 1
    assert run("list", before=close).returncode in (0, 3)


@each(
    "what, limits",
    [
        (resource.RLIMIT_NOFILE, (5, 6, 7, 8, 9, 10, 12, 16)),
        (resource.RLIMIT_AS, tuple(mib << 20 for mib in range(16, 72, 4))),
        (resource.RLIMIT_FSIZE, (0,)),
    ],
)
def test_where_the_system_is_short_of_something_there_is_no_traceback(
    what: int, limits: tuple[int, ...]
) -> None:
    codes = set()
    for limit in limits:

        def lower(limit: int = limit) -> None:
            resource.setrlimit(what, (limit, limit))

        for words in (("list", "--numeric"), ("audit", "--from", HALF)):
            done = run(*words, before=lower)
            assert done.returncode in (0, 1, 3, 4), (limit, words, done.stderr)
            assert b"Traceback" not in done.stderr, (limit, words, done.stderr)
            codes.add(done.returncode)
    # No file is written, and five descriptors do.
    assert (4 in codes) is (what == resource.RLIMIT_AS), codes


@each("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN])
def test_what_the_system_is_short_of_is_said_and_is_no_fault_of_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(list_command, "list_groups", fail)
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "list"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 4
    said = f"iommu-inspect: cannot go on: {os.strerror(number)}\n"
    assert capsys.readouterr().err == said


def test_without_memory_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(list_command, "list_groups", fail)
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "list"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 4
    assert "not enough memory" in capsys.readouterr().err


# Runs the program; a line on standard error says that it has begun.
BEGUN = (
    "import os, sys\n"
    "from iommu_inspect import __main__ as program\n"
    "from iommu_inspect.cli import main as inside\n"
    "real = inside.run\n"
    "def run(words):\n"
    "    os.write(2, b'begun\\n')\n"
    "    real(words)\n"
    "inside.run = run\n"
    "program.main()\n"
)


@each("wait", [0, 0.02, 0.05, 0.1])
def test_ctrl_c_ends_it_without_a_word(wait: float) -> None:
    command = [sys.executable, "-c", BEGUN, "audit", "--from", "-"]
    running = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stderr is not None
    assert running.stderr.readline() == b"begun\n"
    time.sleep(wait)  # it waits for its standard input at the end
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert running.stderr.read() == b""
    for stream in (running.stdin, running.stdout, running.stderr):
        assert stream is not None
        stream.close()


@each("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_is_asked_to_end_undoes_first_what_is_half_done(number: int) -> None:
    before = signal.getsignal(number)
    undone = []
    with pytest.raises(SystemExit) as end, ending_in_order():
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        finally:
            undone.append(number)
    assert (end.value.code, undone) == (128 + number, [number])
    assert signal.getsignal(number) is before


def test_a_complaint_that_nobody_hears_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    complain("nobody is there")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        complain("it is full")


def test_a_directory_that_was_deleted_is_no_hindrance(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def leave() -> None:
        os.chdir(gone)
        gone.rmdir()

    done = run("list", "--from", "x", before=leave, environment=at_home())
    assert done.returncode == 4, done.stderr
    assert done.stderr.count(b"\n") == 1


def at_home() -> dict[str, str]:
    """Return what lets Python find the package from any directory."""
    return {"PYTHONPATH": str(Path(list_command.__file__).parents[2])}
