"""Runs the commands that pages show, and writes what they print into the pages.

    python -m tools.readme            says which pages show something else
    python -m tools.readme --write    and puts it right

A shown command is a line that begins with ``$`` in a fenced block and has the program
in it; what follows is what it prints. ``[...]`` stands for paragraphs that are left
out. Each is run by ``sh`` as it is printed, in a directory that has the repository's
``tests/``, with 80 columns, on a host without an IOMMU: what is shown depends on no
host.
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
_OURS = "iommu-inspect "
# Refused or not found: 2 of the program, 4 a source that is not there, 127 of sh.
_ANSWERS = (0, 1, 3)
_FINDING = re.compile(r"(?:error|warning|info): ([a-z0-9-]+)")
_NUMBERS = re.compile(r"[0-9a-f]*:?[0-9a-f]+:[0-9a-f]+\.\d|\d+")
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
    """Return the README, the pages of the documentation, and those of the rules."""
    docs, rules = root / "docs", root / "iommu_inspect" / "rules"
    return (root / "README.md", *sorted(docs.glob("*.md")), *sorted(rules.glob("*.md")))


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
        if _OURS in command or command in _SHORT:
            yield Shown(command, tuple(lines[start:at]), start, at)


def differing(one: Shown) -> str | None:
    """Say what a command does other than what is shown, ``None`` if nothing."""
    command = _SHORT.get(one.command, one.command)
    code, printed = _run(command)
    if code not in _ANSWERS:
        return f"{command!r} ends with {code}: {_run(command, notes=True)[1]}"
    if not one.lines or _fits(one.lines, printed):
        return None
    _, both = _run(command, notes=True)
    if _fits(one.lines, both):
        return None
    return f"{command!r} prints something else: {both}"


def mended(text: str) -> str:
    """Return a page with what its commands print, as far as the page shows it."""
    lines = text.splitlines()
    own = lines[0].removeprefix("# ")
    for one in reversed(list(shown(text))):
        # Notes on standard error stay where the page has them.
        notes = bool(one.lines) and one.lines[0].startswith("iommu-inspect: ")
        code, now = _run(_SHORT.get(one.command, one.command), notes=notes)
        if one.lines and code in _ANSWERS and not _fits(one.lines, now):
            left = _shortened(now.splitlines(), one.lines, own)
            lines[one.start : one.end] = left
    return "\n".join(lines) + "\n"


def _fits(lines: tuple[str, ...], text: str) -> bool:
    parts = "\n".join(lines).split(LEFT_OUT)
    pattern = r"(?s:.*)".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, text.rstrip("\n")) is not None


def _shortened(now: list[str], before: tuple[str, ...], own: str) -> list[str]:
    """Leave out what the page left out, and never what it is about.

    A paragraph is known by how it begins: a finding by its rule, whatever it is about.
    """
    old, new = _paragraphs(before), _paragraphs(now)
    if [LEFT_OUT] not in old:
        return now
    keys = {_key(part) for part in old}
    keep = [_key(part) in keys or _key(part) == own for part in new]
    keep[0] |= old[0] != [LEFT_OUT]
    keep[-1] |= old[-1] != [LEFT_OUT]
    kept: list[list[str]] = []
    for part, is_kept in zip(new, keep, strict=True):
        if is_kept:
            kept.append(part)
        elif kept[-1:] != [[LEFT_OUT]]:
            kept.append([LEFT_OUT])
    return "\n\n".join("\n".join(part) for part in kept).splitlines()


def _key(paragraph: list[str]) -> str:
    finding = _FINDING.match(paragraph[0])
    words = _NUMBERS.sub("", paragraph[0]).split()
    return finding[1] if finding else " ".join(words[:2])


def _paragraphs(lines: tuple[str, ...] | list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line:
            parts[-1].append(line)
        else:
            parts.append([])
    return [part for part in parts if part]


@cache
def _run(command: str, *, notes: bool = False) -> tuple[int, str]:
    """Return the exit code and what is printed, with ``notes`` standard error too."""
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
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=here / "work",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if notes else subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
    return done.returncode, done.stdout.decode()


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
