"""The one advice at the end of ``audit``: what to look at, what to type, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iommu_inspect.audit.advice import Advice, Look, Mending
from iommu_inspect.audit.auditing import Audit
from iommu_inspect.model.text import printable
from iommu_inspect.render.layout import Style
from iommu_inspect.render.text import fold
from iommu_inspect.rules.finding import Severity
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["advice_blocks", "look_block"]

# Steps of a plan that audit shows; plan shows all of them.
_MOST_STEPS = 14


def advice_blocks(result: Audit, style: Style) -> Iterator[str]:
    """Yield the blocks: checks, steps and where the rest is; or the reason for none."""
    advice = result.advice
    if not result.targets:
        yield from (_mending(each, style) for each in advice.mending)
        return
    if result.verdict is Verdict.READY:
        return
    if because := _not_said_yet(result):
        yield fold(because, style.width)
    if advice.looks:
        yield from _looks(advice, style)
    if advice.then:
        head = fold("If the host can do without what is there:", style.width)
        yield f"{head}\n    {printable(advice.then)}"
    if advice.steps:
        yield from _steps(result, style)


def _not_said_yet(result: Audit) -> str:
    """Return the reason for no steps, without what a finding above says already."""
    because = result.advice.because
    for finding in result.findings:
        if finding.severity is not Severity.INFO and because.startswith(
            finding.message
        ):
            rest = because.removeprefix(finding.message).strip()
            return rest.removeprefix(finding.remedy.partition("\n")[0]).strip()
    return because


def _looks(advice: Advice, style: Style) -> Iterator[str]:
    head = "First look" if advice.steps else "To look at it"
    if all(look.harmless for look in advice.looks):
        yield fold(f"{head}, on the host itself (nothing is changed):", style.width)
    for look in advice.looks:
        yield look_block(look.commands, look, style)


def look_block(commands: Iterable[str], look: Look, style: Style) -> str:
    """Return a check: its commands, which answer lets go on, what another means."""
    lines = [f"    {printable(command)}" for command in commands]
    if look.supposed:
        lines.append(fold(f"as it should be: {look.supposed}", style.width, "      "))
    if look.otherwise:
        lines.append(fold(look.otherwise, style.width, "      "))
    return "\n".join(lines)


def _steps(result: Audit, style: Style) -> Iterator[str]:
    advice = result.advice
    plan = advice.plan
    if advice.looks:
        head = "Then these steps (as root, until the next boot) make it ready:"
    else:
        head = (
            "These steps, tried on the state that was read, make it ready (as root, "
            "until the next boot):"
        )
    if advice.words is not None and advice.words.boot_first:
        text = (
            f"Better bind it at boot: {printable(advice.words.boot_first)}, and its "
            "driver may hang when it is taken off. What to write down for that is in "
            "the plan (below)."
        )
        yield fold(text, style.width)
        head = f"Or, once nobody uses it any more: {head[0].lower()}{head[1:]}"
    shown = advice.steps[:_MOST_STEPS]
    yield "\n".join(
        [fold(head, style.width), *(f"    {printable(step)}" for step in shown)]
    )
    costs = [
        f"mind {move.device.address}: {' '.join(new)}"
        for move in (plan.moves if plan else ())
        if move.changes and (new := _unsaid(result, move.costs))
    ]
    if costs:
        yield "\n".join(fold(cost, style.width) for cost in costs)
    more = len(advice.steps) - len(shown)
    rest = f"{more} steps more, the undo" if more else "The undo"
    purpose = result.purpose.value
    side = "" if purpose in ("dpdk", "attach") else " and the guest's side"
    boots = "what holds at every boot" if not side else "every boot"
    yield "\n".join(
        [
            fold(f"{rest}{',' if side else ' and'} {boots}{side}:", style.width),
            f"    {printable(advice.whole)}",
        ]
    )


def _unsaid(result: Audit, costs: Iterable[str]) -> list[str]:
    """Return the costs that no finding above names already."""
    said = [f.message for f in result.findings if f.severity is not Severity.INFO]
    return [cost for cost in costs if not any(cost in message for message in said)]


def _mending(mending: Mending, style: Style) -> str:
    lines = [fold(mending.prose, style.width)]
    return "\n".join([*lines, *(f"    {printable(line)}" for line in mending.lines)])
