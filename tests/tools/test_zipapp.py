"""The file that any python3 runs: what is in it, and that it answers as the tree."""

from __future__ import annotations

import ast
import email
import io
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from running import call
from shared import FIXTURES

from iommu_inspect.cli.main import COMMANDS
from tools.packages.shared import shared
from tools.zipapp.bundled import ROOT, FetchError, Pin, pins, wheels
from tools.zipapp.content import content
from tools.zipapp.locking import LEFT_OUT, asked_for
from tools.zipapp.writing import packed, write

CAPTURE = FIXTURES / "kernels/6.12-sriov-no-acs-1.tar.gz"
# Of another system than ours.
_NOT_FOR_LINUX = {"shellingham.nt"}


@pytest.fixture(scope="module")
def libraries() -> dict[Pin, Path]:
    try:
        return wheels()
    except FetchError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def files(libraries: dict[Pin, Path]) -> dict[str, bytes]:
    return content(ROOT, libraries, shared())


@pytest.fixture(scope="module")
def zipapp(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("zipapp") / "iommu-inspect.pyz"
    write(target, files)
    return target


def run(zipapp: Path, *words: str | Path) -> tuple[int, str, str]:
    """Run it with nothing but the standard library beside it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", zipapp, *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={"COLUMNS": "80", "LC_ALL": "C.UTF-8"},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_is_that_of_the_tree(zipapp: Path, name: str) -> None:
    expected = call(name, "--help").stdout
    assert run(zipapp, name, "--help") == (0, expected, "")


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "--from", CAPTURE, "--format", "json"),
        ("list", "--from", CAPTURE),
        ("report", "--from", CAPTURE, "--output", "-"),
        ("list", "--demo", "--numeric"),
        ("audit", "--from", CAPTURE, "--for", "nothing"),
        ("explain", "mixed-ownership"),
        ("completion", "fish"),
        ("--version",),
    ],
    ids=lambda words: "-".join(map(str, words[:1])),
)
def test_what_it_prints_is_what_the_tree_prints(
    zipapp: Path, words: tuple[str | Path, ...]
) -> None:
    expected = call(*words)
    assert expected.stdout or expected.stderr
    assert run(zipapp, *words) == (
        expected.returncode,
        expected.stdout,
        expected.stderr,
    )


def test_every_module_in_it_finds_what_it_imports(zipapp: Path) -> None:
    with zipfile.ZipFile(zipapp) as archive:
        names = {
            re.sub(r"(/__init__)?\.py$", "", name).replace("/", ".")
            for name in archive.namelist()
            if name.endswith(".py") and not name.endswith("__main__.py")
        }
    code = (
        "import importlib, sys\n"
        f"sys.path.insert(0, {str(zipapp)!r})\n"
        f"for name in {sorted(names - _NOT_FOR_LINUX)!r}:\n"
        f"    at = importlib.import_module(name).__spec__.origin\n"
        f"    assert at.startswith(sys.path[0]), name\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_runs_by_its_own_name(zipapp: Path) -> None:
    assert zipapp.stat().st_mode & 0o777 == 0o755
    here = Path(sys.executable).parent
    done = subprocess.run(
        [zipapp, "--version"], capture_output=True, env={"PATH": f"{here}:/usr/bin"}
    )
    assert done.stdout == call("--version").stdout.encode()


def test_its_bytes_depend_on_nothing_but_its_files(
    files: dict[str, bytes], zipapp: Path, tmp_path: Path
) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "elsewhere", files)
    finally:
        os.umask(before)
    assert (tmp_path / "elsewhere").read_bytes() == zipapp.read_bytes()
    assert list(files) == sorted(files)


def test_its_files_are_dated_as_asked_and_never_before_zip_began() -> None:
    def date(epoch: int) -> tuple[int, ...]:
        with zipfile.ZipFile(io.BytesIO(packed({"a": b""}, epoch))) as archive:
            return archive.getinfo("a").date_time

    assert date(1_767_225_601) == (2026, 1, 1, 0, 0, 0)  # zip has even seconds
    assert date(0) == (1980, 1, 1, 0, 0, 0)


def test_nothing_compiled_and_nothing_unused_is_in_it(files: dict[str, bytes]) -> None:
    ends = (".pyc", ".so", ".pyi", ".c")
    assert [name for name in files if name.endswith(ends)] == []
    roots = {name.split("/")[0] for name in files}
    libraries = {pin.name.replace("-", "_") for pin in pins()}
    assert roots == {"__main__.py", "iommu_inspect", "licenses", "share", *libraries}


def test_each_command_has_its_manual_page_and_each_shell_its_completion(
    files: dict[str, bytes],
) -> None:
    found = {name for name in files if name.startswith("share/")}
    pages = {f"share/man/man1/iommu-inspect-{name}.1" for name in COMMANDS}
    assert found >= {"share/man/man1/iommu-inspect.1", *pages}
    assert len(found) == len(pages) + 1 + 3


def test_all_of_the_package_is_in_it(files: dict[str, bytes]) -> None:
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "iommu_inspect").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != "py.typed"
    }
    assert ours == {name for name in files if name.startswith("iommu_inspect/")}


def test_each_library_comes_with_its_licence(files: dict[str, bytes]) -> None:
    for pin in pins():
        folder = f"licenses/{pin.name.replace('-', '_')}/"
        assert any(name.startswith(folder) for name in files), pin.name
    # typer has click inside, under a licence of its own.
    assert b"2014 Pallets" in files["licenses/typer/_click/LICENSE"]


def test_an_older_interpreter_can_read_where_it_begins(
    files: dict[str, bytes],
) -> None:
    head = files["__main__.py"].decode()
    ast.parse(head, feature_version=(3, 4))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floor = project["requires-python"].removeprefix(">=").split(".")
    assert f"sys.version_info < ({', '.join(floor)})" in head
    assert f"needs Python {'.'.join(floor)} " in head


def test_an_older_interpreter_is_told_what_is_needed(files: dict[str, bytes]) -> None:
    head = files["__main__.py"].decode().replace("(3, 11)", "(99, 0)")
    done = subprocess.run(
        [sys.executable, "-I", "-c", head], capture_output=True, text=True
    )
    assert done.returncode == 4
    assert done.stderr.startswith("iommu-inspect: cannot go on: it needs Python 3.11")
    assert done.stderr.count("\n") == 1


def test_the_lock_has_what_the_project_asks_for_and_all_that_this_needs(
    libraries: dict[Pin, Path],
) -> None:
    pinned = {pin.name: pin.version for pin in pins()}
    asked = [Requirement(text) for text in asked_for()]
    for wheel in libraries.values():
        asked += filter(_is_for_us, map(Requirement, _requirements(wheel)))
    needed = {each.name.lower().replace("_", "-") for each in asked} - set(LEFT_OUT)
    assert needed == set(pinned)
    for each in asked:
        name = each.name.lower().replace("_", "-")
        if name in pinned:
            assert each.specifier.contains(pinned[name]), each


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (it for it in archive.namelist() if it.endswith("info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    return metadata.get_all("Requires-Dist") or []


def _is_for_us(requirement: Requirement) -> bool:
    environment = {"extra": "", "platform_system": "Linux"}
    return requirement.marker is None or requirement.marker.evaluate(environment)


def test_a_line_of_the_lock_without_a_hash_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "bundled.lock"
    lock.write_text("# ours\njinja2==3.1.6\n")
    with pytest.raises(ValueError, match="no version with a hash: jinja2"):
        pins(lock)


def test_a_wheel_with_another_content_is_not_taken(
    libraries: dict[Pin, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wheel in libraries.values():
        (tmp_path / wheel.name).write_bytes(wheel.read_bytes() + b"more")
    # pip finds nothing anywhere, so nothing of what lies there may do.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "none"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(FetchError):
        wheels(tmp_path)
