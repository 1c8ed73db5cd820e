"""The line that asks this program for the whole plan."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.machine import Machine
from iommu_inspect.plan import shell
from iommu_inspect.rules.finding import Purpose

__all__ = ["plan_command"]


def plan_command(machine: Machine, purpose: Purpose, names: Iterable[str]) -> str:
    """Return the line, for targets as they were asked for and the source they are in.

    What no command is written with has a word in its place that says what it is.
    """
    targets = " ".join(_written(name, "DEVICE") for name in names)
    wanted = "" if purpose is Purpose.VFIO else f"--for {purpose.value}"
    return " ".join(filter(None, ("iommu-inspect plan", targets, wanted, _of(machine))))


def _of(machine: Machine) -> str:
    return " ".join(
        text if text in ("--demo", "--from") else _written(text, "SOURCE")
        for text in machine.source.option
    )


def _written(text: str, what: str) -> str:
    try:
        return shell.word(text)
    except shell.UnwritableError:
        return what
