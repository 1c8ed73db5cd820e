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
    for node in ast.walk(ast.parse(source)):
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
    return found


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
