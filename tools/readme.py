"""Runs the commands that pages show, and writes what they print into the pages.

    python -m tools.readme            says which pages show something else
    python -m tools.readme --write    and puts it right

A shown command is a line that begins with ``$ iommu-inspect`` in a fenced block; what
follows is what it prints. ``[...]`` stands for paragraphs that are left out. Each is
run by ``sh`` as it is printed, in a directory that has the repository's ``tests/``,
with 80 columns, on a host without an IOMMU: what is shown depends on no host.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["Shown", "differing", "mended", "pages", "shown"]

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = "[...]"
# Commands that stand for one of the program's.
_SHORT = {"make demo": "iommu-inspect audit --demo"}
_OURS = ("iommu-inspect ", *_SHORT)
# Refused or not found: 2 of the program, 4 a source that is not there, 127 of sh.
_ANSWERS = (0, 1, 3)
_LINK = re.compile(r"\]\(([\w/.-]+\.md)\)")
# The program on a host that has nothing but an empty /sys.
_PROGRAM = """\
import sys
from iommu_inspect.cli import session
from iommu_inspect.cli.main import main
from iommu_inspect.sources.tree.opening import open_path

sys.argv[0] = "iommu-inspect"
session.open_live = lambda: open_path({host!r})
main()
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """One command of a page with the lines shown below it, and where those are."""

    command: str
    lines: tuple[str, ...]
    start: int
    end: int


def pages(root: Path = ROOT) -> tuple[Path, ...]:
    """Return the README and the pages that it leads to."""
    readme = root / "README.md"
    links = [root / link for link in _LINK.findall(readme.read_text())]
    return (readme, *sorted({link for link in links if link.parent.name == "docs"}))


def shown(text: str) -> Iterator[Shown]:
    """Yield the program's commands in the fenced blocks of a page."""
    lines = text.splitlines()
    fenced, at = False, 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("```"):
            fenced = not fenced
        if not fenced or not line.startswith("$ "):
            continue
        command = line.removeprefix("$ ")
        while command.endswith("\\"):
            command = command.removesuffix("\\") + lines[at].strip()
            at += 1
        start = at
        while not lines[at].startswith(("$ ", "```")):
            at += 1
        if command.startswith(_OURS):
            yield Shown(command, tuple(lines[start:at]), start, at)


def differing(one: Shown) -> str | None:
    """Say what a command does other than what is shown, ``None`` if nothing."""
    code, printed, both = _run(_SHORT.get(one.command, one.command))
    if code not in _ANSWERS:
        return f"{one.command!r} ends with {code}: {both}"
    if not one.lines or any(_fits(one.lines, text) for text in (printed, both)):
        return None
    return f"{one.command!r} prints something else: {both}"


def mended(text: str) -> str:
    """Return a page with what its commands print, as far as the page shows it."""
    lines = text.splitlines()
    for one in reversed(list(shown(text))):
        code, printed, both = _run(_SHORT.get(one.command, one.command))
        if not one.lines or code not in _ANSWERS:
            continue
        if not any(_fits(one.lines, text) for text in (printed, both)):
            # Notes on standard error stay where the page has them.
            has_notes = one.lines[0].startswith("iommu-inspect: ")
            now = (both if has_notes else printed).splitlines()
            lines[one.start : one.end] = _shortened(now, one.lines)
    return "\n".join(lines) + "\n"


def _fits(lines: tuple[str, ...], text: str) -> bool:
    parts = "\n".join(lines).split(LEFT_OUT)
    pattern = r"(?s:.*)".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, text.rstrip("\n")) is not None


def _shortened(now: list[str], before: tuple[str, ...]) -> list[str]:
    """Leave out what the page left out: the paragraphs between its first and last."""
    if LEFT_OUT not in before:
        return now
    first = before.index(LEFT_OUT)
    last = len(before) - 1 - before[::-1].index(LEFT_OUT)
    new = _paragraphs(now)
    head = len(_paragraphs(before[:first]))
    tail = len(_paragraphs(before[last + 1 :]))
    if head + tail >= len(new):
        return now
    kept = [*new[:head], [LEFT_OUT], *new[len(new) - tail :]]
    return "\n\n".join("\n".join(part) for part in kept).splitlines()


def _paragraphs(lines: tuple[str, ...] | list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line:
            parts[-1].append(line)
        else:
            parts.append([])
    return [part for part in parts if part]


@cache
def _run(command: str) -> tuple[int, str, str]:
    """Return the exit code, what is printed, and that with what is said beside it."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "host" / "sys").mkdir(parents=True)
        (here / "bin").mkdir()
        (here / "work").mkdir()
        (here / "work" / "tests").symlink_to(ROOT / "tests")
        program = here / "bin" / "program.py"
        program.write_text(_PROGRAM.format(host=str(here / "host")))
        called = here / "bin" / "iommu-inspect"
        words = shlex.join([sys.executable, str(program)])
        called.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        called.chmod(0o755)
        environment = {
            "PATH": f"{here / 'bin'}:{os.defpath}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "80",
            "LC_ALL": "C.UTF-8",
        }
        code, texts = 0, []
        for beside in (subprocess.DEVNULL, subprocess.STDOUT):
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=here / "work",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=beside,
                timeout=120,
                check=False,
            )
            code = done.returncode
            texts.append(done.stdout.decode())
    return code, texts[0], texts[1]


def _main(words: list[str]) -> int:
    wrong = 0
    for page in pages():
        text = page.read_text()
        if words == ["--write"]:
            text = mended(text)
            page.write_text(text)
        for one in shown(text):
            said = differing(one)
            if said is not None:
                wrong += 1
                print(f"{page.relative_to(ROOT)}:{one.start}: {said}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
