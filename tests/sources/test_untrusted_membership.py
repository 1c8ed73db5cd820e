"""A capture that does not show who is in a group never makes anything ready."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from running import call, document
from shared import SYSFS

GROUPS = Path("sys/kernel/iommu_groups")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two functions of one card on vfio, in group 14: ready."""
    copy = tmp_path / "tree"
    shutil.copytree(SYSFS / "half-a-group", copy, symlinks=True)
    assert call("audit", "group:14", "--from", copy).returncode == 0
    return copy


def members(tree: Path) -> list[Path]:
    return sorted((tree / GROUPS / "14" / "devices").iterdir())


def replace_by_directory(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()


def replace_by_file(entry: Path) -> None:
    entry.unlink()
    entry.touch()


def replace_by_loop(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to(entry.name)


def point_outside(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to("../../../../../../../../../../../../etc")


def point_at_the_root(entry: Path) -> None:
    entry.unlink()
    entry.symlink_to("/")


def forget_device(tree: Path, entry: Path) -> None:
    """Take the device itself out, so that only the group's entry is left."""
    device = entry.resolve()
    (tree / "sys/bus/pci/devices" / device.name).unlink()
    shutil.rmtree(device)


@pytest.mark.parametrize(
    "damage",
    [
        *(replace_by_directory, replace_by_file, replace_by_loop, point_outside),
        point_at_the_root,
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_member_that_is_no_link_counts_as_one_of_unknown_driver(
    tree: Path, damage: Callable[[Path], None]
) -> None:
    first, second = members(tree)
    address = first.resolve().name
    forget_device(tree, second)
    damage(second)
    assert call("audit", address, "--from", tree).returncode == 3
    results = {
        p["operation"]: p["result"]
        for p in document("predict", "group:14", "--from", tree)["predictions"]
        if p["target"] == "14"
    }
    assert set(results.values()) == {"unknown"}
    groups = {g["id"]: g["devices"] for g in document("list", "--from", tree)["groups"]}
    assert sorted(d["address"] for d in groups["14"]) == [address, second.name]


def test_a_group_without_its_list_of_members_is_not_ready(tree: Path) -> None:
    address = members(tree)[0].resolve().name
    for entry in members(tree):
        entry.unlink()
    (tree / GROUPS / "14" / "devices").rmdir()
    assert call("audit", address, "--from", tree).returncode == 3
    assert call("audit", "group:14", "--from", tree).returncode == 3


def test_a_driver_that_was_copied_as_a_directory_is_not_no_driver(tree: Path) -> None:
    first, second = (entry.resolve() for entry in members(tree))
    (second / "driver").unlink()
    (second / "driver").mkdir()
    assert call("audit", first.name, "--from", tree).returncode == 3


def test_a_device_that_two_groups_claim_leaves_both_unknown(tree: Path) -> None:
    first, second = members(tree)
    link = second.resolve() / "iommu_group"
    link.unlink()
    link.symlink_to("../../../../kernel/iommu_groups/13")
    states = {
        group["id"]: group["ownership"]
        for group in document("list", "--from", tree)["groups"]
    }
    assert states["14"] == "unknown"
    assert call("audit", first.resolve().name, "--from", tree).returncode == 3


def test_a_group_link_that_was_copied_as_a_directory_is_not_no_group(
    tree: Path,
) -> None:
    first = members(tree)[0].resolve()
    shutil.rmtree(tree / GROUPS / "14")
    link = first / "iommu_group"
    link.unlink()
    link.mkdir()
    assert call("audit", first.name, "--from", tree).returncode == 3


def test_a_function_that_the_pci_bus_lists_is_listed_with_nothing_else_captured(
    tree: Path,
) -> None:
    """On arm64 PCI roots are below platform devices: the path does not tell the bus."""
    bare = tree / "sys/devices/platform/4010000000.pcie/pci0009:00/0009:00:01.0"
    bare.mkdir(parents=True)
    link = tree / "sys/bus/pci/devices/0009:00:01.0"
    link.symlink_to("../../../devices/platform/4010000000.pcie/pci0009:00/0009:00:01.0")
    ungrouped = document("list", "--from", tree)["ungrouped"]
    assert [device["address"] for device in ungrouped] == ["0009:00:01.0"]
    assert ungrouped[0]["missing"]["driver"] == "absent"
