"""Hypothetical steps, as they are written on a command line."""

from __future__ import annotations

from dataclasses import dataclass

from iommu_inspect.model.usage import BadRequestError

__all__ = ["STEPS", "BadStepError", "Step", "parse_step"]

# What follows the "=": the words' names; those in brackets may be left out.
STEPS: dict[str, tuple[str, ...]] = {
    "bind": ("DEV", "DRIVER"),
    "unbind": ("DEV",),
    "override": ("DEV", "[DRIVER]"),
    "claim": ("GROUP",),
    "release": ("GROUP",),
    "attach": ("DEV",),
    "detach": ("DEV",),
    "sriov": ("DEV", "N"),
    "hotplug": ("PORT", "[CLASS]", "[DRIVER]"),
    "unplug": ("DEV",),
}


class BadStepError(BadRequestError):
    """A step is not written as ``whatif`` takes it; the message says how."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its verb, what it is done to, and the words after that."""

    text: str
    verb: str
    subject: str
    arguments: tuple[str, ...] = ()

    def argument(self, index: int) -> str | None:
        """Return the word at ``index`` after the subject, ``None`` without one."""
        return self.arguments[index] if index < len(self.arguments) else None


def parse_step(text: str) -> Step:
    """Read ``bind=01:00.0,vfio-pci``.

    Raises:
        BadStepError: no such verb, or too few or too many words.
    """
    verb, equals, rest = text.partition("=")
    words = STEPS.get(verb)
    if words is None or not equals:
        raise BadStepError(
            f"{text!r} is no step; steps are {', '.join(map(_usage, STEPS))}"
        )
    given = rest.split(",")
    needed = sum(not word.startswith("[") for word in words)
    if not needed <= len(given) <= len(words) or not all(given):
        raise BadStepError(f"{text!r} is not written as {_usage(verb)}")
    if verb == "sriov" and not given[1].isdecimal():
        raise BadStepError(f"{text!r}: {given[1]!r} is no number of virtual functions")
    return Step(text, verb, given[0], tuple(given[1:]))


def _usage(verb: str) -> str:
    words = STEPS[verb]
    text = words[0]
    for word in words[1:]:
        text += f"[,{word[1:-1]}]" if word.startswith("[") else f",{word}"
    return f"{verb}={text}"
