"""The text of ``audit``: findings, the worst first, and one sentence at the end."""

from __future__ import annotations

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.exceptions import Ignored
from iommu_inspect.audit.summary import alike
from iommu_inspect.audit.told_once import Told
from iommu_inspect.kernel.answers import OK
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.text import printable
from iommu_inspect.render.audits.advice import advice_blocks
from iommu_inspect.render.audits.findings import finding_blocks
from iommu_inspect.render.audits.prospects import prospects_table, prospects_text
from iommu_inspect.render.audits.since import new_sentence, since_lines
from iommu_inspect.render.devices import device_name
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.purposes import PHRASES
from iommu_inspect.render.text import fold
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.verdict.judge import TargetVerdict
from iommu_inspect.verdict.outcome import Verdict
from iommu_inspect.verdict.unseen import Fact, Unseen

__all__ = ["audit_text", "lack", "last_lines", "sentence", "target_line"]

_VERDICT_COLOURS = {
    Verdict.READY: "green",
    Verdict.BLOCKED: "red",
    Verdict.UNKNOWN: "yellow",
}
_MOST_NAMES = 3
# The one thing that an opener finds out and a reader of sysfs cannot.
_SUPPOSED = (
    "(supposed that no other process has the group open: sysfs does not show that)"
)


def audit_text(
    result: Audit,
    style: Style = PLAIN,
    *,
    notes: bool = False,
    summary: bool = False,
    verbose: bool = False,
) -> str:
    """Return the whole text.

    Notes (severity info) are counted unless asked for, and so is what is ignored; the
    ``summary`` of a whole host is a line for each answer, or a table. What is said
    alike is said once, and of a large host only some, unless it is to be ``verbose``.
    """
    blocks = [_target_lines(result, style)] if result.targets else []
    shown = [f for f in result.findings if notes or f.severity is not Severity.INFO]
    told = map(Told, result.findings) if verbose else result.told
    seen = [t for t in told if notes or t.finding.severity is not Severity.INFO]
    looked_for = bool(result.targets and result.advice.looks and result.advice.steps)
    blocks += finding_blocks(seen, style, verbose=verbose, looked_for=looked_for)
    if notes:
        blocks += [_ignored_block(ignored, style) for ignored in result.ignored]
    prospects = result.summary
    blocks.append(
        prospects_table(prospects, style, alike=alike(prospects), verbose=verbose)
        if summary
        else prospects_text(prospects, PHRASES[result.purpose], style)
    )
    last = []
    if more := _more(result, shown):
        last.append(fold(more, style.width))
    if result.ignored:
        last.append(fold(_ignored_line(result, notes=notes), style.width))
    last += last_lines(result, style)
    blocks.append("\n".join(last))
    blocks += advice_blocks(result, style)
    return "\n\n".join(filter(None, blocks))


def last_lines(result: Audit, style: Style) -> list[str]:
    """Return the verdict in a sentence, after what it supposes and leaves out."""
    last = []
    by_group = any(verdict.answers for verdict in result.targets)
    if by_group and result.verdict is Verdict.READY:
        last.append(fold(_SUPPOSED, style.width))
    if result.since is not None:
        last += since_lines(result.since, style)
    last.append(fold(sentence(result), style.width))
    if result.targets and result.since is not None:
        last.append(fold(new_sentence(result), style.width))
    return last


def _more(result: Audit, shown: list[Finding]) -> str:
    """Say where to read on: notes that are not shown, the page of the first rule."""
    hidden = len(result.findings) - len(shown)
    more = [f"{_counted(hidden, 'note')} more: --notes"] if hidden else []
    if shown:
        more.append(f"more: iommu-inspect explain {shown[0].rule}")
    return f"({'; '.join(more)})" if more else ""


def _ignored_line(result: Audit, *, notes: bool) -> str:
    rules = dict.fromkeys(ignored.finding.rule for ignored in result.ignored)
    count = _counted(len(result.ignored), "finding")
    hint = "" if notes else "; the reasons: --notes"
    return f"({count} ignored: {', '.join(rules)}{hint})"


def _ignored_block(ignored: Ignored, style: Style) -> str:
    finding = ignored.finding
    about = f"group {finding.group}" if finding.group is not None else ""
    head = f"ignored {finding.severity.value}: {finding.rule}"
    lines = [
        "  ".join(filter(None, (head, printable(about)))),
        fold(finding.message, style.width, "  "),
        fold(f"Ignored: {ignored.by.reason}", style.width, "  "),
    ]
    return "\n".join(lines)


def _target_lines(result: Audit, style: Style) -> str:
    return "\n".join(target_line(verdict, style) for verdict in result.targets)


def target_line(verdict: TargetVerdict, style: Style) -> str:
    """Return a target's verdict, its group and what it is, in a line."""
    target = verdict.target
    word = verdict.verdict.value.upper()
    group = f"group {target.group.id}" if target.group else "no group"
    if not target.group and target.device and not known(target.device.group):
        group = "group not known"
    parts = [word, *([target.device.address] if target.device else []), group]
    parts.append(_what(target))
    line = fold("  ".join(filter(None, parts)), style.width, hanging="    ")
    return style.paint(word, _VERDICT_COLOURS[verdict.verdict]) + line[len(word) :]


def _what(target: Target) -> str:
    """Name the device; of a group the first that could be handed over."""
    if target.device is not None:
        return device_name(target.device)
    ends = [d for d in target.devices if d.is_bridge is not True]
    if len(ends) == 1:
        driver = value_or(ends[0].driver, "?") or "no driver"
        name = device_name(ends[0])
        return "  ".join(filter(None, (f"{ends[0].address} ({driver})", name)))
    more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
    return f"{device_name(ends[0])}{more}" if ends else ""


def sentence(result: Audit) -> str:
    """Say what the verdict is, in one sentence."""
    if not result.targets:
        return _host_sentence(result)
    names = _names([_name(v) for v in result.targets if v.verdict is result.verdict])
    phrase = PHRASES[result.purpose]
    if result.verdict is Verdict.READY:
        warnings = sum(f.severity is Severity.WARNING for f in result.findings)
        mind = f", but mind the {_counted(warnings, 'warning')}" if warnings else ""
        return f"{names} can {phrase} now{mind}."
    if result.verdict is Verdict.UNKNOWN:
        return f"Whether {names} can {phrase} cannot be told yet{_why(result)}."
    now = " now" if result.advice.steps else ""
    why = _why(result)
    if len(result.targets) == 1:
        why = why.replace(f" {names} ", " it ")
    return f"{names} cannot {phrase}{now}{why}."


def _host_sentence(result: Audit) -> str:
    if result.since is not None and (told := new_sentence(result)):
        return told
    if result.verdict is Verdict.READY:
        warnings = sum(f.severity is Severity.WARNING for f in result.findings)
        if warnings:
            return f"No errors on this host, but {_counted(warnings, 'warning')}."
        return "Nothing is wrong with the IOMMU groups of this host."
    if result.verdict is Verdict.UNKNOWN:
        return _untold_host(result)
    count = sum(
        f.severity is Severity.ERROR and f.certainty is not Certainty.UNKNOWN
        for f in result.findings
    )
    if not count:  # no rule says it, or it is ignored; the kernel refuses all the same
        return f"The kernel refuses groups that are on vfio already{_why(result)}."
    return f"{count} thing{'s are' if count > 1 else ' is'} wrong{_why(result)}."


def _untold_host(result: Audit) -> str:
    """Say what was not seen, where nothing else keeps the verdict open."""
    if not result.unseen or any(f.severity is Severity.ERROR for f in result.findings):
        return f"Whether this host is in order cannot be told{_why(result)}."
    lacks = _joined([lack(each) for each in result.unseen])
    return f"Nothing wrong was seen, but {lacks}."


def lack(unseen: Unseen) -> str:
    """Say in part of a sentence what the source does not show."""
    if unseen.fact is Fact.LISTING:
        return "the PCI devices could not be listed"
    devices = unseen.devices
    one = len(devices) == 1
    whose = devices[0].address if one else _counted(len(devices), "device")
    if unseen.fact is Fact.KIND:
        return (
            f"whether the {'driver' if one else 'drivers'} of {whose} "
            f"{'is' if one else 'are'} vfio's cannot be told"
        )
    what, verb = unseen.fact.value, "is" if one else "are"
    return f"the {what if one else f'{what}s'} of {whose} {verb} not in this source"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _why(result: Audit) -> str:
    """Name what a host needs first, or the kernel's own reason about a target."""
    wanted = result.verdict is Verdict.UNKNOWN
    # What is ignored stands in a target's way all the same; and in the kernel's.
    ignored = [ignored.finding for ignored in result.ignored]
    known_before = result.since.known if result.since is not None else ()
    every = (*result.findings, *known_before)
    errors = [f for f in every if _is_error(f, unknown=wanted)]
    if result.targets or not errors:
        errors += [f for f in ignored if _is_error(f, unknown=wanted)]
    steps = list(dict.fromkeys(f.step for f in errors if f.step))
    if steps and not result.advice.steps:
        return f": {_joined(steps)}"
    if errors:
        return ""
    for verdict in result.targets:
        for _, answer in verdict.answers:
            if answer.result not in (OK, "viable"):
                return f": {answer.because}"
    return ""


def _is_error(finding: Finding, *, unknown: bool) -> bool:
    is_unknown = finding.certainty is Certainty.UNKNOWN
    return finding.severity is Severity.ERROR and is_unknown is unknown


def _name(verdict: TargetVerdict) -> str:
    target = verdict.target
    if target.device is not None:
        return target.device.address
    return f"group {target.group.id}" if target.group else target.text


def _names(names: list[str]) -> str:
    return _joined(names, _MOST_NAMES)


def _joined(words: list[str], most: int = _MOST_NAMES) -> str:
    if len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} and {words[-1]}"
