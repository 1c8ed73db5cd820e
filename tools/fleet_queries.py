"""Runs the SQL that docs/fleet.md shows, and writes the answers into it.

    python -m tools.fleet_queries            says which answers are others
    python -m tools.fleet_queries --write    and puts them right

Each ``sql`` block is followed by a ``text`` block with what DuckDB answers to it, where
the two files lie that the page makes.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["PAGE", "answered"]

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "fleet.md"
_BLOCK = re.compile(r"```sql\n(.*?)```\n\n```text\n(.*?)```\n", re.DOTALL)
_COMMAND = re.compile(r"^    (iommu-inspect fleet (?:.*\\\n)*.*--output \S+)$", re.M)


def answered(text: str) -> str:
    """Return the page with what its queries answer."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tests").symlink_to(ROOT / "tests")
        for command in _COMMAND.findall(text):
            words = shlex.split(command.replace("\\\n", " "))[1:]
            if "parquet" in words:
                _make(words, folder)
        return _BLOCK.sub(
            lambda b: f"```sql\n{b[1]}```\n\n```text\n{_answer(b[1], folder)}```\n",
            text,
        )


def _make(words: list[str], folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "iommu_inspect", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(done.stderr)


def _answer(query: str, folder: str) -> str:
    import duckdb
    from tabulate import tabulate

    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{folder}'")
        found = connection.execute(query)
        names = [column[0] for column in found.description or ()]
        rows = [[_cell(value) for value in row] for row in found.fetchall()]
    text = tabulate(rows, names, tablefmt="plain", disable_numparse=True)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value)


def main() -> int:
    """Do what the command line says."""
    text = PAGE.read_text()
    new = answered(text)
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(new)
    elif new != text:
        print(f"{PAGE}: answers are others")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
