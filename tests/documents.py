"""JSON documents held against the schemas that ship with the program."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
from running import document

__all__ = ["validate", "validator"]


@cache
def validator(command: str) -> jsonschema.Draft202012Validator:
    file = resources.files("iommu_inspect").joinpath(f"schemas/{command}-1.json")
    schema = json.loads(file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validate(command: str, *words: str | Path) -> dict[str, Any]:
    found = document(command, *words)
    assert found["schema"] == f"iommu-inspect/{command}/1"
    validator(command).validate(found)
    return found
