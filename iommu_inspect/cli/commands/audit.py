"""``iommu-inspect audit``: can these be handed to user space, and what blocks."""

from __future__ import annotations

import enum
import sys
from typing import Annotated

from iommu_inspect.cli.declared import Option
from iommu_inspect.cli.exceptions import (
    ConfigOption,
    ExpectOption,
    IgnoreOption,
    StrictOption,
    expectations,
    ignores,
)
from iommu_inspect.cli.options import (
    Color,
    ColorOption,
    Demo,
    For,
    ForOption,
    From,
    Numeric,
    SemanticsOption,
    Targets,
)
from iommu_inspect.model.asked.usage import BadRequestError

__all__ = ["AuditFormat", "audit_targets"]


class AuditFormat(enum.StrEnum):
    """What to write: for people, for programs, or as others' formats have it."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    METRICS = "metrics"
    NAGIOS = "nagios"
    NFD = "nfd"


def audit_targets(
    targets: Targets = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    purpose: ForOption = For.VFIO,
    expect: ExpectOption = None,
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
    form: Annotated[
        AuditFormat,
        Option(
            "--format",
            help="A table for people, JSON, or what others read: SARIF 2.1.0, JUnit's "
            "XML, metrics for Prometheus's node_exporter, a line for Nagios or Icinga, "
            "features for Kubernetes' Node Feature Discovery.",
        ),
    ] = AuditFormat.TABLE,
    output: Annotated[
        str,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file, whole or not at all; - is standard output.",
        ),
    ] = "-",
    color: ColorOption = Color.AUTO,
) -> None:
    """Say whether devices can be handed to user space, what blocks, what to do.

    With the format nagios it ends as a plugin does: 0 is OK, 1 WARNING, 2 CRITICAL and
    3 UNKNOWN. Else:

    Exit code: 0 ready, 1 blocked, 2 usage, 3 cannot tell, 4 source unreadable.
    """
    import contextlib
    from functools import partial

    from iommu_inspect.audit.auditing import audit
    from iommu_inspect.cli.exits import of_verdict
    from iommu_inspect.cli.output import emit, style
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.cli.spreading import spread
    from iommu_inspect.model.asked.target import find_targets
    from iommu_inspect.rules.finding import Purpose

    if baseline == "-" and "-" in (source or ()):
        raise BadRequestError("only one source can be standard input")
    if summary and targets:
        raise BadRequestError("--summary is about the whole host, without targets")
    if output != "-":
        from iommu_inspect.sources.tree.saving import check_writable

        check_writable(output)
    reading: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if form in (AuditFormat.METRICS, AuditFormat.NFD):
        from iommu_inspect.cli.formats.audits import saying_if_unread

        reading = saying_if_unread(form, output)
    aside, expected = ignores(ignore, config), expectations(expect)
    with reading:
        machine = load(source, numeric=numeric, demo=demo, processes=True)
    rules = rules_of(machine, semantics)
    found = find_targets(machine, targets or ())
    wanted = Purpose(purpose.value)
    judge = partial(
        audit,
        purpose=wanted,
        strict=strict,
        ignores=aside,
        expectations=expected,
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
    code: int = of_verdict(verdict)
    if form is AuditFormat.JSON:
        from iommu_inspect.render.documents.audit import audit_document
        from iommu_inspect.render.documents.common import to_json

        text = to_json(audit_document(machine, rules, result))
    elif form is AuditFormat.TABLE:
        from iommu_inspect.render.audits.verdict import audit_text

        shown = style(color, printed=output == "-")
        text = audit_text(result, shown, notes=notes, summary=summary, verbose=verbose)
    else:
        from iommu_inspect.audit.tally import tally_of
        from iommu_inspect.cli.formats.audits import machine_text

        tally = tally_of(machine, rules, result)
        text, code = machine_text(form, tally, of_verdict(verdict), notes=notes)
    if output == "-":
        emit(text)
    else:
        from iommu_inspect.cli.formats.writing import write

        write(output, text)
    sys.exit(code)
