"""Which branches of the engine a real kernel has confirmed, by the answers they gave.

A branch is a place in ``kernel/ownership`` or ``kernel/steps`` that makes an answer
other than "unknown". While evidence is judged, each answer remembers where it was made;
one that a kernel gave too confirms the place. That a line was run confirms nothing.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self

import iommu_inspect.kernel
from iommu_inspect.kernel.answers import UNKNOWN, Answer
from lab.compare import Comparison

__all__ = ["Branch", "Confirmed", "Ledger", "branches", "reason"]

_KERNEL = Path(iommu_inspect.kernel.__file__).parent
_ROOMS = ("ownership", "steps")
# They make the answer for who calls them.
_MAKERS = frozenset({"Answer", "_refused", "_none_yet"})
REASONS = Path(__file__).with_name("unconfirmed.toml")
NOT_YET = "not asked yet"

Place = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Branch:
    """A place that makes an answer: file and line, the function, what it returns.

    ``result`` is as the source writes it.
    """

    file: str
    line: int
    function: str
    result: str

    @property
    def place(self) -> Place:
        """What a running frame is recognised by."""
        return self.file, self.line


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A branch, and how often each kernel gave its answer; none where it is empty."""

    branch: Branch
    kernels: Mapping[str, int]


def branches() -> tuple[Branch, ...]:
    """Return every branch of the engine that gives an answer, in the sources' order."""
    found = [
        branch
        for room in _ROOMS
        for path in sorted((_KERNEL / room).glob("*.py"))
        for branch in _of_file(path)
    ]
    return tuple(sorted(found))


def _of_file(path: Path) -> Iterator[Branch]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name in _MAKERS:
            continue
        for node in ast.walk(function):
            result = _result(node) if isinstance(node, ast.Call) else None
            if isinstance(node, ast.Call) and result is not None:
                name = f"{path.parent.name}/{path.name}"
                yield Branch(name, node.lineno, function.name, result)


def _result(call: ast.Call) -> str | None:
    """Return what a call answers, ``None`` if it makes no answer, or "unknown"."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    told: ast.expr | None = None
    if name == "_none_yet":
        return "NOT_APPLICABLE"
    if name in _MAKERS and call.args:
        told = call.args[0]
    elif name == "replace":
        told = next((k.value for k in call.keywords if k.arg == "result"), None)
    if told is None or (isinstance(told, ast.Name) and told.id == "UNKNOWN"):
        return None
    return str(told.value) if isinstance(told, ast.Constant) else ast.unparse(told)


class Ledger:
    """Counts, while evidence is judged, which branch each confirmed answer came from.

    Within its ``with`` answers remember where they were made.
    """

    def __init__(self) -> None:
        self._counts: dict[Place, Counter[str]] = defaultdict(Counter)
        # The answers are kept, so that no other takes the number of one of them.
        self._made: dict[int, tuple[Answer, frozenset[Place]]] = {}
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        """Have every answer that is made from now on remembered."""
        made: Any = Answer.__init__

        def remember(answer: Answer, *values: Any, **named: Any) -> None:
            made(answer, *values, **named)
            self._remember(answer, sys._getframe(1))

        self._ends.callback(setattr, Answer, "__init__", made)
        setattr(Answer, "__init__", remember)  # noqa: B010
        return self

    def __exit__(self, *_: object) -> None:
        """Let answers be made as ever."""
        self._ends.close()
        self._made.clear()

    def note(self, kernel: str, items: Iterable[Comparison]) -> None:
        """Count the answers of one boot that a kernel gave, too, and forget them."""
        for item in items:
            answer = item.answer
            if answer is None or item.outcome != "right" or answer.result == UNKNOWN:
                continue
            for place in self._places(answer):
                self._counts[place][kernel] += 1
        self._made.clear()

    def confirmed(self) -> tuple[Confirmed, ...]:
        """Return every branch with the kernels that gave its answers."""
        return tuple(Confirmed(each, self._counts[each.place]) for each in branches())

    def _remember(self, answer: Answer, frame: FrameType | None) -> None:
        earlier: frozenset[Place] = frozenset()
        if frame is not None and frame.f_code.co_filename == dataclasses.__file__:
            # replace(): made of another one, which counts too where it said the same.
            old = next((v for v in frame.f_locals.values() if type(v) is Answer), None)
            if old is not None and old.result == answer.result:
                earlier = self._places(old)
            frame = frame.f_back
        while frame is not None and frame.f_code.co_name in _MAKERS:
            frame = frame.f_back
        mine = _place(frame.f_code, frame.f_lineno) if frame else frozenset[Place]()
        self._made[id(answer)] = answer, earlier | mine

    def _places(self, answer: Answer) -> frozenset[Place]:
        _, places = self._made.get(id(answer), (answer, frozenset[Place]()))
        return places


def _place(code: CodeType, line: int) -> frozenset[Place]:
    path = Path(code.co_filename)
    if path.parent.name in _ROOMS and path.parent.parent == _KERNEL:
        return frozenset({(f"{path.parent.name}/{path.name}", line)})
    return frozenset()


def reason(branch: Branch) -> str:
    """Return why no kernel confirms a branch, or that it was not asked yet.

    ``unconfirmed.toml`` has it by file, by file and function, or by all of it.
    """
    known = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    names = (branch.file, branch.function, branch.result)
    for length in (3, 2, 1):
        found = known.get(" ".join(names[:length]))
        if found is not None:
            return str(found)
    return NOT_YET
