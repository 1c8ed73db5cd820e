"""The kernel's events: what is heard of them, and what makes one burst."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

import pytest
from happening import event
from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.model.events import Action, Burst, Event
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.events.bursts import MOST, QUIET, Sign, bursts
from iommu_inspect.sources.events.monitor import Monitor, heard_of

NIC = "/devices/pci0000:00/0000:00:1c.0/0000:03:00.0"
ONE = event("bind", "pci_03_00_0", "e1000e")


class Script:
    """Hears what a script says, at its moments; time goes on only while it waits."""

    def __init__(self, said: Sequence[tuple[float, Event | Sign]]) -> None:
        self.now = 0.0
        self._said = sorted(said, key=lambda each: each[0])
        self.waits: list[float | None] = []

    def hear(self, seconds: float | None) -> Event | Sign | None:
        self.waits.append(seconds)
        if not self._said:
            return Sign.ENDED
        at, what = self._said[0]
        if seconds is not None and at > self.now + seconds:
            self.now += seconds
            return None
        self.now = max(self.now, at)
        self._said.pop(0)
        return what

    def bursts(self) -> Iterator[Burst]:
        return bursts(self, lambda: self.now)


def test_events_soon_after_one_another_are_one_burst() -> None:
    script = Script([(1, ONE), (1 + QUIET / 2, ONE), (2, ONE)])
    assert [len(burst.events) for burst in script.bursts()] == [2, 1]


def test_a_burst_that_does_not_end_is_told_in_parts() -> None:
    """Who waits for quiet on a busy host would never tell anything."""
    script = Script([(number * QUIET / 2, ONE) for number in range(100)])
    sizes = []
    for burst in script.bursts():
        sizes.append(len(burst.events))
        assert script.now <= sum(sizes) * QUIET / 2 + MOST
    assert sum(sizes) == 100
    assert len(sizes) > 5


def test_where_reading_takes_long_bursts_are_longer_but_not_without_end() -> None:
    script = Script([(number / 100, ONE) for number in range(400)])
    sizes = []
    for burst in script.bursts():
        sizes.append(len(burst.events))
        script.now += 3  # what was heard meanwhile waits
    assert sum(sizes) == 400
    assert len(sizes) <= 4
    script = Script([(number / 100, ONE) for number in range(400)])
    slow = []
    for burst in script.bursts():
        slow.append(len(burst.events))
        script.now += 0.4
    assert slow[0] < max(slow) < 400


def test_between_bursts_it_waits_without_a_bound() -> None:
    """That is what ten idle minutes cost: nothing."""
    script = Script([(600, ONE)])
    assert [len(burst.events) for burst in script.bursts()] == [1]
    assert script.waits[0] is None


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3, allow_nan=False),
            st.sampled_from([ONE, Sign.MOVED, Sign.LOST, Sign.SLEPT]),
        )
    )
)
def test_nothing_that_is_heard_is_dropped(
    said: list[tuple[float, Event | Sign]],
) -> None:
    numbered = [
        (at, what if isinstance(what, Sign) else event("bind", "pci_03_00_0", str(n)))
        for n, (at, what) in enumerate(sorted(said, key=lambda each: each[0]))
    ]
    found = list(Script(numbered).bursts())
    told = [each for burst in found for each in burst.events]
    assert told == [what for _, what in numbered if isinstance(what, Event)]
    for sign, is_so in (
        (Sign.MOVED, any(b.moved for b in found)),
        (Sign.LOST, any(b.lost for b in found)),
        (Sign.SLEPT, any(b.slept for b in found)),
    ):
        assert is_so == (sign in [what for _, what in numbered])


def test_what_was_heard_before_the_end_is_told() -> None:
    script = Script([(1, ONE), (1, Sign.ENDED), (1, ONE)])
    assert [len(burst.events) for burst in script.bursts()] == [1]


@pytest.mark.parametrize("sign", [Sign.MOVED, Sign.LOST, Sign.SLEPT])
def test_only_events_of_devices_tell_what_is_to_be_read(sign: Sign) -> None:
    (burst,) = Script([(1, ONE), (1, sign)]).bursts()
    assert not burst.by_events
    (burst,) = Script([(1, ONE)]).bursts()
    assert burst.by_events


def test_an_event_names_the_device_its_place_and_driver() -> None:
    before = time.time()
    heard = heard_of("bind", "pci", NIC, "vfio-pci")
    assert isinstance(heard, Event)
    assert heard.device == DeviceId("0000:03:00.0", "pci")
    assert (heard.action, heard.driver) == (Action.BIND, "vfio-pci")
    assert heard.path == f"sys{NIC}"
    assert before <= heard.at <= time.time()


@pytest.mark.parametrize(
    ("action", "subsystem", "path"),
    [
        ("change", "pci", NIC),
        ("add", "net", f"{NIC}/net/eth0"),
        ("add", "misc", "/devices/virtual/misc/kvm"),
        ("add", None, NIC),
    ],
)
def test_what_ownership_does_not_hang_on_is_not_heard(
    action: str, subsystem: str | None, path: str
) -> None:
    assert heard_of(action, subsystem, path, None) is None


@pytest.mark.parametrize(
    ("subsystem", "path"),
    [
        ("module", "/module/vfio_iommu_type1"),
        ("misc", "/devices/virtual/misc/iommu"),
        ("iommu", "/devices/virtual/iommu/dmar1"),
    ],
)
def test_what_is_no_device_has_all_read_anew(subsystem: str, path: str) -> None:
    assert heard_of("add", subsystem, path, None) is Sign.MOVED


@pytest.mark.parametrize("action", list(Action))
def test_what_somebody_asked_for_did_not_happen(action: Action) -> None:
    """``udevadm trigger --action=add`` sends an event of every device."""
    assert heard_of(action.value, "pci", NIC, None, synthetic=True) is None


def test_to_wait_for_events_costs_nothing() -> None:
    """It listens to this host's kernel, which may tell of something meanwhile."""
    monitor = Monitor()
    began = time.process_time()
    heard = monitor.hear(0.5)
    assert time.process_time() - began < 0.25
    assert heard is None or isinstance(heard, Event) or heard is Sign.MOVED


def test_it_ends_when_nobody_reads_any_more() -> None:
    reading, writing = os.pipe()
    monitor = Monitor(writing)
    os.close(reading)
    assert monitor.hear(None) is Sign.ENDED
    os.close(writing)


class Failing:
    """In place of udev's monitor, as pyudev's is once the socket has overflowed.

    It polls the socket, sees an error and raises, each time: seen in a guest of the
    lab (``python -m lab watch``).
    """

    def __init__(self, socket: int) -> None:
        self._socket = socket

    def fileno(self) -> int:
        return self._socket

    def poll(self, _seconds: float) -> None:
        raise OSError("Error while polling fd: 3")


def spoil(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    socket = vars(monitor)["_monitor"].fileno()
    monkeypatch.setattr(monitor, "_monitor", Failing(socket))


def test_an_overflow_is_said_and_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor()
    old = vars(monitor)["_monitor"]
    spoil(monitor, monkeypatch)
    assert monitor.hear(0.0) is Sign.LOST
    assert vars(monitor)["_monitor"].fileno() != old.fileno()
    assert monitor.hear(0.0) is not Sign.LOST


def test_a_socket_that_fails_on_and_on_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monitor = Monitor()

    def fail_on() -> None:
        for _ in range(1000):
            spoil(monitor, monkeypatch)
            assert monitor.hear(0.0) is Sign.LOST

    with pytest.raises(SourceError, match="cannot be heard any more"):
        fail_on()


def test_a_suspended_host_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clocks part then: one of them stands still."""
    monitor = Monitor()
    clock = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + 3600)
    assert monitor.hear(0.0) is Sign.SLEPT
    assert monitor.hear(0.0) is None


def test_without_udev_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyudev

    def refuse() -> None:
        raise ImportError("No library named udev")

    monkeypatch.setattr(pyudev, "Context", refuse)
    with pytest.raises(SourceError, match="libudev"):
        Monitor()


class Giving:
    """In place of udev's monitor: devices that wait to be heard."""

    def __init__(self, *devices: object) -> None:
        self._devices = list(devices)

    def poll(self, _seconds: float) -> object:
        return self._devices.pop(0) if self._devices else None


class Said:
    """A device as pyudev makes it of a message of the kernel's."""

    action, subsystem, device_path = "unbind", "pci", NIC

    def __init__(self, **properties: str) -> None:
        self.properties = properties


class Garbled(Said):
    """One whose name is no text."""

    @property
    def subsystem(self) -> str:  # type: ignore[override]
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def test_what_waits_is_heard_in_order_and_the_rest_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = Giving(Said(SYNTH_UUID="0"), Said(DRIVER="vfio-pci"), Garbled(), Said())
    monitor = Monitor()
    monkeypatch.setattr(monitor, "_monitor", waiting)
    first, garbled, last = (monitor.hear(0.0) for _ in range(3))
    assert isinstance(first, Event) and isinstance(last, Event)
    assert (first.action, first.driver) == (Action.UNBIND, "vfio-pci")
    assert garbled is Sign.MOVED
    assert last.driver is None


def test_a_device_that_udev_shows_without_an_event_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As udev's own objects are: those of a listing have no action."""
    import pyudev

    devices = list(pyudev.Context().list_devices(subsystem="pci"))[:3]
    monitor = Monitor()
    monkeypatch.setattr(monitor, "_monitor", Giving(*devices))
    assert monitor.hear(0.0) is None
