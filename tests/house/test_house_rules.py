"""Rules of the house that import-linter cannot see, and what start-up costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from shared import SHARED, SYSFS

import iommu_inspect

PACKAGE = Path(iommu_inspect.__file__).parent
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
HEAVY = (
    "pydantic",
    "jinja2",
    "rich",
    "importlib.metadata",
    "pyudev",
    "jsonschema",
    "prometheus_client",
)

# What reaches a file by a name of its own; modules that could are import-linter's.
IO_CALLS = {"open", "print", "input", "breakpoint", "exec", "eval"}
IO_METHODS = {
    *("read_bytes", "write_bytes", "write_text", "iterdir", "rglob", "unlink"),
    *("mkdir", "rmdir", "symlink_to", "is_file", "is_dir", "is_symlink", "readlink"),
    *("lstat", "hardlink_to", "touch", "chmod", "rename", "open"),
}
# The sample capture that ships inside the package; /dev/null for a closed output; what
# makes a class out of its own annotations.
HARMLESS = {
    ("model/dataclass.py", "exec"),
    ("cli/session.py", "read_bytes"),
    ("cli/output.py", "open"),
    ("sources/text/naming.py", "read_bytes"),
}


def calls(source: str) -> Iterator[str]:
    """Yield the names of what a module calls that prints or reaches files."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IO_CALLS:
                yield name
            case ast.Call(func=ast.Attribute(attr=name)) if name in IO_METHODS:
                yield name


def test_only_the_tree_reads_files_and_nobody_prints_by_name() -> None:
    found = {
        (module, name)
        for module in MODULES
        if not module.startswith("sources/tree/")
        for name in calls((PACKAGE / module).read_text())
    }
    assert found == HARMLESS


def test_that_scan_sees_what_is_done() -> None:
    text = "open('x'); print(1); Path('x').read_bytes(); a.readlink('x')"
    assert list(calls(text)) == ["open", "print", "read_bytes", "readlink"]


def kept(source: str) -> Iterator[str]:
    """Yield the decorators by which a module keeps answers beyond an object's life."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module="functools", names=names):
                yield from (n.name for n in names if n.name in ("cache", "lru_cache"))


def test_no_module_keeps_answers() -> None:
    found = {m: [*kept((PACKAGE / m).read_text())] for m in MODULES}
    assert {module: names for module, names in found.items() if names} == {}


def test_that_scan_sees_a_cache() -> None:
    assert list(kept("from functools import cached_property, lru_cache")) == [
        "lru_cache"
    ]


def imported(*words: str | Path) -> set[str]:
    """Return the modules that a run of the program imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "iommu_inspect", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [
        line for line in done.stderr.splitlines() if line.startswith("import time")
    ]
    return {line.rsplit("|", 1)[-1].strip() for line in lines}


def test_list_of_a_capture_imports_nothing_heavy() -> None:
    modules = imported("list", "--from", SYSFS / "half-a-group")
    assert "iommu_inspect.sources.sysfs.machine" in modules
    heavy = [m for m in modules if m.startswith(HEAVY)]
    assert heavy == []
    # What only other commands, or other sources, need.
    assert "iommu_inspect.rules.registry" not in modules
    assert "iommu_inspect.sources.tree.tar" not in modules
    assert "json" not in modules


def test_list_of_a_tar_imports_nothing_heavy() -> None:
    tar = SHARED / "real-kernels" / "6.12" / "after.tar.gz"
    if not tar.exists():
        pytest.skip("the collection of captures is not beside the checkout")
    modules = imported("list", "--from", tar)
    assert "iommu_inspect.sources.tree.tar" in modules
    assert [m for m in modules if m.startswith(HEAVY)] == []
