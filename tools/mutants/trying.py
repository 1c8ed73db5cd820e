"""Runs tests on a mutant, in a process of its own, until the first one fails."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

__all__ = ["Fate", "try_out"]

# What starting costs, and how much slower than foretold tests may be, in CPU time.
_START, _SLOWER = 60.0, 4.0
_IMPORT = "import: "
# Hypothesis is there before pytest could rewrite it, which costs only its own asserts.
_QUIET = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"


@dataclass(frozen=True, slots=True)
class Fate:
    """How a mutant ended: ``killed`` by a test, ``time``, ``broken`` or ``survived``.

    ``broken`` is code that cannot even be imported. All but the last count as killed.
    """

    how: str
    by: str = ""

    @property
    def is_killed(self) -> bool:
        """Tell whether the tests notice."""
        return self.how != "survived"


def try_out(
    root: Path, path: str, code: str, tests: Sequence[str], seconds: float
) -> Fate:
    """Run ``tests``, which take ``seconds``, on the module with other code."""
    if not tests:
        return Fate("survived", "no test runs it")
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        child = os.fork()
        if child == 0:
            _in_child(root, path, code, tests, said, _START + _SLOWER * seconds)
        _, status = os.waitpid(child, 0)
        text = said.read_text() if said.exists() else ""
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return Fate("time" if name in ("SIGXCPU", "SIGKILL") else "killed", name)
    if os.WEXITSTATUS(status) == 0:
        return Fate("survived")
    if text.startswith(_IMPORT):
        return Fate("broken", text.removeprefix(_IMPORT))
    if not text.startswith("tests/"):
        # Nobody may take it for a mutant that was killed.
        raise RuntimeError(f"the tests could not be run: {text}")
    return Fate("killed", text)


def _in_child(
    root: Path, path: str, code: str, tests: Sequence[str], said: Path, seconds: float
) -> None:
    status = 1
    try:
        hard = int(seconds) + 5
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), hard))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.chdir(root)
        sys.dont_write_bytecode = True
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        sys.meta_path.insert(0, _Changed(name, code))
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", _QUIET)
        status = int(pytest.main([*options, *files], [_Chosen(tests, said)]))
    except BaseException:
        with contextlib.suppress(OSError):
            said.write_text(traceback.format_exc())
    os._exit(status)


class _Changed(importlib.abc.MetaPathFinder):
    """Finds one module with other code than its file has."""

    def __init__(self, name: str, code: str) -> None:
        self._name, self._code = name, code

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        loader = _Loader(fullname, spec.origin, self._code)
        return importlib.util.spec_from_file_location(
            fullname,
            spec.origin,
            loader=loader,
            submodule_search_locations=spec.submodule_search_locations,
        )


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: str) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - as it is called
        made = compile(self._code, self.path, "exec", dont_inherit=True)
        assert isinstance(made, CodeType)
        return made


class _Chosen:
    """Keeps the tests that were chosen, in their order; notes the one that fails."""

    def __init__(self, tests: Sequence[str], said: Path) -> None:
        self._place = {test: n for n, test in enumerate(tests)}
        self._said = said

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._said.exists():
            self._said.write_text(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self._said.exists():
            self._said.write_text(_IMPORT + report.nodeid)
