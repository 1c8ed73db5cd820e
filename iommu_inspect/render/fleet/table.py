"""What many hosts come to, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iommu_inspect.audit.fleet.row import Change
from iommu_inspect.audit.fleet.tally import Tally
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.text import printable
from iommu_inspect.render.fleet.words import (
    by_hosts,
    change_words,
    devices_of,
    host_words,
    rules_of,
    state_word,
    what_words,
)
from iommu_inspect.render.layout import Style, table
from iommu_inspect.render.text import fold
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["fleet_text"]

_MOST_HOSTS, _MOST_ROWS = 20, 10
_LONGEST_HOST = 30
_STATES = {
    "blocked": "red",
    "not read": "yellow",
    "cannot tell": "yellow",
    "ready": "green",
}
_SEVERITIES = {"error": "red", "warning": "yellow"}


def fleet_text(tally: Tally, style: Style, names: Mapping[str, str]) -> str:
    """Return tables of hosts, findings, kernels and devices; the sentence is last.

    Args:
        tally: What was counted.
        style: How to print.
        names: What devices are called, by their ids.
    """
    parts = [_hosts(tally, style), _rules(tally, style), _kernels(tally, style)]
    parts += [_devices(tally, style, names), _groups(tally, style)]
    if changes := change_words(tally):
        parts.append(fold(f"{changes}.", style.width))
    parts.append(fold(f"{host_words(tally)}.", style.width))
    return "\n\n".join(part for part in parts if part)


def _hosts(tally: Tally, style: Style) -> str:
    """Show the hosts that need a look: what is not ready, and what changed."""
    quiet = (None, Change.SAME)
    shown = [
        brief
        for brief in tally.worst
        if brief.verdict is not Verdict.READY or brief.change not in quiet
    ]
    rows = [
        [
            _cut(brief.host, _LONGEST_HOST, style),
            state_word((brief.verdict, brief.read)),
            what_words(brief, short=True) or "-",
        ]
        for brief in shown[:_MOST_HOSTS]
    ]
    if not rows:
        return ""
    text = table(["HOST", "VERDICT", "WHAT"], rows, style, {1: _STATES})
    bad = sum(tally.hosts[:-1])
    more = max(bad, len(shown)) - len(rows)
    return text + _more(more, "; --format html and jsonl have more", style)


def _rules(tally: Tally, style: Style) -> str:
    found = rules_of(tally)
    rows = []
    for each in found[:_MOST_ROWS]:
        rule, _, severity = each.key.rpartition(" ")
        hosts, findings = each.numbers
        rows.append([severity, str(hosts), str(findings), rule])
    head = ["SEVERITY", "HOSTS", "FINDINGS", "RULE"]
    return _table(head, rows, len(found), style, {0: _SEVERITIES})


def _kernels(tally: Tally, style: Style) -> str:
    found = by_hosts(tally.kernels)
    rows = []
    for each in found[:_MOST_ROWS]:
        blocked, _, unknown, ready = map(str, each.numbers)
        hosts = str(sum(each.numbers))
        rows.append([hosts, blocked, unknown, ready, each.key or "not told"])
    head = ["HOSTS", "BLOCKED", "CANNOT TELL", "READY", "KERNEL"]
    return _table(head, rows, len(found), style, {})


def _devices(tally: Tally, style: Style, names: Mapping[str, str]) -> str:
    found = devices_of(tally, names)
    columns = (Ownership.USER, Ownership.CONFLICT, Ownership.KERNEL)
    rows = [
        [
            *(each.ids, str(each.hosts), str(each.count)),
            *(str(each.owned[owner]) for owner in columns),
            each.name or "-",
        ]
        for each in found[:_MOST_ROWS]
    ]
    head = ["DEVICE", "HOSTS", "COUNT", "USER", "CONFLICT", "KERNEL", "NAME"]
    return _table(head, rows, len(found), style, {})


def _groups(tally: Tally, style: Style) -> str:
    """Say in a line how many groups could be handed over."""
    words = {
        "now": "now",
        "after": "after steps",
        "never": "never",
        "unknown": "not to be told",
    }
    possible = dict(tally.possible)
    parts = [
        f"{possible[key]} {word}" for key, word in words.items() if key in possible
    ]
    if not parts:
        return ""
    count = sum(tally.groups)
    text = f"Of {count} groups these could be handed over: {', '.join(parts)}."
    return fold(text, style.width)


def _table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    count: int,
    style: Style,
    paints: dict[int, dict[str, str]],
) -> str:
    if not rows:
        return ""
    text = table(head, rows, style, paints)
    return text + _more(count - len(rows), "", style)


def _more(count: int, hint: str, style: Style) -> str:
    return "\n" + fold(f"({count} more{hint})", style.width) if count > 0 else ""


def _cut(name: str, most: int, style: Style) -> str:
    """Shorten a name at its beginning: its end tells more from others."""
    text = printable(name)
    if len(text) <= most:
        return text
    more = style.marks.more
    return more + text[len(more) - most :]
