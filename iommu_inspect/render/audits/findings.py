"""The findings of ``audit``: what is alike is one block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from iommu_inspect.audit.told_once import Told
from iommu_inspect.model.text import listed, printable
from iommu_inspect.plan.host.cures import cure_lines
from iommu_inspect.render.layout import Style
from iommu_inspect.render.text import fold
from iommu_inspect.rules._cures import WriteLine
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["finding_blocks"]

_COLOURS = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
# How much of a large host is shown unless everything is asked for.
_MOST_BLOCKS = 18
_MOST_OF_A_RULE = 3
_MOST_SAME = 12


def finding_blocks(
    told: Iterable[Told], style: Style, *, verbose: bool, looked_for: bool = False
) -> Iterator[str]:
    """Yield a block for each finding; of many that differ a few of each rule.

    ``looked_for`` says that the advice below has what to look at, command by command:
    errors that cannot be told need not say so as well.
    """
    shown: Counter[tuple[str, Severity]] = Counter()
    left: Counter[str] = Counter()
    for each in told:
        finding = each.finding
        key = (finding.rule, finding.severity)
        room = shown.total() < _MOST_BLOCKS and shown[key] < _MOST_OF_A_RULE
        if verbose or room:
            shown[key] += 1
            yield _block(each, style, looked_for=looked_for)
        else:
            left[finding.rule] += 1 + len(each.same)
    if left:
        rules = listed(f"{rule} ({count})" for rule, count in left.items())
        yield fold(f"And more findings that differ: {rules}; --verbose.", style.width)


def _block(told: Told, style: Style, *, looked_for: bool) -> str:
    finding = told.finding
    untold = finding.certainty is Certainty.UNKNOWN
    looked_for = looked_for and untold and finding.severity is Severity.ERROR
    first, *lines_to_copy = finding.remedy.split("\n")
    lines = [_head(told, style), fold(finding.message, style.width, "  ")]
    if told.same:
        lines.append(fold(_same(told.same), style.width, "  "))
    if looked_for:
        return "\n".join(lines)
    lines.append(fold(first, style.width, "  "))
    for cure in finding.cures:
        lines_to_copy += cure_lines(cure) if isinstance(cure, WriteLine) else ()
    # What goes into a file is not folded: it is there to be copied.
    lines += [f"      {printable(line)}" for line in lines_to_copy]
    return "\n".join(filter(None, lines))


def _head(told: Told, style: Style) -> str:
    """Name severity, rule and group; no error where the deciding fact is missing."""
    finding = told.finding
    untold = finding.certainty is Certainty.UNKNOWN
    word, colour = finding.severity.value, _COLOURS[finding.severity]
    if untold and finding.severity is Severity.ERROR:
        word, colour, untold = "cannot tell", "yellow", False
    groups = told.groups
    about = f"{len(groups)} groups" if len(groups) > 1 else _group(finding)
    parts = (
        f"{style.paint(word, colour)}: {finding.rule}",
        printable(about),
        "cannot tell" if untold else "",
    )
    return "  ".join(filter(None, parts))


def _group(finding: Finding) -> str:
    return f"group {finding.group}" if finding.group is not None else ""


def _same(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_SAME])
    more = len(names) - len(shown)
    if more:
        shown.append(f"{more} more (--verbose names them)")
    return f"The same of {listed(shown)}."
