"""Reads files that may never answer, in a child that can be left behind."""

from __future__ import annotations

import os
import select
import signal
import struct
import time
from collections.abc import Callable, Sequence

from iommu_inspect.model.fact import Fact, Missing, known

__all__ = ["read_in_child", "reaped"]

_PIECE = 64 << 10
# Nobody opens more; the limit itself can be a thousand million.
_MAX_DESCRIPTORS = 1 << 16
# A result's frame: which path, which outcome, how many bytes of text follow.
_FRAME = struct.Struct("=IBI")
_OUTCOMES = (None, *Missing)


def read_in_child(
    paths: Sequence[str], read: Callable[[str], Fact[str]], seconds: float
) -> tuple[dict[str, Fact[str]], int | None]:
    """Read in a child process that can be left behind.

    Returns:
        What was read in time, and the child where it did not end by itself.
    """
    ours, theirs = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        return {}, None
    if not pid:  # pragma: no cover - the child ends with os._exit, unmeasured
        _child(paths, read, theirs)
    # Not before: to fork a large process on a busy host takes its time.
    deadline = time.monotonic() + seconds
    os.close(theirs)
    try:
        received, ended = _receive(ours, deadline)
    finally:
        os.close(ours)
        os.kill(pid, signal.SIGKILL)
    gone = reaped(pid)
    while ended and not gone and time.monotonic() < deadline:
        time.sleep(0.0005)
        gone = reaped(pid)
    return _unpacked(received, paths), None if gone else pid


def _child(  # pragma: no cover - the child ends with os._exit, unmeasured
    paths: Sequence[str], read: Callable[[str], Fact[str]], out: int
) -> None:
    """Read the files and write the results down the pipe; never return."""
    try:
        # Nobody must wait for the end of an output that a stuck child holds open.
        os.closerange(0, out)
        os.closerange(out + 1, _MAX_DESCRIPTORS)
        for index, path in enumerate(paths):
            frame = _packed(index, read(path))
            while frame:
                frame = frame[os.write(out, frame) :]
    finally:
        os._exit(0)


def _packed(  # pragma: no cover - the child ends with os._exit, unmeasured
    index: int, fact: Fact[str]
) -> bytes:
    if not known(fact):
        return _FRAME.pack(index, _OUTCOMES.index(fact), 0)
    text = fact.encode("utf-8", "surrogateescape")
    return _FRAME.pack(index, 0, len(text)) + text


def _receive(pipe: int, deadline: float) -> tuple[bytes, bool]:
    """Return what came in time, and whether that was all."""
    received = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            continue
        piece = os.read(pipe, _PIECE)
        if not piece:
            return bytes(received), True
        received += piece
    return bytes(received), False


def _unpacked(received: bytes, paths: Sequence[str]) -> dict[str, Fact[str]]:
    results: dict[str, Fact[str]] = {}
    at = 0
    while at + _FRAME.size <= len(received):
        index, outcome, size = _FRAME.unpack_from(received, at)
        at += _FRAME.size + size
        if at > len(received):
            break
        text = received[at - size : at].decode("utf-8", "surrogateescape")
        why = _OUTCOMES[outcome]
        results[paths[index]] = text if why is None else why
    return results


def reaped(pid: int) -> bool:
    """Say whether a child has ended, and is no more."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
