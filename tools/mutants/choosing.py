"""Which tests concern a mutant: those that run its lines, the quickest first."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

from coverage import CoverageData

__all__ = ["Tests", "in_order", "times"]


def times(report: Path) -> dict[str, float]:
    """Read how long each test took, by its id, from a report of ``--junitxml``."""
    found = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        found[f"{case.get('file')}::{case.get('name')}"] = float(case.get("time", 0))
    return found


def in_order(
    tests: Iterable[str], took: Mapping[str, float], room: str, most: float
) -> list[str]:
    """Put the room's own tests first, the quick ones of them first; drop what is over.

    ``most`` is how many seconds all of them may take.
    """
    chosen: list[str] = []
    spent = 0.0
    for test in sorted(
        tests,
        key=lambda t: (not t.startswith(f"tests/{room}/"), took.get(t, 1.0), t),
    ):
        spent += took.get(test, 1.0)
        if spent > most:
            break
        chosen.append(test)
    return chosen


_OF_ALL = "tests/sentences/"
# These look at what modules hold, of whichever room.
_OF_CONSTANTS = (
    f"{_OF_ALL}test_sentences.py::test_the_tables",
    "tests/rules/test_rule_book.py::",
)


class Tests:
    """Who runs which line, from a coverage file with a context for each test."""

    def __init__(self, root: Path, data: Path, took: Mapping[str, float]) -> None:
        self._root, self._took = root, took
        self._data = CoverageData(str(data))
        self._data.read()
        self._seen: dict[str, dict[int, set[str]]] = {}
        self._names = {
            str(Path(name).relative_to(root)): name
            for name in self._data.measured_files()
            if Path(name).is_relative_to(root)
        }

    def of(self, path: str, lines: range, most: float = 30.0) -> list[str]:
        """Return the tests to run, in order.

        What is only run when the module is imported concerns all who run anything in
        it; a table concerns those who run what imports it. What is said of many
        machines takes long, and comes last.
        """
        by_line = self._by_line(path)
        found = {test for line in lines for test in by_line.get(line, ())}
        if not found:
            # Constants are read whole: no test runs a line of theirs.
            found = self._whole(path)
            for importer in self._importers(path) if not found else ():
                found |= self._whole(importer)
            found |= {test for test in self._took if test.startswith(_OF_CONSTANTS)}
        room = path.split("/")[1]
        last = {test for test in found if test.startswith(_OF_ALL)}
        first = in_order(found - last, self._took, room, most)
        return [*first, *sorted(last, key=lambda test: self._took.get(test, 1.0))]

    def _whole(self, path: str) -> set[str]:
        return {test for tests in self._by_line(path).values() for test in tests}

    def _by_line(self, path: str) -> dict[int, set[str]]:
        if path not in self._seen:
            self._seen[path] = self._read(path)
        return self._seen[path]

    def _read(self, path: str) -> dict[int, set[str]]:
        name = self._names.get(path)
        if name is None:
            return {}
        return {
            line: {context.partition("|")[0] for context in contexts if context}
            for line, contexts in self._data.contexts_by_lineno(name).items()
        }

    def _importers(self, path: str) -> list[str]:
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        above, _, last = module.rpartition(".")
        used = re.compile(
            rf"^\s*(from {re.escape(module)} import"
            rf"|from {re.escape(above)} import .*\b{last}\b)",
            re.M,
        )
        return [
            other
            for other in sorted(self._names)
            if other != path and used.search((self._root / other).read_text())
        ]
