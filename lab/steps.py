"""The lab's steps: what is done to a device of a machine, as data.

The states of machines, the random walks, what a failure is shrunk to and what is
repeated are made of them. ``commands`` writes them for the guest, ``whatif`` for the
tool, ``str`` and ``parse_step`` for a command line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.machines import Machine

__all__ = ["Command", "Move", "Step", "Verb", "commands", "parse_step", "whatif"]


class Verb(StrEnum):
    """What is done; the value is how it is written.

    ``GIVE`` is what an administrator does: let go, override, bind; ``BIND`` leaves out
    the first, and ``REBIND`` the override, too; ``CLEAR`` takes an override away, and
    ``PROBE`` has the bus look for a driver. ``CLAIM`` and ``RELEASE`` are about the
    group that holds the device, ``OPEN`` and ``CLOSE`` about its own node and iommufd,
    ``HOTPLUG`` about a spare device of the machine. ``NEW_ID`` and ``REMOVE_ID`` tell a
    driver of the device's id, ``TYPE`` is that of its group; ``LOAD``, ``UNLOAD`` and
    ``PARAMETER`` are about a module, or MODULE.NAME, in place of a device.
    """

    GIVE = "give"
    BIND = "bind"
    REBIND = "rebind"
    PROBE = "probe"
    UNBIND = "unbind"
    OVERRIDE = "override"
    CLEAR = "clear"
    CLAIM = "claim"
    RELEASE = "release"
    OPEN = "open"
    CLOSE = "close"
    ATTACH = "attach"
    DETACH = "detach"
    HOTPLUG = "hotplug"
    UNPLUG = "unplug"
    SRIOV = "sriov"
    NEW_ID = "new_id"
    REMOVE_ID = "remove_id"
    TYPE = "type"
    LOAD = "load"
    UNLOAD = "unload"
    PARAMETER = "parameter"

    @property
    def has_word(self) -> bool:
        """Say whether a word follows the device: a driver, or how many functions."""
        return self in _WITH_WORD


_WITH_WORD = (
    *(Verb.GIVE, Verb.BIND, Verb.REBIND, Verb.OVERRIDE, Verb.SRIOV),
    *(Verb.NEW_ID, Verb.REMOVE_ID, Verb.TYPE, Verb.PARAMETER),
)
_OF_MODULES = (Verb.LOAD, Verb.UNLOAD, Verb.PARAMETER)


@dataclass(frozen=True, slots=True)
class Step:
    """A verb, the device by the machine's name, and a further word where one follows.

    ``NAME/N`` is virtual function N of NAME.
    """

    verb: Verb
    device: str
    word: str = ""

    def __str__(self) -> str:
        return f"{self.verb}={self.device}" + (f",{self.word}" if self.word else "")

    @property
    def card(self) -> str:
        """The device of the machine's description: a virtual function's is its card.

        It is empty where the step is about a module.
        """
        return "" if self.verb in _OF_MODULES else self.device.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Command:
    """A command for the guest that is no step: nothing is predicted of it."""

    text: str


Move = Step | Command


def parse_step(text: str) -> Step:
    """Read what ``str(step)`` wrote."""
    name, _, rest = text.partition("=")
    if name not in tuple(Verb) or not rest:
        raise LabError(f"'{text}' is no step; verbs: {', '.join(Verb)}")
    verb = Verb(name)
    words = rest.split(",")
    if len(words) != 1 + verb.has_word or not all(words):
        raise LabError(f"'{text}': {verb} takes {1 + verb.has_word} words")
    return Step(verb, *words)


def commands(*moves: Move) -> tuple[str, ...]:
    """Return the commands of ``Guest.do`` that make ``moves``.

    The last command of a step is the one whose answer counts.
    """
    return tuple(command for move in moves for command in _commands(move))


def _commands(move: Move) -> tuple[str, ...]:
    if isinstance(move, Command):
        return (move.text,)
    name, word = move.device, move.word
    match move.verb:
        case Verb.BIND:
            return (f"override {name} {word}", f"bind {name} {word}")
        case Verb.REBIND:
            return (f"bind {name} {word}",)
        case Verb.CLEAR:
            return (f"override {name}",)
        case Verb.CLAIM:
            return (f"hold claim group:{name}",)
        case Verb.RELEASE:
            return (f"release claim group:{name}",)
        case Verb.OPEN:
            return (f"hold bind node:{name}",)
        case Verb.CLOSE:
            return (f"release bind node:{name}",)
        case Verb.ATTACH:
            return (f"oracle attach {name}",)
        case Verb.DETACH:
            return (f"oracle drop {name}",)
        case Verb.HOTPLUG:
            return (f"plug {name}",)
        case Verb.SRIOV:
            return (f"autoprobe {name} 0", f"sriov {name} {word}")
        case Verb.NEW_ID | Verb.REMOVE_ID:
            return (f"{move.verb} {word} {name}",)
        case Verb.LOAD:
            return (f"insert {name}",)
        case Verb.TYPE:
            return (f"domain group:{name} {word}",)
        case Verb.PARAMETER:
            module, _, parameter = name.partition(".")
            return (f"parameter {module} {parameter} {word}",)
        case verb:
            return (f"{verb} {name} {word}".rstrip(),)


def whatif(
    step: Step,
    machine: Machine,
    resolve: Callable[[str], str],
    bound: Callable[[str], bool],
) -> tuple[str, ...]:
    """Return ``step`` as ``iommu-inspect whatif`` takes it.

    ``resolve`` is ``Guest.resolve``: it gives a name's address, and the number of
    the group for ``group:NAME``. ``bound`` says whether an address has a driver now.
    """
    match step.verb:
        case Verb.CLAIM | Verb.RELEASE:
            return (str(Step(step.verb, resolve(f"group:{step.device}"))),)
        case Verb.OPEN | Verb.CLOSE:
            verb = Verb.CLAIM if step.verb is Verb.OPEN else Verb.RELEASE
            return (f"{verb}={resolve(step.device)},iommufd",)
        case Verb.CLEAR:
            return (f"override={resolve(step.device)}",)
        case Verb.NEW_ID | Verb.REMOVE_ID:
            return (f"{step.verb}={step.word},{resolve(step.device)}",)
        case Verb.TYPE:
            return (str(Step(step.verb, resolve(f"group:{step.device}"), step.word)),)
        case Verb.LOAD | Verb.UNLOAD | Verb.PARAMETER:
            return (str(step),)
        case Verb.HOTPLUG:
            card = machine.device(step.device)
            words = (resolve(card.bus or ""), card.class_code, card.driver)
            return (f"hotplug={','.join(filter(None, words))}",)
        case Verb.GIVE:
            address = resolve(step.device)
            bind = f"bind={address},{step.word}"
            return (f"unbind={address}", bind) if bound(address) else (bind,)
        case _:
            return (str(Step(step.verb, resolve(step.device), step.word)),)
