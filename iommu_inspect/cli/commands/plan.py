"""``iommu-inspect plan``: the commands that make it work, printed and never run."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Argument, Completes, Option
from iommu_inspect.cli.options import (
    NAMES,
    Color,
    ColorOption,
    Demo,
    For,
    ForOption,
    From,
    Numeric,
    SemanticsOption,
)

if TYPE_CHECKING:
    from iommu_inspect.kernel.eras import Semantics
    from iommu_inspect.plan.steps.making import Plan
    from iommu_inspect.plan.writing import Written

__all__ = ["plan_devices"]


class PlanFormat(enum.StrEnum):
    """What to print."""

    TABLE = "table"
    SHELL = "shell"
    JSON = "json"
    LIBVIRT = "libvirt"
    QEMU = "qemu"
    PROXMOX = "proxmox"
    DRIVERCTL = "driverctl"
    DPDK = "dpdk"
    SPDK = "spdk"


class Accept(enum.StrEnum):
    """Rules whose errors can be passed over."""

    HOST_LOSS = "host-loss"
    INTERRUPT_REMAPPING = "interrupt-remapping"


def plan_devices(
    targets: Annotated[
        list[str],
        Argument(
            metavar="DEVICE|group:ID...",
            completes=Completes.TARGET,
            help=f"What is to be handed over: {NAMES}.",
        ),
    ],
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    accept: Annotated[
        list[Accept] | None,
        Option(
            "--accept",
            help="Plan although this rule has an error: the host loses what it uses, "
            "or guests may inject interrupts. Can be given twice.",
        ),
    ] = None,
    purpose: ForOption = For.VFIO,
    all_systems: Annotated[
        bool,
        Option(
            "--all-systems",
            help="Settings for every kind of distribution, not this host's alone.",
        ),
    ] = False,
    numeric: Numeric = False,
    output: Annotated[
        PlanFormat,
        Option(
            "--format",
            help="All of it for people; a script for sh (do and undo); JSON; what the "
            "guest's side needs; or the same plan for driverctl, DPDK or SPDK.",
        ),
    ] = PlanFormat.TABLE,
    color: ColorOption = Color.AUTO,
) -> None:
    """Print what to type so that devices can be handed to user space, and the undo.

    Nothing is run. The steps are tried on the state that was read, and no plan is
    printed that fails there.

    Exit code: 0 planned, 1 refused, 2 usage, 3 cannot tell, 4 source unreadable.
    """
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.model.asked.target import find_targets
    from iommu_inspect.plan.steps.making import Outcome, make_plan
    from iommu_inspect.plan.writing import written
    from iommu_inspect.rules.finding import Purpose

    machine = load(source, numeric=numeric, demo=demo, processes=True, bars=True)
    rules = rules_of(machine, semantics)
    found = find_targets(machine, targets)
    accepted = frozenset(word.value for word in accept or ())
    if output is PlanFormat.DPDK:
        purpose = For.DPDK
    with telling(lambda: "trying the steps"):
        plan = make_plan(machine, rules, found, accepted, Purpose(purpose.value))
    words = written(plan, rules, all_systems=all_systems)
    if not _print(plan, words, rules, output, color):
        sys.exit(Exit.BLOCKED)
    codes = {Outcome.REFUSED: Exit.BLOCKED, Outcome.UNKNOWN: Exit.CANNOT_TELL}
    if plan.outcome in codes:
        sys.exit(codes[plan.outcome])


def _print(
    plan: Plan, words: Written, rules: Semantics, output: PlanFormat, color: Color
) -> bool:
    """Print it; ``False`` if that tool has no words for a plan that there is."""
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.plan.host.script import refusing_script
    from iommu_inspect.render.plans.plan import plan_text, qemu_text

    if output is PlanFormat.TABLE:
        emit(plan_text(plan, words, rules, style(color)))
        return True
    if output is PlanFormat.JSON:
        from iommu_inspect.render.documents.common import to_json
        from iommu_inspect.render.documents.plan import plan_document

        emit(to_json(plan_document(plan, words, rules)))
        return True
    for refusal in plan.refusals:
        complain(f"{refusal.rule}: {refusal.message}")
    if plan.refusals:
        if output is PlanFormat.SHELL:
            emit(refusing_script(refusal.message for refusal in plan.refusals))
        return True
    for finding in plan.warnings:
        complain(f"mind {finding.rule}: {finding.message}")
    if output is PlanFormat.SHELL:
        emit(str(words.script))
        return True
    for condition, commands in zip(plan.conditions, words.checks, strict=True):
        for command in commands:
            complain(f"look first: {command}")
        complain(f"only if: {condition.supposed}")
    sheet = {
        PlanFormat.PROXMOX: words.proxmox,
        PlanFormat.DRIVERCTL: words.saved_driverctl,
        PlanFormat.DPDK: words.dpdk,
        PlanFormat.SPDK: words.spdk,
    }.get(output)
    if sheet is not None:
        for note in sheet.notes:
            complain(note)
        if sheet.lines:
            emit("\n".join(sheet.lines))
        return bool(sheet.lines)
    if output is PlanFormat.QEMU:
        emit(qemu_text(words))
    else:
        for address in words.without_xml:
            complain(f"no XML for {address}: QEMU's host= ends at domain ffff")
        for address in words.locked:
            complain(f"no XML for {address}: it has no place for a VF token")
        emit(words.libvirt or "")
    return True
