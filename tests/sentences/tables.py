"""Constants: ids, names of drivers, bits, years of birth, words of the output.

Many were copied from the kernel's sources; this is what was copied, to be held against
those again, and so that none of it changes unnoticed.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import iommu_inspect

__all__ = ["tables"]


_ROOMS = ("kernel", "plan", "rules", "settings", "verdict")


def tables() -> Iterator[str]:
    """Yield every constant of some rooms where it is met first, a line each.

    Those are names in capitals, and enumerations.
    """
    top = iommu_inspect.__name__
    met: set[tuple[str, str]] = set()
    for room in _ROOMS:
        root = importlib.import_module(f"{top}.{room}")
        for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            module = importlib.import_module(found.name)
            for name, value in sorted(vars(module).items()):
                text = _constant(name, value)
                if text is not None and (name, text) not in met:
                    met.add((name, text))
                    yield f"{found.name.removeprefix(top + '.')} {name} {text}"


def _constant(name: str, value: object) -> str | None:
    if isinstance(value, type) and issubclass(value, enum.Enum):
        return ", ".join(f"{each.name}={each.value!r}" for each in value)
    return _text(value) if name.strip("_").isupper() else None


def _text(value: object) -> str | None:
    """Return a constant as text, whatever order it is kept in; None for code."""
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, bool | str | None):
        return repr(value)
    if isinstance(value, int):
        return f"{value:#x}"
    if isinstance(value, re.Pattern):
        return repr(value.pattern)
    if isinstance(value, Mapping):
        pairs = [(_text(key), _text(what)) for key, what in value.items()]
        return f"{{{', '.join(sorted(f'{key}: {what}' for key, what in pairs))}}}"
    if isinstance(value, frozenset | set):
        return f"{{{', '.join(sorted(str(_text(each)) for each in value))}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(str(_text(each)) for each in value)})"
    if is_dataclass(value) and not isinstance(value, type):
        parts = (f"{f.name}={_text(getattr(value, f.name))}" for f in fields(value))
        return f"{type(value).__name__}({', '.join(parts)})"
    return getattr(value, "__name__", None) if callable(value) else None
