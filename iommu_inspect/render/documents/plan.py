"""The document of ``plan``: ``iommu-inspect/plan/1``."""

from __future__ import annotations

from typing import Any

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.fact import known
from iommu_inspect.plan.decision.moves import NO_GROUP, NOT_TOLD, Decision, Move
from iommu_inspect.plan.host.boot import Boot
from iommu_inspect.plan.host.systems import MODPROBE_FILE, Place
from iommu_inspect.plan.sheets import Sheet
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.plan.writing import Written
from iommu_inspect.render.documents.common import head

__all__ = ["plan_document"]


def plan_document(plan: Plan, words: Written, semantics: Semantics) -> dict[str, Any]:
    """Build ``iommu-inspect/plan/1``; without a plan the commands are empty."""
    check = plan.check
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
        "members": [
            _member(move, caution)
            for move, caution in zip(plan.moves, words.cautions, strict=True)
        ],
        "conditions": [
            {
                "look": list(lines),
                "supposed": condition.supposed,
                "otherwise": condition.otherwise,
            }
            for condition, lines in zip(plan.conditions, words.checks, strict=False)
        ],
        "purpose": plan.purpose.value,
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
            "supposed": list(words.supposed),
        },
        "warnings": [
            {"rule": f.rule, "message": f.message, "remedy": f.remedy}
            for f in plan.warnings
        ],
        "now": list(words.there),
        "undo": list(words.back),
        "driverctl": list(words.driverctl),
        "driverctl_undo": list(words.driverctl_back),
        "script": words.script,
        "boot": words.boot and _boot(words.boot),
        "cure": _cure(words),
        "libvirt": words.libvirt,
        "qemu": list(words.qemu),
        "qemu_iommufd": list(words.qemu_iommufd),
        "given": list(map(str, words.given)),
        "only_held": list(map(str, words.only_held)),
        "boot_first": words.boot_first or None,
        "vf_token": {
            "needed_by": list(map(str, words.locked)),
            "note": words.token,
        },
        "window": words.window
        and {
            "bytes": words.window.size,
            "argument": words.window.argument,
            "note": words.window.note,
        },
        "proxmox": _sheet(words.proxmox),
        "driverctl_saved": _sheet(words.saved_driverctl),
        "dpdk": _sheet(words.dpdk),
        "spdk": _sheet(words.spdk),
    }


def _sheet(sheet: Sheet | None) -> dict[str, Any] | None:
    if sheet is None:
        return None
    return {"lines": list(sheet.lines), "notes": list(sheet.notes)}


# The words that the document had for decisions before it had the plan's own.
_ACTIONS = {
    Decision.MOVES: "bind",
    Decision.RELEASED: "free",
    Decision.STAYS: "stay",
    Decision.NEVER: "stay",
    Decision.UNTOLD: "untold",
}


def _member(move: Move, caution: str) -> dict[str, Any]:
    driver = move.device.driver
    told = known(driver) and driver != NOT_TOLD
    return {
        "address": move.device.address,
        "group": None if move.group is NO_GROUP else move.group.id,
        "driver": driver if told else None,
        "asked": move.asked,
        "action": _ACTIONS[move.decision],
        "decision": move.decision.value,
        "becomes": move.becomes if move.decision is Decision.MOVES else None,
        "override": move.override if move.changes else None,
        "why": move.why,
        "caution": caution,
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
        "own_system": settings.own_system,
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "title": place.title,
        "path": place.path or None,
        "how": place.how,
        "lines": list(place.lines),
        "commands": list(place.commands),
    }


def _cure(words: Written) -> dict[str, Any] | None:
    if not words.cure:
        return None
    return {
        "kernel_words": list(words.cure),
        "command_line": [_place(place) for place in words.cure_places],
    }
