"""Which words can follow on a command line that is not finished.

A shell asks with ``_IOMMU_INSPECT_COMPLETE`` in the environment and the words so far as
arguments, the last one unfinished. Each line of the answer is a word, and behind a tab
what it is; no line at all stands for names of files.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import pairwise

from iommu_inspect.cli.declared import (
    Command,
    Completes,
    Parameter,
    parameters,
)

__all__ = ["Offer", "offers", "print_offers"]

Offer = tuple[str, str]
"""A word, and in a few others what it is."""
_HELP = ("-h", "--help")


def print_offers(words: Sequence[str]) -> None:
    """Print what can stand in the place of the last word."""
    from iommu_inspect.cli.output import settle, write_lines
    from iommu_inspect.model.text import printable

    settle()
    write_lines(
        "\t".join(map(printable, filter(None, offer))) for offer in offers(words)
    )


def offers(words: Sequence[str]) -> list[Offer]:
    """Return what can stand in the place of the last word, in order."""
    from iommu_inspect.cli.main import COMMANDS

    *before, current = words or [""]
    if not before:
        commands = ((name, _first_sentence(_command(name))) for name in COMMANDS)
        return _fitting([*commands, ("--version", "Show the version.")], current)
    if before[0] not in COMMANDS:
        return []
    takes = parameters(_command(before[0]))
    options = {name: each for each in takes.values() for name in each.names}
    waiting = options.get(before[-1])
    if waiting is not None and waiting.type is not bool:
        return _fitting(_values(waiting, current, before), current)
    name, equals, value = current.partition("=")
    if equals and name in options and options[name].type is not bool:
        found = _fitting(_values(options[name], value, before), value)
        return [(f"{name}={word}", about) for word, about in found]
    if current.startswith("-"):
        every = [(name, _about(each)) for name, each in options.items()]
        return _fitting(
            [*every, *((name, "Show the help.") for name in _HELP)], current
        )
    place = next((each for each in takes.values() if not each.names), None)
    return _fitting(_values(place, current, before), current) if place else []


def _command(name: str) -> Command:
    from iommu_inspect.cli.main import COMMANDS

    module, function = COMMANDS[name]
    command: Command = getattr(import_module(module), function)
    return command


def _first_sentence(command: Command) -> str:
    return " ".join((command.__doc__ or "").partition("\n\n")[0].split())


def _about(parameter: Parameter) -> str:
    """Return the first sentence of an option's help."""
    return parameter.declared.help.partition(". ")[0].rstrip(".")


def _fitting(every: Iterable[Offer], current: str) -> list[Offer]:
    return [(word, about) for word, about in every if word.startswith(current)]


def _values(parameter: Parameter, current: str, before: Sequence[str]) -> list[Offer]:
    if issubclass(parameter.type, enum.Enum):
        return [(str(each.value), "") for each in parameter.type]
    kind = parameter.declared.completes
    if kind in (Completes.FILE, Completes.NOTHING):
        return []
    from iommu_inspect.cli.completion.candidates import candidates

    return candidates(kind, current, _sources(before))


def _sources(words: Sequence[str]) -> list[str]:
    """Return what ``--from`` names on the line: its devices are offered."""
    found = [value for word, value in pairwise(words) if word == "--from"]
    begun = "--from="
    found += [word.removeprefix(begun) for word in words if word.startswith(begun)]
    if "--demo" in words:
        found.append("")
    return [name for name in found if name != "-"]
