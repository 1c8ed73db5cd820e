"""Hold one set of answers against another."""

from __future__ import annotations

import difflib
import gzip
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Intended", "compare", "read_intended"]

_MOST_LINES = 12
INTENDED = Path(__file__).with_name("intended.toml")


@dataclass(frozen=True, slots=True)
class Intended:
    """A difference that was meant.

    All are regular expressions: a document differs as intended if its request has
    ``request``, some line that goes or comes has ``sign``, and each such line has one
    of ``lines`` (any, if none are given). ``reason`` says why.
    """

    reason: str
    request: re.Pattern[str]
    sign: re.Pattern[str]
    lines: re.Pattern[str]


def read_intended(file: Path = INTENDED) -> tuple[Intended, ...]:
    """Read the list of intended differences."""
    if not file.exists():
        return ()
    tables = tomllib.loads(file.read_text()).get("difference", [])
    return tuple(
        Intended(
            table["reason"],
            re.compile(table.get("request", "")),
            re.compile(table.get("sign", "")),
            re.compile("|".join(f"(?:{line})" for line in table.get("lines", [""]))),
        )
        for table in tables
    )


def compare(
    before: Path,
    after: Path,
    intended: tuple[Intended, ...],
    counts: Counter[str],
    *,
    common: bool = False,
) -> Iterator[str]:
    """Yield the differences that were not intended; count documents by outcome.

    With ``common``, what only one set holds is passed over: it was cast over less.
    """
    names = {path.name for path in (*before.glob("*.gz"), *after.glob("*.gz"))}
    for name in sorted(names):
        old, new = _read(before / name), _read(after / name)
        asked = old.keys() & new.keys() if common else old.keys() | new.keys()
        for request in sorted(asked):
            yield from _document(
                name, request, old.get(request), new.get(request), intended, counts
            )


def _document(
    name: str,
    request: str,
    old: Any,
    new: Any,
    intended: tuple[Intended, ...],
    counts: Counter[str],
) -> Iterator[str]:
    if old == new:
        counts["same"] += 1
        return
    if old is None or new is None:
        counts["only in one set"] += 1
        yield f"{name}: {request}: only {'after' if old is None else 'before'}"
        return
    changed = _changed_lines(old, new)
    left = changed
    used = []
    for each in intended:
        if each.request.search(f"{name} {request}") and any(
            each.sign.search(line) for line in changed
        ):
            rest = [line for line in left if not each.lines.search(line)]
            if len(rest) < len(left):
                used.append(each.reason)
            left = rest
    if not left:
        for reason in used:
            counts[f"intended: {reason}"] += 1
        return
    counts["different"] += 1
    shown = left[:_MOST_LINES]
    if len(left) > _MOST_LINES:
        shown = [*shown, f"({len(left) - _MOST_LINES} lines more)"]
    yield "\n".join([f"{name}: {request}", *(f"    {line}" for line in shown)])


def _changed_lines(old: Any, new: Any) -> list[str]:
    before, after = (
        [f"exit {entry['exit']}"]
        + [f"err {line}" for line in entry["err"].splitlines()]
        + entry["out"].splitlines()
        for entry in (old, new)
    )
    diff = difflib.unified_diff(before, after, lineterm="", n=0)
    return [line for line in diff if not re.match(r"---|\+\+\+|@@", line)]


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    with gzip.open(file, "rt") as kept:
        entries = [json.loads(line) for line in kept]
    return {" ".join(entry["request"]): entry for entry in entries}
