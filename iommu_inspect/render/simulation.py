"""The text of ``whatif``: the steps' answers, and what they changed."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.audit.changes import Effects, GroupChange
from iommu_inspect.kernel.answers import HOST_CRASH, UNKNOWN
from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.group import Held
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.words import described
from iommu_inspect.render.devices import driver_mark
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.text import fold
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["finding_rows", "simulation_text", "state_word", "what_goes"]

_RESULT_COLOURS = {"0": "green", "unknown": "yellow", HOST_CRASH: "red"}
_MOST_NAMES = 5
_COLOURS = {"error": "red", "warning": "yellow", "unknown": "yellow"}


def simulation_text(effects: Effects, style: Style = PLAIN) -> str:
    """Return a table of the steps, then of what they changed: groups, findings."""
    rows = [
        [
            outcome.step.text,
            outcome.answer.result,
            outcome.group or "-",
            outcome.answer.because,
        ]
        for outcome in effects.simulation.outcomes
    ]
    headers = ["STEP", "RESULT", "GROUP", "BECAUSE"]
    blocks = [table(headers, rows, style, paints={1: _RESULT_COLOURS})]
    if doubt := _doubt(effects):
        blocks.append(fold(doubt, style.width))
    if not effects.simulation.alive:
        blocks.append(fold("The host would have crashed.", style.width))
        return "\n\n".join(blocks)
    if effects.changes:
        headers = ["GROUP", "OWNERSHIP BEFORE", "AFTER", "DEVICES AFTER"]
        blocks.append(
            table(headers, [*map(_change, effects.changes)], style, paints={})
        )
    else:
        blocks.append("No group changes hands.")
    blocks += what_goes(effects, style)
    changed = finding_rows(effects.findings_before, effects.findings_after)
    if changed:
        headers = ["AUDIT", "GROUP", "BEFORE", "AFTER", "ABOUT"]
        blocks.append(
            table(headers, changed, style, paints=dict.fromkeys((2, 3), _COLOURS))
        )
        blocks.append(
            fold(f"(more: iommu-inspect explain {changed[0][0]})", style.width)
        )
    return "\n\n".join(blocks)


def _doubt(effects: Effects) -> str:
    """Say what the answers rest on that come after one that cannot be told."""
    outcomes = effects.simulation.outcomes
    unknown = [o.step.text for o in outcomes[:-1] if o.answer.result == UNKNOWN]
    if not unknown:
        return ""
    works, it = ("works", "it") if len(unknown) == 1 else ("work", "they")
    changes = "changes" if len(unknown) == 1 else "change"
    return (
        f"Whether {listed(map(shown, unknown))} {works} cannot be told: what is said "
        f"after that holds if {it} {changes} nothing."
    )


def what_goes(effects: Effects, style: Style) -> list[str]:
    """Say which devices vanish with a driver, and what the host loses."""
    lines = []
    if effects.vanished:
        names = [shown(device.address) for device in effects.vanished[:_MOST_NAMES]]
        more = len(effects.vanished) - len(names)
        gone = listed([*names, *([f"{more} more"] if more else [])])
        lines.append(fold(f"Gone with its driver: {gone}.", style.width))
    ends = [loss.use for loss in effects.losses if loss.whole]
    less = [loss.use for loss in effects.losses if not loss.whole]
    if ends:
        word = style.paint("The host loses", "red")
        text = fold(f"The host loses {described(ends)}.", style.width)
        lines.append(text.replace("The host loses", word, 1))
    if less:
        lines.append(
            fold(f"One less of several carries {described(less)}.", style.width)
        )
    return ["\n".join(lines)] if lines else []


def finding_rows(
    before: Sequence[Finding], after: Sequence[Finding]
) -> list[list[str]]:
    """Return a row for each error, and each warning that comes, goes or changes."""
    old, new = ({_about(f): f for f in found} for found in (before, after))
    rows = []
    for about in dict.fromkeys((*new, *old)):
        severities = [_severity(found.get(about)) for found in (old, new)]
        if severities[0] != severities[1] or Severity.ERROR.value in severities:
            rule, group, devices = about
            rows.append([rule, group or "-", *severities, ", ".join(devices) or "-"])
    return rows


def _about(finding: Finding) -> tuple[str, str | None, tuple[str, ...]]:
    return finding.rule, finding.group, tuple(map(str, finding.devices))


def _severity(finding: Finding | None) -> str:
    if finding is None or finding.severity is Severity.INFO:
        return "-"
    if finding.certainty is Certainty.UNKNOWN:
        return "unknown"
    return str(finding.severity.value)


def _change(change: GroupChange) -> list[str]:
    members = change.after.group.devices if change.after else ()
    return [
        change.group,
        state_word(change.before),
        state_word(change.after),
        ", ".join(f"{d.address} ({driver_mark(d)})" for d in members),
    ]


def state_word(owned: Owned | None) -> str:
    """Say who owns a group, and who holds it; "-" where it is not there."""
    if owned is None:
        return "-"
    state = owned.ownership.value
    if owned.group.held.by_user:
        return f"{state}, claimed"
    held = owned.group.held is Held.BY_KERNEL_DOMAIN
    return f"{state}, attached" if held else state
