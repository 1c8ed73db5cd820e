"""A snapshot answers as its source did, and holds nothing that names a person."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from examples import each
from shared import KERNELS, SHARED, SYSFS, needs_shared
from snapshots import members, opened, snapshot
from trees import unpack

from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.snapshot.packing import zipped
from iommu_inspect.sources.sysfs.bars import with_bars
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.opening import open_live, open_path
from iommu_inspect.sources.tree.snapshot import LEVELS, MANIFEST, Manifest, SnapshotTree
from iommu_inspect.sources.tree.tree import Tree

FIXTURES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
CARD = "sys/devices/pci0000:00/0000:00:02.0"


def facts(tree: Tree) -> dict[str, object]:
    machine = with_bars(tree, read_machine(tree, processes=True))
    return {
        name: getattr(machine, name)
        for name in Machine.__dataclass_fields__
        if name not in ("source", "notes")
    }


def live(root: Path) -> Tree:
    return DirTree(str(root), "this host", live=True)


def copied(tmp_path: Path, name: str) -> Path:
    return Path(shutil.copytree(SYSFS / name, tmp_path / name, symlinks=True))


@each("tree", FIXTURES)
def test_all_that_is_read_of_a_capture_is_read_of_its_snapshot(tree: Path) -> None:
    source = open_path(str(tree))
    assert facts(opened(snapshot(source, "none"))) == facts(source)


@each("tree", FIXTURES)
def test_all_that_is_read_of_a_host_is_read_of_its_snapshot(tree: Path) -> None:
    """Of a host what is not there is known not to be there."""
    source = live(tree)
    assert facts(opened(snapshot(source, "none"))) == facts(source)


def test_all_that_is_read_of_this_host_is_read_of_its_snapshot() -> None:
    source = open_live()
    unlike = {"host"}  # processes and mounts come and go while it is read
    found = facts(opened(snapshot(source, "none")))
    assert {n: f for n, f in found.items() if n not in unlike} == {
        n: f for n, f in facts(source).items() if n not in unlike
    }


@needs_shared
@each("kernel", KERNELS)
@each("state", ["before", "after"])
def test_all_that_is_read_of_a_kernels_capture_is_in_it(
    kernel: str, state: str
) -> None:
    source = open_path(str(SHARED / "real-kernels" / kernel / f"{state}.tar.gz"))
    assert facts(opened(snapshot(source, "none"))) == facts(source)


@each("tree", FIXTURES)
@each("level", LEVELS)
def test_read_and_written_again_it_has_the_same_bytes(tree: Path, level: str) -> None:
    first = snapshot(open_path(str(tree)), level)
    assert snapshot(opened(first), level) == first
    assert snapshot(opened(first), "none") == first, "nothing comes back"


def test_it_is_nobodys_and_of_no_time_and_in_order() -> None:
    tar = snapshot(open_path(str(SYSFS / "host-lives-here")))
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        found = archive.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in found} == {
        (0, 0, "", "", 0)
    }
    names = [member.name for member in found]
    assert names == [MANIFEST, *sorted(names[1:])]
    packed = b"".join(zipped(iter([tar])))
    assert packed[4:8] == bytes(4), "gzip's time"
    assert facts(opened(packed)) == facts(opened(tar))


class Guarded(DirTree):
    """A host that shows its user what it shows anybody, and no more."""

    DENIED = ("proc/1/mountinfo", "proc/self/mountinfo", f"{CARD}/driver")

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        found = super()._content(path, limit)
        refused = path in self.DENIED or path.endswith("/IORT")
        if refused and found is not Missing.ABSENT:
            return Missing.DENIED
        is_config = path.endswith("/config") and isinstance(found, bytes)
        return found[:64] if is_config and isinstance(found, bytes) else found

    def _link(self, path: str) -> Fact[str]:
        return Missing.DENIED if path in self.DENIED else super()._link(path)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        refused = path.endswith("/fd") or path == "sys/fs/btrfs"
        return Missing.DENIED if refused else super()._names(path)


def test_what_an_ordinary_user_was_denied_stays_denied(tmp_path: Path) -> None:
    root = copied(tmp_path, "in-use")
    source = Guarded(str(root), "this host", live=True)
    tree = opened(snapshot(source, "none", privileged=False))
    assert facts(tree) == facts(source)
    assert tree.text("proc/1/mountinfo") is Missing.DENIED
    assert tree.target(f"{CARD}/driver") is Missing.DENIED
    assert tree.names("proc/2000/fd") is Missing.DENIED
    host = read_machine(tree, processes=True).host
    assert dict(host.untold)[UseKind.PROCESS] is Missing.DENIED
    assert "without root" in tree.notes[0]


def test_what_nobody_asked_for_is_not_told() -> None:
    """A later version may ask for what an earlier one did not capture."""
    tree = opened(snapshot(live(SYSFS / "half-a-group")))
    assert tree.kind == "snapshot"
    device = next(d for d in read_machine(tree).devices if d.is_pci)
    assert tree.text(f"{device.path}/removable") is Missing.ABSENT
    assert tree.text(f"{device.path}/never_heard_of") is Missing.UNREADABLE
    assert tree.names("sys/class/never_heard_of") is Missing.UNREADABLE
    assert tree.text(f"{device.path}/uevent") is Missing.UNREADABLE
    tables = opened(snapshot(live(SYSFS / "no-iommu-unit"), "none"))
    assert tables.names("sys/firmware/acpi/tables") == ("DMAR",)
    assert tables.target("sys/firmware/acpi/tables/DMAR") is Missing.UNREADABLE
    assert tree.text(MANIFEST) is Missing.ABSENT


class Asleep(DirTree):
    """A host with a device in D3cold, which reading its registers would wake."""

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        assert path != f"{CARD}/config", "the device would wake"
        return super()._content(path, limit)


def test_no_sleeping_device_is_woken(tmp_path: Path) -> None:
    root = copied(tmp_path, "no-answer")
    (root / CARD / "power_state").write_text("D3cold\n")
    source = Asleep(str(root), "this host", live=True)
    tar = snapshot(source)
    assert f"{CARD}/config" not in members(tar)
    assert facts(opened(tar))["groups"] == facts(source)["groups"]
    assert snapshot(opened(tar)) == tar


class WithNode(DirTree):
    def node(self, path: str) -> Fact[NodeAccess]:
        return NodeAccess(0o600, 0, 0) if path == "dev/vfio/13" else Missing.DENIED


def test_who_may_open_the_nodes_is_in_it() -> None:
    tree = opened(snapshot(WithNode(str(SYSFS / "half-a-group"), "", live=True)))
    assert tree.node("dev/vfio/13") == NodeAccess(0o600, 0, 0)
    assert tree.node("dev/vfio/14") is Missing.DENIED
    assert tree.node("dev/vfio/999") is Missing.ABSENT


def test_unpacked_it_is_still_a_snapshot(tmp_path: Path) -> None:
    source = Guarded(str(copied(tmp_path, "host-lives-here")), "", live=True)
    tar = snapshot(source)
    place = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        unpack(archive, place)
    tree = open_path(str(place))
    assert isinstance(tree, SnapshotTree)
    assert facts(tree) == facts(opened(tar))


@each(
    "content, says",
    [
        (b"", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"[]", "damaged"),
        (b'{"format": "iommu-inspect/snapshot/2"}', "another version"),
        (b'{"format": "iommu-inspect/snapshot/1"}', "damaged"),
        ("tool", "damaged"),
        ("kernel", "damaged"),
        ("whole", "damaged"),
        ("redaction", "damaged"),
        ("absent", "damaged"),
        ("listed", "damaged"),
        ("nodes", "damaged"),
        ("left_out", "damaged"),
    ],
)
def test_a_manifest_that_is_none_is_refused(content: bytes | str, says: str) -> None:
    if isinstance(content, str):
        whole = Manifest("1").to_json().decode()
        bad = {"whole": '"no"', "nodes": '{"dev/vfio/1": [1]}'}.get(content, "7")
        lines = [
            f' "{content}": {bad},' if line.startswith(f' "{content}":') else line
            for line in whole.splitlines()
        ]
        content = "\n".join(lines).replace("7,\n}", "7\n}").encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
        folder = tarfile.TarInfo("sys")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    with pytest.raises(SourceError, match=says):
        opened(out.getvalue())


def test_processes_without_a_device_are_not_in_it(tmp_path: Path) -> None:
    root = copied(tmp_path, "in-use")
    (root / "proc/4711/fd").mkdir(parents=True)
    (root / "proc/4711/comm").write_text("diary\n")
    (root / "proc/4711/fd/3").symlink_to("/home/ada/secret")
    (root / "proc/4711/fd/4").symlink_to("/dev/null")
    tar = snapshot(live(root), "none")
    assert not [name for name in members(tar) if name.startswith("proc/4711")]
    assert facts(opened(tar)) == facts(live(root))
