"""What has to agree before a release is handed out, one check each."""

from __future__ import annotations

import re
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.release.changelog import (
    ChangelogError,
    Section,
    debian_head,
    numbers,
    sections,
)

__all__ = ["CHECKS", "WrongError", "artifacts", "version"]

_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
_RELEASED = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class WrongError(Exception):
    """Something does not agree, in one sentence."""


def version(root: Path) -> str:
    """Return the version that the program says.

    Raises:
        WrongError: if it says none, or none that can be released.
    """
    said = _VERSION.search((root / "iommu_inspect/__init__.py").read_text())
    if not said or not _RELEASED.fullmatch(said[1]):
        raise WrongError(f"__version__ is no X.Y.Z: {said[1] if said else 'not there'}")
    return said[1]


def _changelog(root: Path) -> str:
    found = _sections(root)
    if found[0].entries:
        raise WrongError(
            f"CHANGELOG.md: {found[0].entries} entries are below Unreleased"
        )
    newest = found[1] if len(found) > 1 else None
    if newest is None or newest.version != version(root):
        has = newest.version if newest else "no release"
        raise WrongError(f"CHANGELOG.md has {has}, and not {version(root)}, as newest")
    if not newest.entries:
        raise WrongError(f"CHANGELOG.md says nothing of {newest.version}")
    return f"CHANGELOG.md: {newest.version}, {newest.day}, {newest.entries} entries"


def _debian(root: Path) -> str:
    try:
        head = debian_head((root / "debian/changelog").read_text())
    except (ChangelogError, OSError) as error:
        raise WrongError(f"debian/changelog: {error}") from error
    if head.version != version(root):
        raise WrongError(f"debian/changelog has {head.version} as newest")
    if head.distribution == "UNRELEASED":
        raise WrongError("debian/changelog says UNRELEASED")
    day = next((it.day for it in _sections(root) if it.version == head.version), None)
    if head.day != day:
        raise WrongError(f"debian/changelog: {head.day}, and {day} in CHANGELOG.md")
    return f"debian/changelog: {head.version}, {head.day}"


def _sections(root: Path) -> tuple[Section, ...]:
    try:
        return sections((root / "CHANGELOG.md").read_text())
    except (ChangelogError, OSError) as error:
        raise WrongError(f"CHANGELOG.md: {error}") from error


def _clean(root: Path) -> str:
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        raise WrongError(f"the tree is not clean: {changed[0].strip()}, ...")
    return "the tree is clean"


def _tag(root: Path) -> str:
    wanted = f"v{version(root)}"
    here = _git(root, "tag", "--points-at", "HEAD").split()
    if wanted not in here:
        raise WrongError(f"no tag {wanted} is on this commit")
    older = [tag[1:] for tag in _git(root, "tag", "--list", "v*").split()]
    newer = [
        it
        for it in older
        if _RELEASED.fullmatch(it) and numbers(it) > numbers(version(root))
    ]
    if newer:
        raise WrongError(f"there is a tag of a newer release: v{newer[0]}")
    return f"tag {wanted}"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WrongError(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout


def artifacts(number: str) -> dict[str, str]:
    """Return the file name of each artifact of a version, and what it is."""
    return {
        f"iommu_inspect-{number}.tar.gz": "source archive",
        f"iommu_inspect-{number}-py3-none-any.whl": "wheel",
        "iommu-inspect.pyz": "zipapp",
        f"iommu-inspect_{number}_all.deb": "deb",
    }


def _artifacts(root: Path) -> str:
    wanted = artifacts(version(root))
    there = {
        path.name
        for pattern in ("*.tar.gz", "*.whl", "*.pyz", "*.deb")
        for path in (root / "dist").glob(pattern)
    }
    for name, kind in wanted.items():
        if name not in there:
            raise WrongError(f"dist has no {kind} {name}")
    if extra := sorted(there - set(wanted)):
        raise WrongError(f"dist has another release: {extra[0]}")
    for name in wanted:
        for file in _other_than_the_tree(root, root / "dist" / name):
            raise WrongError(f"{name} has another {file} than the tree")
    return f"dist: {len(wanted)} artifacts of {version(root)}"


def _other_than_the_tree(root: Path, path: Path) -> Iterator[str]:
    """Yield the files of the program in a zip that are not those of the tree."""
    if path.suffix in (".whl", ".pyz"):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                if name.startswith("iommu_inspect/"):
                    ours = root / name
                    if not ours.exists() or ours.read_bytes() != packed.read(name):
                        yield name


CHECKS: tuple[Callable[[Path], str], ...] = (
    lambda root: f"__version__ is {version(root)}",
    _changelog,
    _debian,
    _clean,
    _tag,
    _artifacts,
)
