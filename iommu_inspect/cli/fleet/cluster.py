"""The same work, done by the workers of a Dask cluster; what comes back is the same.

A part is a few hosts. A worker that is lost loses its parts, and Dask gives them to
another. In a worker a part is read by a process of its own, as on this host (`pool`):
a file that kills who reads it kills no worker, and is the same row.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import warnings
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any
from urllib.parse import urlsplit

from iommu_inspect import __version__
from iommu_inspect.cli.fleet.pool import Pool
from iommu_inspect.cli.fleet.work import Done, Pair, Work, lost
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.sources.errors import SourceError

__all__ = ["by_cluster", "check"]

_PART = 25
# Who raises what is no bug of ours.
_OF_DASK = ("asyncio", "concurrent", "distributed")
_AHEAD = 4
"""Parts that are given out for each thread of the cluster."""
_WAIT = 10
"""Seconds until a scheduler has to answer."""


def by_cluster(
    address: str, work: Work, todo: tuple[Pair, ...], patience: float
) -> Generator[Done, None, None]:
    """Yield what comes of each host, in order, done by a cluster.

    Raises:
        SourceError: the scheduler is not there, or cannot be used, or goes away.
    """
    distributed = _distributed()
    _probe(address)
    _silence()
    try:
        client = distributed.Client(
            address, timeout=_WAIT, set_as_default=False, name="iommu-inspect"
        )
    except (OSError, ValueError, TypeError, ImportError) as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"no Dask scheduler answers at {address}: {said}") from None
    try:
        threads = _threads(client, address)
        yield from _results(client, address, work, todo, patience, threads)
    finally:
        with contextlib.suppress(Exception):
            client.close(timeout=2)


def check(address: str) -> None:
    """Refuse what is no address, before anything is read.

    Raises:
        BadRequestError: it is none.
        SourceError: Dask is not there.
    """
    _host_and_port(address)
    _distributed()


def _host_and_port(address: str) -> tuple[str, int]:
    scheme, host, port = "", None, None
    with contextlib.suppress(ValueError):  # of a port, or of an address in brackets
        parts = urlsplit(address)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    if scheme not in ("tcp", "tls") or not host or not port:
        raise BadRequestError(
            f"--dask: {address!r} is no address of a scheduler, such as "
            "tcp://host:8786 or tls://host:8786"
        )
    return host, port


def _probe(address: str) -> None:
    """Ask whether anybody listens; Dask would try for long, and again."""
    try:
        socket.create_connection(_host_and_port(address), timeout=_WAIT).close()
    except OSError as error:
        raise SourceError(
            f"no Dask scheduler answers at {address}: {error.strerror or error}"
        ) from None


def _silence() -> None:
    """Each lost connection would be a page of text; what matters is said in a line."""
    for name in ("asyncio", "distributed", "tornado", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("asyncio", "distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _results(
    client: Any,  # noqa: ANN401 - it has no types
    address: str,
    work: Work,
    todo: Sequence[Pair],
    patience: float,
    threads: int,
) -> Generator[Done, None, None]:
    """Give out parts, not too many ahead, and wait for the oldest one."""
    from distributed import KilledWorker

    given: deque[tuple[Sequence[Pair], Any]] = deque()
    firsts = iter(range(0, len(todo), _PART))
    while True:
        for first in firsts:
            part = todo[first : first + _PART]
            # Not pure: it depends on files, which Dask does not see.
            given.append((part, client.submit(_read, work, part, patience, pure=False)))
            if len(given) >= _AHEAD * threads:
                break
        if not given:
            return
        part, future = given.popleft()
        try:
            yield from future.result()
        except KilledWorker:
            said = "several workers of the cluster were lost while they read it"
            yield from (lost(work, pair, said) for pair in part)
        except (OSError, RuntimeError) as error:
            raise SourceError(
                f"the Dask scheduler at {address} went away: {type(error).__name__}"
            ) from None
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in _OF_DASK:
                raise
            raise SourceError(
                f"the Dask scheduler at {address} went away: {type(error).__name__}"
            ) from None


def _read(work: Work, part: Sequence[Pair], patience: float) -> list[Done]:
    """Do a part, on a worker."""
    pool = Pool(work, lambda pair, because: lost(work, pair, because), 1, patience)
    with warnings.catch_warnings():
        # A worker has threads, and the copy of it runs none of their code.
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        return list(pool.results(part))


def _threads(client: Any, address: str) -> int:  # noqa: ANN401 - it has no types
    """Return how many threads the cluster has; refuse what would answer otherwise.

    Raises:
        SourceError: it has no workers, or they run something else than this.
    """
    try:
        workers = client.scheduler_info(n_workers=-1)["workers"]
    except TypeError:  # before 2025.4 it told of all
        workers = client.scheduler_info()["workers"]
    if not workers:
        raise SourceError(f"the Dask scheduler at {address} has no workers")
    own = _versions()
    try:
        theirs = client.run(_versions)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise SourceError(
            f"the workers of {address} cannot run iommu-inspect: "
            f"{type(error).__name__}: {said}"
        ) from None
    for worker, versions in sorted(theirs.items()):
        if versions != own:
            raise SourceError(
                f"the worker {worker} has {_said(versions)}, and this is {_said(own)}: "
                "results could differ; install the same everywhere"
            )
    return sum(int(each["nthreads"]) for each in workers.values())


def _versions() -> tuple[str, str]:
    return (__version__, f"{sys.version_info.major}.{sys.version_info.minor}")


def _said(versions: tuple[str, str]) -> str:
    return f"iommu-inspect {versions[0]} on Python {versions[1]}"


def _distributed() -> Any:  # noqa: ANN401 - it comes with an extra
    try:
        import distributed
    except ImportError:
        raise SourceError(
            "--dask needs Dask, which is not installed: pip install "
            "'iommu-inspect[dask]'"
        ) from None
    return distributed
