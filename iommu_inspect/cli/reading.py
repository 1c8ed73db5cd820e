"""A plain command line, read without the library that knows all of them.

`typer` is half of the start-up time. What is read here it would have read in the same
way (`tests/cli/test_reading.py`); of whatever is not as plain as this, wrong, or asks
for help, it is asked.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from iommu_inspect.cli.declared import Command, Parameter, parameters

__all__ = ["read_call"]


def read_call(command: Command, words: Sequence[str]) -> Mapping[str, object] | None:
    """Return what a command is called with; ``None`` if that is not plain to see."""
    takes = parameters(command)
    options = {name: each for each in takes.values() for name in each.names}
    given: dict[str, list[str]] = {}
    places: list[str] = []
    waiting = iter(words)
    for word in waiting:
        name, equals, value = word.partition("=")
        option = options.get(name if word.startswith("--") else word)
        if option is None:
            if word.startswith("-") and word != "-":
                return None
            places.append(word)
            continue
        if option.type is bool:
            value = ""
            if equals:
                return None
        elif not equals:
            following = next(waiting, None)
            if following is None or (following.startswith("-") and following != "-"):
                return None
            value = following
        if option.name in given and not option.many:
            return None
        given.setdefault(option.name, []).append(value)
    if not _place(takes, places, given):
        return None
    return _values(takes, given)


def _place(
    takes: Mapping[str, Parameter], places: list[str], given: dict[str, list[str]]
) -> bool:
    """Give each argument its words; ``False`` if there are too few, or too many."""
    for each in takes.values():
        if each.names:
            continue
        mine = places if each.many else places[:1]
        places = [] if each.many else places[1:]
        if mine:
            given[each.name] = mine
        elif each.required:
            return False
    return not places


def _values(
    takes: Mapping[str, Parameter], given: Mapping[str, list[str]]
) -> Mapping[str, object] | None:
    """Return the values of all parameters; ``None`` if a word is none of its type."""
    values: dict[str, object] = {}
    for name, each in takes.items():
        if name not in given:
            if each.required:
                return None
            values[name] = each.default
        elif each.type is bool:
            values[name] = True
        else:
            found = [_value(each, word) for word in given[name]]
            if None in found:
                return None
            values[name] = found if each.many else found[0]
    return values


def _value(parameter: Parameter, word: str) -> object:
    if issubclass(parameter.type, enum.Enum):
        return parameter.type._value2member_map_.get(word)
    return word
