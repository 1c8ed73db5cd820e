"""Dataclasses that are made quickly: a program of many starts late by each.

The standard library writes six functions for each class as source text, and compiles
them: half of what it takes to start `audit` goes there (`python -m bench.start`). But
for ``__init__``, which should be as fast as it can, all classes can have the same
functions. What is made is a dataclass of the standard library's in everything else: its
fields, its slots, `dataclasses.replace`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

__all__ = ["dataclass"]

_T = TypeVar("_T")
_Get = Callable[[Any], Any]


if TYPE_CHECKING:  # to who checks types it is that of the standard library
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type[_T] | None = None, /, **options: bool
    ) -> type[_T] | Callable[[type[_T]], type[_T]]:
        """Make a dataclass of a class, as `dataclasses.dataclass` does.

        Of its options there are ``frozen``, ``slots``, ``eq`` and ``order``.
        """
        if cls is None:
            return lambda undone: _made(undone, **options)
        return _made(cls, **options)


def _made(
    cls: type[_T],
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    order: bool = False,
) -> type[_T]:
    if cls.__doc__ is None:
        cls.__doc__ = cls.__name__  # or it would be told from a signature, slowly
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    given: dict[str, object] = {"__init__": _init(cls, fields, frozen=frozen)}
    given["__repr__"] = _repr([field.name for field in fields if field.repr])
    get = _getter([field.name for field in fields if field.compare])
    if eq:
        given |= _equal(get)
        given["__hash__"] = (lambda self: hash(get(self))) if frozen else None
    if order:
        given |= _ordered(get)
    if frozen:
        given |= {"__setattr__": _no_setattr, "__delattr__": _no_delattr}
    if frozen and slots:
        given |= _state([field.name for field in fields])
    own = cls.__dict__
    for name, function in given.items():
        if own.get(name) is None or name not in _KEPT:
            setattr(cls, name, function)
    return cls


# What a class may have written itself.
_KEPT = frozenset(["__init__", "__repr__", "__eq__", "__hash__", "__lt__"])


def _init(
    cls: type, fields: tuple[dataclasses.Field[Any], ...], *, frozen: bool
) -> object:
    """Compile the one function that is worth it.

    A frozen slot is filled by its own descriptor, and a frozen attribute as the
    standard library does it.
    """
    names: dict[str, object] = {"_missing": dataclasses.MISSING, "_set": _set}
    parameters, body = ["self"], []
    for field in fields:
        name = value = field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = field.default_factory
            value = f"_make_{name}()"
            if field.init:
                parameters.append(f"{name}=_missing")
                value = f"{value} if {name} is _missing else {name}"
        elif field.default is not dataclasses.MISSING:
            names[f"_default_{name}"] = field.default
            value = f"_default_{name}"
            if field.init:
                parameters.append(f"{name}={value}")
                value = name
        elif field.init:
            parameters.append(name)
        else:
            continue  # __post_init__ fills it
        fill = getattr(cls.__dict__.get(name), "__set__", None)
        if not frozen:
            body.append(f"  self.{name} = {value}")
        elif fill is not None:
            names[f"_set_{name}"] = fill
            body.append(f"  _set_{name}(self, {value})")
        else:
            body.append(f"  _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("  self.__post_init__()")
    lines = "\n".join(body or ["  pass"])
    # The names are those of a class' own annotations, as in the standard library.
    exec(f"def __init__({', '.join(parameters)}):\n{lines}", names)  # noqa: S102
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"  # type: ignore[attr-defined]
    return made


_set = object.__setattr__


def _getter(names: list[str]) -> _Get:
    """Return what gets all the fields that are compared, at once."""
    if len(names) > 1:
        return attrgetter(*names)
    if names:
        (name,) = names
        return lambda self: (getattr(self, name),)
    return lambda _: ()


def _equal(get: _Get) -> dict[str, object]:
    def equal(self: object, other: object) -> object:
        if other.__class__ is self.__class__:
            return get(self) == get(other)
        return NotImplemented

    return {"__eq__": equal}


def _ordered(get: _Get) -> dict[str, object]:
    def less(self: object, other: object) -> object:
        if other.__class__ is self.__class__:
            return get(self) < get(other)
        return NotImplemented

    def at_most(self: object, other: object) -> object:
        if other.__class__ is self.__class__:
            return get(self) <= get(other)
        return NotImplemented

    # The other two are these, asked the other way round.
    return {"__lt__": less, "__le__": at_most}


def _repr(names: list[str]) -> object:
    def shown(self: object) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({fields})"

    return shown


def _state(names: list[str]) -> dict[str, object]:
    """Return how what is frozen is copied and pickled, in spite of that."""

    def state(self: object) -> list[object]:
        return [getattr(self, name) for name in names]

    def restore(self: object, values: list[object]) -> None:
        for name, value in zip(names, values, strict=True):
            _set(self, name, value)

    return {"__getstate__": state, "__setstate__": restore}


def _no_setattr(_: object, name: str, __: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_delattr(_: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
