"""Asks a child process what may never be answered, and can leave it behind.

Whoever reads behind a stuck probe, or from a server that is gone, cannot be killed and
does not end: not the thread, and so not its process. A child can be left behind. There
is one for a whole run, for to fork is dear and to ask through a pipe is cheap; where
it does not answer in time another one goes on with the next question.

Answers come many at a time. Which question a child is at stands in memory that both
have: so it is known which one is never answered, and those before it, whose answers
were not sent yet, are asked again.
"""

from __future__ import annotations

import contextlib
import marshal
import mmap
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, cast

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Missing

__all__ = ["PATIENCE", "Answer", "Reader", "Request", "let_go"]

PATIENCE = 1.0
"""Seconds until a question counts as never answered."""
_LOST = 6.0
"""Seconds that a run loses at most with such questions, however many there are."""
_CHILDREN = 16
"""Processes that a run leaves behind at most."""

# Nobody opens more; the limit itself can be a thousand million.
_MAX_DESCRIPTORS = 1 << 16
_PIECE = 64 << 10
_SIZE = struct.Struct("=I")
# What a child keeps back at most: to send each answer by itself costs more than it.
_KEPT_BYTES = 32 << 10
_KEPT_SECONDS = 0.02
# A child that has not looked at a question yet waits for a processor, for so long.
_NOT_YET = (1 << 32) - 1
_STARTING = 5.0

Request = tuple[str, str, object]
"""What is asked: of what kind it is, about which path, and what more it takes."""
Answer = Callable[[str, str, Any], object]
"""What answers in the child, of types that `marshal` has; or a `Missing`."""


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that answers, the two pipes to it, and how far it is."""

    pid: int
    questions: int
    answers: int
    poll: select.poll = field(repr=False)
    progress: mmap.mmap = field(repr=False)

    @property
    def at(self) -> int:
        """The number of the question that it answers, of those it was asked last."""
        return int(_SIZE.unpack_from(self.progress)[0])

    def send(self, requests: Sequence[Request]) -> None:
        """Ask, which waits for nothing: it reads all before it answers.

        Raises:
            OSError: the process is gone.
        """
        text = marshal.dumps(list(requests))
        _SIZE.pack_into(self.progress, 0, _NOT_YET)
        _write(self.questions, _SIZE.pack(len(text)) + text)

    def close(self) -> None:
        os.close(self.questions)
        os.close(self.answers)
        self.progress.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """Questions whose answers nobody has waited for yet; were they sent?"""

    answer: Answer
    requests: Sequence[Request]
    sent: bool


class Reader:
    """Asks in a child process, for as long as that makes sense.

    Args:
        lost: How many seconds may be lost with questions that nobody answers.
        children: How many processes may be left behind.
    """

    def __init__(self, lost: float = _LOST, children: int = _CHILDREN) -> None:
        self._lost = lost
        self._children = children
        self._child: _Child | None = None
        self._left_behind: list[int] = []
        self._begun: _Asked | None = None
        self._ended: list[object] = []
        self.failure = ""
        """Why there is no child to ask, if none could be made."""
        self.spent = False
        """Whether as many as may be left behind were: what hangs is asked no more."""

    def ask(
        self,
        answer: Answer,
        requests: Sequence[Request],
        *,
        patience: float = PATIENCE,
        seconds: float | None = None,
    ) -> list[object]:
        """Return what each question's answer is, unreadable where none came.

        Args:
            answer: What answers in the child.
            requests: The questions, asked in this order.
            patience: How long to wait for each.
            seconds: How long to wait for all of them, if that is bounded.
        """
        self._end()
        return self._ask_all(_Asked(answer, requests, sent=False), patience, seconds)

    def begin(self, answer: Answer, requests: Sequence[Request]) -> None:
        """Ask, and go on meanwhile: `finish` returns the answers.

        Who asks anything else before that waits for these first.
        """
        self._end()
        child = self._child = self._child or self._start(answer)
        try:
            if child is not None:
                child.send(requests)
        except OSError:
            child = None  # it is gone; whoever waits for it finds that out
        self._begun = _Asked(answer, requests, sent=child is not None)

    def finish(self) -> list[object]:
        """Return the answers to what was asked with `begin`, as `ask` does."""
        self._end()
        found, self._ended = self._ended, []
        return found

    def _end(self) -> None:
        """Wait for what was begun."""
        if self._begun is not None:
            begun, self._begun = self._begun, None
            self._ended = self._ask_all(begun, PATIENCE, None)

    def _ask_all(
        self, asked: _Asked, patience: float, seconds: float | None
    ) -> list[object]:
        answer, requests, sent = asked.answer, asked.requests, asked.sent
        self._left_behind = [pid for pid in self._left_behind if not _reaped(pid)]
        # Not before: to fork a large process on a busy host takes its time.
        if self._child is None and requests:
            self._child = self._start(answer)
        deadline = None if seconds is None else time.monotonic() + seconds
        found: list[object] = []
        while len(found) < len(requests):
            child = self._child = self._child or self._start(answer)
            late = deadline is not None and time.monotonic() >= deadline
            if child is None or late:
                return found + [Missing.UNREADABLE] * (len(requests) - len(found))
            before = len(found)
            try:
                if not sent:
                    child.send(requests[before:])
                sent = False
                more, at = self._ask(child, requests[before:], patience, deadline)
            except OSError:
                # It is gone, or there is no memory to ask it with.
                more, at = [], 0
            except BaseException:
                # Nobody may wait for it, nor ask it again: it is out of step.
                self._leave(child)
                raise
            found += more
            if len(found) < len(requests):
                self._leave(child)
                unsent = requests[len(found) : before + at]
                # They were answered promptly, and so will they be again.
                again = _Asked(answer, unsent, sent=False)
                found += self._ask_all(again, patience, None)
                found.append(Missing.UNREADABLE)
        return found

    def rest(self) -> None:
        """Let the child go that waits for a question: what it remembers is old."""
        self._begun, self._ended = None, []
        if self._child is not None:
            self._children += 1
            self._leave(self._child)

    def _ask(
        self,
        child: _Child,
        requests: Sequence[Request],
        patience: float,
        deadline: float | None,
    ) -> tuple[list[object], int]:
        """Return the answers that come in time, and at which question that ended."""
        found: list[object] = []
        at, begin = _NOT_YET, time.monotonic() + _STARTING
        try:
            received = bytearray()
            while len(found) < len(requests):
                wait = min(patience, self._lost / 2)
                if deadline is not None:
                    wait = min(wait, max(deadline - time.monotonic(), 0))
                if not child.poll.poll(wait * 1000):
                    now, was, at = time.monotonic(), at, child.at
                    goes_on = at != was or (at == _NOT_YET and now < begin)
                    if goes_on and (deadline is None or now < deadline):
                        continue
                    self._lost -= wait
                    break
                piece = os.read(child.answers, _PIECE)
                if not piece:
                    at = child.at
                    break
                received += piece
                found += _unpacked(received)
        except OSError:
            # The child is gone, or there is no memory to ask it with.
            at = child.at
        return found, 0 if at == _NOT_YET else at

    def _start(self, answer: Answer) -> _Child | None:
        if self._children <= 0:
            self.spent = True
            return None
        self._children -= 1
        made: list[int] = []
        try:
            made += os.pipe()
            made += os.pipe()
            asked, questions, answers, answering = made
            poll = select.poll()
            poll.register(answers, select.POLLIN)
            progress = mmap.mmap(-1, mmap.PAGESIZE)
            pid = os.fork()
        except (OSError, MemoryError) as error:
            for descriptor in made:
                os.close(descriptor)
            self.failure = getattr(error, "strerror", None) or "no memory is left"
            return None
        if not pid:  # pragma: no cover - the child ends with os._exit, unmeasured
            _serve(answer, asked, answering, progress)
        os.close(asked)
        os.close(answering)
        return _Child(pid, questions, answers, poll, progress)

    def _leave(self, child: _Child) -> None:
        self._child = None
        child.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        if not _reaped(child.pid):
            self._left_behind.append(child.pid)

    def __del__(self) -> None:
        """End a child that waits for a question: it can be killed."""
        if self._child is not None:
            pid = self._child.pid
            self._leave(self._child)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _serve(  # pragma: no cover - the child ends with os._exit, unmeasured
    answer: Answer, asked: int, answering: int, progress: mmap.mmap
) -> None:
    """Answer questions until nobody asks any more; never return."""
    try:
        let_go({asked, answering})
        while head := _read(asked, _SIZE.size):
            questions = _read(asked, *_SIZE.unpack(head))
            kept, since = bytearray(), time.monotonic()
            # What comes is from this very program.
            for number, question in enumerate(marshal.loads(questions)):  # noqa: S302
                _SIZE.pack_into(progress, 0, number)
                found = answer(*question)
                if isinstance(found, Missing):
                    body = marshal.dumps((True, found.value))
                else:
                    body = marshal.dumps((False, cast("bytes", found)))
                kept += _SIZE.pack(len(body)) + body
                now = time.monotonic()
                if len(kept) > _KEPT_BYTES or now - since > _KEPT_SECONDS:
                    _write(answering, kept)
                    kept, since = bytearray(), now
            _write(answering, kept)
    finally:
        os._exit(0)


def let_go(  # pragma: no cover - the child ends with os._exit, unmeasured
    kept: set[int],
) -> None:
    """Close all else: nobody must wait for an output that a stuck child holds open.

    Standard input and outputs lead nowhere; what runs a program counts on them.
    """
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in {0, 1, 2} - kept - {nowhere}:
            os.dup2(nowhere, number)
        kept = kept | {0, 1, 2}
    at = 0
    for number in sorted(kept):
        if at < number:  # of an empty range at 0 it closes all there are
            os.closerange(at, number)
        at = number + 1
    os.closerange(at, _MAX_DESCRIPTORS)


def _read(  # pragma: no cover - the child ends with os._exit, unmeasured
    descriptor: int, size: int
) -> bytes:
    parts = b""
    while len(parts) < size:
        piece = os.read(descriptor, size - len(parts))
        if not piece:
            return b""
        parts += piece
    return parts


def _write(descriptor: int, content: bytes | bytearray) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _unpacked(received: bytearray) -> list[object]:
    """Take the answers that are complete off what was received."""
    found: list[object] = []
    at = 0
    while at + _SIZE.size <= len(received):
        end = at + _SIZE.size + _SIZE.unpack_from(received, at)[0]
        if end > len(received):
            break
        body = bytes(received[at + _SIZE.size : end])
        missing, value = marshal.loads(body)  # noqa: S302
        found.append(Missing(value) if missing else value)
        at = end
    del received[:at]
    return found


def _reaped(pid: int) -> bool:
    """Say whether a child has ended, and is no more."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
