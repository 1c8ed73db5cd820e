"""What is asked of the program wherever it was installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.packages.roots import Root
from tools.packages.running import FailedError, run

__all__ = ["CAPTURE", "QUESTIONS", "ask_in_root", "ask_on_host", "compare"]

CAPTURE = Path(__file__).resolve().parents[2] / (
    "tests/fixtures/kernels/6.12-sriov-no-acs-1.tar.gz"
)
_FROM = f"--from {CAPTURE.name}"
# Each with templates, tables, rules' pages and the application at least once.
QUESTIONS = (
    f"audit {_FROM} --format json",
    f"list {_FROM} --format json",
    f"list {_FROM}",
    f"predict {_FROM} --format json",
    f"report {_FROM} --output -",
    "explain mixed-ownership",
    "audit --help",
    "--version",
)
# Ready, blocked, cannot tell: each an answer.
_ANSWERS = (0, 1, 3)


def ask_in_root(root: Root, program: str) -> tuple[bytes, ...]:
    """Return what the program prints there for each question.

    Raises:
        FailedError: if it does not answer.
    """
    return tuple(root.call(f"{program} {it}", codes=_ANSWERS) for it in QUESTIONS)


def ask_on_host(
    *program: str | Path, more: Mapping[str, str] | None = None
) -> tuple[bytes, ...]:
    """Return what the program prints on this machine, beside the capture.

    Raises:
        FailedError: if it does not answer.
    """
    return tuple(
        run([*program, *it.split()], CAPTURE.parent, more=more, codes=_ANSWERS)
        for it in QUESTIONS
    )


def compare(said: tuple[bytes, ...], expected: tuple[bytes, ...]) -> str:
    """Return how many answers are the same bytes.

    Raises:
        FailedError: if one is not, or says nothing.
    """
    for question, one, other in zip(QUESTIONS, said, expected, strict=True):
        if not one:
            raise FailedError(f"{question}: prints nothing")
        if one != other:
            raise FailedError(f"{question}: prints something else than the tree")
    return f"{len(said)} answers as the tree"
