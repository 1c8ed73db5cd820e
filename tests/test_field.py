"""What is true of machines and pastes from public reports: each line, as it is told.

``cases.tsv`` says of each what the output must and must not hold, as expressions.
"""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from running import call
from shared import SHARED, needs_shared

FIELD = SHARED / "field"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    case: str
    file: str
    args: str
    rc: str
    must: str
    mustnot: str

    @property
    def holds(self) -> str:
        """Return what does not hold, empty if all does."""
        source = FIELD / self.case / self.file
        done = call(*shlex.split(self.args), "--from", source)
        text = done.stdout + done.stderr
        if self.rc not in ("*", "") and str(done.returncode) not in self.rc.split("|"):
            return f"exit code {done.returncode}, not {self.rc}"
        if self.must and not re.search(self.must, text):
            return f"nothing says {self.must}"
        if self.mustnot and (found := re.search(self.mustnot, text)):
            return f"it says {found[0]!r}"
        return ""


def lines() -> Iterator[Line]:
    table = FIELD / "cases.tsv"
    if not table.is_file():
        return
    with table.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            fields = ("case", "file", "args", "rc", "must", "mustnot")
            yield Line(*(row[name] for name in fields))


@needs_shared
@pytest.mark.parametrize("line", list(lines()), ids=lambda x: f"{x.case} {x.args}")
def test_the_field_is_told_what_is_true(line: Line) -> None:
    assert line.holds == ""
