"""A fact is a value, or the reason why there is none."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = ["Fact", "Missing", "complete", "known", "map_fact", "unread", "value_or"]

T = TypeVar("T")
U = TypeVar("U")


class Missing(enum.Enum):
    """Why a source has no value for a fact. The four never stand for each other.

    ``ABSENT``: the source does not hold it (no such file, no such line).
    ``DENIED``: the kernel refused it to this user.
    ``TRUNCATED``: some of it is there, but not the part that was asked for.
    ``UNREADABLE``: it is there and could not be read or understood.
    """

    ABSENT = "absent"
    DENIED = "denied"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"

    def __bool__(self) -> NoReturn:
        """Refuse to be a condition: what could not be seen is neither yes nor no.

        Raises:
            TypeError: always; ask ``known()``, or compare with the value meant.
        """
        raise TypeError(f"{self} has no truth value; ask known(), or name the value")


Fact: TypeAlias = T | Missing


def known(fact: T | Missing) -> TypeIs[T]:
    """Say whether there is a value."""
    return not isinstance(fact, Missing)


def unread(fact: T | Missing) -> bool:
    """Say whether there is something that was not seen: refused, failed or cut off.

    What is absent may as well not exist; this does.
    """
    return isinstance(fact, Missing) and fact is not Missing.ABSENT


def value_or(fact: Fact[T], default: U) -> T | U:
    """Return the fact's value, or ``default`` where there is none."""
    return fact if known(fact) else default


def map_fact(fact: Fact[T], function: Callable[[T], Fact[U]]) -> Fact[U]:
    """Apply ``function`` to the fact's value; a missing fact stays as it is."""
    return function(fact) if known(fact) else fact


def complete(facts: Iterable[Fact[T]]) -> Fact[tuple[T, ...]]:
    """Return the values of a list's entries, or why the list is not whole.

    An entry that is absent has gone since the list was read, and belongs to it no more.
    """
    found: list[T] = []
    for fact in facts:
        if known(fact):
            found.append(fact)
        elif fact is not Missing.ABSENT:
            return fact
    return tuple(found)
