"""``iommu-inspect audit``: can these be handed to user space, and what blocks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Option
from iommu_inspect.cli.options import (
    Color,
    ColorOption,
    ConfigOption,
    Demo,
    For,
    Format,
    FormatOption,
    ForOption,
    From,
    IgnoreOption,
    Numeric,
    SemanticsOption,
    StrictOption,
    Targets,
)
from iommu_inspect.model.asked.usage import BadRequestError

if TYPE_CHECKING:  # help needs no rules, and so does not wait for them
    from iommu_inspect.model.asked.expectation import Expectation

__all__ = ["audit_targets"]


def audit_targets(
    targets: Targets = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    purpose: ForOption = For.VFIO,
    expect: Annotated[
        str | None,
        Option(
            "--expect",
            metavar="FILE",
            help="Lines of 'address vendor:device'; another device there is an error.",
        ),
    ] = None,
    ignore: IgnoreOption = None,
    config: ConfigOption = None,
    baseline: Annotated[
        str | None,
        Option(
            "--baseline",
            metavar="FILE",
            help="Show only what is new since this: an earlier source, or the JSON of "
            "an earlier audit.",
        ),
    ] = None,
    strict: StrictOption = False,
    notes: Annotated[
        bool, Option("--notes", help="Show the notes (severity info) too.")
    ] = False,
    summary: Annotated[
        bool,
        Option(
            "--summary",
            help="Show for each group of the host what is to be done first.",
        ),
    ] = False,
    verbose: Annotated[
        bool,
        Option(
            "--verbose",
            "-v",
            help="Show every finding by itself, also where many say the same.",
        ),
    ] = False,
    numeric: Numeric = False,
    output: FormatOption = Format.TABLE,
    color: ColorOption = Color.AUTO,
) -> None:
    """Say whether devices can be handed to user space, what blocks, what to do.

    Exit code: 0 ready, 1 blocked, 2 usage, 3 cannot tell, 4 source unreadable.
    """
    from functools import partial

    from iommu_inspect.audit.auditing import audit
    from iommu_inspect.cli.exits import of_verdict
    from iommu_inspect.cli.output import emit, style
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.cli.session import ignores_of, load, rules_of
    from iommu_inspect.cli.spreading import spread
    from iommu_inspect.model.asked.target import find_targets
    from iommu_inspect.rules.finding import Purpose

    if baseline == "-" and "-" in (source or ()):
        raise BadRequestError("only one source can be standard input")
    if summary and targets:
        raise BadRequestError("--summary is about the whole host, without targets")
    ignores, expectations = ignores_of(ignore or [], config), _expectations(expect)
    machine = load(source, numeric=numeric, demo=demo, processes=True)
    rules = rules_of(machine, semantics)
    found = find_targets(machine, targets or ())
    wanted = Purpose(purpose.value)
    judge = partial(
        audit,
        purpose=wanted,
        strict=strict,
        ignores=ignores,
        expectations=expectations,
        spread=spread,
    )
    with telling(lambda: "judging the groups"):
        result = judge(machine, rules, found)
    verdict = result.verdict
    if baseline is not None:
        from iommu_inspect.audit.baseline import only_new
        from iommu_inspect.cli.baseline import baseline_of

        then = baseline_of(baseline, machine, found, semantics, wanted, judge)
        result = only_new(result, machine, rules, then)
        verdict = result.since.verdict if result.since else verdict
    if output is Format.JSON:
        from iommu_inspect.render.documents.audit import audit_document
        from iommu_inspect.render.documents.common import to_json

        emit(to_json(audit_document(machine, rules, result)))
    else:
        from iommu_inspect.render.audits.verdict import audit_text

        text = audit_text(
            result, style(color), notes=notes, summary=summary, verbose=verbose
        )
        emit(text)
    sys.exit(of_verdict(verdict))


def _expectations(file: str | None) -> tuple[Expectation, ...]:
    from iommu_inspect.audit.expectations import parse_expectations
    from iommu_inspect.sources.tree.option_files import read_option

    if file is None:
        return ()
    return parse_expectations(read_option(file, "--expect"), file)
