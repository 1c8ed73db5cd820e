"""Boots machines, walks through their states, and compares the tool at each."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from iommu_inspect.kernel.semantics import applicable
from iommu_inspect.kernel.simulate import HOST_CRASH, Simulation, simulate
from iommu_inspect.kernel.steps import Step, parse_step
from iommu_inspect.model.machine import Held, Machine
from iommu_inspect.sources.sysfs import read_machine
from iommu_inspect.sources.tree import open_path
from lab.compare import Comparison, compare_simulation, compare_state, compare_user
from lab.errors import LabError
from lab.guest import Guest, GuestCrash, GuestError, boot
from lab.kernels import Image
from lab.machines import Machine as Hardware
from lab.steps import answer_of, whatif_steps
from lab.truth import Truth, ask

__all__ = ["Record", "run_all", "run_machine"]


@dataclass(frozen=True)
class Record:
    """One compared answer, and where it was asked."""

    machine: str
    kernel: str
    release: str
    state: int
    operation: str
    target: str
    expected: str
    got: str
    because: str
    outcome: str

    def document(self) -> dict[str, object]:
        """Return the record for a line of JSON."""
        return asdict(self)


def read(capture: bytes) -> Machine:
    """Read a capture as the tool does."""
    return read_machine(open_path("-", io.BytesIO(capture)))


class _Walk:
    """One booted guest on its way through the states of its machine."""

    def __init__(self, hardware: Hardware, image: Image, guest: Guest) -> None:
        self.hardware = hardware
        self.image = image
        self.guest = guest
        self.state = 0
        self._held: dict[frozenset[str], Held] = {}

    def records(self, found: Iterable[Comparison]) -> Iterator[Record]:
        for item in found:
            yield Record(
                self.hardware.name,
                self.image.kernel.name,
                self.image.release,
                self.state,
                item.operation,
                item.target,
                item.expected,
                item.got,
                item.because,
                item.outcome,
            )

    def look(self, *, as_user: bool) -> tuple[Machine, Truth, list[Record]]:
        """Capture and ask, and compare the two."""
        machine = self._with_held(read(self.guest.capture()))
        truth = ask(self.guest)
        found = list(self.records(compare_state(machine, truth)))
        if as_user:
            user = self._with_held(read(self.guest.capture(user=True)))
            found += self.records(compare_user(machine, user))
        return machine, truth, found

    def _with_held(self, machine: Machine) -> Machine:
        """Tell a machine that was read who holds its groups: sysfs does not."""
        groups = tuple(
            replace(group, held=self._held.get(_members(group.devices), Held.FREE))
            for group in machine.groups
        )
        return replace(machine, groups=groups)

    def remember(self, simulation: Simulation) -> None:
        """Keep who holds which group, for the next look."""
        self._held = {
            _members(group.devices): group.held
            for group in simulation.after.groups
            if group.held is not Held.FREE
        }

    def take(self, machine: Machine, command: str) -> Iterator[Record]:
        """Run one command; compare the kernel's answer with that of whatif."""
        hardware, guest = self.hardware, self.guest
        steps = whatif_steps(hardware, command, guest.resolve, guest)
        if steps is None:
            guest.do(command)
            return
        self._taken += [parse_step(step) for step in steps]
        predicted = self.simulation(machine).outcomes[-1]
        try:
            answer = guest.do(command)
        except GuestCrash:
            yield from self._step(command, HOST_CRASH, predicted.answer.result, "")
            raise
        expected = answer_of(command, answer)
        if expected is not None:
            because = predicted.answer.because
            yield from self._step(command, expected, predicted.answer.result, because)

    _taken: list[Step]

    def begin(self) -> None:
        """Forget the steps that were taken so far."""
        self._taken = []

    def simulation(self, machine: Machine) -> Simulation:
        """Return where the steps taken since ``begin`` lead."""
        return simulate(machine, applicable(machine.kernel), self._taken)

    def _step(
        self, command: str, expected: str, got: str, because: str
    ) -> Iterator[Record]:
        verb = command.partition(" ")[0]
        comparison = Comparison(f"whatif {verb}", command, expected, got, because)
        yield from self.records([comparison])


def _members(devices: Iterable[object]) -> frozenset[str]:
    return frozenset(str(getattr(device, "address", "")) for device in devices)


def run_machine(
    hardware: Hardware, image: Image, say: Callable[[str], None]
) -> list[Record]:
    """Boot a machine, take it through its states, compare at each.

    Raises:
        LabError: the guest hangs, or crashes where no step says that it may.
    """
    started = time.monotonic()
    found: list[Record] = []
    with boot(hardware, image) as guest:
        walk = _Walk(hardware, image, guest)
        machine: Machine | None = None
        for number, commands in enumerate(hardware.states):
            walk.state = number
            walk.begin()
            try:
                for command in commands:
                    if machine is None:
                        guest.do(command)
                    else:
                        found += walk.take(machine, command)
            except GuestCrash as crash:
                if found and found[-1].expected == HOST_CRASH:
                    break
                raise LabError(
                    f"{hardware.name} crashed: {crash.log[-500:]}"
                ) from crash
            if machine is not None:
                simulation = walk.simulation(_with_drivers(walk, machine))
                walk.remember(simulation)
                machine, truth, records = walk.look(as_user=number == 1)
                semantics = applicable(machine.kernel)
                found += walk.records(compare_simulation(simulation, semantics, truth))
            else:
                machine, truth, records = walk.look(as_user=False)
            found += records
    seconds = time.monotonic() - started
    counts = {
        o: sum(r.outcome == o for r in found) for o in ("right", "wrong", "unknown")
    }
    say(
        f"{hardware.name:24} {image.kernel.name:12} {seconds:4.0f} s  "
        f"{counts['right']:4} right {counts['wrong']:2} wrong "
        f"{counts['unknown']:2} unknown"
    )
    return found


def _with_drivers(walk: _Walk, machine: Machine) -> Machine:
    """A newcomer's driver binds by itself: tell whatif which one it was."""
    steps = []
    for step in walk._taken:
        if step.verb == "hotplug":
            port = step.subject
            below = walk.guest.command(
                f"shell ls -d /sys/bus/pci/devices/{port}/0000:*/driver"
            )
            links = [line for line in below.lines if line.startswith("/sys")]
            if links:
                real = walk.guest.command(f"shell readlink {links[-1]}").lines
                driver = real[0].rpartition("/")[2] if real else ""
                if driver:
                    step = parse_step(f"hotplug={port},0200,{driver}")
        steps.append(step)
    walk._taken = steps
    return machine


def run_all(
    pairs: Sequence[tuple[Hardware, Image]],
    say: Callable[[str], None],
    keep: Callable[[Record], None],
    jobs: int = 2,
) -> int:
    """Run every pair, a few at a time; return how many could not be run."""

    def one(pair: tuple[Hardware, Image]) -> tuple[str, list[Record] | LabError]:
        hardware, image = pair
        name = f"{hardware.name} {image.kernel.name}"
        try:
            return name, run_machine(hardware, image, say)
        except GuestError as error:
            return name, LabError(f"{error}: {error.log[-300:]}")
        except LabError as error:
            return name, error

    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for name, outcome in pool.map(one, pairs):
            if isinstance(outcome, LabError):
                failed += 1
                say(f"FAILED {name}: {outcome}")
                continue
            for record in outcome:
                keep(record)
                if record.outcome == "wrong":
                    say(
                        f"WRONG {name} state {record.state}: {record.operation} "
                        f"{record.target}: the kernel says {record.expected}, the "
                        f"tool {record.got} ({record.because})"
                    )
    return failed
