"""What a running host serves may never answer: it is read with a bound, or not."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from builders import device
from examples import each
from running import call
from shared import SYSFS
from watch import watching

from iommu_inspect.cli import session
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.live import from_udev
from iommu_inspect.sources.names import Names
from iommu_inspect.sources.snapshot.making import take
from iommu_inspect.sources.sysfs import device as sysfs_device
from iommu_inspect.sources.sysfs.bars import with_bars
from iommu_inspect.sources.tree import bounded, directory
from iommu_inspect.sources.tree.bounded import Reader
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.opening import open_live
from iommu_inspect.sources.tree.snapshot import Manifest
from iommu_inspect.sources.tree.tree import Inside, Kind, Tree

# A host that has mounts, networks, screens, groups and settings.
HOST = SYSFS / "host-lives-here"
NEVER = 600


class Hanging(DirTree):
    """A running host on which some files never answer."""

    def __init__(self, root: Path, *hang: str) -> None:
        super().__init__(str(root), "this host", live=True)
        self.hang = hang

    def _wait(self, path: str) -> None:
        if any(path.startswith(one) for one in self.hang):
            assert self._asked, f"{path} is looked at in the process that answers"
            time.sleep(NEVER)

    def _read(self, path: str, limit: int) -> Fact[bytes] | None:
        self._wait(path)
        return super()._read(path, limit)

    def _read_config(self, path: str) -> Fact[bytes] | None:
        self._wait(path)
        return super()._read_config(path)

    def _kind(self, path: str) -> Fact[Kind]:
        if self._asked and not path.startswith(("sys", "proc")):
            self._wait(path)
        return super()._kind(path)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = set(Path("/proc/self/fd").iterdir())
    yield
    gc.collect()
    assert set(Path("/proc/self/fd").iterdir()) <= before


def quick(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.3) -> None:
    monkeypatch.setattr(directory, "PATIENCE", seconds)
    monkeypatch.setattr(directory, "_PATIENCE_WITH_DISKS", seconds)


def everything(tree: Tree) -> Machine:
    """Read all that any command reads."""
    machine = read_source(tree, processes=True)
    take(tree, Manifest("0", "none"))
    return with_bars(tree, machine)


PARENTS_OWN = ("sys", "proc", "dev/vfio")


@pytest.mark.parametrize("host", [lambda: Hanging(HOST), open_live])
def test_this_process_opens_no_file_of_a_running_host_and_looks_at_no_disk(
    monkeypatch: pytest.MonkeyPatch, host: Callable[[], DirTree]
) -> None:
    tree = host()
    root, here = tree._root, os.getpid()
    seen: list[tuple[str, str]] = []

    def watch(name: str) -> None:
        real = getattr(os, name)

        def watched(path: str, *rest: object) -> object:
            if os.getpid() == here and str(path).startswith(root):
                seen.append((name, str(path).removeprefix(root)))
            return real(path, *rest)

        monkeypatch.setattr(os, name, watched)

    for name in ("open", "lstat", "readlink", "listdir"):
        watch(name)
    machine = everything(tree)
    monkeypatch.undo()
    assert known(machine.kernel.release)
    wrong = [
        (name, path)
        for name, path in seen
        if name == "open" or not path.startswith(PARENTS_OWN)
    ]
    assert wrong == []
    assert len(seen) > 100


def test_where_every_file_hangs_the_answer_comes_in_time() -> None:
    start = time.monotonic()
    machine = everything(Hanging(HOST, ""))
    assert time.monotonic() - start < 20  # of the hours that it would take
    assert machine.kernel.release is Missing.UNREADABLE
    assert {d.driver for d in machine.devices} > {"nvme"}  # that is a link


@each(
    "path",
    [
        "sys/devices/pci0000:00/0000:00:1d.0/0000:02:00.0/vendor",
        "sys/devices/pci0000:00/0000:00:1d.0/0000:02:00.0/power_state",
        "sys/devices/pci0000:00/0000:00:1d.0/0000:02:00.0/driver_override",
        "sys/devices/pci0000:00/0000:00:1d.0/0000:02:00.0/config",
        "sys/devices/pci0000:00/0000:00:1d.0/0000:02:00.0/uevent",
        "sys/kernel/iommu_groups/1/type",
        "sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
        "proc/1/mountinfo",
        "proc/self/limits",
        "proc/swaps",
        "etc/os-release",
        "etc/passwd",
        "etc",
        "usr/lib/modules",
        "boot",
    ],
)
def test_one_that_hangs_is_unreadable_and_all_others_are_as_they_were(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    quick(monkeypatch)
    tree = Hanging(tmp_path, path)
    files = {"sys/a", "proc/b", "etc2/c", path if "/" in path else f"{path}/x"}
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("1\n")
    for read in (tree.text, lambda file: tree.text_bounded([file], 0.3)[file]):
        found = {file: read(file) for file in sorted(files)}
        assert found == {
            file: Missing.UNREADABLE if file.startswith(path) else "1" for file in files
        }
    assert len(tree._reader._left_behind) <= 2


def test_a_command_on_a_host_whose_device_hangs_says_that_it_cannot_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick(monkeypatch)
    alone = SYSFS / "groups-of-one"
    monkeypatch.setattr(session, "open_live", lambda: Hanging(alone, "sys/devices"))
    done = call("list", "--numeric")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_device_remembers_is_asked_for_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tree = Hanging(SYSFS / "groups-of-one")
    asked: list[int] = []
    ask = tree._reader.ask

    def counted(*arguments: object, **more: object) -> list[object]:
        asked.append(len(arguments[1]))  # type: ignore[arg-type]
        return ask(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(tree._reader, "ask", counted)
    devices = [*read_source(tree).devices]
    # A few for a device and its group, and those for the host.
    assert len(asked) < 6 * len(devices) + 150
    assert max(asked) > 5


def test_configuration_space_is_never_read_beside_something_else() -> None:
    """A device may have gone to sleep, and would be woken."""
    assert "config" not in {name.rpartition("/")[2] for name in sysfs_device._FILES}


@each("broken", ["fork", "pipe"])
@each("number", [errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_without_a_child_little_is_told_and_why_is_said(
    monkeypatch: pytest.MonkeyPatch, broken: str, number: int
) -> None:
    def fail() -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, broken, fail)
    machine = read_source(Hanging(SYSFS / "groups-of-one"))
    assert all(known(d.ids.vendor) for d in machine.devices if d.is_pci)
    assert machine.kernel.release is Missing.UNREADABLE
    assert os.strerror(number) in " ".join(machine.notes)
    assert all(isinstance(g, Group) for g in machine.groups)


def test_children_that_cannot_be_killed_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[int] = []
    quick(monkeypatch, 0.05)
    monkeypatch.setattr(os, "kill", lambda pid, _: left.append(pid))
    monkeypatch.setattr(os, "waitpid", lambda *_: (0, 0))
    read_source(Hanging(HOST, ""))
    monkeypatch.undo()
    assert 2 < len(left) <= 16
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_child_can_run_what_finds_a_library(watched: str) -> None:
    """As ctypes does for pyudev, by what ldconfig prints."""

    def printed(*_: object) -> str:
        return subprocess.run(["echo", "x"], capture_output=True, text=True).stdout

    found = Reader().ask(printed, [("", "", 0)], patience=20)
    assert found == ["x\n"]
    # The package's functions led there, which only pyudev's may.
    assert watching.taken(watched) == ["subprocess.Popen 'echo'"]


class Udev(ModuleType):
    """A stand-in for pyudev: one that never answers about one device."""

    DeviceNotFoundError = LookupError

    def __init__(self) -> None:
        super().__init__("pyudev")
        self.Devices = self

    def Context(self) -> object:  # noqa: N802 - as pyudev calls it
        return self

    def from_path(self, _: object, path: str) -> Udev:
        if path.endswith("01.0"):
            time.sleep(NEVER)
        return self

    @property
    def properties(self) -> dict[str, str]:
        return {"ID_MODEL_FROM_DATABASE": "told"}


def test_a_name_that_udev_does_not_tell_in_time_is_that_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyudev", Udev())
    namer = from_udev(lambda _: Names("from the file"))
    start = time.monotonic()
    cards = [
        replace(device(f"0000:00:0{n}.0"), ids=PciIds(0x8086, n)) for n in range(4)
    ]
    names = [namer(card) for card in cards]
    assert [name.device for name in names] == ["told", None, "told", "told"]
    assert names[1].vendor == "from the file"
    assert time.monotonic() - start < 20


def test_whoever_is_interrupted_waits_for_no_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be stuck in the kernel, where no signal reaches it."""
    reader = Reader()

    def answer(what: str, path: str, limit: int) -> object:
        return b""

    def interrupted(*_: object) -> list[object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Reader, "_ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reader.ask(answer, [("content", "sys/x", 0)])
    waited: list[int] = []

    def wait(_: int, options: int) -> tuple[int, int]:
        waited.append(options)
        return 0, 0

    monkeypatch.setattr(os, "waitpid", wait)
    left = list(reader._left_behind)
    del reader
    gc.collect()
    assert set(waited) <= {os.WNOHANG}
    monkeypatch.undo()
    for pid in left:
        os.waitpid(pid, 0)


def _slow(what: str, path: str, more: object) -> object:
    if path == "stuck":
        time.sleep(NEVER)
    return f"{what} {path}"


@pytest.mark.parametrize("between", [[], ["x"], ["stuck"]])
@pytest.mark.parametrize("asked", [["a", "b"], ["a", "stuck", "b"], []])
def test_what_was_begun_is_answered_as_if_it_were_asked(
    monkeypatch: pytest.MonkeyPatch, asked: list[str], between: list[str]
) -> None:
    monkeypatch.setattr(bounded, "PATIENCE", 0.2)
    requests = [("was", path, 0) for path in asked]
    others = [("other", path, 0) for path in between]
    wanted = [Missing.UNREADABLE if p == "stuck" else f"was {p}" for p in asked]
    reader = Reader()
    reader.begin(_slow, requests)
    found = reader.ask(_slow, others, patience=0.2)
    assert found == [Missing.UNREADABLE if p == "stuck" else "other x" for p in between]
    assert reader.finish() == wanted
    assert reader.finish() == []


def test_what_was_begun_with_a_child_that_is_gone_is_unreadable() -> None:
    reader = Reader()
    reader.ask(_slow, [("was", "a", 0)])
    assert reader._child is not None
    os.kill(reader._child.pid, signal.SIGKILL)
    reader.begin(_slow, [("was", "b", 0), ("was", "c", 0)])
    assert reader.finish() == [Missing.UNREADABLE, "was c"]


def test_what_was_read_ahead_and_is_still_there_is_not_read_again(
    tmp_path: Path,
) -> None:
    """As the state of a bridge below which all devices of a batch sleep."""
    file = tmp_path / "sys/devices/a"
    file.parent.mkdir(parents=True)
    file.write_text("1\n")
    host = DirTree(str(tmp_path), "this host", live=True)
    for _ in range(2):
        host.read_ahead(["sys/devices/a"])
    assert host.text("sys/devices/a") == "1"
    host.read_ahead([])


def test_what_was_begun_is_forgotten_with_the_rest(tmp_path: Path) -> None:
    (tmp_path / "sys/devices/a").mkdir(parents=True)
    host = DirTree(str(tmp_path), "this host", live=True)
    host.begin_to_look(["sys/devices/a"], Inside(lists=("",)))
    host.forget()
    (tmp_path / "sys/devices/a/new").write_text("")
    host.look_ahead(["sys/devices/a"], Inside(lists=("",)))
    assert host.names("sys/devices/a") == ("new",)


def test_that_no_child_may_be_left_behind_any_more_is_said() -> None:
    reader = Reader(children=0)
    assert reader.ask(lambda *_: b"", [("content", "sys/x", 0)]) == [Missing.UNREADABLE]
    assert reader.spent
    assert not reader.failure


def test_what_was_forgotten_is_forgotten_by_the_child_too(tmp_path: Path) -> None:
    for name, level in (("a", "raid1"), ("b", "raid0")):
        (tmp_path / f"sys/devices/{name}/md").mkdir(parents=True)
        (tmp_path / f"sys/devices/{name}/md/level").write_text(level)
    link = tmp_path / "sys/block/md0"
    link.parent.mkdir()
    link.symlink_to("../devices/a")
    host = DirTree(str(tmp_path), "this host", live=True)
    file = "sys/block/md0/md/level"
    assert host.text_bounded([file]) == {file: "raid1"}
    link.unlink()
    link.symlink_to("../devices/b")
    host.forget()
    assert host.text_bounded([file]) == {file: "raid0"}
