"""What is done with each host, in whatever process: read, judged, counted.

One function over places, which needs nothing but what it is given: the processes of
this host and the workers of a cluster run the very same.
"""

from __future__ import annotations

import os
from dataclasses import replace

from iommu_inspect.audit.fleet.reading import read_side
from iommu_inspect.audit.fleet.row import Change, Changes, Row
from iommu_inspect.audit.fleet.side import Asked, Side, row_of
from iommu_inspect.audit.fleet.since import changes_between
from iommu_inspect.audit.fleet.tally import Tally, tally_of
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.text import natural_key, printable
from iommu_inspect.render.fleet.document import fleet_line
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.many.finding import Place, is_url
from iommu_inspect.sources.tree.many.remote import open_url
from iommu_inspect.sources.tree.opening import open_source

__all__ = ["Done", "Pair", "Work", "lost", "pairs"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A host now and last time; one of the two may not be there."""

    now: Place | None
    then: Place | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A host's line, if lines are wanted, and what it comes to."""

    line: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of every host.

    ``since`` says whether there is a last time, ``lines`` whether lines are wanted.
    Paths are below ``root``, for those who are somewhere else.
    """

    asked: Asked
    since: bool = False
    lines: bool = False
    root: str = ""

    def __call__(self, pair: Pair) -> Done:
        """Read and judge one host. Whatever is wrong with it is in its row."""
        return self.done(self._row(pair))

    def done(self, row: Row) -> Done:
        """Return a row as what is sent, and added up."""
        return Done(fleet_line(row) if self.lines else "", tally_of(row))

    def _row(self, pair: Pair) -> Row:
        now, then = pair.now, pair.then
        if now is None:
            return _gone(pair)
        side = self._side(now)
        if isinstance(side, str):
            before = then.shown if then else None
            changes = Changes(Change.UNTOLD if then else Change.NEW, before)
            row = Row.unread(now.host, now.shown, side)
            return _with(row, changes if self.since else None)
        row = row_of(side, now.host, now.shown, self.asked)
        if not self.since:
            return row
        if then is None:
            return _with(row, Changes(Change.NEW))
        last = self._side(then)
        if isinstance(last, str):
            return _with(row, Changes(Change.UNTOLD, then.shown))
        return _with(row, changes_between(last, side, then.shown))

    def _side(self, place: Place) -> Side | str:
        """Return the host, or why there is none."""
        if place.fault:
            return place.fault
        path = place.shown
        try:
            if is_url(place.path):
                opened = open_url(place.path)
            else:
                path = os.path.join(self.root, place.path)  # noqa: PTH118
                opened = open_source(path)
            return read_side(opened, self.asked)
        except SourceError as error:
            # The row has the path already.
            return str(error).removeprefix(f"cannot read {printable(path)}: ")
        except MemoryError:
            return "there is not enough memory for it"
        except Exception as error:
            # The others are not to wait for a bug of ours.
            return f"internal error ({type(error).__name__}: {error}); please report it"


def lost(work: Work, pair: Pair, because: str) -> Done:
    """Return what is left of a host whose worker came to nothing."""
    place = pair.now or pair.then
    if place is None:
        raise ValueError
    changes = Changes(Change.UNTOLD, pair.then.shown if pair.then else None)
    row = Row.unread(place.host, place.shown, because)
    return work.done(_with(row, changes if work.since else None))


def pairs(now: tuple[Place, ...], then: tuple[Place, ...]) -> tuple[Pair, ...]:
    """Put together what has the same name, in the order of the names.

    One file is held against one file, whatever they are called.
    """
    if len(now) == len(then) == 1:
        return (Pair(now[0], then[0]),)
    before = {place.host: place for place in then}
    found = [Pair(place, before.pop(place.host, None)) for place in now]
    found += [Pair(None, place) for place in before.values()]

    def key(pair: Pair) -> tuple[object, ...]:
        place = pair.now or pair.then
        host = place.host if place else ""
        return (natural_key(host), host, place.path if place else "")

    return tuple(sorted(found, key=key))


def _gone(pair: Pair) -> Row:
    then = pair.then
    if then is None:
        raise ValueError
    row = Row.unread(then.host, then.shown, "it was there last time, and is not now")
    return _with(row, Changes(Change.GONE, then.shown))


def _with(row: Row, changes: Changes | None) -> Row:
    return replace(row, changes=changes)
