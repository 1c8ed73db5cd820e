"""Listens to the kernel's events through udev's library.

The events are the kernel's own (netlink group 1), not those that udevd sends on: so it
works where no udevd runs, and is not later than that.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

from iommu_inspect.model.events import Action, Event
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.events.bursts import Sign
from iommu_inspect.sources.sysfs.listing import GROUPED_BUSES
from iommu_inspect.sources.udev import context

if TYPE_CHECKING:
    import pyudev

__all__ = ["Monitor", "heard_of"]

# Room for some ten thousand events.
_BUFFER = 16 << 20
_SMALLER = 1 << 20
# Buses whose devices have groups; those of mdev get theirs from VFIO.
_BUSES = (*GROUPED_BUSES, "mdev")
# What is read of a host may hang on beside devices: modules come with drivers and
# parameters, IOMMUs and iommufd's node. VFIO's own devices come and go with drivers.
_OTHERS = ("module", "iommu", "misc")
# A host that was suspended for less than this has hardly been so.
_ASLEEP = 1.0
_MOST_FAILURES = 100


class Monitor:
    """Hears the kernel's events from when it was made.

    Args:
        reader: The descriptor that is printed to, so that it is seen when nobody reads
            that any more; ``None`` for none.

    Raises:
        SourceError: There is no udev library, or the kernel lets nobody listen.
    """

    def __init__(self, reader: int | None = None) -> None:
        self._reader = reader
        self._poll = select.poll()
        if reader is not None:
            self._poll.register(reader, 0)
        self._monitor = _listening()
        self._poll.register(self._monitor.fileno(), select.POLLIN)
        self._asleep = _time_asleep()
        self._failures = 0

    def hear(self, seconds: float | None) -> Event | Sign | None:
        """Return what comes next, or ``None`` if nothing does for so long.

        Raises:
            SourceError: The events cannot be heard any more.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            heard = self._received()
            if heard is not None:
                return heard
            left = None if until is None else max(0.0, until - time.monotonic())
            ready = self._poll.poll(None if left is None else left * 1000)
            if any(file == self._reader for file, _ in ready):
                return Sign.ENDED
            if self._has_slept():
                return Sign.SLEPT
            if not ready and left is not None:
                return None

    def _received(self) -> Event | Sign | None:
        """Return what waits to be heard; most events are about something else."""
        while True:
            try:
                device = self._monitor.poll(0)
            except OSError:
                # ENOBUFS, for the most part. Whatever it is, an event was not seen.
                self._listen_anew()
                return Sign.LOST
            if device is None:
                return None
            self._failures = 0
            heard = _heard(device)
            if heard is not None:
                return heard

    def _listen_anew(self) -> None:
        """Listen by another socket, before the old one is given up.

        After an overflow pyudev polls the old one, sees its error, raises and never
        reads the error away.
        """
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise SourceError("the kernel's events cannot be heard any more")
        old, self._monitor = self._monitor, _listening()
        self._poll.register(self._monitor.fileno(), select.POLLIN)
        self._poll.unregister(old.fileno())

    def _has_slept(self) -> bool:
        """Say whether the host was suspended since it was asked last."""
        before, self._asleep = self._asleep, _time_asleep()
        return self._asleep - before > _ASLEEP


def _listening() -> pyudev.Monitor:
    """Return a monitor that listens from now on.

    Raises:
        SourceError: It cannot be had.
    """
    try:
        import pyudev

        monitor = pyudev.Monitor.from_netlink(context(), "kernel")
        for subsystem in (*_BUSES, *_OTHERS):
            monitor.filter_by(subsystem)
        _give_room(monitor)
        monitor.start()
    except (ImportError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise SourceError(
            f"cannot listen to the kernel's events: {why or error}; "
            "libudev is needed (package libudev1 or systemd-libs)"
        ) from None
    return monitor


def _give_room(monitor: pyudev.Monitor) -> None:
    """Let many events wait; who is not root gets as much as the kernel's default."""
    for size in (_BUFFER, _SMALLER):
        try:
            monitor.set_receive_buffer_size(size)
        except OSError:
            continue
        return


def _time_asleep() -> float:
    """Return for how long the host was suspended since it was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def _heard(device: pyudev.Device) -> Event | Sign | None:
    try:
        properties = device.properties
        return heard_of(
            device.action,
            device.subsystem,
            device.device_path,
            properties.get("DRIVER"),
            synthetic=properties.get("SYNTH_UUID") is not None,
        )
    except UnicodeError:  # a name that is no text: read what is there now
        return Sign.MOVED


def heard_of(
    action: str | None,
    subsystem: str | None,
    path: str,
    driver: str | None,
    *,
    synthetic: bool = False,
) -> Event | Sign | None:
    """Return what an event tells, ``None`` if that is nothing about ownership.

    Args:
        action: The kernel's word for what happened.
        subsystem: The bus or class of the device.
        path: Its place below /sys, with the leading slash.
        driver: What the event names as its driver.
        synthetic: Whether somebody had it sent by writing to a ``uevent`` file, as
            ``udevadm trigger`` does; then nothing happened (kobject_synth_uevent()).
    """
    if synthetic or subsystem is None:
        return None
    name = path.rpartition("/")[2]
    if subsystem in _BUSES:
        if action not in Action._value2member_map_:
            return Sign.MOVED if action in ("move", "online", "offline") else None
        return Event(
            Action(action),
            DeviceId(name, subsystem),
            f"sys{path}",
            driver or None,
            time.time(),
        )
    is_node = subsystem == "misc" and name != "iommu"
    return None if is_node or subsystem not in _OTHERS else Sign.MOVED
