"""A finding is made in one place, a rule says what it is, plan has the commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import iommu_inspect
from iommu_inspect.rules.registry import RULES

PACKAGE = Path(iommu_inspect.__file__).parent
# What of rules/ holds no rule.
ENGINE = {"base", "case", "finding", "registry"}

COMMAND = re.compile(
    r"^\s*((echo|umount|swapoff|swapon|driverctl|readlink|grep|zpool|findmnt|dmesg) "
    r"|modprobe (?!has |passes |reads )|dpdk-(testpmd|devbind)|ip route"
    r"|(ls -l|cat) [/{])|/sys/bus/pci/drivers|/drivers_probe",
    re.MULTILINE,
)


def findings_made(source: str) -> Iterator[int]:
    """Yield the lines where a finding is made, or one is changed into another."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="Finding") | ast.Attribute(attr="Finding")):
                yield node.lineno


def misplaced(source: str) -> str | None:
    """Say what stands in the way of ABOUT, checks, RULE, in this order."""
    body = ast.parse(source).body
    if not ast.get_docstring(ast.parse(source)):
        return "no docstring"
    names = [ast.unparse(node.targets[0]) for node in body if type(node) is ast.Assign]
    kept = [n for n in body[1:] if not isinstance(n, ast.Import | ast.ImportFrom)]
    first, last = (ast.unparse(node).partition(" = ") for node in (kept[0], kept[-1]))
    if first[0] == "__all__":
        first = ast.unparse(kept[1]).partition(" = ")
    if first[0] != "ABOUT" or not first[2].startswith("About("):
        return "ABOUT is not first"
    if last[0] != "RULE" or not last[2].startswith("Rule(ABOUT, "):
        return "RULE is not last"
    return None if names.count("ABOUT") == names.count("RULE") == 1 else "two of them"


def texts(source: str) -> Iterator[str]:
    """Yield the strings of a module that are no docstrings, "{}" for what is put in."""
    tree = ast.parse(source)
    passed: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                passed.add(id(node.value))
            case ast.JoinedStr(values=values):
                passed.update(map(id, values))
                parts = (str(getattr(part, "value", "")) for part in values)
                kinds = (isinstance(part, ast.Constant) for part in values)
                yield "".join(
                    part if is_text else "{}"
                    for part, is_text in zip(parts, kinds, strict=True)
                )
            case ast.Constant(value=str(text)) if id(node) not in passed:
                yield text


def writes_commands(source: str) -> bool:
    return any(COMMAND.search(text) for text in texts(source))


def rule_files() -> list[Path]:
    files = sorted((PACKAGE / "rules").glob("*.py"))
    return [p for p in files if p.stem not in ENGINE and not p.stem.startswith("_")]


def test_only_the_case_makes_a_finding() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(findings_made(path.read_text()))
    }
    assert found == {"rules/case.py"}


def test_that_scan_sees_a_finding_that_is_made() -> None:
    text = "a = Finding('x')\nb = finding.Finding()\nc = case.finding(d, 'x', 'y')"
    assert list(findings_made(text)) == [1, 2]


def test_a_rule_says_first_what_it_is_and_has_its_page() -> None:
    assert len(rule_files()) == len(RULES)
    wrong = {p.stem: said for p in rule_files() if (said := misplaced(p.read_text()))}
    assert wrong == {}
    assert [p.stem for p in rule_files() if not p.with_suffix(".md").exists()] == []
    drawers = [p.stem for p in (PACKAGE / "rules").glob("_*.py")]
    assert sorted(drawers) == [
        *("__init__", "_cures", "_ids", "_isolation", "_layers", "_messages"),
        *("_pages", "_words"),
    ]


def test_that_scan_sees_what_is_out_of_place() -> None:
    head = '"""A rule."""\nimport a\n'
    about, rule = "ABOUT = About(id='x')\n", "RULE = Rule(ABOUT, check_group=_check)\n"
    check = "def _check(): ...\n"
    assert misplaced(head + about + check + rule) is None
    assert misplaced(about + check + rule) == "no docstring"
    assert misplaced(head + check + about + rule) == "ABOUT is not first"
    assert misplaced(head + about + rule + check) == "RULE is not last"
    assert misplaced(head + about + rule + rule) == "two of them"


def test_no_command_is_written_outside_plan() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "plan"
        if writes_commands(path.read_text())
    }
    assert found == set()


def test_that_scan_sees_a_command() -> None:
    for text in (
        "x = 'Do it:\\necho 1 > /sys/x'",
        "x = f'modprobe {name}'",
        "x = f'{a}' 'b\\n' f'umount {c}'",
        "x = f'cat {path}'",
        "x = f'/sys/bus/pci/drivers/{driver}/unbind'",
    ):
        assert writes_commands(text), text
    for text in (
        '"""echo is no command here: modprobe x."""',
        "x = 'what echo says, and modprobe'",
        "x = f'{word} echo'",
        "x = 'cat' 'egory'",
        "# echo 1 > x",
    ):
        assert not writes_commands(text), text
