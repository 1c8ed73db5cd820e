"""Gives lines to a reader of text, and looks at what it says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import known
from iommu_inspect.sources.text.said import CUT, Line, Reader, Said

_MANY = ("direct", "nodes", "modprobe", "firmware_tables")

__all__ = ["about", "cuts", "facts", "of_host", "read"]


def read(make: Callable[[], Reader], text: str) -> tuple[Said, ...]:
    """Return what a reader makes of a text; ``$ `` before a line is a prompt."""
    reader = make()
    for number, line in enumerate(text.splitlines(), 1):
        prompt = line.startswith("$ ")
        bare = line.removeprefix("$ ") if prompt else line
        depth = len(bare) - len(bare.lstrip())
        if bare.strip():
            reader.take(Line(number, bare, depth, prompt))
    return reader.said()


def facts(said: tuple[Said, ...]) -> set[tuple[str, str, str]]:
    """Return all that is claimed: of whom, what, and its value."""
    found: set[tuple[str, str, str]] = set()
    for each in said:
        of, whose = (
            (each.host, "") if each.device is None else (each.facts, each.device)
        )
        for name, value in _known(of):
            found.add((str(whose), name, repr(value)))
    return found


def about(said: tuple[Said, ...], name: str) -> dict[str, list[Any]]:
    """Return one fact of all devices that something says it of."""
    found: dict[str, list[Any]] = defaultdict(list)
    for each in said:
        if each.device is not None:
            values = [value for key, value in _known(each.facts) if key == name]
            found[str(each.device)] += [
                v for v in values if v not in found[str(each.device)]
            ]
    return {device: values for device, values in found.items() if values}


def of_host(said: tuple[Said, ...], name: str) -> list[Any]:
    """Return one fact of the host, each value once."""
    values = [
        value
        for each in said
        if each.device is None
        for key, value in _known(each.host)
        if key == name
    ]
    return list(dict.fromkeys(values))


def cuts(text: str) -> list[str]:
    """Return a text cut off at every place, marked as the end of one is."""
    return [text[:at] + CUT for at in range(len(text))]


def _known(of: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for field in fields(of):
        if field.name == "derived":  # how ids were found, not what they are
            continue
        value = getattr(of, field.name)
        if isinstance(value, PciIds):
            found += _known(value)
        elif field.name in _MANY:
            found += [(field.name, item) for item in value]
        elif known(value):
            found.append((field.name, value))
    return found
