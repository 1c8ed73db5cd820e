"""Which mutants there are: a change of one place each, by the operators of mutmut.

mutmut's own runner leaves out decorated functions and what stands in the body of a
module or a class: properties and tables, of which the rooms have many. So its operators
are put to all nodes here, and three of ours beside them: a condition is turned round,
and a string with fields and one in three quotes are changed as other strings are.

Left out, because no answer can depend on it or because no test should repeat it:

- docstrings, ``__all__``, imports, annotations and decorators (``frozen``, ``slots``);
- prose: text that only people read (see ``is_prose``), and all of the citations;
- arguments of ``len`` and ``isinstance``, and defaults that are calls, as mutmut does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import libcst as cst
from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

from tools.mutants.prose import is_prose

__all__ = ["ROOMS", "Mutant", "mutants"]

ROOMS = ("kernel", "rules", "plan")
# What is quoted from elsewhere: a test of it would be a copy of it.
_QUOTED = "kernel/citations.py"
_NEVER_IN = ("len", "isinstance")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one place."""

    path: str
    operator: str
    wrapper: MetadataWrapper
    old: cst.CSTNode
    new: cst.CSTNode

    @property
    def module(self) -> cst.Module:
        """Return the module as it is."""
        return self.wrapper.module

    @property
    def line(self) -> int:
        """Return where it is."""
        return self._lines_of(self.old).start

    @property
    def lines(self) -> range:
        """Return the lines of the statement, or of its head.

        Whoever runs them runs what is changed.
        """
        above = self.wrapper.resolve(ParentNodeProvider)
        node = below = self.old
        while not isinstance(node, (cst.BaseSmallStatement, cst.Module)):
            if isinstance(node, cst.BaseCompoundStatement) and not isinstance(
                below, cst.BaseSuite
            ):
                return self._lines_of(below)
            below, node = node, above[node]
        return self._lines_of(node)

    def _lines_of(self, node: cst.CSTNode) -> range:
        # Costs more than all else, so nothing asks for it before a mutant is drawn.
        at = self.wrapper.resolve(PositionProvider)[node]
        return range(at.start.line, at.end.line + 1)

    def code(self) -> str:
        """Return the module with the change in it."""
        changed = self.module.visit(_Put(self.old, self.new))
        assert isinstance(changed, cst.Module)
        return changed.code

    def diff(self) -> str:
        """Show the lines that differ."""
        old, new = self.module.code.splitlines(), self.code().splitlines()
        lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
        return "\n".join(line for line in lines if not line.startswith("@@"))


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """Yield every mutant of a module in the order of its places."""
    source = (root / path).read_text()
    wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
    found = _Places(path)
    wrapper.visit(found)
    for operator, old, new in found.places:
        yield Mutant(path, operator, wrapper, old, new)


class _Put(cst.CSTTransformer):
    def __init__(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        super().__init__()
        self._old, self._new = old, new

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node is not self._old

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT:
        if original_node is self._old:
            return cast("cst.CSTNodeT", self._new)
        return updated_node


class _Places(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (ParentNodeProvider,)

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self.places: list[tuple[str, cst.CSTNode, cst.CSTNode]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._is_left_out(node):
            return False
        for name, new in _changes(node):
            is_text = isinstance(node, (cst.BaseString, cst.FormattedStringText))
            if is_text and is_prose(self._whole(node), self._path):
                continue
            self.places.append((name, node, new))
        return True

    def _is_left_out(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.Annotation() | cst.Decorator() | cst.Import() | cst.ImportFrom():
                return True
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name("__all__"))]):
                return True
            case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):
                return True  # a docstring, of a field too
            case cst.If(test=cst.Name("TYPE_CHECKING")):
                return True
            case cst.Call(func=cst.Name(name)) if name in _NEVER_IN:
                return True
            case cst.BaseString() if self._path.endswith(_QUOTED):
                return True
            case cst.Param(default=cst.CSTNode() as given):
                simple = (cst.Name, cst.BaseNumber, cst.BaseString)
                return not isinstance(given, simple)
        return False

    def _whole(self, node: cst.CSTNode) -> str:
        """Return the text that a piece of a string belongs to."""
        while isinstance(
            parent := self.get_metadata(ParentNodeProvider, node),
            (cst.FormattedString, cst.ConcatenatedString),
        ):
            node = parent
        return "".join(_texts(node))


def _texts(node: cst.CSTNode) -> Iterator[str]:
    match node:
        case cst.SimpleString():
            yield str(node.raw_value)
        case cst.FormattedStringText(value=value):
            yield value
        case cst.FormattedString(parts=parts):
            for part in parts:
                yield from (
                    _texts(part)
                    if isinstance(part, cst.FormattedStringText)
                    else ("0",)
                )
        case cst.ConcatenatedString(left=left, right=right):
            yield from _texts(left)
            yield from _texts(right)


def _changes(node: cst.CSTNode) -> Iterator[tuple[str, cst.CSTNode]]:
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            name = operator.__name__.removeprefix("operator_")
            yield from ((name, new) for new in operator(node))
    match node:
        case cst.SimpleString() if not list(operator_string(node)) and node.raw_value:
            # mutmut takes three quotes for a docstring.
            start = node.prefix + node.quote
            text = f"{start}XX{node.raw_value}XX{node.quote}"
            yield "string", node.with_changes(value=text)
        case cst.FormattedStringText(value=value):
            yield "string", node.with_changes(value=f"XX{value}XX")
        case cst.If() | cst.While() | cst.IfExp() | cst.CompIf():
            yield "condition", node.with_changes(test=_not(node.test))


def _not(test: cst.BaseExpression) -> cst.BaseExpression:
    inner = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.UnaryOperation(
        operator=cst.Not(),
        expression=inner,
        lpar=[cst.LeftParen()],
        rpar=[cst.RightParen()],
    )
