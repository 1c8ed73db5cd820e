"""What is read again after something moved is what a whole reading would show."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from happening import KERNELS, called
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import unpack

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.again import read_again, read_alone
from iommu_inspect.sources.sysfs.settled import EVENTS, read_settled
from iommu_inspect.sources.tree.directory import DirTree

# A drive with two virtual functions, both below 0000:00:01.0, and a NIC.
DRIVE, ONE, TWO, NIC = "0000:01:00.0", "0000:01:00.1", "0000:01:00.2", "0000:02:00.0"
PORT, OTHER_PORT = "0000:00:01.0", "0000:00:02.0"


class Kept(DirTree):
    """A host in a directory, that notes of which devices it reads what they say."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), "a host", live=True)
        self.read: set[str] = set()

    def read_configs(self, paths: Iterable[str]) -> None:
        asked = list(paths)
        self.read |= {path.split("/")[-2] for path in asked}
        super().read_configs(asked)


class Host:
    """The files of a captured kernel, and what can be done to its devices."""

    def __init__(self, folder: Path, capture: str = "6.12-sriov-vfio-3") -> None:
        self.folder = folder
        with tarfile.open(KERNELS / f"{capture}.tar.gz") as tar:
            unpack(tar, folder)
        (folder / EVENTS).write_text("1\n")
        self.kept = folder.parent / f"{folder.name}-kept"
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(folder, self.kept, symlinks=True)

    def place(self, address: str, root: Path | None = None) -> Path:
        port = OTHER_PORT if address == NIC else PORT
        root = root or self.folder
        return root / f"sys/devices/pci0000:00/{port}/{address}"

    def bind(self, address: str, driver: str | None) -> None:
        place = self.place(address)
        if not place.is_dir():
            return
        (place / "driver").unlink(missing_ok=True)
        shutil.rmtree(place / "vfio-dev", ignore_errors=True)
        if driver is not None:
            (place / "driver").symlink_to(f"/sys/bus/pci/drivers/{driver}")
        if driver == "vfio-pci":
            (place / "vfio-dev/vfio7").mkdir(parents=True)

    def take(self, address: str) -> None:
        place = self.place(address)
        if not place.is_dir():
            return
        group = (place / "iommu_group").readlink().name
        shutil.rmtree(place)
        (self.folder / f"sys/bus/pci/devices/{address}").unlink()
        members = self.folder / f"sys/kernel/iommu_groups/{group}/devices"
        (members / address).unlink()
        if not any(members.iterdir()):
            shutil.rmtree(members.parent)
        for link in self.place(DRIVE).glob("virtfn*"):
            if link.readlink().name == address:
                link.unlink()

    def put(self, address: str) -> None:
        """Put a device back as it was when the kernel was captured."""
        place, old = self.place(address), self.place(address, self.kept)
        if place.is_dir():
            return
        shutil.copytree(old, place, symlinks=True)
        for below in ("sys/bus/pci/devices",):
            link = f"{below}/{address}"
            (self.folder / link).symlink_to((self.kept / link).readlink())
        group = (place / "iommu_group").readlink().name
        files = f"sys/kernel/iommu_groups/{group}"
        if not (self.folder / files).is_dir():
            shutil.copytree(self.kept / files, self.folder / files, symlinks=True)
            shutil.rmtree(self.folder / files / "devices")
            (self.folder / files / "devices").mkdir()
        link = f"{files}/devices/{address}"
        (self.folder / link).symlink_to((self.kept / link).readlink())
        for virtual in self.place(DRIVE, self.kept).glob("virtfn*"):
            if virtual.readlink().name == address:
                mine = self.place(DRIVE) / virtual.name
                mine.symlink_to(virtual.readlink())

    def read(self) -> Machine:
        return read_settled(Kept(self.folder))

    def read_again(
        self, before: Machine, *named: str, tree: Kept | None = None
    ) -> Machine:
        ids = [DeviceId(name, "pci") for name in named]
        return read_again(tree or Kept(self.folder), before, ids)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


MOVES: dict[str, Callable[[Host], None]] = {
    "bind NIC to vfio-pci": lambda host: host.bind(NIC, "vfio-pci"),
    "bind NIC to pci-stub": lambda host: host.bind(NIC, "pci-stub"),
    "unbind NIC": lambda host: host.bind(NIC, None),
    "bind DRIVE to nvme": lambda host: host.bind(DRIVE, "nvme"),
    "unbind ONE": lambda host: host.bind(ONE, None),
    "take NIC": lambda host: host.take(NIC),
    "take ONE": lambda host: host.take(ONE),
    "take TWO": lambda host: host.take(TWO),
    "put NIC": lambda host: host.put(NIC),
    "put ONE": lambda host: host.put(ONE),
    "put TWO": lambda host: host.put(TWO),
}


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(st.sampled_from(sorted(MOVES)), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    ),
    st.sets(st.sampled_from([DRIVE, ONE, TWO, NIC, PORT])),
)
def test_it_is_what_a_whole_reading_shows(
    tmp_path_factory: pytest.TempPathFactory,
    bursts: Sequence[Sequence[str]],
    named: set[str],
) -> None:
    """Whatever moved, and whichever devices events name: a look sees the rest."""
    host = Host(tmp_path_factory.mktemp("moving") / "host")
    tree = Kept(host.folder)
    machine = read_settled(tree)
    for burst in bursts:
        for name in burst:
            MOVES[name](host)
        machine = host.read_again(machine, *named, tree=tree)
        assert machine == host.read()


def test_only_what_moved_is_read(host: Host) -> None:
    before = host.read()
    host.bind(NIC, "vfio-pci")
    tree = Kept(host.folder)
    after = host.read_again(before, tree=tree)
    assert tree.read == {NIC}
    old, new = (m.device(DeviceId(NIC, "pci")) for m in (before, after))
    assert old and new and (old.driver, new.driver) == ("e1000e", "vfio-pci")
    still = DeviceId(ONE, "pci")
    assert after.device(still) is before.device(still)


def test_a_newcomer_is_read_alone_as_in_a_whole_reading(host: Host) -> None:
    whole, tree = host.read(), Kept(host.folder)
    gone = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.7"
    paths = [str(host.place(TWO).relative_to(host.folder)), gone]
    two = DeviceId(TWO, "pci")
    assert read_alone(tree, paths) == {two: whole.device(two)}
    assert tree.read == {TWO}


def test_a_device_that_an_event_names_is_read_though_no_link_of_it_moved(
    host: Host,
) -> None:
    before = host.read()
    place = host.place(NIC)
    (place / "driver_override").write_text("pci-stub\n")
    unnamed, named = host.read_again(before), host.read_again(before, NIC)
    device = DeviceId(NIC, "pci")
    overrides = [m.device(device) for m in (unnamed, named)]
    assert [d and d.driver_override for d in overrides] == [None, "pci-stub"]


def test_a_virtual_function_that_goes_is_no_more_listed_by_its_owner(
    host: Host,
) -> None:
    before = host.read()
    host.take(TWO)
    after = host.read_again(before, TWO)
    owner = after.device(called("pci_01_00_0"))
    assert owner is not None
    assert owner.pci.virtfns == (DeviceId(ONE, "pci"),)


def test_all_is_read_when_the_kernel_goes_on_to_tell_of_more(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events of that come later, and what was read would be of two moments."""
    before = host.read()
    tree = Kept(host.folder)
    host.bind(NIC, "vfio-pci")
    texts = iter("123456")
    whole = tree.text

    def text(path: str) -> object:
        return next(texts, "7") if path == EVENTS else whole(path)

    monkeypatch.setattr(tree, "text", text)
    after = host.read_again(before, NIC, tree=tree)
    assert {DRIVE, ONE, TWO, NIC} <= tree.read
    assert after.device(DeviceId(ONE, "pci")) is not before.device(DeviceId(ONE, "pci"))


def test_what_moved_is_read_again_when_the_kernel_has_told_of_more(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = host.read()
    tree = Kept(host.folder)
    host.bind(NIC, "vfio-pci")
    texts = iter("12")
    whole = tree.text

    def text(path: str) -> object:
        return next(texts, "2") if path == EVENTS else whole(path)

    monkeypatch.setattr(tree, "text", text)
    assert host.read_again(before, NIC, tree=tree) == host.read()
    assert tree.read == {NIC}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda host: (host.folder / "sys/kernel/iommu_groups/6/devices/x").symlink_to(
            "/sys/devices/x"
        ),
        lambda host: (
            host.place(NIC) / "iommu_group"
        ).unlink(),  # its group still lists it
    ],
    ids=["a group lists what no bus has", "a device does not name its group"],
)
def test_groups_that_contradict_their_members_are_read_as_a_whole(
    host: Host, spoil: Callable[[Host], None]
) -> None:
    before = host.read()
    spoil(host)
    assert host.read_again(before, NIC) == host.read()
