"""A host whose devices change hands while it is read is never one that never was."""

from __future__ import annotations

from collections.abc import Container, Iterable

import pytest
from examples import each
from shared import SYSFS
from snapshots import opened, snapshot

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.sysfs import settled
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.tree import Kind

ONE, TWO = "0000:00:03.0", "0000:00:03.1"
USER, SOUND, HOST = "vfio-pci", "snd_hda_intel", "nvidia"
# One of the two functions is always the host's: no moment has both on vfio-pci.
BEFORE, AFTER = {ONE: USER, TWO: SOUND}, {ONE: HOST, TWO: USER}
EVENTS = "sys/kernel/uevent_seqnum"


class Moving(DirTree):
    """A live host whose devices change hands before some looks at one of them."""

    def __init__(self, moments: Container[int], *, tells: bool = True) -> None:
        super().__init__(str(SYSFS / "half-a-group"), "a host", live=True)
        self._moments = moments
        self._tells = tells
        self._here, self._there = BEFORE, AFTER
        self.looks = self.moved = 0

    def _look(self, path: str) -> None:
        if ONE not in path and TWO not in path:
            return
        self.looks += 1
        if self.looks in self._moments:
            self._here, self._there = self._there, self._here
            self.moved += 1

    def _kind(self, path: str) -> Fact[Kind]:
        self._look(path)
        return Kind.FILE if path == EVENTS else super()._kind(path)

    def _link(self, path: str) -> Fact[str]:
        self._look(path)
        folder, _, name = path.rpartition("/")
        driver = self._here.get(folder.rpartition("/")[2])
        if name == "driver" and driver is not None:
            return f"/sys/bus/pci/drivers/{driver}"
        return super()._link(path)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        if path == EVENTS:
            return b"%d\n" % self.moved if self._tells else Missing.ABSENT
        return super()._content(path, limit)


def drivers(machine: Machine) -> dict[str, Fact[str | None]]:
    return {d.address: d.driver for d in machine.devices if d.address in (ONE, TWO)}


def quiet(*, tells: bool = True) -> tuple[Machine, int]:
    host = Moving((), tells=tells)
    return read_source(host), host.looks


@each("tells", [True, False])
def test_a_change_of_hands_at_any_moment_is_seen_whole_or_not_at_all(
    tells: bool,
) -> None:
    machine, looks = quiet(tells=tells)
    assert drivers(machine) == BEFORE
    for moment in range(1, looks + 1, 5):
        machine = read_source(Moving({moment}, tells=tells))
        assert drivers(machine) in (BEFORE, AFTER), moment
        assert machine.notes == ()


def test_what_the_files_alone_say_is_a_host_that_never_was() -> None:
    """The reason for looking twice: each is read at another moment."""
    _, looks = quiet()
    found = [drivers(read_machine(Moving({moment}))) for moment in range(1, looks, 4)]
    assert any(seen not in (BEFORE, AFTER) for seen in found)


@each("pause", [20, 40, 90])
def test_where_hands_never_stop_changing_it_cannot_be_told(pause: int) -> None:
    """What still moves has no driver that is known."""
    untold = 0
    for start in range(1, pause, 13):
        machine = read_source(Moving(range(start, 1_000_000, pause)))
        found = drivers(machine)
        if found not in (BEFORE, AFTER):
            assert Missing.UNREADABLE in found.values()
            (note,) = machine.notes
            assert "came and went" in note
            untold += 1
    assert untold or pause > 50


def test_a_snapshot_is_of_one_moment() -> None:
    _, looks = quiet()
    for moment in range(1, looks, 17):
        machine = read_machine(opened(snapshot(Moving({moment}), "none")))
        assert drivers(machine) in (BEFORE, AFTER), moment


def test_a_quiet_host_is_read_once() -> None:
    _, once = quiet()
    _, often = quiet(tells=False)
    assert once < 0.7 * often


class Unplugged(DirTree):
    """A live host that lacks one member of a group while its devices are read."""

    def __init__(self, gone: str) -> None:
        super().__init__(str(SYSFS / "half-a-group"), "a host", live=True)
        self._gone = gone
        self._events = 0
        self.reading = False

    def _names(self, path: str) -> Fact[Iterable[str]]:
        names = super()._names(path)
        if not self.reading or not known(names):
            return names
        return tuple(name for name in names if name != self._gone)

    def _kind(self, path: str) -> Fact[Kind]:
        return Kind.FILE if path == EVENTS else super()._kind(path)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        if path == EVENTS:
            self._events += 1
            return b"%d\n" % self._events
        return super()._content(path, limit)


def test_a_device_that_is_missing_from_the_reading_alone_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was unplugged behind the first look, and is there again at the second."""
    host = Unplugged(TWO)

    def between(tree: Unplugged, **options: bool) -> Machine:
        tree.reading = True
        machine = read_machine(tree, **options)
        tree.reading = False
        return machine

    monkeypatch.setattr(settled, "read_machine", between)
    machine = settled.read_settled(host)
    (group,) = [g for g in machine.groups if ONE in {d.address for d in g.devices}]
    assert TWO not in {device.address for device in group.devices}
    assert not group.whole
    assert machine.notes != ()
