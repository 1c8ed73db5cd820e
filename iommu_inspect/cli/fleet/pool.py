"""Processes that each do one task at a time, and may die of it.

They are copies of this one, as in `spreading`: what they do may be anything, and only
tasks' numbers and results are sent. Those of `concurrent.futures` give up all work when
one of them is killed, do not say on which task it was, and wait for ever where this
process is killed. A worker here is known by its task; it ends when nobody is there to
send another one, and is replaced after a few hundred, so that what tasks leave behind
in memory does not add up.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import resource
import select
import signal
import struct
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Generic, TypeVar

from iommu_inspect.sources.tree.bounded import let_go

__all__ = ["MEMORY", "Pool"]

T = TypeVar("T")
R = TypeVar("R")

MEMORY = 4 << 30
"""Bytes that a worker may have; who needs more gets a `MemoryError`."""
_TASKS = 300
"""Tasks of one worker, until it is replaced."""
_AHEAD = 1024
"""Results that wait for an earlier one at most, until no more is begun."""
_LEAVING = 2.0
"""Seconds that a killed process has to be gone."""
_NUMBER = struct.Struct("=Q")
_PIECE = 1 << 20


class _Worker:
    """A process, the two pipes to it, and the task that it is at."""

    def __init__(self, pid: int, tasks: int, results: int) -> None:
        self.pid, self.tasks, self.results = pid, tasks, results
        self.at: int | None = None
        self.until = 0.0
        self.done = 0
        self.received = bytearray()

    def result(self) -> bytes | None:
        """Return what has come of the task, if that is whole."""
        if len(self.received) < _NUMBER.size:
            return None
        (size,) = _NUMBER.unpack_from(self.received)
        if len(self.received) < _NUMBER.size + size:
            return None
        found = bytes(self.received[_NUMBER.size :])
        self.received.clear()
        return found


class Pool(Generic[T, R]):
    """Does tasks in several processes, and returns the results in order.

    Args:
        function: What is done with a task. It raises nothing.
        lost: What stands for the result of a task that its worker did not survive, or
            that took too long, from the task and the reason.
        workers: How many processes there are.
        patience: Seconds that a task may take.
    """

    def __init__(
        self,
        function: Callable[[T], R],
        lost: Callable[[T, str], R],
        workers: int,
        patience: float,
    ) -> None:
        self._function, self._lost = function, lost
        self._most, self._patience = workers, patience
        self._workers: list[_Worker] = []

    def results(self, tasks: Sequence[T]) -> Generator[R, None, None]:
        """Yield the result of each task, in their order."""
        waiting = deque(range(len(tasks)))
        found: dict[int, R] = {}
        try:
            for number in range(len(tasks)):
                while number not in found:
                    self._hand_out(waiting, tasks, number)
                    if not self._workers:  # none can be made: it is done here
                        here = waiting.popleft()
                        found[here] = self._function(tasks[here])
                        continue
                    self._wait(tasks, found)
                yield found.pop(number)
        finally:
            self._end()

    def _hand_out(self, waiting: deque[int], tasks: Sequence[T], number: int) -> None:
        """Give tasks to those who have none, not too far ahead of what is wanted."""
        while waiting and waiting[0] < number + _AHEAD:
            idle = next((w for w in self._workers if w.at is None), None)
            if idle is None and len(self._workers) < self._most:
                idle = self._start(tasks)
            if idle is None:
                return
            try:
                os.write(idle.tasks, _NUMBER.pack(waiting[0]))
            except OSError:  # it is gone, and was at nothing
                self._forget(idle)
                continue
            idle.at = waiting.popleft()
            idle.until = time.monotonic() + self._patience

    def _wait(self, tasks: Sequence[T], found: dict[int, R]) -> None:
        """Wait until somebody has done something, died, or taken too long."""
        poll = select.poll()
        busy = {w.results: w for w in self._workers if w.at is not None}
        for descriptor in busy:
            poll.register(descriptor, select.POLLIN)
        soonest = min(worker.until for worker in busy.values())
        left = max(soonest - time.monotonic(), 0)
        for descriptor, _ in poll.poll(left * 1000 + 1):
            self._receive(busy[descriptor], tasks, found)
        now = time.monotonic()
        for worker in busy.values():
            if worker.at is not None and worker.until <= now:
                task = tasks[worker.at]
                said = f"it took more than {self._patience:g} s, and was given up"
                found[worker.at] = self._lost(task, said)
                self._forget(worker)

    def _receive(
        self, worker: _Worker, tasks: Sequence[T], found: dict[int, R]
    ) -> None:
        piece = os.read(worker.results, _PIECE)
        if not piece:
            if worker.at is not None:
                number, worker.at = worker.at, None
                found[number] = self._lost(tasks[number], self._forget(worker))
            return
        worker.received += piece
        if worker.at is None or (content := worker.result()) is None:
            return
        # What comes is from this very program.
        found[worker.at] = pickle.loads(content)  # noqa: S301
        worker.at = None
        worker.done += 1
        if worker.done >= _TASKS:
            self._forget(worker)

    def _start(self, tasks: Sequence[T]) -> _Worker | None:
        made: list[int] = []
        try:
            made += os.pipe()
            made += os.pipe()
            pid = os.fork()
        except OSError:
            for descriptor in made:
                os.close(descriptor)
            return None
        asked, asking, answers, answering = made
        if not pid:  # pragma: no cover - the copy ends with os._exit, unmeasured
            _serve(self._function, tasks, asked, answering)
        os.close(asked)
        os.close(answering)
        worker = _Worker(pid, asking, answers)
        self._workers.append(worker)
        return worker

    def _forget(self, worker: _Worker) -> str:
        """End a worker, if it has not ended; say how it did."""
        self._workers.remove(worker)
        os.close(worker.tasks)
        os.close(worker.results)
        # One that has ended stays killed by what killed it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        status = _ended(worker.pid)
        if status is None:
            return "the process that read it cannot be ended, and was left behind"
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            return f"the process that read it was killed ({name})"
        return "the process that read it ended without an answer"

    def _end(self) -> None:
        for worker in tuple(self._workers):
            self._forget(worker)


def _ended(pid: int) -> int | None:
    """Wait a moment for a process that was killed; whoever waits for a disk, cannot."""
    until = time.monotonic() + _LEAVING
    try:
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status
            if time.monotonic() > until:
                return None
            time.sleep(0.001)
    except ChildProcessError:
        return 0


def _serve(  # pragma: no cover - the copy ends with os._exit, unmeasured
    function: Callable[[T], object], tasks: Sequence[T], asked: int, answering: int
) -> None:
    """Do tasks until nobody asks any more; never return."""
    code = 1
    try:
        # Ctrl-C is the asking process's, which ends this one.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        let_go({asked, answering})
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError, ValueError):
            _, most = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, most))
        # A short run does without; what many hosts leave has to be collected.
        gc.freeze()
        gc.enable()
        while request := os.read(asked, _NUMBER.size):
            content = pickle.dumps(function(tasks[_NUMBER.unpack(request)[0]]))
            content = _NUMBER.pack(len(content)) + content
            while content:
                content = content[os.write(answering, content) :]
        code = 0
    finally:
        os._exit(code)
