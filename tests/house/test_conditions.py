"""A fact that may be missing is never a condition: it is asked for by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import iommu_inspect

PACKAGE = Path(iommu_inspect.__file__).parent
# Names that also are those of attributes which are never missing, of other classes.
SAME_NAMES = {
    "device",
    "group",
    "modprobe",
    "name",
    "path",
    "release",
    "vendor",
    "whole",
}


def facts(source: str) -> Iterator[str]:
    """Yield the names of fields, properties and functions that give a fact."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) if _is_fact(
                kind
            ):
                yield name
            case ast.FunctionDef(name=name, returns=kind) if kind and _is_fact(kind):
                yield name


def _is_fact(annotation: ast.expr) -> bool:
    return ast.unparse(annotation).startswith("Fact[")


def conditions(source: str) -> Iterator[ast.expr]:
    """Yield every expression whose truth is asked."""
    yield from _conditions_in(ast.parse(source))


def _conditions_in(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield from _leaves(test)
            case ast.UnaryOp(op=ast.Not(), operand=test) | ast.Assert(test=test):
                yield from _leaves(test)
            case ast.BoolOp(values=values):
                for value in values[:-1]:
                    yield from _leaves(value)
            case ast.comprehension(ifs=tests):
                for test in tests:
                    yield from _leaves(test)


def _leaves(test: ast.expr) -> Iterator[ast.expr]:
    match test:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _leaves(value)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            yield from _leaves(inner)
        case _:
            yield test


def offences(source: str, names: set[str]) -> list[str]:
    """Return the conditions that are facts, unless they were asked for before."""
    found = []
    for test in conditions(source):
        match test:
            case ast.Attribute(attr=name) if name in names:
                found.append(f"{test.lineno}: {ast.unparse(test)}")
            case ast.Call(func=ast.Attribute(attr=name)) if name in names:
                found.append(f"{test.lineno}: {ast.unparse(test)}")
    return [*found, *_by_another_name(source, names)]


def _by_another_name(source: str, names: set[str]) -> Iterator[str]:
    """Yield conditions that are a local name of a fact, before known() was asked."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        local = set(_named(function, names))
        asked: dict[str, tuple[int, int]] = {}
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Name(id="known"), args=[ast.Name(id=name)]):
                    place = (node.lineno, node.col_offset)
                    asked[name] = min(asked.get(name, place), place)
        for test in _conditions_in(function):
            if isinstance(test, ast.Name) and test.id in local:
                before = asked.get(test.id, (test.lineno, test.col_offset))
                if before >= (test.lineno, test.col_offset):
                    yield f"{test.lineno}: {test.id}"


def _named(function: ast.FunctionDef, names: set[str]) -> Iterator[str]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Attribute(attr=attribute)
            ) if attribute in names:
                yield name


def fact_names() -> set[str]:
    texts = [path.read_text() for path in (PACKAGE / "model").rglob("*.py")]
    return {name for text in texts for name in facts(text)} - SAME_NAMES


def test_no_condition_is_a_fact() -> None:
    names = fact_names()
    assert {"driver", "vfio_devices", "is_bridge", "driver_override"} <= names
    found = {
        str(path.relative_to(PACKAGE)): offending
        for path in PACKAGE.rglob("*.py")
        if (offending := offences(path.read_text(), names))
    }
    assert found == {}


def test_that_scan_sees_a_fact_that_is_asked_for_its_truth() -> None:
    text = (
        "if d.vfio_devices: 1\nx = a.driver or 1\ny = [d for d in e if not d.is_bridge]"
    )
    assert len(offences(text, {"vfio_devices", "driver", "is_bridge"})) == 4
    assert offences("if d.is_bridge is True: pass", {"is_bridge"}) == []


def test_that_scan_sees_a_fact_by_another_name() -> None:
    body = "def f(d):\n    acs = d.acs\n    "
    assert offences(f"{body}return 1 if acs and known(acs) else 2", {"acs"}) != []
    assert offences(f"{body}return 1 if known(acs) and acs else 2", {"acs"}) == []
