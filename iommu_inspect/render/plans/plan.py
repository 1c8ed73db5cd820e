"""The text of ``plan``: what moves and why, then what to type and to write down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.audit.advice import Look
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.text import listed, printable
from iommu_inspect.plan.decision.moves import NOT_TOLD, Decision, Move, Refusal
from iommu_inspect.plan.steps.making import ACCEPTABLE, Outcome, Plan
from iommu_inspect.plan.writing import Written
from iommu_inspect.render.audits.advice import look_block
from iommu_inspect.render.devices import device_name, driver_mark
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.plans.blocks import (
    block,
    boot_blocks,
    guest_blocks,
    loader_lines,
)
from iommu_inspect.render.purposes import PHRASES
from iommu_inspect.render.text import fold
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.finding import Finding, Purpose, Severity
from iommu_inspect.rules.registry import find_rule

__all__ = ["plan_text", "qemu_text"]

_COLOURS = {"vfio-pci": "green", "no driver": "yellow", "stays": ""}


def plan_text(
    plan: Plan, words: Written, semantics: Semantics, style: Style = PLAIN
) -> str:
    """Return the whole text, or the reasons why there is no plan."""
    blocks = [_moves_table(plan, style)] if plan.moves else []
    if not plan.has_steps:
        blocks += [
            _refusal(refusal, looks, style)
            for refusal, looks in zip(plan.refusals, words.looks, strict=True)
        ]
        blocks += [fold(words.elsewhere, style.width)] if words.elsewhere else []
        blocks += _cure(words, style)
        blocks.append(_no_plan(plan, style))
        return "\n\n".join(filter(None, blocks))
    blocks += _conditions(plan, words, style)
    blocks.append(_checked(plan, semantics, style))
    blocks += [
        _warning(move.device.address, text, style)
        for move, text in zip(plan.moves, words.cautions, strict=True)
        if text
    ]
    blocks += [_warning(f.rule, f.message, style) for f in _unsaid(plan)]
    now, every_boot = _now(plan, words, style), boot_blocks(words, style)
    if words.boot_first:
        blocks += [_why_boot_first(words, style), *every_boot, *now]
    else:
        blocks += [*now, *every_boot]
    blocks += guest_blocks(words, style)
    return "\n\n".join(filter(None, blocks))


def qemu_text(words: Written) -> str:
    """Return QEMU's arguments as a shell would take them, one a line."""
    lines = [f"# {words.token}"] if words.token else []
    lines.append(" \\\n".join(words.qemu))
    if words.window:
        lines.append(f"# OVMF may need: {words.window.argument}")
    if words.qemu_iommufd:
        lines.append("# or, by way of iommufd (QEMU 9.0 or newer):")
        lines += [f"# {argument}" for argument in words.qemu_iommufd]
    return "\n".join(lines)


def _moves_table(plan: Plan, style: Style) -> str:
    rows = [
        [
            ""
            if index and plan.moves[index - 1].group is move.group
            else move.group.id,
            move.device.address,
            _driver(move),
            _becomes(move),
            f"{device_name(move.device)}: {move.why}",
        ]
        for index, move in enumerate(plan.moves)
    ]
    headers = ["GROUP", "DEVICE", "DRIVER", "BECOMES", "WHAT IT IS, AND WHY"]
    return table(headers, rows, style, paints={3: _COLOURS})


def _driver(move: Move) -> str:
    """Return the driver of now, as ``list`` shows it."""
    return "?" if move.device.driver == NOT_TOLD else driver_mark(move.device)


def _becomes(move: Move) -> str:
    words = {
        Decision.MOVES: move.becomes,
        Decision.RELEASED: "no driver",
        Decision.STAYS: "stays",
        Decision.NEVER: "never",
        Decision.UNTOLD: "?",
    }
    return words[move.decision]


def _refusal(refusal: Refusal, looks: Sequence[str], style: Style) -> str:
    word = "error" if refusal.certain else "cannot tell"
    head = f"{style.paint(word, 'red' if refusal.certain else 'yellow')}: "
    lines = [head + printable(refusal.rule), fold(refusal.message, style.width, "  ")]
    lines.append(fold(refusal.remedy, style.width, "  ") if refusal.remedy else "")
    lines += [f"      {printable(line)}" for line in looks]
    return "\n".join(filter(None, lines))


def _cure(words: Written, style: Style) -> list[str]:
    """Print the setting that may cure the refusal, where there is one."""
    if not words.cure:
        return []
    head = fold(
        "This on the kernel's command line may turn the IOMMU on; then boot, and plan "
        "again:",
        style.width,
    )
    return ["\n".join([head, *loader_lines(words.cure, words.cure_places)])]


def _no_plan(plan: Plan, style: Style) -> str:
    lines = []
    rules = [r.rule for r in plan.refusals if find_rule(r.rule) is not None]
    if rules:
        more = f"(more about it: iommu-inspect explain {rules[0]})"
        lines.append(fold(more, style.width))
    names = _targets(plan)
    if plan.outcome is Outcome.UNKNOWN:
        lines.append(fold(f"No plan for {names}: it cannot be told.", style.width))
        return "\n".join(lines)
    certain = {r.rule for r in plan.refusals if r.certain}
    final = any(r.final for r in plan.refusals)
    text = f"No plan for {names}."
    if certain <= set(ACCEPTABLE) and not final:
        options = " ".join(f"--accept {rule}" for rule in sorted(certain))
        text = f"No plan for {names}. If you mean it: {options}"
    return "\n".join([*lines, fold(text, style.width)])


def _conditions(plan: Plan, words: Written, style: Style) -> list[str]:
    """Show what to look at first, where the source does not tell all that decides."""
    if not plan.conditions:
        return []
    head = (
        "The source does not tell all that decides. First look, on the host itself "
        "(nothing is changed); the steps hold if all is as it should be:"
    )
    blocks = [fold(head, style.width)]
    for condition, commands in zip(plan.conditions, words.checks, strict=True):
        look = Look(commands, condition.supposed, condition.otherwise)
        blocks.append(look_block(commands, look, style))
    return blocks


def _checked(plan: Plan, semantics: Semantics, style: Style) -> str:
    asked = [m for m in plan.moves if m.asked]
    names = addresses(m.device for m in asked) or _targets(plan)
    by_vfio = plan.purpose is not Purpose.DPDK or any(m.to_vfio for m in asked)
    viable = "VFIO will say viable, " if by_vfio else ""
    if plan.conditions:
        text = (
            "checked: tried on the state that is supposed, with the rules of "
            f"{printable(semantics.label)}. If all is so, VFIO will say viable and "
            f"audit ready for {names}, and the undo leads back."
        )
    elif plan.nothing_to_do:
        phrase = PHRASES[plan.purpose]
        text = f"Nothing to do now: {names} can {phrase} as it is."
    else:
        text = (
            "checked: tried on this machine's state with the rules of "
            f"{printable(semantics.label)}. After these steps {viable}audit will say "
            f"ready for {names}, and the undo leads back."
        )
    if plan.load:
        text += f" (Supposed that {listed(plan.load)} can be loaded.)"
    return fold(text, style.width)


def _targets(plan: Plan) -> str:
    return listed(dict.fromkeys(printable(t.text) for t in plan.targets))


def _warning(rule: str, message: str, style: Style) -> str:
    head = f"{style.paint('mind', 'yellow')}: {printable(rule)}"
    return f"{head}\n{fold(message, style.width, '  ')}"


def _unsaid(plan: Plan) -> Iterable[Finding]:
    """Yield the warnings that say what nothing else on this page says.

    That the group is one, and has several devices, the table above shows; what a
    device is used for stands with its costs.
    """
    costly = {move.device.id for move in plan.moves if move.changes and move.costs}
    for finding in plan.warnings:
        told = finding.rule in ("partial-group", "singleton-assumption")
        if told and plan.purpose is Purpose.VFIO:
            continue
        used = finding.rule == "host-loss" and finding.severity is Severity.WARNING
        if used and set(finding.devices[:1]) & costly:
            continue
        yield finding


def _why_boot_first(words: Written, style: Style) -> str:
    text = (
        f"Bind it at boot: {printable(words.boot_first)}. A driver that is taken off a "
        "display in use may hang, and the screen goes dark. The steps for now are for "
        "when nobody uses it any more."
    )
    return fold(text, style.width)


def _now(plan: Plan, words: Written, style: Style) -> list[str]:
    if plan.nothing_to_do:
        return []
    blocks = [block("Now, until the next boot (as root):", words.there)]
    script = "--format shell prints this and the undo as a script that checks itself"
    if any(move.changes for move in plan.moves):
        blocks.append(block("The same with driverctl:", words.driverctl))
        user = "program" if plan.purpose is Purpose.DPDK else "guest"
        blocks.append(block(f"Undo (shut the {user} down first):", words.back))
        if words.driverctl_back:
            blocks.append(block("Undo with driverctl:", words.driverctl_back))
    untold = [
        m.device
        for m in plan.moves
        if m.changes and not isinstance(m.device.driver_override, (str, type(None)))
    ]
    if untold:
        blocks.append(
            fold(
                f"The source does not tell the driver_override of {addresses(untold)}: "
                "the undo clears it.",
                style.width,
            )
        )
    blocks.append(fold(f"({script})", style.width))
    return blocks
