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
HEAVY = ("pydantic", "jinja2", "rich", "importlib.metadata", "pyudev", "jsonschema")

# Calls that touch the filesystem by way of a module, and methods that do whatever
# they are called on.
IO_MODULES = {"os", "io", "shutil", "glob", "tempfile", "subprocess", "socket", "mmap"}
IO_METHODS = {
    *("read_bytes", "write_bytes", "write_text", "iterdir", "rglob", "unlink"),
    *("mkdir", "rmdir", "symlink_to", "is_file", "is_dir", "is_symlink", "readlink"),
    *("lstat", "hardlink_to", "touch", "chmod", "rename"),
}
READERS = ("sources/bounded.py", "sources/directory.py", "sources/opening.py")
# What does no I/O on files, or reads only what ships inside the package.
HARMLESS = {
    "cli/main.py": {"os.environ"},
    "cli/output.py": {"os.environ", "os.dup2", "os.open", "os.devnull", "os.O_WRONLY"}
    | {"shutil.get_terminal_size"},
    "cli/session.py": {".read_bytes", "from io"},
}


def uses(source: str) -> Iterator[str]:
    """Yield what a module uses that could touch the filesystem."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="open")):
                yield "open"
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (
                module in IO_MODULES
            ):
                yield f"{module}.{name}"
            case ast.Attribute(attr=name) if name in IO_METHODS or name == "open":
                yield f".{name}"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in {
                *IO_MODULES,
                "pathlib",
            }:
                yield f"from {module}"
            case ast.Import(names=names):
                yield from (n.name for n in names if n.name.startswith("pathlib"))


@pytest.mark.parametrize("module", [m for m in MODULES if m not in READERS])
def test_only_three_modules_touch_the_filesystem(module: str) -> None:
    found = set(uses((PACKAGE / module).read_text()))
    assert found <= HARMLESS.get(module, set())


def test_that_scan_sees_what_they_do() -> None:
    found = {use for name in READERS for use in uses((PACKAGE / name).read_text())}
    assert {"os.open", "os.listdir", "os.readlink", "os.lstat"} <= found
    assert set(uses("from pathlib import Path\nPath('x').read_bytes()")) == {
        "from pathlib",
        ".read_bytes",
    }


def prints(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input" as name)):
                yield name
            case ast.Attribute(value=ast.Name(id="sys"), attr=name) if name in (
                "stdout",
                "stderr",
                "exit",
                "argv",
            ):
                yield f"sys.{name}"
            case ast.Import(names=names):
                yield from (n.name for n in names if n.name in ("typer", "click"))
            case ast.ImportFrom(module="typer" | "click" as name):
                yield str(name)


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith("cli/")])
def test_only_the_command_line_prints_or_exits(module: str) -> None:
    assert set(prints((PACKAGE / module).read_text())) == set()


def test_that_scan_sees_what_the_command_line_does() -> None:
    found = set(prints((PACKAGE / "cli/output.py").read_text()))
    assert {"sys.stdout", "typer"} <= found


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
    assert "iommu_inspect.sources.sysfs" in modules
    heavy = [m for m in modules if m.startswith(HEAVY)]
    assert heavy == []
    # What only other commands, or other sources, need.
    assert "iommu_inspect.rules.registry" not in modules
    assert "iommu_inspect.sources.tar" not in modules
    assert "json" not in modules


def test_list_of_a_tar_imports_nothing_heavy() -> None:
    tar = SHARED / "real-kernels" / "6.12" / "after.tar.gz"
    if not tar.exists():
        pytest.skip("the collection of captures is not beside the checkout")
    modules = imported("list", "--from", tar)
    assert "iommu_inspect.sources.tar" in modules
    assert [m for m in modules if m.startswith(HEAVY)] == []
