"""Moves a guest's devices while the tool runs in it, live, and writes down both.

First a tour, in a quiet guest: to each state once, where the tool makes a snapshot of
it. Then the walk: a random operation of the kernel after the other, while the tool is
asked all it can be asked (see ``churn_tool``).
"""

from __future__ import annotations

import json
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab.cache import REPOSITORY
from lab.churn_record import Churned, Power, Run, read_runs
from lab.churn_states import Churn, Edge, State
from lab.churn_tool import load_all_modules
from lab.errors import LabError
from lab.guest import Guest, boot
from lab.host import mount_host, mount_share, shell, with_host, with_share
from lab.kernels.known import Image

__all__ = ["PURPOSES", "questions", "run_churn"]

PURPOSES = ("vfio", "dpdk", "attach", "one-per-group")
# A run that takes so many times as long as the longest in the quiet guest hangs; a
# host that is busy with something else makes none of them so slow.
_TIMES, _LEAST_BOUND = 20, 240.0
_IDLE_SECONDS = 300.0
_IMPORT_SECONDS = 600.0
_STEP_SECONDS = 90.0
_PAUSES = (0.0, 0.0, 0.2, 1.0)
# The kernel lets a device sleep a while after it was last used.
_TO_SLEEP = 6.0
# The kernel does not trust QEMU's ports to sleep.
_ARGUMENTS = "pcie_port_pm=force"
_BOOTS = 4


def questions(targets: Mapping[str, str]) -> list[list[str]]:
    """Return all that the tool is asked, of the host and of devices by address."""
    found = [["list"], ["predict"], ["audit"], ["audit", "--summary"]]
    found += [[word, "--format", "json"] for word in ("list", "predict")]
    found += [["audit", "--for", why, "--format", "json"] for why in PURPOSES]
    for address in targets.values():
        found += [[word, address] for word in ("audit", "why", "plan")]
        found += [["plan", address, "--format", "shell"]]
        found += [["why", address, "--format", "json"]]
        for word in ("audit", "plan"):
            found += [
                [word, address, "--for", why, "--format", "json"] for why in PURPOSES
            ]
    return found


def run_churn(
    churn: Churn, image: Image, say: Callable[[str], None], minutes: float, seed: int
) -> Churned:
    """Boot, tour, walk for ``minutes``; return all that was seen.

    Raises:
        LabError: the guest hangs or dies, or does not go where it is sent.
    """
    with tempfile.TemporaryDirectory(prefix="lab-churn-") as name:
        folder = Path(name)
        machine = replace(
            churn.machine,
            kernel_arguments=f"{churn.machine.kernel_arguments} {_ARGUMENTS}".strip(),
        )
        whole = with_share(with_host(machine), folder)
        with boot(whole, image, say, times=_BOOTS) as guest:
            mount_host(guest)
            mount_share(guest)
            return _Going(churn, image, guest, folder, say, seed).go(minutes)


class _Going:
    """One boot on its way through the states."""

    def __init__(
        self,
        churn: Churn,
        image: Image,
        guest: Guest,
        folder: Path,
        say: Callable[[str], None],
        seed: int,
    ) -> None:
        self._churn, self._guest, self._folder = churn, guest, folder
        self._say = say
        self._rng = random.Random(f"churn {seed}")
        self._numbers = {state: number for number, state in enumerate(churn.states())}
        self._edges = churn.edges()
        self._now = churn.home
        self._targets: dict[str, str] = {}
        self._churned = Churned(
            machine=churn.machine.name,
            kernel=image.kernel.name,
            release=image.release,
            seed=seed,
            minutes=0,
            bound=_LEAST_BOUND,
            quiet=self._numbers[churn.asleep],
            states=[
                " ".join(
                    f"{thing.device}={position}"
                    for thing, position in zip(churn.things, state, strict=True)
                )
                for state in self._numbers
            ],
        )

    def go(self, minutes: float) -> Churned:
        """Do all of it."""
        churned = self._churned
        for thing in self._churn.things:
            for go in thing.goes:
                if go.command.startswith("sriov "):
                    self._guest.do(f"autoprobe {thing.device} 0")
        self._start_asking()
        churned.snapshots = self._tour()
        asked = questions(self._targets)
        self._say(f"{len(churned.states)} states, {len(asked)} questions")
        # Of all targets one is enough where nothing moves.
        self._go_to(self._churn.asleep)
        self._see_nothing_wake(questions({"": self._targets[self._churn.sleeper]}))
        slowest = max(run.seconds for run in churned.idle)
        churned.bound = max(_LEAST_BOUND, _TIMES * slowest)
        self._say(
            f"{len(churned.idle)} runs in the quiet guest, the slowest "
            f"{slowest:.1f} s; a run hangs after {churned.bound:.0f} s"
        )
        self._walk(asked, minutes)
        churned.minutes = minutes
        churned.log = self._guest.log()
        return churned

    def _tour(self) -> list[bytes]:
        """Go to every state and let the tool write down what it sees there."""
        snapshots = dict[State, bytes]()
        while missing := [state for state in self._numbers if state not in snapshots]:
            if self._now in snapshots:
                self._go_to(min(missing, key=lambda state: len(self._way(state))))
            self._guest.command("settle")
            self._learn()
            snapshots[self._now] = self._snapshot()
            if len(snapshots) % 8 == 0:
                self._say(f"{len(snapshots)} of {len(self._numbers)} states seen")
        return [snapshots[state] for state in self._numbers]

    def _learn(self) -> None:
        """Note the addresses of devices that are there now."""
        places = self._guest.addresses()
        for name in self._churn.targets:
            card, _, function = name.partition("/")
            if name in self._targets or card not in places:
                continue
            if function and not self._there(f"{places[card]}/virtfn{function}"):
                continue
            self._targets[name] = self._guest.resolve(name)

    def _there(self, below: str) -> bool:
        path = f"/sys/bus/pci/devices/{below}"
        return not self._guest.command(f"shell [ -e {path} ]").status

    def _snapshot(self) -> bytes:
        path = f"/mnt/state-{self._numbers[self._now]}"
        words = ["snapshot", "--redact", "none", path]
        (run,) = self._ask_all(Path(path).name + ".run", [words])
        written = self._folder / Path(path).name
        if not written.is_file():
            raise LabError(f"the tool makes no snapshot in the guest: {run.err[-500:]}")
        return written.read_bytes()

    def _way(self, goal: State) -> list[Edge]:
        """Return the shortest way from here."""
        ways: dict[State, list[Edge]] = {self._now: []}
        for state in (pending := [self._now]):
            for edge in self._edges[state]:
                if edge.after not in ways:
                    ways[edge.after] = [*ways[state], edge]
                    pending.append(edge.after)
        return ways[goal]

    def _go_to(self, goal: State) -> None:
        for edge in self._way(goal):
            self._take(edge)

    def _take(self, edge: Edge) -> None:
        """Take one operation, between two lines of the journal.

        Raises:
            LabError: the kernel refuses it.
        """
        number = self._numbers[edge.after]
        via = ",".join(str(self._numbers[state]) for state in (edge.before, *edge.via))
        verb, *words = edge.command.split()
        if verb in ("plug", "unplug"):
            self._plug(verb, words[0], number, via)
        else:
            text = " ".join([verb, *(self._targets.get(w, w) for w in words)])
            answer = self._guest.do(f"step {number} {via} {text}", _STEP_SECONDS)
            results = {fact.get("ret") for fact in answer.facts()}
            if results != {"0"}:
                said = " ".join(answer.lines)[-300:]
                raise LabError(f"the guest does not take '{edge.command}': {said}")
        self._now = edge.after

    def _plug(self, verb: str, name: str, number: int, via: str) -> None:
        guest = self._guest
        guest.command(f"journal to {number} {via}")
        guest.do(f"{verb} {name}")
        done = f"[ ! -e $pci/devices/{self._targets.get(name)} ]"
        if verb == "plug":
            done = f"[ -e $pci/devices/{guest.address(name)}/driver ]"
        deadline = time.monotonic() + _STEP_SECONDS
        while guest.command(f"shell {done}").status:
            if time.monotonic() > deadline:
                raise LabError(f"the guest does not {verb} {name}")
            time.sleep(0.5)
        guest.command(f"journal at {number}")

    def _walk(self, asked: list[list[str]], minutes: float) -> None:
        """Move at random while the tool is asked."""
        shell(self._guest, "rm -f $journal")
        self._guest.command(f"journal at {self._numbers[self._now]}")
        started = said = time.monotonic()
        with self._asking("runs", asked, once=False, seconds=self._churned.bound):
            while time.monotonic() < started + 60 * minutes:
                edges = self._edges[self._now]
                self._take(self._rng.choice(edges))
                time.sleep(self._rng.choice(_PAUSES))
                if time.monotonic() > said + 60:
                    said = time.monotonic()
                    self._say(f"{(said - started) / 60:.0f} of {minutes:g} minutes")
        self._churned.journal = list(self._guest.command("shell cat $journal").lines)
        self._churned.runs = self._read("runs")

    def _start_asking(self) -> None:
        """Start what runs the tool; its imports take a while."""
        load_all_modules()  # what is compiled here need not be compiled there
        words = _tool("lab.churn_tool", "/mnt")
        shell(self._guest, f"{words} < /dev/null > /tmp/asking 2>&1 3>&- &")
        self._wait_for(self._folder / "ready", _IMPORT_SECONDS)

    def _ask_all(self, name: str, asked: list[list[str]]) -> list[Run]:
        """Ask every question once while nothing moves."""
        with self._asking(name, asked, once=True, seconds=_IDLE_SECONDS):
            pass
        return self._read(name)

    def _read(self, name: str) -> list[Run]:
        runs = list(read_runs((self._folder / name).read_text()))
        if not runs:
            raise LabError(f"the tool does not run: {self._said()}")
        return runs

    @contextmanager
    def _asking(
        self, name: str, asked: list[list[str]], *, once: bool, seconds: float
    ) -> Iterator[None]:
        """Let the tool be asked while the block runs, and until it is done with it."""
        wanted = {
            "asked": asked,
            "file": name,
            "once": once,
            "seconds": seconds,
            "seed": self._churned.seed,
        }
        draft = self._folder / "request.new"
        draft.write_text(json.dumps(wanted))
        draft.rename(self._folder / "request.json")
        yield
        if not once:
            shell(self._guest, "touch /host/tmp/churn/stop")
        most = len(asked) if once else 2
        self._wait_for(self._folder / f"{name}.done", most * seconds)

    def _wait_for(self, path: Path, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not path.exists():
            if time.monotonic() > deadline:
                raise LabError(f"nobody asks the tool any more: {self._said()}")
            time.sleep(1)
            self._guest.alive()

    def _said(self) -> str:
        return " ".join(self._guest.command("show /tmp/asking").lines)[-500:]

    def _see_nothing_wake(self, asked: list[list[str]]) -> None:
        """Let all devices sleep that the kernel lets, and ask the tool about them."""
        self._let_sleep("auto")
        time.sleep(_TO_SLEEP)
        before = self._guest.command("power").lines
        self._churned.idle = self._ask_all("idle", asked)
        after = self._guest.command("power").lines
        self._churned.power = Power(before, after)
        self._let_sleep("on")

    def _let_sleep(self, word: str) -> None:
        files = "$pci/devices/*/power/control"
        shell(self._guest, f"for file in {files}; do echo {word} > $file; done")


def _tool(*words: str) -> str:
    """Return a line of the guest's shell that runs a module of Python there."""
    inner = f"cd {shlex.quote(str(REPOSITORY))} && exec {sys.executable} -m "
    inner += shlex.join(words)
    return (
        "env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 "
        f"chroot /host /bin/sh -c {shlex.quote(inner)}"
    )
