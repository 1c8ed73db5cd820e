"""What a command takes, declared beside its parameters: options and arguments.

A parameter of a command is annotated with one of these. The command line library is
told of it by `application`, which is asked for help, completion and whatever is wrong;
`reading` reads a plain command line by the same declarations, in a tenth of the time.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Mapping

__all__ = ["Argument", "Command", "Completes", "Option", "Parameter", "parameters"]

Command = Callable[..., None]
# Any annotation: types have no common type.
_Hint = typing.Any


class Completes(enum.Enum):
    """What a shell can offer in a word's place."""

    FILE = enum.auto()
    NOTHING = enum.auto()
    TARGET = enum.auto()
    DEVICE = enum.auto()
    GROUP = enum.auto()
    DRIVER = enum.auto()
    CLASS = enum.auto()
    OWNERSHIP = enum.auto()
    COLUMN = enum.auto()
    RULE = enum.auto()
    SEMANTICS = enum.auto()
    STEP = enum.auto()
    SHELL = enum.auto()


class Argument:
    """What is named by its place; ``completes`` says what a shell can offer for it."""

    __slots__ = ("completes", "help", "metavar")

    def __init__(
        self,
        *,
        metavar: str,
        help: str,
        completes: Completes = Completes.FILE,
    ) -> None:
        self.metavar = metavar
        self.help = help
        self.completes = completes


class Option:
    """What is named by ``names``; by the parameter's own, if none are given."""

    __slots__ = ("completes", "help", "metavar", "names")

    def __init__(
        self,
        *names: str,
        help: str,
        metavar: str | None = None,
        completes: Completes = Completes.FILE,
    ) -> None:
        self.completes = completes
        self.names = names
        self.metavar = metavar
        self.help = help


class Parameter:
    """A command's parameter: its name, what it is, its type, and what it is without.

    ``type`` is that of one word: `bool` for a flag, `str`, or an enumeration. With
    ``many`` the parameter is a list of them. ``annotation`` is the whole type, as it
    was written. What is ``required`` has no default.
    """

    __slots__ = (
        "annotation",
        "declared",
        "default",
        "many",
        "name",
        "required",
        "type",
    )

    def __init__(self, name: str, hint: _Hint, default: tuple[object, ...]) -> None:
        self.name = name
        self.declared: Option | Argument = hint.__metadata__[0]
        self.annotation: object = hint.__origin__
        self.required = not default
        self.default = default[0] if default else None
        kind, self.many = _without_none(self.annotation), False
        if getattr(kind, "__origin__", None) is list:
            (kind,), self.many = typing.get_args(kind), True
        self.type: type[bool | str | enum.Enum] = kind

    @property
    def names(self) -> tuple[str, ...]:
        """The names of an option, as they are typed; none of an argument."""
        if isinstance(self.declared, Argument):
            return ()
        return self.declared.names or ("--" + self.name.replace("_", "-"),)


def parameters(command: Command) -> Mapping[str, Parameter]:
    """Return what a command takes, in its order, by the parameters' names."""
    hints = typing.get_type_hints(command, include_extras=True)
    names = [name for name in hints if name != "return"]
    # Those of the parameters that have one are the last.
    defaults: tuple[object, ...] = getattr(command, "__defaults__", None) or ()
    without = len(names) - len(defaults)
    return {
        name: Parameter(name, hints[name], defaults[place - without :][:1])
        if place >= without
        else Parameter(name, hints[name], ())
        for place, name in enumerate(names)
    }


def _without_none(kind: _Hint) -> _Hint:
    if isinstance(kind, types.UnionType):
        (kind,) = (each for each in typing.get_args(kind) if each is not types.NoneType)
    return kind
