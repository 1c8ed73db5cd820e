"""Runs the program as its users do: as a process, with a clean environment."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from shared import FIXTURES, SHARED
from watch import watching

from iommu_inspect.cli.session import load
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.tree.opening import Text, open_source
from iommu_inspect.sources.tree.tree import Tree


def run(
    *arguments: str | Path,
    stdin: bytes | None = None,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``iommu-inspect`` with ``arguments``; output is text."""
    done = subprocess.run(
        [sys.executable, "-m", "iommu_inspect", *map(str, arguments)],
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=60,
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": str(columns),
            "LC_ALL": "C.UTF-8",
            **watched(),
            **(environment or {}),
        },
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def watched() -> dict[str, str]:
    """Return what makes the audit hook of the tests watch a process too."""
    names = ("PYTHONPATH", watching.RECORD)
    return {name: os.environ[name] for name in names if name in os.environ}


def call(
    *arguments: str | Path, stdin: bytes = b"", columns: int = 80
) -> subprocess.CompletedProcess[str]:
    """Run ``iommu-inspect`` inside this process; a crash is raised, not reported.

    Fixtures and the captures beside the checkout are read only once for all tests.
    """
    from iommu_inspect.cli import session
    from iommu_inspect.cli.main import main

    words = ["iommu-inspect", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    environment = {"COLUMNS": str(columns), "IOMMU_INSPECT_DEBUG": "1"}
    code: object = 0
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8")),
        mock.patch.dict(os.environ, environment),
        mock.patch.object(session, "load", _load_once),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return subprocess.CompletedProcess(words, code, *texts)


def read(source: str | Path) -> Machine:
    """Read a source that nobody changes, once for all tests."""
    return _read(str(source))


@cache
def _read(source: str) -> Machine:
    return read_source(_opened(source))


@cache
def _opened(source: str) -> Tree | Text:
    return open_source(source)


def _load_once(source: list[str] | None, **options: bool) -> Machine:
    """Load as the program does; what nobody changes gives the same machine again."""
    unchanged = (str(FIXTURES), str(SHARED))
    if not source or not all(name.startswith(unchanged) for name in source):
        return load(source, **options)
    machine, said = _loaded(tuple(source), **options)
    sys.stderr.write(said)
    return machine


@cache
def _loaded(source: tuple[str, ...], **options: bool) -> tuple[Machine, str]:
    from iommu_inspect.cli import session

    with (
        contextlib.redirect_stderr(io.StringIO()) as said,
        mock.patch.object(session, "open_source", _opened),
    ):
        machine = load(source, **options)
    return machine, said.getvalue()


def document(*arguments: str | Path) -> dict[str, Any]:
    """Return the JSON that a command prints, whatever its exit code."""
    done = call(*arguments, "--format", "json")
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result
