"""``iommu-inspect fleet``: what many hosts come to, from what was captured of them."""

from __future__ import annotations

import enum
import os
import sys
from pathlib import Path
from typing import Annotated

from iommu_inspect.cli.declared import Argument, Completes, Option
from iommu_inspect.cli.exceptions import (
    ConfigOption,
    IgnoreOption,
    StrictOption,
    ignores,
)
from iommu_inspect.cli.options import (
    Color,
    ColorOption,
    For,
    ForOption,
    Numeric,
    SemanticsOption,
)
from iommu_inspect.model.asked.usage import BadRequestError

__all__ = ["audit_fleet"]

_PATIENCE = 300
_MOST_WORKERS = 512


class FleetFormat(enum.StrEnum):
    """What to make of many hosts."""

    TABLE = "table"
    HTML = "html"
    METRICS = "metrics"
    JSONL = "jsonl"
    PARQUET = "parquet"


def audit_fleet(
    paths: Annotated[
        list[str],
        Argument(
            metavar="PATH...",
            help="Captures, snapshots, pasted texts, JSON documents of audit or list, "
            "and directories of them: a file is a host. With the extra 'fleet' URLs "
            "too (s3://...).",
        ),
    ],
    against: Annotated[
        str | None,
        Option(
            "--against",
            metavar="PATH",
            help="The same hosts last time, under the same names: say what changed.",
        ),
    ] = None,
    purpose: ForOption = For.VFIO,
    semantics: SemanticsOption = "auto",
    ignore: IgnoreOption = None,
    config: ConfigOption = None,
    strict: StrictOption = False,
    workers: Annotated[
        str | None,
        Option(
            "--workers",
            metavar="N",
            completes=Completes.NOTHING,
            help="How many processes read hosts; without it, one for each processor.",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        Option(
            "--dask",
            metavar="ADDRESS",
            completes=Completes.NOTHING,
            help="Let the workers of a Dask scheduler read them (tcp://host:8786); "
            "they need the same files. With the extra 'dask'.",
        ),
    ] = None,
    timeout: Annotated[
        str,
        Option(
            "--timeout",
            metavar="SECONDS",
            completes=Completes.NOTHING,
            help="How long one host may take, until it is given up.",
        ),
    ] = str(_PATIENCE),
    numeric: Numeric = False,
    form: Annotated[
        FleetFormat,
        Option(
            "--format",
            help="A table for people; one HTML page; metrics for Prometheus; a JSON "
            "document a host, each on a line; or Parquet for DuckDB and others.",
        ),
    ] = FleetFormat.TABLE,
    output: Annotated[
        str,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the result to this file, whole or not at all; - is standard "
            "output.",
        ),
    ] = "-",
    color: ColorOption = Color.AUTO,
) -> None:
    """Audit many hosts from their captures, and count: verdicts, rules, devices.

    A file that cannot be read is a row of the result and stops nothing.

    Exit code: 0 all ready, 1 some are blocked, 2 usage, 3 some cannot be told or read,
    4 none can be read.
    """
    from iommu_inspect.audit.fleet.side import Asked
    from iommu_inspect.cli.fleet.gathering import gathered, of_fleet
    from iommu_inspect.cli.fleet.work import Work, pairs
    from iommu_inspect.cli.fleet.writing import write
    from iommu_inspect.cli.output import ending_in_order, style
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.kernel.eras import named
    from iommu_inspect.rules.finding import Purpose
    from iommu_inspect.sources.tree.many.finding import find_places

    _check_output(form, output)
    if dask is not None:
        from iommu_inspect.cli.fleet.cluster import check

        check(dask)
    if "-" in paths:
        raise BadRequestError("fleet reads files and directories, not standard input")
    if semantics != "auto":
        named(semantics)
    asked = Asked(Purpose(purpose.value), semantics, strict, ignores(ignore, config))
    count = _workers(workers)
    patience = _number(timeout, "--timeout", 86_400)
    with telling(lambda: "looking for hosts"):
        now = find_places(paths)
        then = find_places([against]) if against is not None else ()
    lines = form in (FleetFormat.JSONL, FleetFormat.PARQUET)
    # The workers of a cluster are in directories of their own.
    root = str(Path.cwd()) if dask is not None else ""
    work = Work(asked, since=against is not None, lines=lines, root=root)
    todo = pairs(now, then)
    with ending_in_order(), gathered(work, todo, count, patience, dask) as hosts:
        write(form.value, output, hosts, style(color), numeric=numeric)
    sys.exit(of_fleet(hosts.tally))


def _check_output(form: FleetFormat, output: str) -> None:
    from iommu_inspect.sources.tree.saving import check_writable

    if output != "-":
        check_writable(output)
    elif form is FleetFormat.PARQUET:
        raise BadRequestError("Parquet is written to a file: give --output FILE")
    if form is FleetFormat.PARQUET:
        from iommu_inspect.cli.fleet.parquet import check

        check()


def _workers(wanted: str | None) -> int:
    if wanted is None:
        return len(os.sched_getaffinity(0))
    return _number(wanted, "--workers", _MOST_WORKERS)


def _number(text: str, option: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= most):
        raise BadRequestError(f"{option} is a number from 1 to {most}")
    return int(text)
