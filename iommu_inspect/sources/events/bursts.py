"""Events that come soon after one another are one burst: the host is read once."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from iommu_inspect.model.events import Burst, Event

__all__ = ["LONGEST", "MOST", "QUIET", "Ear", "Sign", "bursts"]

QUIET = 0.06
"""Seconds without an event after which a burst is over."""
MOST = 0.25
"""Seconds that a burst takes at most, so that all is told within one."""
LONGEST = 0.5
"""The same on a host where it takes longer to read what a burst moved."""


class Sign(enum.Enum):
    """What else is heard.

    ``MOVED``: something ownership may hang on, no device that is spoken of. ``LOST``:
    there were more events than there was room for. ``SLEPT``: the host was suspended.
    ``ENDED``: nobody reads what is printed any more.
    """

    MOVED = "moved"
    LOST = "lost"
    SLEPT = "slept"
    ENDED = "ended"


class Ear(Protocol):
    """What hears events: `monitor.Monitor`."""

    def hear(self, seconds: float | None) -> Event | Sign | None:
        """Return what comes next, or ``None`` if nothing does for so long."""


def bursts(ear: Ear, clock: Callable[[], float] = time.monotonic) -> Iterator[Burst]:
    """Yield bursts, for each of which nothing has happened for a while, until the end.

    Between them it waits without a bound, and so costs nothing. While events go on and
    on, a burst takes as long as what was done with the last one, so that at most half
    of the time goes into that.

    Args:
        ear: What hears the events.
        clock: The seconds since whenever, for how long a burst takes.

    Raises:
        SourceError: The events cannot be heard any more.
    """
    most = MOST
    while True:
        heard = ear.hear(None)
        until = clock() + most
        events: list[Event] = []
        signs: set[Sign] = set()
        while heard is not None:
            if isinstance(heard, Event):
                events.append(heard)
            else:
                signs.add(heard)
            left = until - clock()
            if Sign.ENDED in signs or left <= 0:
                break
            heard = ear.hear(min(QUIET, left))
        if events or signs - {Sign.ENDED}:
            begun = clock()
            yield Burst(
                tuple(events),
                moved=Sign.MOVED in signs,
                lost=Sign.LOST in signs,
                slept=Sign.SLEPT in signs,
            )
            most = min(max(MOST, clock() - begun), LONGEST)
        if Sign.ENDED in signs:
            return
