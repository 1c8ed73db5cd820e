"""What a fleet is to last time: which hosts, groups and findings are others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from fleets import BLOCKED, READY, lines
from running import call
from shared import SYSFS


def changes(now: Path, then: Path, *words: str) -> dict[str, Any]:
    found = lines(now, "--against", then, *words)
    return {row["host"]: row["changes"] for row in found}


def test_a_host_is_the_same_new_gone_or_not_to_be_compared(tmp_path: Path) -> None:
    then, now = tmp_path / "then", tmp_path / "now"
    for folder, names in ((then, ("same", "gone", "broken")), (now, ("same", "new"))):
        folder.mkdir()
        for name in names:
            shutil.copy(READY, folder / f"{name}.tar.gz")
    (now / "broken.txt").write_text("nothing about a host\n")
    found = changes(now, then)
    assert {host: each["change"] for host, each in found.items()} == {
        "broken": "untold",
        "gone": "gone",
        "new": "new",
        "same": "same",
    }
    done = call("fleet", now, "--against", then)
    assert done.returncode == 3
    assert "1 as last time" in " ".join(done.stdout.split())


def test_numbers_of_groups_are_no_change_and_members_are(tmp_path: Path) -> None:
    """The same host from both sides: every group of it has another number."""
    then, now = tmp_path / "then", tmp_path / "now"
    shutil.copytree(SYSFS / "half-a-group", then / "host", symlinks=True)
    shutil.copytree(SYSFS / "half-a-group", now / "host", symlinks=True)
    renumber(now / "host", "13", "77")
    found = changes(now, then)["host"]
    assert found["change"] == "same", found
    moved = tmp_path / "moved"
    shutil.copytree(SYSFS / "half-a-group", moved / "host", symlinks=True)
    members = sorted(
        p.name for p in (moved / "host/sys/kernel/iommu_groups/13/devices").iterdir()
    )
    split(moved / "host", "13", "78", members[-1])
    found = changes(moved, then)["host"]
    assert found["change"] == "changed"
    assert [(g["kind"], g["before"]) for g in found["groups"]] == [("split", ["13"])]


@pytest.mark.parametrize("form", ["capture", "document"])
def test_verdicts_and_findings_of_last_time_are_compared(
    tmp_path: Path, form: str
) -> None:
    then, now = tmp_path / "then", tmp_path / "now"
    then.mkdir()
    now.mkdir()
    shutil.copytree(SYSFS / "half-a-group", now / "host", symlinks=True)
    before = tmp_path / "before"
    shutil.copytree(SYSFS / "half-a-group", before, symlinks=True)
    for device in (before / "sys/devices/pci0000:00").iterdir():
        link = device / "driver"
        if link.is_symlink() and "vfio" not in str(link.readlink()):
            link.unlink()
    if form == "capture":
        shutil.copytree(before, then / "host", symlinks=True)
    else:
        text = call("audit", "--from", before, "--format", "json").stdout
        (then / "host.json").write_text(text)
    found = changes(now, then)["host"]
    assert found["change"] == "changed"
    assert found["verdict"] == "ready"
    assert found["rules"] == ["mixed-ownership"]
    assert found["groups"] == []


def test_one_file_is_held_against_one_file_whatever_their_names() -> None:
    (row,) = lines(BLOCKED, "--against", READY)
    assert row["changes"]["change"] == "changed"


def renumber(host: Path, old: str, new: str) -> None:
    groups = host / "sys/kernel/iommu_groups"
    (groups / old).rename(groups / new)
    for device in (host / "sys/devices/pci0000:00").iterdir():
        lead(device, old, new)


def split(host: Path, old: str, new: str, member: str) -> None:
    """Give one member a group of its own."""
    groups = host / "sys/kernel/iommu_groups"
    shutil.copytree(groups / old, groups / new, symlinks=True)
    for link in (groups / new / "devices").iterdir():
        if link.name != member:
            link.unlink()
    (groups / old / "devices" / member).unlink()
    lead(host / "sys/devices/pci0000:00" / member, old, new)


def lead(device: Path, old: str, new: str) -> None:
    """Let a device's link lead to another group, if it leads to this one."""
    link = device / "iommu_group"
    target = str(link.readlink())
    if target.endswith(f"/{old}"):
        link.unlink()
        link.symlink_to(f"{target[: -len(old)]}{new}")
