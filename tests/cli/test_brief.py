"""A list reads less of a running host than other commands, and shows the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from running import call
from shared import SYSFS

from iommu_inspect.cli import session
from iommu_inspect.sources.capture import read_sources
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.tree import Inside

# Such of the fixtures as are whole hosts.
HOSTS = sorted(path for path in SYSFS.iterdir() if (path / "sys").is_dir())


class Watched(DirTree):
    """A running host that remembers which files are asked for."""

    asked: set[str]

    def look_ahead(self, folders: Iterable[str], inside: Inside) -> None:
        self.asked.update(inside.files)
        super().look_ahead(folders, inside)

    def read_ahead(self, paths: Iterable[str]) -> None:
        wanted = list(paths)
        self.asked |= {path.rpartition("/")[2] for path in wanted}
        super().read_ahead(wanted)


@pytest.mark.parametrize("host", HOSTS, ids=lambda path: path.name)
def test_a_list_is_the_same_with_all_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, host: Path
) -> None:
    def opened() -> DirTree:
        return DirTree(str(host), "this host", live=True)

    monkeypatch.setattr(session, "open_live", opened)
    brief = call("list")
    monkeypatch.setattr(
        session,
        "read_sources",
        lambda opened, **more: read_sources(opened, **{**more, "brief": False}),
    )
    full = call("list")
    assert (brief.returncode, brief.stdout) == (full.returncode, full.stdout)
    assert brief.stdout


def test_a_list_reads_no_configuration_space(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts: list[Watched] = []

    def opened() -> DirTree:
        host = Watched(str(SYSFS / "groups-of-one"), "this host", live=True)
        host.asked = set()
        hosts.append(host)
        return host

    monkeypatch.setattr(session, "open_live", opened)
    assert call("list").returncode == 0
    asked = set[str]().union(*(host.asked for host in hosts))
    assert "uevent" in asked
    assert not asked & {"config", "driver_override", "reset_method", "numa_node"}
