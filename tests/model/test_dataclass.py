"""Our dataclasses are the standard library's, made in another way."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest

from iommu_inspect.model.dataclass import dataclass as ours

MAKERS = (dataclasses.dataclass, ours)


def _made(make: Callable[..., Any], **options: bool) -> Any:
    class Thing:
        name: str
        number: int = 3
        more: tuple[int, ...] = ()
        parts: list[int] = dataclasses.field(default_factory=list)
        hidden: str = dataclasses.field(default="h", repr=False, compare=False)
        inner: object = dataclasses.field(
            default=None, init=False, repr=False, compare=False
        )
        length: int = dataclasses.field(init=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.name))

    Thing.__qualname__ = "Thing"
    return make(**options)(Thing)


def _behaviour(make: Callable[..., Any], **options: bool) -> dict[str, object]:
    """Return all that can be seen of a class and of what is made of it."""
    cls = _made(make, **options)
    one, same, other = cls("a"), cls(name="a", hidden="x"), cls("b", 4, (1,), [2])
    seen = {
        "repr": [repr(one), repr(other)],
        "equal": [one == same, one == other, one == "a", one != same],
        "fields": [
            (f.name, f.compare, f.repr, f.init) for f in dataclasses.fields(cls)
        ],
        "as dict": dataclasses.asdict(other),
        "replaced": repr(dataclasses.replace(other, number=9)),
        "arguments": cls.__match_args__,
        "slots": getattr(cls, "__slots__", None),
        "copied": repr(copy.deepcopy(other)),
        "lists": one.parts is same.parts,
        "inner": one.inner,
    }
    for what, act in {
        "set": lambda: setattr(one, "number", 5),
        "delete": lambda: delattr(one, "number"),
        "set strange": lambda: setattr(one, "strange", 5),
        "hash": lambda: hash(_hashable(cls)) == hash(_hashable(cls)),
        "less": lambda: one < other,
        "at most": lambda: one <= same,
        "more": lambda: one > other,
        "at least": lambda: one >= other,
        "too few": cls,
        "too many": lambda: cls("a", strange=1),
    }.items():
        try:
            seen[what] = act()
        except (AttributeError, TypeError) as error:
            seen[what] = type(error)
    # With slots theirs stumbles over its own super() (a TypeError, until 3.14).
    if seen["set strange"] is TypeError:
        seen["set strange"] = dataclasses.FrozenInstanceError
    return seen


def _hashable(cls: Any) -> object:
    return cls("a", parts=())


@pytest.mark.parametrize(
    "options",
    [
        {"frozen": True, "slots": True},
        {"frozen": True},
        {"slots": True},
        {"frozen": True, "slots": True, "eq": False},
        {"frozen": True, "slots": True, "order": True},
        {},
    ],
    ids=str,
)
def test_a_class_behaves_as_the_standard_librarys(options: dict[str, bool]) -> None:
    theirs, own = (_behaviour(make, **options) for make in MAKERS)
    assert own == theirs


@ours(frozen=True, slots=True)
class Sent:
    name: str
    parts: tuple[int, ...] = ()


def test_what_is_frozen_can_be_pickled() -> None:
    sent = Sent("a", (1, 2))
    assert pickle.loads(pickle.dumps(sent)) == sent


@ours(frozen=True)
class Remembering:
    name: str

    @cached_property
    def upper(self) -> str:
        return self.name.upper()


def test_a_class_keeps_what_it_has_of_its_own() -> None:
    @ours(frozen=True, slots=True)
    class Own:
        name: str

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "mine"

    assert Own("a") == Own("b")
    assert hash(Own("a")) == 7
    assert repr(Own("a")) == "mine"


def test_a_frozen_class_without_slots_remembers() -> None:
    found = Remembering("ab")
    assert found.upper == "AB"
    with pytest.raises(dataclasses.FrozenInstanceError, match="'upper'"):
        found.upper = "x"
