"""The text of ``audit``: findings, the worst first, and one sentence at the end."""

from __future__ import annotations

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.exceptions import Ignored
from iommu_inspect.kernel.answers import OK
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import printable
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.prospects import prospects_table, prospects_text
from iommu_inspect.render.text import fold
from iommu_inspect.rules.finding import Certainty, Finding, Purpose, Severity
from iommu_inspect.verdict.judge import TargetVerdict
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["audit_text"]

_SEVERITY_COLOURS = {
    Severity.ERROR: "red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
_VERDICT_COLOURS = {
    Verdict.READY: "green",
    Verdict.BLOCKED: "red",
    Verdict.UNKNOWN: "yellow",
}
# What follows "can", "cannot" and "could".
_PHRASES = {
    Purpose.VFIO: "be handed to user space",
    Purpose.DPDK: "be used by DPDK",
    Purpose.ATTACH: "be attached by iommu_attach_device()",
    Purpose.ONE_PER_GROUP: "be handed out one by one",
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
) -> str:
    """Return the whole text.

    Notes (severity info) are counted unless asked for, and so is what is ignored; the
    ``summary`` of a whole host is a line for each answer, or a table.
    """
    blocks = [_target_lines(result, style)] if result.targets else []
    shown = [f for f in result.findings if notes or f.severity is not Severity.INFO]
    blocks += [_finding_block(finding, style) for finding in shown]
    if notes:
        blocks += [_ignored_block(ignored, style) for ignored in result.ignored]
    blocks.append(
        prospects_table(result.summary, style)
        if summary
        else prospects_text(result.summary, _PHRASES[result.purpose], style)
    )
    last = []
    hidden = len(result.findings) - len(shown)
    if hidden:
        last.append(f"({hidden} note{'s' if hidden > 1 else ''} more: --notes)")
    if result.ignored:
        last.append(fold(_ignored_line(result, notes=notes), style.width))
    if shown:
        more = f"(more about it: iommu-inspect explain {shown[0].rule})"
        last.append(fold(more, style.width))
    if result.targets and result.verdict is Verdict.READY:
        last.append(fold(_SUPPOSED, style.width))
    last.append(fold(_sentence(result), style.width))
    blocks.append("\n".join(last))
    return "\n\n".join(filter(None, blocks))


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
    return "\n".join(_target_line(verdict, style) for verdict in result.targets)


def _target_line(verdict: TargetVerdict, style: Style) -> str:
    target = verdict.target
    word = verdict.verdict.value.upper()
    painted = style.paint(word, _VERDICT_COLOURS[verdict.verdict])
    name = target.device.address if target.device else ""
    group = f"group {target.group.id}" if target.group else "no group"
    members = "" if target.device else _members(target.group)
    return f"{painted}  {printable('  '.join(filter(None, (name, group, members))))}"


def _members(group: Group | None) -> str:
    """Name the one device of a group that was asked for, and its driver."""
    if group is None or len(group.devices) != 1:
        return ""
    (device,) = group.devices
    return f"{device.address} ({value_or(device.driver, '?') or 'no driver'})"


def _finding_block(finding: Finding, style: Style) -> str:
    severity = style.paint(finding.severity.value, _SEVERITY_COLOURS[finding.severity])
    about = f"group {finding.group}" if finding.group is not None else ""
    if finding.certainty is Certainty.UNKNOWN:
        about = "  ".join(filter(None, (about, "cannot tell")))
    head = "  ".join(filter(None, (f"{severity}: {finding.rule}", printable(about))))
    first, *commands = finding.remedy.split("\n")
    lines = [head, fold(finding.message, style.width, "  ")]
    lines.append(fold(first, style.width, "  ") if commands or first else "")
    # Commands are not folded: they are there to be copied.
    lines += [_command_or_prose(line, style) for line in commands]
    return "\n".join(filter(None, lines))


def _command_or_prose(line: str, style: Style) -> str:
    if line.endswith(":"):
        return fold(line, style.width, "  ")
    return f"      {printable(line)}"


def _sentence(result: Audit) -> str:
    """Say what to do now, in one sentence."""
    if not result.targets:
        return _host_sentence(result)
    names = _names([_name(v) for v in result.targets if v.verdict is result.verdict])
    phrase = _PHRASES[result.purpose]
    if result.verdict is Verdict.READY:
        warnings = sum(f.severity is Severity.WARNING for f in result.findings)
        mind = f", but mind the {_counted(warnings, 'warning')}" if warnings else ""
        return f"{names} can {phrase} now{mind}."
    if result.verdict is Verdict.UNKNOWN:
        return f"Whether {names} can {phrase} cannot be told{_why(result)}."
    return f"{names} cannot {phrase}{_why(result)}."


def _host_sentence(result: Audit) -> str:
    if result.verdict is Verdict.READY:
        warnings = sum(f.severity is Severity.WARNING for f in result.findings)
        if warnings:
            return f"No errors on this host, but {_counted(warnings, 'warning')}."
        return "Nothing is wrong with the IOMMU groups of this host."
    if result.verdict is Verdict.UNKNOWN:
        return f"Whether this host is in order cannot be told{_why(result)}."
    count = sum(
        f.severity is Severity.ERROR and f.certainty is not Certainty.UNKNOWN
        for f in result.findings
    )
    if not count:  # no rule says it, or it is ignored; the kernel refuses all the same
        return f"The kernel refuses groups that are on vfio already{_why(result)}."
    return f"{count} thing{'s are' if count > 1 else ' is'} wrong{_why(result)}."


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _why(result: Audit) -> str:
    """Name what stands in the way: the first errors, or the kernel's own reason."""
    wanted = result.verdict is Verdict.UNKNOWN
    # What is ignored stands in a target's way all the same; and in the kernel's.
    ignored = [ignored.finding for ignored in result.ignored]
    errors = [f for f in result.findings if _is_error(f, unknown=wanted)]
    if result.targets or not errors:
        errors += [f for f in ignored if _is_error(f, unknown=wanted)]
    steps = list(dict.fromkeys(f.step or f"see {f.rule}" for f in errors))
    if steps:
        return f": {_joined(steps)}"
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
