"""Sources in states that are rare: what they say then, and that nothing breaks."""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from examples import each

from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.live import from_udev
from iommu_inspect.sources.names import Names, from_pci_ids
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.text.machine import read_texts
from iommu_inspect.sources.tree.bounded import _reaped
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.opening import Text, open_live, open_path, open_source
from iommu_inspect.sources.tree.tree import MAX_FILE

DEVICE = "sys/devices/pci0000:00/0000:00:01.0"


def built(root: Path, files: dict[str, str]) -> Path:
    """Build a tree in which the PCI function 00:01.0 is listed."""
    for name, text in {f"{DEVICE}/vendor": "0x8086\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    listed = root / "sys/bus/pci/devices"
    listed.mkdir(parents=True, exist_ok=True)
    (listed / "0000:00:01.0").symlink_to(f"/{DEVICE}")
    return root


def fresh(tmp_path: Path) -> Path:
    return tmp_path / str(len(list(tmp_path.iterdir())))


# Names


class NotFoundError(Exception):
    pass


class Udev(ModuleType):
    """A stand-in for pyudev: a database with one device in it."""

    DeviceNotFoundError = NotFoundError

    def __init__(
        self, properties: dict[str, str], error: type[Exception] | None
    ) -> None:
        super().__init__("pyudev")
        self._error = error
        self._properties = properties
        self.Devices = SimpleNamespace(from_path=self._from_path)

    def Context(self) -> object:  # noqa: N802 - as pyudev calls it
        if self._error is ImportError:
            raise self._error
        return object()

    def _from_path(self, _: object, path: str) -> SimpleNamespace:
        assert path == f"/{DEVICE}"
        if self._error:
            raise self._error
        return SimpleNamespace(properties=self._properties)


BOTH = {"ID_VENDOR_FROM_DATABASE": "Intel", "ID_MODEL_FROM_DATABASE": "I210"}
FALLBACK = Names("of pci.ids")


@each(
    "path, properties, error, wanted",
    [
        (DEVICE, BOTH, None, Names("Intel", "I210")),
        (DEVICE, {"ID_VENDOR_FROM_DATABASE": "Intel"}, None, Names("Intel")),
        (DEVICE, {}, None, FALLBACK),
        (DEVICE, BOTH, NotFoundError, FALLBACK),
        (DEVICE, BOTH, OSError, FALLBACK),
        (DEVICE, BOTH, ImportError, FALLBACK),
        (Missing.ABSENT, BOTH, None, FALLBACK),
    ],
)
def test_names_that_pci_ids_lacks_are_udevs_where_it_has_them(
    monkeypatch: pytest.MonkeyPatch,
    path: Fact[str],
    properties: dict[str, str],
    error: type[Exception] | None,
    wanted: Names,
) -> None:
    monkeypatch.setitem(sys.modules, "pyudev", Udev(properties, error))
    namer = from_udev(lambda _: FALLBACK)
    assert namer(Device(DeviceId("0000:00:01.0", "pci"), path=path)) == wanted


def test_udev_is_not_asked_for_a_name_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To ask costs a process more, and a library."""
    monkeypatch.setattr(os, "fork", None)
    namer = from_udev(lambda _: Names("Intel", "I210"))
    found = namer(Device(DeviceId("0000:00:01.0", "pci"), path=DEVICE))
    assert found == Names("Intel", "I210")


def test_a_packed_list_of_names_that_is_broken_is_passed_over(tmp_path: Path) -> None:
    text = b"8086  Intel\n\t1533  I210\n"
    for folder, content in (
        ("usr/share/misc", gzip.compress(text.replace(b"I210", b"I211"))[:-9]),
        ("usr/share/hwdata", gzip.compress(text)),
        ("usr/share", b"no gzip"),
    ):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "pci.ids.gz").write_bytes(content)
    (tmp_path / "sys").mkdir()
    device = Device(DeviceId("0000:00:01.0", "pci"), ids=PciIds(0x8086, 0x1533))
    machine = Machine(source=Source("tree", "x"), ungrouped=(device,))
    assert from_pci_ids(open_path(str(tmp_path)), machine)(device).device == "I210"


# Trees


def test_only_a_child_that_is_left_is_not_reaped() -> None:
    here, there = os.pipe()
    pid = os.fork()
    if not pid:  # pragma: no cover - runs in a child that ends with os._exit
        os.close(there)
        os.read(here, 1)
        os._exit(0)
    os.close(here)
    assert not _reaped(pid)
    os.close(there)
    os.waitpid(pid, 0)
    assert _reaped(pid)  # somebody else has


@each(
    "name, wanted",
    [
        ("dev/null", NodeAccess),
        ("proc/version", Missing.ABSENT),  # no device file
        ("dev/vfio/no-such-group", Missing.ABSENT),
    ],
)
def test_only_a_device_file_has_access_rights_to_tell(
    name: str, wanted: Missing | type
) -> None:
    found = open_live().node(name)
    assert found is wanted or (known(found) and isinstance(found, NodeAccess))
    assert known(found) is (wanted is NodeAccess)


def test_a_capture_of_sys_alone_has_nothing_of_dev(tmp_path: Path) -> None:
    alone = DirTree(str(built(tmp_path, {}) / "sys"), "sys", is_sys=True)
    assert alone.node("dev/null") is Missing.ABSENT
    assert alone.text("proc/cmdline") is Missing.ABSENT
    assert alone.text(f"{DEVICE}/vendor") == "0x8086"


class Failing(io.RawIOBase):
    """A standard input that fails after its first bytes."""

    def __init__(self, first: bytes) -> None:
        self._first = first

    def read(self, size: int = -1, /) -> bytes:
        found, self._first = self._first, b""
        if not found:
            raise OSError(5, "Input/output error")
        return found


@each("first", [b"", b"00:00.0 Host bridge\n", b"0" * 4096])
def test_a_standard_input_that_fails_is_said_with_its_reason(first: bytes) -> None:
    stdin: Any = Failing(first)
    with pytest.raises(SourceError, match=r"standard input: input/output error"):
        open_source("-", stdin)


def test_without_a_standard_input_it_is_said_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="it is closed; pipe the capture"):
        open_source("-")
    text = open_source("-", io.BytesIO(b"00:00.0 Host bridge\n"))
    assert isinstance(text, Text)


def test_a_file_replaced_by_a_pipe_before_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "capture"
    file.write_text("00:00.0 Host bridge\n")
    really = os.open

    def replaced(path: str, flags: int) -> int:
        Path(path).unlink()
        os.mkfifo(path)
        return really(path, flags)

    monkeypatch.setattr(os, "open", replaced)
    with pytest.raises(SourceError, match="cannot read"):
        open_source(str(file))


# Facts


@each(
    "text, wanted",
    [
        ("0\n", 0),
        ("-1\n", None),
        ("none\n", Missing.UNREADABLE),
        ("\n", Missing.UNREADABLE),
    ],
)
def test_a_number_that_is_none_spoils_its_fact_alone(
    tmp_path: Path, text: str, wanted: Fact[int | None]
) -> None:
    root = built(fresh(tmp_path), {f"{DEVICE}/numa_node": text})
    (device,) = read_machine(open_path(str(root))).devices
    assert (device.numa_node, device.ids.vendor) == (wanted, 0x8086)


class Served(DirTree):
    """A tree that a running kernel serves: to read it can wake a device."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root), "a host", live=True)
        self.opened: list[str] = []

    def _take(
        self, paths: Iterable[str], limit: int = MAX_FILE, what: str = "content"
    ) -> None:
        wanted = list(paths)
        self.opened += wanted
        super()._take(wanted, limit, what)


@each(
    "files, is_read",
    [
        ({}, True),
        ({"power_state": "D0\n"}, True),
        ({"power_state": "D3hot\n"}, True),
        ({"power_state": "D3cold\n"}, False),
        ({"power_state": "unknown\n"}, True),
        # Before v5.11 there is no power_state.
        ({"power/runtime_status": "suspended\n"}, False),
        ({"power/runtime_status": "active\n"}, True),
    ],
)
@each("place", [DEVICE, "sys/devices/pci0000:00"])
def test_no_device_is_woken_to_read_its_configuration_space(
    tmp_path: Path, place: str, files: dict[str, str], is_read: bool
) -> None:
    spec = {f"{place}/{name}": text for name, text in files.items()}
    root = built(fresh(tmp_path), {f"{DEVICE}/config": "\0" * 64, **spec})
    tree = Served(root)
    read_machine(tree)
    assert (f"{DEVICE}/config" in tree.opened) is is_read


@each(
    "state, status, is_read",
    [
        ("D3hot", "suspended", False),
        ("D3hot", "suspending", False),
        # A port without a state of its own sleeps all the same.
        ("D0", "suspended", False),
        ("D0", "active", True),
        ("D0", "resuming", True),
        ("D0", "unsupported", True),
    ],
)
def test_no_bridge_is_woken_to_read_what_is_below_it(
    tmp_path: Path, state: str, status: str, is_read: bool
) -> None:
    card = f"{DEVICE}/0000:01:00.0"
    spec = {
        f"{DEVICE}/power_state": f"{state}\n",
        f"{DEVICE}/power/runtime_status": f"{status}\n",
        f"{DEVICE}/config": "\0" * 64,
        f"{card}/vendor": "0x8086\n",
        f"{card}/power_state": "D3hot\n",
        f"{card}/power/runtime_status": "suspended\n",
        f"{card}/config": "\0" * 64,
    }
    root = built(fresh(tmp_path), spec)
    link = root / "sys/bus/pci/devices/0000:01:00.0"
    link.symlink_to(f"/{card}")
    tree = Served(root)
    read_machine(tree)
    # The bridge's own can be read in D3hot; to read the card's, it has to wake.
    assert f"{DEVICE}/config" in tree.opened
    assert (f"{card}/config" in tree.opened) is is_read


@each(
    "path, bus",
    [
        ("sys/devices/pci0000:00/0000:00:01.0", "pci"),
        ("sys/devices/platform/soc", "platform"),
        ("sys/bus/amba/devices/uart0", "amba"),
        ("sys/devices/platform/soc/uart0", Missing.ABSENT),
        ("sys/devices/system/cpu0", Missing.ABSENT),
    ],
)
def test_the_bus_of_a_member_without_its_link_is_told_by_its_place(
    tmp_path: Path, path: str, bus: Fact[str]
) -> None:
    root = fresh(tmp_path)
    (root / path).mkdir(parents=True)
    members = root / "sys/kernel/iommu_groups/1/devices"
    members.mkdir(parents=True)
    (members / path.rpartition("/")[2]).symlink_to(f"/{path}")
    (group,) = read_machine(open_path(str(root))).groups
    assert [device.bus for device in group.devices] == [bus]


@each(
    "files, name, wanted",
    [
        ({"proc/cpuinfo": "flags : fpu hypervisor\n"}, "guest", True),
        ({"proc/cpuinfo": "flags : fpu\n"}, "guest", False),
        ({"sys/hypervisor/type": "xen\n"}, "guest", True),
        ({"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "guest", True),
        ({"sys/class/dmi/id/sys_vendor": "Dell Inc.\n"}, "guest", False),
        ({}, "guest", Missing.ABSENT),
        (
            {"proc/self/limits": "Max locked memory  8388608  8388608  bytes\n"},
            "memlock_limit",
            8388608,
        ),
        (
            {"proc/self/limits": "Max locked memory  unlimited  unlimited  bytes\n"},
            "memlock_limit",
            None,
        ),
        ({"proc/self/limits": "x\n"}, "memlock_limit", Missing.UNREADABLE),
        ({}, "memlock_limit", Missing.ABSENT),
        ({}, "iommus", Missing.ABSENT),
    ],
)  # fmt: skip
def test_facts_of_the_host_are_told_by_the_files_it_has(
    tmp_path: Path, files: dict[str, str], name: str, wanted: object
) -> None:
    machine = read_machine(open_path(str(built(fresh(tmp_path), files))))
    assert getattr(machine, name) == wanted


@each(
    "files, feature",
    [
        ({"sys/class/misc/iommu/dev": "10:1\n"}, "iommufd"),
        ({"sys/module/iommufd/refcnt": "0\n"}, "iommufd"),
        ({"sys/class/vfio-dev/vfio0/dev": "1:1\n"}, "vfio-dev"),
        ({"sys/kernel/iommu_groups/1/reserved_regions": ""}, "reserved-regions"),
    ],
)
def test_features_of_a_kernel_are_told_by_the_files_it_has(
    tmp_path: Path, files: dict[str, str], feature: str
) -> None:
    machine = read_machine(open_path(str(built(fresh(tmp_path), files))))
    assert machine.kernel.features == {feature}


@each(
    "name, cdev",
    [("vfio0", True), ("noiommu-vfio0", True), ("acme-vfio0", Missing.ABSENT)],
)
def test_a_node_for_iommufd_is_told_by_its_number(
    tmp_path: Path, name: str, cdev: Fact[bool]
) -> None:
    """In no-IOMMU mode v7.3 calls it noiommu-vfioN (drivers/vfio/vfio_main.c)."""
    root = built(fresh(tmp_path), {f"{DEVICE}/vfio-dev/{name}/dev": "511:0\n"})
    (found,) = read_machine(open_path(str(root))).devices
    assert found.vfio_cdev == cdev


def test_a_host_without_units_has_none_and_a_capture_does_not_tell(
    tmp_path: Path,
) -> None:
    root = built(tmp_path, {})
    assert read_machine(Served(root)).iommus == ()
    assert read_machine(open_path(str(root))).iommus is Missing.ABSENT


@each("line", ["0x0 0xzz msi", "zero 0xff msi", "0x0 0xff", "0x0 0xff msi more"])
def test_one_region_that_is_none_spoils_the_list(tmp_path: Path, line: str) -> None:
    text = f"0xfee00000 0xfeefffff msi\n{line}\n"
    root = fresh(tmp_path)
    (root / "sys/kernel/iommu_groups/1/devices").mkdir(parents=True)
    (root / "sys/kernel/iommu_groups/1/reserved_regions").write_text(text)
    (group,) = read_machine(open_path(str(root))).groups
    assert group.reserved_regions is Missing.UNREADABLE


def test_files_that_modprobe_reads_no_more_are_named(tmp_path: Path) -> None:
    root = built(
        tmp_path,
        {
            f"etc/modprobe.d/{name}": "options vfio-pci ids=1:2\n"
            for name in ("a.conf", "vfio", ".b.conf", "c.conf~", "README", "d.bak")
        },
    )
    config = read_machine(open_path(str(root))).settings.modprobe
    assert known(config)
    assert {line.file for line in config.lines} == {"/etc/modprobe.d/a.conf"}
    assert {line.file for line in config.passed_over} == {"/etc/modprobe.d/vfio"}


def test_only_words_tell_the_subsystem_of_a_bridge() -> None:
    bridge = bytearray(64)
    bridge[:16] = bytes.fromhex("361b0c00 07051000 00000406 00000100")
    bridge[0x2C:0x30] = bytes.fromhex("9fe80000")  # of a window of memory
    rows = "".join(f"{a:02x}: {bridge[a : a + 16].hex(' ')}\n" for a in (0, 16, 32, 48))
    words = "00:01.0 PCI bridge [0604]: Red Hat, Inc. QEMU PCIe Root port [1b36:000c]\n"
    told = f"{words}\tSubsystem: Red Hat, Inc. Device [1b36:0001]\n"
    for text, wanted in ((told, (0x1B36, 1)), (words, (Missing.ABSENT,) * 2)):
        (device,) = read_texts([(text + rows, "a text")]).devices
        ids = device.ids
        assert (ids.subsystem_vendor, ids.subsystem_device) == wanted
