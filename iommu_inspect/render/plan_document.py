"""The document of ``plan``: ``iommu-inspect/plan/1``."""

from __future__ import annotations

from typing import Any

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.fact import known
from iommu_inspect.plan.boot import MODPROBE_FILE, Boot, Place, boot, cure, loaders
from iommu_inspect.plan.commands import commands, driverctl, driverctl_back
from iommu_inspect.plan.guests import (
    given,
    iommufd_arguments,
    libvirt_xml,
    only_held,
    qemu_arguments,
)
from iommu_inspect.plan.making import Outcome, Plan
from iommu_inspect.plan.moves import Action, Move
from iommu_inspect.plan.script import script
from iommu_inspect.render.documents import head
from iommu_inspect.rules.not_on_vfio import caution

__all__ = ["plan_document"]


def plan_document(plan: Plan, semantics: Semantics) -> dict[str, Any]:
    """Build ``iommu-inspect/plan/1``; without a plan the commands are empty."""
    planned = plan.outcome is Outcome.PLANNED
    settings = boot(plan) if planned else None
    check = plan.check
    moves = plan.moves
    return {
        **head("plan", plan.machine, semantics),
        "verdict": plan.outcome.value,
        "targets": [
            {
                "target": target.text,
                "address": target.device and target.device.address,
                "group": target.group and target.group.id,
            }
            for target in plan.targets
        ],
        "refusals": [
            {
                "rule": refusal.rule,
                "certain": refusal.certain,
                "message": refusal.message,
                "remedy": refusal.remedy,
            }
            for refusal in plan.refusals
        ],
        "members": [_member(move) for move in moves],
        "steps": [
            {
                "step": outcome.step.text,
                "result": outcome.answer.result,
                "because": outcome.answer.because,
            }
            for outcome in (check.outcomes if check else ())
        ],
        "checked": check
        and {
            "verdict": check.verdict.value,
            "undo": check.back,
            "supposed": [f"modprobe {module}" for module in plan.load],
        },
        "warnings": [
            {"rule": f.rule, "message": f.message, "remedy": f.remedy}
            for f in plan.warnings
        ],
        "now": list(commands(plan.there)) if planned else [],
        "undo": list(commands(plan.back)) if planned else [],
        "driverctl": list(driverctl(plan.there)) if planned else [],
        "driverctl_undo": list(driverctl_back(plan.back)) if planned else [],
        "script": script(plan, semantics.label) if planned else None,
        "boot": settings and _boot(settings),
        "cure": _cure(plan),
        "libvirt": libvirt_xml(moves) if planned else None,
        "qemu": list(qemu_arguments(moves)) if planned else [],
        "qemu_iommufd": list(iommufd_arguments(plan.machine, semantics, moves))
        if planned
        else [],
        "given": [str(address) for address in given(moves)] if planned else [],
        "only_held": [str(address) for address in only_held(moves)] if planned else [],
    }


def _member(move: Move) -> dict[str, Any]:
    driver = move.device.driver
    bind, free = move.action is Action.BIND, move.action is Action.FREE
    return {
        "address": move.device.address,
        "group": move.group.id,
        "driver": driver if known(driver) else None,
        "asked": move.asked,
        "action": move.action.value,
        "override": move.override if bind or free else None,
        "why": move.why,
        "caution": caution(move.device).strip() if bind or free else "",
    }


def _boot(settings: Boot) -> dict[str, Any]:
    return {
        "method": settings.method,
        "why": settings.why,
        "modprobe": {"path": MODPROBE_FILE, "lines": list(settings.modprobe)},
        "initramfs": [_place(place) for place in settings.initramfs],
        "kernel_words": list(settings.kernel_words),
        "command_line": [_place(place) for place in settings.command_line],
        "driverctl": list(settings.driverctl),
        "notes": list(settings.notes),
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "title": place.title,
        "path": place.path or None,
        "how": place.how,
        "lines": list(place.lines),
        "commands": list(place.commands),
    }


def _cure(plan: Plan) -> dict[str, Any] | None:
    words = cure(plan.machine)
    if not words or not any(r.rule == "no-iommu" for r in plan.refusals):
        return None
    return {
        "kernel_words": list(words),
        "command_line": [_place(place) for place in loaders(words)],
    }
