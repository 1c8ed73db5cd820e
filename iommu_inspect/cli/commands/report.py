"""``iommu-inspect report``: all of an audit as one HTML page."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Option
from iommu_inspect.cli.options import (
    Demo,
    For,
    ForOption,
    From,
    Numeric,
    SemanticsOption,
    Targets,
)
from iommu_inspect.model.asked.usage import BadRequestError

if TYPE_CHECKING:  # help needs no rules, and so does not wait for them
    from iommu_inspect.audit.baseline import Baseline
    from iommu_inspect.audit.differences.differing import Differences
    from iommu_inspect.kernel.eras import Semantics
    from iommu_inspect.model.machine import Machine
    from iommu_inspect.rules.finding import Purpose

__all__ = ["report_host"]


def report_host(
    targets: Targets = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    purpose: ForOption = For.VFIO,
    baseline: Annotated[
        str | None,
        Option(
            "--baseline",
            metavar="FILE",
            help="Say what is new since this: an earlier source, or the JSON of an "
            "earlier audit.",
        ),
    ] = None,
    notes: Annotated[
        bool, Option("--notes", help="Show the notes (severity info) too.")
    ] = False,
    numeric: Numeric = False,
    output: Annotated[
        str,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the page to this file, whole or not at all; - is standard "
            "output.",
        ),
    ] = "-",
) -> None:
    """Write one HTML page: verdict, picture, findings with their rules, groups.

    The page needs nothing beside it: no network, and no script to be read.

    Exit code: 0 ready, 1 blocked, 2 usage, 3 cannot tell, 4 source unreadable.
    """
    from functools import partial

    from iommu_inspect.audit.auditing import audit
    from iommu_inspect.audit.report import report_of
    from iommu_inspect.cli.exits import of_verdict
    from iommu_inspect.cli.output import emit
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.cli.spreading import spread
    from iommu_inspect.model.asked.target import find_targets
    from iommu_inspect.render.report.page import report_page
    from iommu_inspect.rules.finding import Purpose
    from iommu_inspect.sources.tree.saving import check_writable

    if output != "-":
        check_writable(output)
    if baseline == "-" and "-" in (source or ()):
        raise BadRequestError("only one source can be standard input")
    machine = load(source, numeric=numeric, demo=demo, processes=True)
    rules = rules_of(machine, semantics)
    found = find_targets(machine, targets or ())
    wanted = Purpose(purpose.value)
    judge = partial(audit, purpose=wanted, spread=spread)
    result = judge(machine, rules, found)
    verdict, changed = result.verdict, None
    if baseline is not None:
        from iommu_inspect.audit.baseline import only_new
        from iommu_inspect.cli.baseline import baseline_of

        then = baseline_of(baseline, machine, found, semantics, wanted, judge)
        changed = _differences(then, machine, rules, wanted)
        result = only_new(result, machine, rules, then)
        verdict = result.since.verdict if result.since else verdict
    report = report_of(machine, rules, result, changed)
    page = report_page(report, notes=notes)
    if output == "-":
        emit(page)
    else:
        from iommu_inspect.cli.formats.writing import write

        write(output, page)
    sys.exit(of_verdict(verdict))


def _differences(
    then: Baseline, machine: Machine, rules: Semantics, purpose: Purpose
) -> Differences | None:
    """Hold two sources against each other; a document has not enough for that."""
    from iommu_inspect.audit.differences.differing import differences

    if then.rules is None:
        return None
    both = (then.rules, rules)
    return differences(then.machine, machine, both, purpose=purpose)
