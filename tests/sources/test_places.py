"""Where a function is: its slot, the board's label, its USB ports."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from running import call, document

from iommu_inspect.model.pci.place import Place
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.sysfs.places import with_places
from iommu_inspect.sources.text.machine import read_texts
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tree import Tree

CARD, USB, BOARD = "0000:01:00.0", "0000:00:14.0", "0000:00:1f.6"
ROOT = "sys/devices/pci0000:00"
FILES = {
    f"{ROOT}/{USB}/class": "0x0c0330\n",
    f"{ROOT}/{USB}/usb1/maxchild": "16\n",
    f"{ROOT}/{USB}/usb2/maxchild": "1\n",
    f"{ROOT}/{USB}/usb10/maxchild": "none\n",
    f"{ROOT}/{BOARD}/class": "0x020000\n",
    f"{ROOT}/{BOARD}/label": "Onboard LAN\n",
    f"{ROOT}/0000:00:01.0/class": "0x060400\n",
    f"{ROOT}/0000:00:01.0/{CARD}/class": "0x030000\n",
    "sys/bus/pci/slots/4/address": "0000:01:00\n",
    "sys/bus/pci/slots/SLOT 2/address": "0000:01:00\n",
    "sys/bus/pci/slots/9/address": "0000:02\n",
    "sys/bus/pci/slots/odd/address": "what\n",
    "proc/sys/kernel/osrelease": "6.12.9\n",
}


FILES |= {
    path.replace("/class", "/vendor"): "0x8086\n"
    for path in FILES
    if path.endswith("/class")
}


def capture(tmp_path: Path) -> Path:
    path = tmp_path / "host.tar"
    with tarfile.open(path, "w") as archive:
        for name, text in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        for below in (USB, BOARD, "0000:00:01.0", f"0000:00:01.0/{CARD}"):
            link = tarfile.TarInfo(f"sys/bus/pci/devices/{below.rpartition('/')[2]}")
            link.type = tarfile.SYMTYPE
            link.linkname = f"../../../devices/pci0000:00/{below}"
            archive.addfile(link)
    return path


def places(tree: Tree) -> dict[str, Place]:
    machine = with_places(tree, read_machine(tree))
    return {device.name: place for device, place in machine.places}


def test_slots_labels_and_ports_are_read(tmp_path: Path) -> None:
    assert places(open_path(str(capture(tmp_path)))) == {
        CARD: Place(slots=("SLOT 2", "4")),
        BOARD: Place(label="Onboard LAN"),
        USB: Place(ports=(("usb1", 16), ("usb2", 1))),
    }


def test_a_list_shows_them_and_so_does_its_document(tmp_path: Path) -> None:
    source = capture(tmp_path)
    done = call("list", "--from", source, "--columns", "address,slot")
    assert done.stdout.splitlines() == [
        "DEVICE        SLOT",
        "0000:00:01.0",
        f"{USB}  usb1: 16 ports, usb2: 1 port",
        f"{BOARD}  Onboard LAN",
        f"{CARD}  slot SLOT 2, slot 4",
    ]
    devices = document("list", "--from", source)["ungrouped"]
    shown = {device["address"]: device["place"] for device in devices}
    assert shown[CARD] == {"slots": ["SLOT 2", "4"], "label": None, "usb": []}
    assert shown[USB]["usb"][0] == {"bus": "usb1", "ports": 16}


def test_a_snapshot_has_them(tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.tar"
    done = call("snapshot", snapshot, "--from", capture(tmp_path))
    assert done.returncode == 0, done.stderr
    found = places(open_path(str(snapshot)))
    assert found[BOARD] == Place(label="Onboard LAN")
    assert found[USB].ports == (("usb1", 16), ("usb2", 1))
    assert len(found[CARD].slots) == 2


VERBOSE = """\
01:00.0 VGA compatible controller [0300]: NVIDIA Corporation TU102 [10de:1e04] (rev a1)
\tDeviceName: Second VGA
\tSubsystem: ZOTAC International (MCO) Ltd. TU102 [19da:2503]
\tPhysical Slot: 1-2
\tFlags: bus master, fast devsel, latency 0, IRQ 35
\tKernel driver in use: nouveau

02:00.0 Ethernet controller [0200]: Intel Corporation I210 [8086:1533] (rev 03)
\tFlags: bus master, fast devsel, latency 0, IRQ 16
\tKernel driver in use: igb
"""
FIELDS = """\
Slot:\t01:00.0
Class:\tVGA compatible controller [0300]
Vendor:\tNVIDIA Corporation [10de]
Device:\tTU102 [1e04]
PhySlot:\t1-2
"""


def of_text(*texts: str) -> dict[str, Place]:
    machine = read_texts([(text, "a paste") for text in texts])
    return {device.name: place for device, place in machine.places}


def test_lspci_tells_slots_and_labels() -> None:
    assert of_text(VERBOSE) == {CARD: Place(("1-2",), "Second VGA")}
    assert of_text(FIELDS) == {CARD: Place(("1-2",))}
    assert of_text(VERBOSE, FIELDS) == {CARD: Place(("1-2",), "Second VGA")}


def test_a_slot_of_which_texts_say_two_things_is_not_told() -> None:
    other = FIELDS.replace("1-2", "7")
    assert of_text(VERBOSE, other) == {CARD: Place(label="Second VGA")}
    twice = VERBOSE.replace("\tFlags", "\tPhysical Slot: 7\n\tFlags", 1)
    assert of_text(twice) == {CARD: Place(label="Second VGA")}


def test_a_name_that_is_cut_off_is_none() -> None:
    cut = VERBOSE[: VERBOSE.index("-2\n\tFlags")]
    assert of_text(cut) == {CARD: Place(label="Second VGA")}
