"""Runs ``iommu-inspect watch`` in a guest while its devices come, go and change hands.

Each line is written down with the guest's clock as soon as it is printed.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lab.cache import REPOSITORY
from lab.errors import LabError
from lab.guest import Guest, boot
from lab.host import SECONDS, mount_host, shell, with_host
from lab.kernels.known import Image
from lab.watch_moves import Move, Watch

__all__ = ["IDLE_SECONDS", "Line", "Made", "Watched", "run_watch"]

IDLE_SECONDS = 30.0
_PATIENCE = 20
_TICKS = 100  # USER_HZ
_BOOTS = 4
_EVENTS = '"event": "\\(bind\\|unbind\\|add\\|remove\\)"'
_USER = "/usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups "
# What a plain user's socket has no room for (net.core.rmem_default is 208 KiB).
_FLOOD = 3000
_ADDRESS = re.compile(r"@([a-z0-9/]+)@")
# awk reads what is there and writes it down with the clock, a line at a time.
_CLOCK = (
    '{ getline up < "/proc/uptime"; close("/proc/uptime"); split(up, w, " "); '
    "print w[1], $0; fflush() }"
)


@dataclass(frozen=True)
class Line:
    """What was printed, and when, in seconds since the guest booted."""

    at: float
    said: dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A move, when it began and was done, what was printed, and where devices were."""

    move: Move
    began: float
    done: float
    lines: tuple[Line, ...]
    addresses: dict[str, str]


@dataclass(frozen=True)
class Watched:
    """All of one boot. ``idle`` are seconds of the processor in ``IDLE_SECONDS``.

    ``errors`` is what the tool said beside its lines. ``overflow`` is what it said as a
    plain user's process after more events than there is room for.
    """

    machine: str
    kernel: str
    begun: dict[str, Any]
    made: tuple[Made, ...]
    idle: float
    code: str
    errors: str
    overflow: tuple[Line, ...] = ()


def run_watch(watch: Watch, image: Image, say: Callable[[str], None]) -> Watched:
    """Boot, start the tool, make the moves; return what it said.

    Raises:
        LabError: the tool does not run in the guest.
    """
    with boot(with_host(watch.machine), image, say, times=_BOOTS) as guest:
        mount_host(guest)
        return _Going(watch, image, guest).go()


class _Going:
    """One boot, and where its devices are."""

    def __init__(self, watch: Watch, image: Image, guest: Guest) -> None:
        self._watch, self._image, self._guest = watch, image, guest
        self._addresses: dict[str, str] = {}
        self._seen = 0

    def go(self) -> Watched:
        """Make all moves, then let the guest be."""
        pid = self._start()
        (begun,) = self._lines()
        made = [self._make(move) for move in self._watch.moves]
        idle = self._idle(pid)
        watched = Watched(
            self._watch.machine.name,
            self._image.kernel.name,
            begun.said,
            tuple(made),
            idle,
            self._stop(pid),
            " ".join(self._guest.command("show /tmp/watch.err").lines),
        )
        return replace(watched, overflow=self._overflow())

    def _overflow(self) -> tuple[Line, ...]:
        """Have more events than there is room for while the tool stands still."""
        shell(self._guest, "rm /tmp/watch.pipe")
        self._seen = 0
        pid = self._start(_USER)
        self._lines()
        nic = self._guest.resolve("nic")
        device = f"/sys/bus/pci/devices/{nic}"
        shell(
            self._guest,
            f"kill -STOP {pid}; n=0; while [ $n -lt {_FLOOD} ]; do n=$((n+1)); "
            f"echo change > {device}/uevent; done; "
            f"echo {nic} > {device}/driver/unbind; kill -CONT {pid}",
        )
        for _ in range(2 * _PATIENCE):
            if not self._guest.command("shell grep -q ownership /tmp/watch").status:
                break
            time.sleep(1)
        return tuple(self._lines())

    def _start(self, reader: str = "") -> str:
        words = [sys.executable, "-m", "iommu_inspect", "watch", "--format", "jsonl"]
        inner = f"cd {shlex.quote(str(REPOSITORY))} && exec {shlex.join(words)}"
        tool = (
            "env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "
            f"chroot /host {reader}/bin/sh -c {shlex.quote(inner)}"
        )
        shell(self._guest, "mkfifo /tmp/watch.pipe; : > /tmp/watch")
        awk = f"awk {shlex.quote(_CLOCK)} < /tmp/watch.pipe >> /tmp/watch"
        shell(self._guest, f"{awk} 2> /tmp/awk.err 3>&- &")
        # Its exit code is told by the shell that waits for it.
        script = (
            f"( {tool} < /dev/null > /tmp/watch.pipe 2> /tmp/watch.err & "
            "echo $! > /tmp/watch.pid; wait $!; echo $? > /tmp/watch.code ) "
            "> /dev/null 2>&1 3>&- &"
        )
        shell(self._guest, script)
        deadline = time.monotonic() + SECONDS
        while not self._guest.command("show /tmp/watch").lines:
            if time.monotonic() > deadline:
                said = " ".join(self._guest.command("show /tmp/watch.err").lines)
                raise LabError(f"watch does not run in the guest: {said[-500:]}")
            time.sleep(0.5)
        return self._guest.command("show /tmp/watch.pid").lines[0]

    def _make(self, move: Move) -> Made:
        self._learn(move)
        if move.script:
            began, done = self._timed(self._filled(move.script))
        else:
            began, _ = self._timed("true")
            if move.plug:
                self._guest.plug(move.plug)
            else:
                # It is watched from here on, for it goes seconds later.
                self._guest.remove_device(move.unplug)
            self._learn(move)
            wait = f"until {self._filled(move.done)}; do sleep 0.05; done"
            _, done = self._timed(wait)
        self._learn(move)
        self._wait(len(move.expected))
        return Made(move, began, done, tuple(self._lines()), dict(self._addresses))

    def _learn(self, move: Move) -> None:
        """Note where the devices of a move are, those that are there."""
        places = self._guest.addresses()
        names = {each.device for each in move.expected}
        names |= set(_ADDRESS.findall(f"{move.script} {move.done}"))
        names |= {name for side in move.conflict or () for name in side}
        for name in names:
            card, _, number = name.partition("/")
            if card not in places:
                continue
            path = f"/sys/bus/pci/devices/{places[card]}/virtfn{number}"
            if number and self._guest.command(f"shell [ -e {path} ]").status:
                continue
            self._addresses[name] = self._guest.resolve(name)

    def _filled(self, script: str) -> str:
        return _ADDRESS.sub(lambda found: self._addresses[found[1]], script)

    def _timed(self, script: str) -> tuple[float, float]:
        """Run a script in the guest; return its clock before and after it."""
        clock = "read now _ < /proc/uptime; echo $now"
        answer = self._guest.command(f"shell {clock}; {script}; {clock}", SECONDS)
        if answer.status or len(answer.lines) != 2:
            raise LabError(f"in the guest, {script}: {' '.join(answer.lines)[-500:]}")
        before, after = map(float, answer.lines)
        return before, after

    def _wait(self, events: int) -> None:
        """Wait until as many events are told, and what follows from them."""
        count = f"tail -n +{self._seen + 1} /tmp/watch | grep -c {shlex.quote(_EVENTS)}"
        for _ in range(_PATIENCE):
            found = self._guest.command(f"shell {count}").lines
            if found and int(found[0]) >= events:
                break
            time.sleep(0.5)
        # What is told beyond that is wrong, and is to be seen.
        shell(self._guest, "sleep 2")

    def _lines(self) -> list[Line]:
        text = self._guest.command(f"shell tail -n +{self._seen + 1} /tmp/watch", 120)
        self._seen += len(text.lines)
        return [
            Line(float(at), json.loads(said))
            for at, said in (line.split(" ", 1) for line in text.lines)
        ]

    def _idle(self, pid: str) -> float:
        """Return how long it is busy while nothing happens."""
        shell(self._guest, "sleep 3")
        before = self._used(pid)
        shell(self._guest, f"sleep {IDLE_SECONDS:g}")
        return self._used(pid) - before

    def _used(self, pid: str) -> float:
        (line,) = self._guest.command(f"show /proc/{pid}/stat").lines
        words = line.rpartition(")")[2].split()
        return sum(map(int, words[11:13])) / _TICKS

    def _stop(self, pid: str) -> str:
        """Send what Ctrl-C sends; return the exit code."""
        shell(self._guest, f"kill -INT {pid}; sleep 2")
        return " ".join(self._guest.command("show /tmp/watch.code").lines)
