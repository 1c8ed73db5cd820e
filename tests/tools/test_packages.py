"""What is in the packages, without installing them: `make packages` does that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from iommu_inspect.cli.main import COMMANDS
from tools.packages.running import FailedError, run
from tools.packages.shared import shared
from tools.packages.trees import packed
from tools.release.checks import artifacts
from tools.zipapp.bundled import ROOT, pins

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TREES = "tests/fixtures/sysfs"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive and the wheel, as hatchling makes them."""
    folder = tmp_path_factory.mktemp("built")
    run([sys.executable, "-m", "hatchling", "build", "-d", folder], ROOT)
    return folder


def test_the_files_are_called_as_a_release_needs_them(built: Path) -> None:
    from iommu_inspect import __version__

    assert {path.name for path in built.iterdir()} < set(artifacts(__version__))


def test_the_source_archive_has_all_that_git_has_and_no_link(built: Path) -> None:
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        members = archive.getmembers()
    assert [it.name for it in members if not it.isreg()] == []
    there = {it.name.partition("/")[2] for it in members}
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("there is no git to ask which files there are")
    listed = run(["git", "ls-files", "-zco", "--exclude-standard"], ROOT).decode()
    ours = {
        name
        for name in listed.split("\0")
        if name and not name.startswith((f"{TREES}/", ".lab-cache"))
    }
    assert there == {*ours, f"{TREES}.tar.gz", "PKG-INFO"}


def test_the_wheel_has_the_package_its_pages_and_its_completion(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        data = next(name for name in names if ".data/data/" in name).partition("/")[0]
        for path, text in shared():
            assert archive.read(f"{data}/data/{path}").decode() == text
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "iommu_inspect").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert package == {name for name in names if name.startswith("iommu_inspect/")}
    added = {name for name in names - package if ".dist-info/" not in name}
    assert len(added) == len(list(shared()))


def test_shells_and_man_look_where_the_files_are() -> None:
    paths = {path for path, _ in shared()}
    assert {path for path in paths if "/man/" not in path} == {
        "share/bash-completion/completions/iommu-inspect",
        "share/zsh/site-functions/_iommu-inspect",
        "share/fish/vendor_completions.d/iommu-inspect.fish",
    }
    assert len([path for path in paths if "/man/man1/" in path]) == len(COMMANDS) + 1
    assert "share/zsh/vendor-completions/_iommu-inspect" in dict(shared(debian=True))


def test_a_tree_is_packed_with_its_links_and_comes_back(tmp_path: Path) -> None:
    tree = tmp_path / "one/sysfs"
    (tree / "empty").mkdir(parents=True)
    (tree / "file").write_bytes(b"\x00\n")
    (tree / "out").symlink_to("/dev/null")
    (tree / "loop").symlink_to("../sysfs")
    (tmp_path / "archive").write_bytes(packed(tree))
    (tmp_path / "back").mkdir()
    run(["tar", "-xzf", tmp_path / "archive"], tmp_path / "back")
    back = tmp_path / "back/sysfs"
    assert {path.name for path in back.iterdir()} == {"empty", "file", "loop", "out"}
    assert (back / "file").read_bytes() == b"\x00\n"
    assert (back / "out").readlink() == Path("/dev/null")
    assert (back / "loop").readlink() == Path("../sysfs")


def test_a_packed_tree_depends_on_no_date_mode_or_second_name(tmp_path: Path) -> None:
    archives = set()
    for day, mode in ((1_000_000_000, 0o600), (1_700_000_000, 0o644)):
        tree = tmp_path / str(day) / "sysfs"
        tree.mkdir(parents=True)
        for name in ("b", "a"):
            (tree / name).write_text("same")
            (tree / name).chmod(mode)
            os.utime(tree / name, (day, day))
        if mode == 0o644:
            (tree / "a").unlink()
            os.link(tree / "b", tree / "a")
        archives.add(packed(tree))
    assert len(archives) == 1


def test_make_unpacks_the_trees_where_the_source_archive_has_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "tests/fixtures").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    archive = packed(ROOT / TREES)
    (tmp_path / f"{TREES}.tar.gz").write_bytes(archive)
    subprocess.run(["make", TREES], cwd=tmp_path, check=True, capture_output=True)
    assert packed(tmp_path / TREES) == archive


def test_the_debian_package_needs_the_python_that_the_project_needs() -> None:
    control = (ROOT / "debian/control").read_text()
    floor = PROJECT["requires-python"].removeprefix(">=")
    assert re.findall(r"python3 \(>= ([^)]+)\)", control) == [floor, floor]


def test_the_debian_package_tells_the_licence_of_each_library() -> None:
    text = (ROOT / "debian/copyright").read_text()
    stanzas = text.split("\n\n")
    full = {
        line.removeprefix("License: ")
        for stanza in stanzas
        for line in stanza.splitlines()[:1]
        if line.startswith("License: ")
    }
    for pin in pins():
        files = f"Files: usr/lib/iommu-inspect/{pin.name.replace('-', '_')}/*"
        (stanza,) = (it for it in stanzas if it.startswith(f"{files}\n"))
        assert stanza.partition("License: ")[2] in full


def test_what_is_checked_before_a_commit_is_what_make_checks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (local,) = hooks["repos"]
    assert local["repo"] == "local"  # no second version of a tool
    entries = {hook["entry"] for hook in local["hooks"]}
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile.partition("\ncheck:")[2].partition("\n\n")[0]
    commands = {line.strip() for line in recipe.splitlines()[1:]}
    assert entries == {it.replace("$(BIN)", ".venv/bin") for it in commands}


def test_a_program_that_fails_or_is_not_there_is_told_with_what_it_said() -> None:
    with pytest.raises(FailedError, match="exit code 3\nwhy"):
        run(["sh", "-c", "echo why >&2; exit 3"])
    with pytest.raises(FailedError, match="there is no iommu-inspect-nowhere"):
        run(["iommu-inspect-nowhere"])
