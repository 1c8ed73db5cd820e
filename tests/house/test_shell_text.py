"""Text for a shell is made in one room, of names that it has checked or quoted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import iommu_inspect

PACKAGE = Path(iommu_inspect.__file__).parent
SHELL = "plan/shell.py"
# It reads what a file of a system says, and writes nothing.
READER = "sources/host/system.py"

# How a command begins, or what follows a pipe in one.
COMMAND = re.compile(
    r"(?:^|\| |\|\| )(?:echo|umount|swapoff|swapon|driverctl|readlink|grep|zpool"
    r"|findmnt|dmesg|modprobe|cat|ls|fuser|lspci|dpdk-devbind\.py|dpdk-testpmd|qm|sudo"
    r"|iommu-inspect|group|card|no_direct|looked|is|find|release|load|softdep|install"
    r"|options)\b [{/'-]|/sys/|PCI_ALLOWED=",
)
# What makes text of checked names or of none, in the rooms that write commands.
MAKERS = {"_file", "_group", "_name", "_ids", "_loaded", "_driverctl", "_override"}
MAKERS |= {"ids_of"}


def filled_in(source: str) -> Iterator[str]:
    """Yield what is put into texts for a shell and does not come from that room."""
    tree = ast.parse(source)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.Lambda | ast.Module):
            continue
        scope = assigned(function)
        for node in inside(function):
            if isinstance(node, ast.JoinedStr) and is_command(node):
                for value in node.values:
                    if not checked(value, scope):
                        yield f"{node.lineno}: {ast.unparse(value)}"


def is_command(node: ast.JoinedStr) -> bool:
    parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
    return COMMAND.search("".join(map(str, parts))) is not None


def inside(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from inside(child)


def assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in inside(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
    return found


def checked(value: ast.expr, scope: dict[str, list[ast.expr]]) -> bool:
    """Say whether an expression is made of checked names, and of words of ours."""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name) if name.isupper():
            return True
        case ast.Name(id=name):
            return name in scope and all(checked(v, scope) for v in scope[name])
        case ast.FormattedValue(value=inner):
            return checked(inner, scope)
        case ast.JoinedStr(values=values):
            return all(checked(v, scope) for v in values)
        case ast.IfExp(body=one, orelse=other):
            return checked(one, scope) and checked(other, scope)
        case ast.ListComp(elt=each) | ast.GeneratorExp(elt=each):
            return checked(each, scope)
        case ast.Subscript(value=ast.Name(id=name)):
            return name.isupper()
        case ast.Call(func=ast.Attribute(value=ast.Name(id="shell"))):
            return True
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return name in MAKERS or (
                name == "sorted" and all(checked(a, scope) for a in arguments)
            )
        case ast.Call(func=ast.Attribute(value=text, attr="join"), args=[words]):
            return checked(text, scope) and checked(words, scope)
    return False


def modules(*room: str) -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.joinpath(*room).rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), path.read_text()


def test_quoting_for_a_shell_is_done_in_one_room() -> None:
    found = {
        module
        for module, text in modules()
        if re.search(r"^\s*(from|import) shlex\b", text, re.MULTILINE)
    }
    assert found == {SHELL, READER}


def test_other_languages_are_escaped_in_rooms_of_their_own() -> None:
    writers = re.compile(r"^\s*(?:from|import) (?:html|csv|xml)\b", re.MULTILINE)
    found = {
        module
        for room in ("cli", "render", "audit", "plan")
        for module, text in modules(room)
        if writers.search(text)
    }
    assert found == {"render/escapes/html.py"}


def test_what_is_put_into_a_command_comes_from_that_room() -> None:
    found = {
        module: offending
        for module, text in modules("plan")
        if module != SHELL and (offending := [*filled_in(text)])
    }
    assert found == {}


def test_that_scan_sees_what_is_put_in_unchecked() -> None:
    for text in (
        "f'modprobe {name}'",
        "f'echo {quoted(name)} > {UNSAFE}'",
        "f'dmesg | grep -i {word!s}'",
        "f'cat /sys/bus/{device.bus}/x'",
        "f'[ -e x ] || echo {device.address}'",
        "def f(name):\n    word = name\n    return f'umount {word}'",
    ):
        assert [*filled_in(text)], text
    for text in (
        "f'modprobe {shell.module(name)}'",
        "def f(name):\n    word = shell.path(name)\n    return f'umount {word}'",
        "f'echo Y > {UNSAFE}'",
        "f'{name} is bound to {driver}'",
    ):
        assert not [*filled_in(text)], text
