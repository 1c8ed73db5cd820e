"""A guest that hangs or dies is a result, in bounded time; no QEMU needed."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import guest as lab_guest
from lab.guest import Answer, Guest, GuestCrash, GuestHang
from lab.machines import MACHINES


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Something that runs, says nothing and can be killed, as a hung QEMU."""
    with subprocess.Popen(["sleep", "60"]) as running:
        yield running
        running.kill()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[socket.socket]:
    """Where QEMU listens for the lab; what a test sends is what the guest says."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "port"))
        listening.listen()
        listening.settimeout(10)
        (tmp_path / "console").write_text("the last words of a kernel\n")
        (tmp_path / "qemu").touch()
        yield listening


@pytest.fixture
def guest(
    process: subprocess.Popen[bytes], port: socket.socket, tmp_path: Path
) -> Iterator[Guest]:
    made = Guest(MACHINES["reference"], process, tmp_path)
    yield made
    made.stop()


def test_guest_that_never_greets_is_a_hang(
    guest: Guest,
    port: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab_guest, "BOOT_SECONDS", 0.3)
    with pytest.raises(GuestHang, match=r"does not answer$") as caught:
        guest.connect()
    assert caught.value.log == "the last words of a kernel\n"


def test_command_that_is_not_answered_is_a_hang(
    guest: Guest,
    port: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab_guest, "GRACE_SECONDS", 0.1)
    connecting = threading.Thread(target=guest.connect)
    connecting.start()
    other, _ = port.accept()
    with other:
        other.sendall(b"READY 6.12.1\n")
        connecting.join(10)
        assert guest.release == "6.12.1"
        with pytest.raises(GuestHang, match="does not answer to 'groups'"):
            guest.command("groups", seconds=0.2)
        assert other.recv(100) == b"DO 1 0.2 groups\n"


def test_lost_line_is_said_again_and_read_once(
    guest: Guest, port: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_guest, "PATIENCE_SECONDS", 0.2)
    connecting = threading.Thread(target=guest.connect)
    connecting.start()
    other, _ = port.accept()
    with other:
        other.sendall(b"READY 6.12.1\n")
        connecting.join(10)
        heard = []

        def answer() -> None:
            heard.append(other.recv(100))  # the first is lost
            heard.append(other.recv(100))
            other.sendall(b"GOT 1\nBEGIN 1\none\nEND 1 3 2\n")  # and so is a line
            heard.append(other.recv(100))
            other.sendall(b"BEGIN 1\none\ntwo\nEND 1 3 2\n")

        answering = threading.Thread(target=answer)
        answering.start()
        found = guest.command("groups", seconds=10)
        answering.join(10)
    assert found == Answer(3, ("one", "two"))
    assert heard == [b"DO 1 10 groups\n"] * 3


def test_guest_that_dies_is_a_crash_with_its_log(
    guest: Guest, process: subprocess.Popen[bytes]
) -> None:
    process.kill()
    process.wait()
    with pytest.raises(GuestCrash, match="kernel died") as caught:
        guest.connect()
    assert "last words" in caught.value.log
