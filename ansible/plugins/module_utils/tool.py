# Copyright: the iommu-inspect developers
# MIT License (see LICENSE)
"""Runs iommu-inspect on the target, and makes results of modules of what it said.

This file runs with the Python of the target, which may be older than the one that the
tool needs. Nothing here imports Ansible, so that the tests of the tool can try it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

NEEDED = (3, 11)
"""The oldest Python that the tool runs on."""
_OTHERS = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
_VERDICTS = {0: "ready", 1: "blocked", 3: "unknown"}
_ERROR = "error"
# More than this nobody reads in a line of a play; the findings have them all.
_MOST_SAID = 3

TOOL_ARGUMENTS = {
    "tool": {"type": "path"},
    "executable": {"type": "path"},
    "python": {"type": "path"},
    "source": {"type": "list", "elements": "path", "aliases": ["root"]},
}
"""What both modules take: which tool is run, with what, on which source."""


class ToolError(Exception):
    """The tool cannot be run, or gave no answer; the text is one line.

    Attributes:
        code: the tool's exit code, or None where it was not run.
    """

    def __init__(self, text: str, code: int | None = None) -> None:
        """Keep the line, and the exit code."""
        super().__init__(text)
        self.code = code


class Said:
    """What a run of the tool returned: its exit code, its output, its last words."""

    def __init__(self, code: int, output: bytes, errors: bytes) -> None:
        """Keep what was said; the texts are UTF-8, as the tool was asked for it."""
        self.code = code
        self.output = output.decode("utf-8", "replace")
        lines = errors.decode("utf-8", "replace").split("\n")
        self.lines = [line.rstrip() for line in lines if line.strip()]

    def refusal(self) -> ToolError:
        """Return the line by which the tool said that it could not answer."""
        if self.lines:
            return ToolError(self.lines[-1], self.code)
        return ToolError(f"exit code {self.code}, and no word of why", self.code)


def command(tool: str | None, executable: str | None, python: str | None) -> list[str]:
    """Return the words that start the tool.

    Args:
        tool: the single file on the target.
        executable: an installed command on the target, in its place.
        python: the interpreter for the single file, if one was named.

    Raises:
        ToolError: nothing says what is to be run.
    """
    if executable:
        return [executable]
    if not tool:
        raise ToolError("neither 'tool' nor 'executable' says what is to be run")
    # Isolated: neither the environment nor the user's packages reach the tool.
    return [python or _interpreter(), "-I", tool]


def _interpreter() -> str:
    if sys.version_info[:2] >= NEEDED:
        return sys.executable
    for name in _OTHERS:
        found = shutil.which(name)
        if found and _is_new_enough(found):
            return found
    # The tool says in a line what it lacks.
    return sys.executable


def _is_new_enough(python: str) -> bool:
    test = f"import sys; sys.exit(sys.version_info[:2] < {NEEDED!r})"
    try:
        return subprocess.call([python, "-I", "-c", test]) == 0
    except OSError:
        return False


def run(words: list[str], folder: str | None = None) -> Said:
    """Run the tool without a terminal and without standard input.

    Args:
        words: the whole command line.
        folder: where it is run, for names in what it prints.

    Raises:
        ToolError: it cannot be started.
    """
    environment = dict(os.environ, LC_ALL="C.UTF-8", NO_COLOR="1", COLUMNS="80")
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
        )
    except OSError as error:
        raise ToolError(f"cannot run {words[0]}: {error.strerror}") from None
    output, errors = process.communicate()
    return Said(process.returncode, output, errors)


def sources(params: dict) -> list[str]:
    """Return the options that name what is read in place of the running host."""
    return [f"--from={source}" for source in params.get("source") or ()]


def audit_words(params: dict) -> list[str]:
    """Return the words after the tool's name for the parameters of ``audit``."""
    words = ["audit", "--format=json", f"--for={params['purpose']}"]
    words += [f"--semantics={params['semantics']}"]
    words += sources(params)
    words += [f"--ignore={rule}" for rule in params.get("ignore") or ()]
    for name in ("config", "expect", "baseline"):
        if params.get(name):
            words.append(f"--{name}={params[name]}")
    if params.get("strict"):
        words.append("--strict")
    # A target is never taken for an option, whatever a variable holds.
    targets = params.get("targets")
    return [*words, "--", *list(targets)] if targets else words


def audit_result(said: Said, fail_on: str) -> dict:
    """Return the module's result of an audit: facts, verdict, findings, the document.

    Args:
        said: what ``audit --format json`` returned.
        fail_on: "error", "unknown" or "never". The result has ``failed`` where the
            verdict is one that the caller does not accept.

    Raises:
        ToolError: the tool gave no answer.
    """
    verdict = _VERDICTS.get(said.code)
    if verdict is None:
        raise said.refusal()
    try:
        document = json.loads(said.output)
        findings = document["findings"]
    except (ValueError, KeyError, TypeError):
        raise ToolError(
            f"it printed no document: {said.refusal()}", said.code
        ) from None
    facts = {"verdict": verdict, "exit_code": said.code, "document": document}
    result = {
        "changed": False,
        "verdict": verdict,
        "exit_code": said.code,
        "findings": findings,
        "msg": _sentence(verdict, findings),
    }
    refused = {"error": ("blocked",), "unknown": ("blocked", "unknown")}
    if verdict in refused.get(fail_on, ()):
        # The whole of a failed result is printed, and no fact of it is kept.
        return dict(result, failed=True)
    if verdict == "unknown":
        result["warnings"] = [result["msg"]]
    return dict(result, document=document, ansible_facts={"iommu_inspect": facts})


def printable(text: str) -> str:
    """Return lines of text without what a terminal would obey.

    Ansible prints the message of a failed task, and what ``--diff`` shows, as they are;
    a name in them can be anybody's.
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def _sentence(verdict: str, findings: list) -> str:
    """Return what an operator reads first: the errors, or that there are none."""
    if verdict == "ready":
        return "nothing wrong was found"
    known = [f for f in findings if f["severity"] == _ERROR]
    told = [f for f in known if f["certainty"] != "unknown"]
    if verdict == "blocked" and told:
        known = told
    if not known:
        return f"the verdict is {verdict}; no finding says more"
    said = [f"{f['rule']}: {f['message'].rstrip('.')}" for f in known[:_MOST_SAID]]
    more = len(known) - len(said)
    if more:
        said.append(f"and {more} more")
    start = "" if verdict == "blocked" else "cannot tell: "
    return printable(start + "; ".join(said)).replace("\n", " ")


def take_snapshot(words: list[str], params: dict, folder: str) -> tuple:
    """Take a snapshot in a folder that goes away; return its bytes and what was said.

    Args:
        words: the words that start the tool.
        params: the module's parameters: ``source``, ``redact``.
        folder: a temporary folder on the target.

    Raises:
        ToolError: the tool gave no snapshot.
    """
    call = [
        *words,
        "snapshot",
        f"--redact={params['redact']}",
        *sources(params),
    ]
    said = run([*call, "now.tgz"], folder)
    if said.code:
        raise said.refusal()
    return Path(folder, "now.tgz").read_bytes(), said.lines


def compare(words: list[str], before: str, content: bytes, folder: str) -> dict:
    """Say what changed between an earlier snapshot and the new one in a folder.

    Args:
        words: the words that start the tool.
        before: the earlier snapshot, on the target.
        content: the new one, which lies in ``folder`` as now.tgz.
        folder: a temporary folder on the target.

    Returns:
        ``same`` (true, false, or None where it cannot be told) and ``text``.
    """
    earlier = Path(before).read_bytes()
    if earlier == content:
        return {"same": True, "text": ""}
    Path(folder, "before.tgz").write_bytes(earlier)
    said = run([*words, "diff", "before.tgz", "now.tgz"], folder)
    if said.code in (0, 1, 3):
        return {"same": {0: True, 1: False}.get(said.code), "text": said.output}
    # An earlier file that is no snapshot is replaced, not a reason to stop.
    return {"same": None, "text": f"{said.refusal()}\n"}
