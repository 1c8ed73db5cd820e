"""``iommu-inspect watch``: what changes about ownership, as the kernel tells it."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Completes, Option
from iommu_inspect.cli.options import Color, ColorOption, Numeric, SemanticsOption

if TYPE_CHECKING:
    from iommu_inspect.cli.watching import Printer

__all__ = ["watch_host"]


class Lines(enum.StrEnum):
    """How a line looks."""

    TABLE = "table"
    JSONL = "jsonl"


def watch_host(
    until: Annotated[
        str | None,
        Option(
            "--until",
            metavar="RULE",
            completes=Completes.RULE,
            help="End with exit code 1 as soon as this rule has a finding on this "
            "host, at once if it has one already.",
        ),
    ] = None,
    semantics: SemanticsOption = "auto",
    output: Annotated[
        Lines,
        Option("--format", help="Lines for people, or a JSON document a line."),
    ] = Lines.TABLE,
    numeric: Numeric = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Tell live what changes: drivers, devices, owners of groups, findings.

    It goes on until it is stopped, by Ctrl-C for example. It only prints: it changes
    nothing and runs nothing.

    Exit code: 0 nobody reads any more, 1 the finding of --until is there, 2 usage, 4
    the host cannot be read or the kernel's events not be heard, 130 Ctrl-C.
    """
    import gc

    from iommu_inspect.audit.exceptions import check_rule
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import emit
    from iommu_inspect.cli.watching import Host, watched
    from iommu_inspect.sources.events.bursts import bursts
    from iommu_inspect.sources.events.monitor import Monitor
    from iommu_inspect.sources.tree.opening import open_live

    if until is not None:
        check_rule(until, "--until")
    gc.enable()  # this run is a long one
    # Before the first reading: what happens after it is heard then.
    monitor = Monitor(_reader())
    host = Host(open_live(), semantics, numeric=numeric)
    told = watched(
        host.state(),
        bursts(monitor),
        host.devices,
        host.after,
        _printer(output, until, color),
        until,
    )
    for lines, there in told:
        for line in lines:
            if not emit(line):
                sys.exit(Exit.OK)
        if there:
            sys.exit(Exit.BLOCKED)


def _reader() -> int | None:
    """Return the descriptor that is printed to, if there is one."""
    try:
        return sys.stdout.fileno() if sys.stdout else None
    except OSError:
        return None


def _printer(output: Lines, until: str | None, color: Color) -> Printer:
    from iommu_inspect.cli.output import style

    if output is Lines.JSONL:
        from iommu_inspect.render.documents.watch import WatchLines

        return WatchLines()
    from iommu_inspect.render.watching import WatchText

    # A line for each thing is what other programs want; people want to read it.
    folds = bool(sys.stdout and sys.stdout.isatty())
    return WatchText(style(color), folds, until)
