"""A release is ready only if all that names it agrees; each fault is told."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect import __version__
from tools.release.__main__ import main
from tools.release.changelog import ChangelogError, debian_head, sections
from tools.release.checks import CHECKS, artifacts, version
from tools.zipapp.bundled import ROOT

CHANGELOG = """\
# Changelog

## Unreleased

## 1.2.0 - 2026-11-27

### Added

- A thing,
  in two lines.
- Another.

## 1.1.9 - 2026-10-01

### Fixed

- A fault.
"""
DEBIAN = """\
iommu-inspect (1.2.0) unstable; urgency=medium

  * A thing.

 -- Some Body <some@body.example>  Fri, 27 Nov 2026 10:00:00 +0100

iommu-inspect (1.1.9) unstable; urgency=medium
"""


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@b.example")
    subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--message", "one", "--allow-empty")


def build(root: Path, *, has: str = '__version__ = "1.2.0"\n') -> None:
    (root / "dist").mkdir()
    for name in artifacts("1.2.0"):
        with zipfile.ZipFile(root / "dist" / name, "w") as archive:
            archive.writestr("iommu_inspect/__init__.py", has)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A tree of which everything agrees."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    write(tmp_path, "iommu_inspect/__init__.py", '__version__ = "1.2.0"\n')
    write(tmp_path, "CHANGELOG.md", CHANGELOG)
    write(tmp_path, "debian/changelog", DEBIAN)
    write(tmp_path, ".gitignore", "dist/\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    git(tmp_path, "tag", "v1.2.0")
    build(tmp_path)
    return tmp_path


def test_a_release_of_which_all_agrees_is_ready(
    release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"], release) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == "ready to be released"
    assert len(lines) == len(CHECKS)
    assert all(line.startswith("ok ") for line in lines)


def changed(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        write(root, name, text.replace(old, new))
        commit(root)
        git(root, "tag", "--force", "v1.2.0")

    return change


def another_artifact(root: Path) -> None:
    (root / "dist/iommu_inspect-1.1.9.tar.gz").touch()


def no_deb(root: Path) -> None:
    (root / "dist/iommu-inspect_1.2.0_all.deb").unlink()


def built_before(root: Path) -> None:
    shutil.rmtree(root / "dist")
    build(root, has='__version__ = "1.1.9"\n')


FAULTS = {
    "another version in the changelog": (
        changed("CHANGELOG.md", "## 1.2.0", "## 1.2.1"),
        "CHANGELOG.md has 1.2.1, and not 1.2.0, as newest",
    ),
    "entries that are not released": (
        changed("CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n### Fixed\n\n- A"),
        "CHANGELOG.md: 1 entries are below Unreleased",
    ),
    "nothing is said of it": (
        changed("CHANGELOG.md", "- A thing,\n  in two lines.\n- Another.\n", ""),
        "CHANGELOG.md says nothing of 1.2.0",
    ),
    "a changelog that cannot be read": (
        changed("CHANGELOG.md", "## 1.1.9 -", "## Version 1.1.9 -"),
        "CHANGELOG.md: line 13: no version with a day: Version 1.1.9 - 2026-10-01",
    ),
    "another version for Debian": (
        changed("debian/changelog", "(1.2.0)", "(1.2.0-1)"),
        "debian/changelog has 1.2.0-1 as newest",
    ),
    "not released for Debian": (
        changed("debian/changelog", "(1.2.0) unstable", "(1.2.0) UNRELEASED"),
        "debian/changelog says UNRELEASED",
    ),
    "another day for Debian": (
        changed("debian/changelog", "27 Nov 2026", "28 Nov 2026"),
        "debian/changelog: 2026-11-28, and 2026-11-27 in CHANGELOG.md",
    ),
    "no X.Y.Z": (
        changed("iommu_inspect/__init__.py", "1.2.0", "1.2.0rc1"),
        "__version__ is no X.Y.Z: 1.2.0rc1",
    ),
    "a file that is not committed": (
        lambda root: write(root, "new", ""),
        "the tree is not clean: ?? new, ...",
    ),
    "no tag": (
        lambda root: git(root, "tag", "--delete", "v1.2.0"),
        "no tag v1.2.0 is on this commit",
    ),
    "a commit after the tag": (commit, "no tag v1.2.0 is on this commit"),
    "a newer release": (
        lambda root: git(root, "tag", "v1.10.0"),
        "there is a tag of a newer release: v1.10.0",
    ),
    "an artifact of another release": (
        another_artifact,
        "dist has another release: iommu_inspect-1.1.9.tar.gz",
    ),
    "an artifact that is not there": (
        no_deb,
        "dist has no deb iommu-inspect_1.2.0_all.deb",
    ),
    "artifacts of another tree": (
        built_before,
        "iommu_inspect-1.2.0-py3-none-any.whl has another "
        "iommu_inspect/__init__.py than the tree",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_the_release_is_not_ready(
    release: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    cause, said = FAULTS[fault]
    cause(release)
    assert main(["check"], release) == 1
    assert f"WRONG  {said}" in capsys.readouterr().out.splitlines()


def test_outside_of_a_repository_nothing_is_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "iommu_inspect/__init__.py", '__version__ = "1.2.0"\n')
    assert main(["check"], tmp_path) == 1
    out = capsys.readouterr().out
    assert f"{len(CHECKS) - 1} of {len(CHECKS)} are wrong" in out


def test_the_changelogs_of_this_tree_can_be_read_and_name_its_version() -> None:
    first, *released = sections((ROOT / "CHANGELOG.md").read_text())
    assert first.version == "Unreleased"
    head = debian_head((ROOT / "debian/changelog").read_text())
    assert head.package == "iommu-inspect"
    assert head.version == version(ROOT) == __version__
    # What was released has its section; what was not is below Unreleased.
    assert (head.distribution == "UNRELEASED") == (
        __version__ not in {each.version for each in released}
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the first section is not Unreleased"),
        ("## 1.0.0 - 2026-01-01\n", "the first section is not Unreleased"),
        ("## Unreleased\n## Unreleased\n", "Unreleased is there twice"),
        ("## Unreleased\n- it\n", "line 2: an entry below no heading"),
        ("## Unreleased\n### News\n", "line 2: no place for a heading News"),
        ("### Added\n", "line 1: no place for a heading Added"),
        ("## Unreleased\n## 1.0 - 2026-01-01\n", "line 2: no version with a day"),
        ("## Unreleased\n## 1.0.0 - 2026-02-30\n", "line 2: day is out of range"),
        (
            "## Unreleased\n## 1.9.0 - 2026-01-02\n## 1.10.0 - 2026-01-01\n",
            "releases are not in order",
        ),
        (
            "## Unreleased\n## 1.10.0 - 2026-01-01\n## 1.9.0 - 2026-01-02\n",
            "releases are not in order",
        ),
    ],
)
def test_what_the_format_does_not_know_is_told_with_its_line(
    text: str, said: str
) -> None:
    with pytest.raises(ChangelogError, match=said):
        sections(text)


@given(st.text(alphabet="#- \n0123456789.Unreleasd(); ", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for reader in (sections, debian_head):
        with contextlib.suppress(ChangelogError):
            reader(text)
