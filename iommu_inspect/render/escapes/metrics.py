"""Text of a source in metrics, as Prometheus reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from iommu_inspect.model.text import printable

__all__ = ["help_line", "label", "sample"]

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def sample(name: str, labels: Mapping[str, str], value: int) -> str:
    r"""Return one line: a metric, its labels in their order, and its value.

    Escapes are ``\\``, ``\"`` and ``\n`` (the text-based exposition format). What a
    terminal would obey is written as it is shown there: a metric ends on a screen.

    Raises:
        ValueError: the metric or a label has a name that is none; these are ours.
    """
    for each in (name, *labels):
        if _NAME.fullmatch(each) is None:
            raise ValueError(f"{each!r} is no name of a metric or a label")
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value}" if inside else f"{name} {value}"


def label(text: str) -> str:
    """Return a label's value for a library that writes it with escapes of its own."""
    return printable(text)


def help_line(name: str, text: str) -> str:
    """Return what a metric is, on a line."""
    return f"# HELP {name} {printable(text)}".replace("\\", "\\\\")


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
