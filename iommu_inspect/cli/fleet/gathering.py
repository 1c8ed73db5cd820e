"""Lets somebody do the work, and adds up what comes back while it is passed on."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator

from iommu_inspect.audit.fleet.tally import Tally, merged
from iommu_inspect.cli.exits import Exit
from iommu_inspect.cli.fleet.pool import Pool
from iommu_inspect.cli.fleet.work import Done, Pair, Work, lost
from iommu_inspect.cli.progress import bar, telling

__all__ = ["Hosts", "gathered", "of_fleet"]

# Tallies of one host each that are added up at once: the sum is as large as it is.
_AT_ONCE = 256


class Hosts:
    """Hosts that are being read: lines while they come, and the tally at the end."""

    def __init__(self, results: Iterator[Done], count: int) -> None:
        self._results = results
        self._count = count
        self._done = 0
        self._parts: list[Tally] = []

    def lines(self) -> Iterator[str]:
        """Yield each host's line, in order."""
        with telling(lambda: f"reading hosts {bar(self._done, self._count)}"):
            for done in self._results:
                self._done += 1
                self._parts.append(done.tally)
                if len(self._parts) > _AT_ONCE:
                    self._parts = [merged(self._parts)]
                yield done.line

    def all(self) -> Tally:
        """Wait for all of them, and return what they come to."""
        for _ in self.lines():
            pass
        return self.tally

    @property
    def tally(self) -> Tally:
        """What those that were read so far come to."""
        self._parts = [merged(self._parts)]
        return self._parts[0]


@contextlib.contextmanager
def gathered(
    work: Work,
    todo: tuple[Pair, ...],
    workers: int,
    patience: float,
    dask: str | None,
) -> Iterator[Hosts]:
    """Begin to read hosts; whatever happens, no process is left at the end.

    Raises:
        SourceError: the scheduler cannot be used.
    """
    if dask is None:
        results = locally(work, todo, workers, patience)
    else:
        from iommu_inspect.cli.fleet.cluster import by_cluster

        results = by_cluster(dask, work, todo, patience)
    with contextlib.closing(results):
        yield Hosts(results, len(todo))


def locally(
    work: Work, todo: tuple[Pair, ...], workers: int, patience: float
) -> Generator[Done, None, None]:
    """Yield what comes of each host, in order, done by processes of this host."""
    pool = Pool(
        work,
        lambda pair, because: lost(work, pair, because),
        min(workers, len(todo)),
        patience,
    )
    return pool.results(todo)


def of_fleet(tally: Tally) -> Exit:
    """Return the exit code of many hosts: blocked is worse than not to be told."""
    blocked, unread, unknown, _ = tally.hosts
    if unread == tally.count:
        return Exit.SOURCE
    if blocked:
        return Exit.BLOCKED
    return Exit.CANNOT_TELL if unread or unknown else Exit.OK
