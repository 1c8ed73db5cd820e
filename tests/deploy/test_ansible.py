"""The collection: what its modules ask of the tool, and what they make of its answers.

``make ansible`` plays it against hosts; here is what needs neither Ansible nor a host.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples import each
from running import watched
from shared import FIXTURES, SYSFS

import iommu_inspect
from iommu_inspect.cli.commands.audit import audit_targets
from iommu_inspect.cli.commands.snapshot import Redact
from iommu_inspect.cli.declared import Option, parameters
from iommu_inspect.cli.options import For

COLLECTION = Path(__file__).resolve().parents[2] / "ansible"
KERNELS = FIXTURES / "kernels"
CLEAN = KERNELS / "6.12-two-functions-0.tar.gz"
CONFLICT = KERNELS / "6.12-two-functions-1.tar.gz"
DEFAULTS: dict[str, Any] = {"purpose": "vfio", "semantics": "auto"}


def loaded() -> Any:
    """The file that runs on targets; it imports nothing of Ansible."""
    path = COLLECTION / "plugins/module_utils/tool.py"
    spec = importlib.util.spec_from_file_location("tool", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = loaded()


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What starts the tool, as an installed command."""
    command = tmp_path / "iommu-inspect"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m iommu_inspect "$@"\n')
    command.chmod(0o755)
    root = Path(iommu_inspect.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", watched().get("PYTHONPATH", str(root)))
    found: list[str] = tool.command(None, str(command), None)
    return found


def audited(words: list[str], fail_on: str = "error", **params: object) -> Any:
    """Return what the module returns for its parameters."""
    said = tool.run(words + tool.audit_words({**DEFAULTS, **params}))
    return tool.audit_result(said, fail_on)


def documentation(name: str) -> Any:
    """Return the DOCUMENTATION of a module, with that of its fragment."""
    found: dict[str, Any] = {}
    for path, wanted in (
        ("doc_fragments/tool.py", "DOCUMENTATION"),
        (f"modules/{name}.py", "DOCUMENTATION"),
    ):
        for node in ast.walk(ast.parse((COLLECTION / "plugins" / path).read_text())):
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=id)], value=ast.Constant(value=str(text))
                ) if id == wanted:
                    found |= yaml.safe_load(text)["options"]
    return found


def test_a_conflict_fails_with_the_message_of_the_rule(words: list[str]) -> None:
    result = audited(words, source=[str(CONFLICT)])
    assert (result["verdict"], result["exit_code"]) == ("blocked", 1)
    assert result["failed"] is True
    assert result["changed"] is False
    said = "mixed-ownership: 0000:01:00.1 is bound to xhci_hcd, a driver of the host"
    assert result["msg"].startswith(said)
    assert {f["rule"] for f in result["findings"]} >= {"mixed-ownership"}
    # It would be printed whole, and is no fact of a host that failed.
    assert not {"document", "ansible_facts"} & set(result)


def test_a_clean_host_has_facts(words: list[str]) -> None:
    result = audited(words, source=[str(CLEAN)])
    assert (result["verdict"], result.get("failed")) == ("ready", None)
    assert result["document"]["schema"] == "iommu-inspect/audit/1"
    facts = result["ansible_facts"]["iommu_inspect"]
    assert facts["document"] == result["document"]
    assert "warnings" not in result


@each("fail_on, fails", [("error", False), ("unknown", True), ("never", False)])
def test_a_host_that_cannot_be_told_is_never_taken_for_a_good_one(
    words: list[str], fail_on: str, fails: bool
) -> None:
    source = str(SYSFS / "no-driver-links")
    result = audited(words, fail_on, source=[source])
    assert (result["verdict"], result["exit_code"]) == ("unknown", 3)
    assert result.get("failed", False) is fails
    assert result["msg"].startswith("cannot tell: ") or "unknown" in result["msg"]
    assert fails or result["warnings"] == [result["msg"]]


def test_what_is_blocked_may_be_looked_at(words: list[str]) -> None:
    result = audited(words, "never", source=[str(CONFLICT)])
    assert "failed" not in result
    assert result["ansible_facts"]["iommu_inspect"]["verdict"] == "blocked"


@each(
    "params, line",
    [
        ({"source": ["/nowhere"]}, "cannot read /nowhere: no such file or directory"),
        ({"source": [str(CLEAN)], "targets": ["--demo"]}, "--demo"),
        ({"source": [str(CLEAN)], "ignore": ["no-such-rule"]}, "no-such-rule"),
        ({"source": [str(CLEAN)], "config": "/gone.toml"}, "/gone.toml"),
    ],
)
def test_no_answer_is_the_line_of_the_tool(
    words: list[str], params: dict[str, object], line: str
) -> None:
    with pytest.raises(tool.ToolError, match=r"^iommu-inspect: [^\n]+$") as error:
        audited(words, "never", **params)
    assert line in str(error.value)
    assert error.value.code in (2, 4)


def test_a_program_that_prints_no_document_or_is_not_there_is_an_error(
    tmp_path: Path,
) -> None:
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\necho nothing; exit 0\n")
    liar.chmod(0o755)
    with pytest.raises(tool.ToolError, match="no document"):
        audited([str(liar)])
    liar.write_text("#!/bin/sh\nexit 70\n")
    with pytest.raises(tool.ToolError, match="exit code 70, and no word of why"):
        audited([str(liar)])
    with pytest.raises(tool.ToolError, match=r"cannot run .*: No such file"):
        audited([str(tmp_path / "gone")])
    with pytest.raises(tool.ToolError, match="neither 'tool' nor 'executable'"):
        tool.command(None, None, None)


def test_many_errors_are_told_in_a_line_that_ends() -> None:
    finding = {"rule": "a", "severity": "error", "certainty": "kernel"}
    findings = [{**finding, "message": f"number {n}"} for n in range(1000)]
    text = tool._sentence("blocked", findings)
    assert text == "a: number 0; a: number 1; a: number 2; and 997 more"


def test_no_name_reaches_a_terminal_that_would_obey_it() -> None:
    finding = {"rule": "a", "severity": "error", "certainty": "kernel"}
    text = tool._sentence("blocked", [{**finding, "message": "x\x1b[2J\ny\u202e"}])
    assert text == "a: x\\x1b[2J y\\u202e"
    assert tool.printable("one\n\ttwo\r\x9b\n") == "one\n\\ttwo\\r\\x9b\n"


def test_since_a_baseline_what_is_new_counts(words: list[str]) -> None:
    new = audited(words, source=[str(CONFLICT)], baseline=str(CLEAN))
    known = audited(words, source=[str(CONFLICT)], baseline=str(CONFLICT))
    assert (new["verdict"], known["verdict"]) == ("blocked", "ready")
    assert known["findings"] == []


def test_a_snapshot_is_taken_and_compared(words: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    params = {"redact": "default", "source": [str(CLEAN)]}
    first, said = tool.take_snapshot(words, params, str(folder))
    assert said == ["iommu-inspect: wrote now.tgz: 4 groups, scrubbed"]
    before = tmp_path / "before.tgz"
    before.write_bytes(first)
    assert tool.compare(words, str(before), first, str(folder)) == {
        "same": True,
        "text": "",
    }
    params["source"] = [str(CONFLICT)]
    second, _ = tool.take_snapshot(words, params, str(folder))
    found = tool.compare(words, str(before), second, str(folder))
    assert found["same"] is False
    assert "owner: conflict, was kernel: 1 group" in found["text"]
    before.write_text("no snapshot")
    found = tool.compare(words, str(before), second, str(folder))
    assert found["same"] is None
    assert found["text"].startswith("iommu-inspect: ")


def test_the_single_file_runs_isolated_with_an_interpreter_that_is_new_enough() -> None:
    assert tool.command("/t.pyz", None, "/p") == ["/p", "-I", "/t.pyz"]
    assert tool.command("/t.pyz", None, None) == [sys.executable, "-I", "/t.pyz"]
    assert tool.command("/t.pyz", "/usr/bin/iommu-inspect", None) == [
        "/usr/bin/iommu-inspect"
    ]
    assert tool._is_new_enough(sys.executable)
    assert not tool._is_new_enough("/bin/false")
    assert not tool._is_new_enough(os.devnull)


def test_the_module_offers_what_the_command_does() -> None:
    """Without what is about how it is shown, which a document has no use for."""
    shown = {"demo", "notes", "summary", "verbose", "numeric", "color", "format"}
    names = {
        name.removeprefix("--")
        for each_one in parameters(audit_targets).values()
        for name in each_one.names
        if isinstance(each_one.declared, Option) and name.startswith("--")
    }
    offered = documentation("audit")
    aliases = {a for option in offered.values() for a in option.get("aliases", ())}
    missing = names - shown - {"output", "from"} - set(offered) - aliases
    assert missing == set()
    assert offered["purpose"]["choices"] == [each_one.value for each_one in For]


def test_a_snapshot_is_scrubbed_as_the_command_does_it() -> None:
    offered = documentation("snapshot")["redact"]
    assert offered["choices"] == [level.value for level in Redact]
    assert offered["default"] == Redact.DEFAULT.value


def test_the_collection_has_the_version_of_the_program() -> None:
    galaxy = yaml.safe_load((COLLECTION / "galaxy.yml").read_text())
    assert galaxy["version"] == iommu_inspect.__version__
    changes = yaml.safe_load((COLLECTION / "changelogs/changelog.yaml").read_text())
    assert galaxy["version"] in changes["releases"]
    root = COLLECTION.parent
    assert (COLLECTION / "LICENSE").read_text() == (root / "LICENSE").read_text()


def test_the_role_takes_what_it_declares() -> None:
    role = COLLECTION / "roles" / "audit"
    specified = yaml.safe_load((role / "meta/argument_specs.yml").read_text())
    options = specified["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    given = {k: v["default"] for k, v in options.items() if "default" in v}
    assert given == defaults
    tasks = (role / "tasks/main.yml").read_text()
    assert all(f"{name} " in tasks or f"{name}]" in tasks for name in options)
