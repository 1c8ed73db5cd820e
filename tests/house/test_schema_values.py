"""The values that a schema allows are those that the program has."""

from __future__ import annotations

import enum
import importlib
import json
import pkgutil
from collections.abc import Iterator
from importlib import resources
from typing import Any

import iommu_inspect

# A part of an enumeration on purpose: what stands alone has no reason to show.
PARTS = {("why-1.json", "mechanism")}


def enumerations() -> Iterator[frozenset[object]]:
    for each in pkgutil.walk_packages(iommu_inspect.__path__, "iommu_inspect."):
        if each.name.endswith("__main__"):
            continue
        for found in vars(importlib.import_module(each.name)).values():
            if isinstance(found, type) and issubclass(found, enum.Enum):
                yield frozenset(member.value for member in found)


def allowed(node: Any, name: str = "") -> Iterator[tuple[str, frozenset[object]]]:
    """Yield each list of values of a schema, with the name of its property."""
    if isinstance(node, list):
        for part in node:
            yield from allowed(part, name)
    elif isinstance(node, dict):
        if "enum" in node:
            yield name, frozenset(node["enum"]) - {None}
        for key, part in node.items():
            inside = key in ("properties", "items", "enum")
            yield from allowed(part, name if inside else key)


def test_a_schema_knows_all_members_of_an_enumeration() -> None:
    known = {values for values in enumerations() if values}
    checked = 0
    for file in resources.files("iommu_inspect").joinpath("schemas").iterdir():
        for name, values in allowed(json.loads(file.read_text())):
            if (file.name, name) in PARTS or values in known:
                checked += values in known
                continue
            close = [whole for whole in known if len(whole & values) > 1]
            assert not any(values < whole or whole < values for whole in close), (
                file.name,
                name,
                sorted(map(str, values)),
            )
    assert checked > 30
