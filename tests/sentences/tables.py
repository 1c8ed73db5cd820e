"""The tables of the kernel's rules: ids, names of drivers, bits, years of birth.

They were copied from the kernel's sources; this is what was copied, to be held against
those again, and so that none of it changes unnoticed.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import iommu_inspect.kernel

__all__ = ["tables"]


def tables() -> Iterator[str]:
    """Yield every constant of ``kernel/`` where it is met first, a line each."""
    root = iommu_inspect.kernel
    met: set[tuple[str, str]] = set()
    for found in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
        module = importlib.import_module(found.name)
        for name, value in sorted(vars(module).items()):
            text = _text(value) if name.strip("_").isupper() else None
            if text is not None and (name, text) not in met:
                met.add((name, text))
                yield f"{found.name.removeprefix(root.__name__ + '.')} {name} {text}"


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
