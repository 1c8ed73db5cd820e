"""Writes a host's ``sys/`` as a directory that any tool takes for its own.

``python -m bench.hosts FOLDER FUNCTIONS`` makes one. Roots have root ports with ACS,
and below each port is one card: a NIC with two functions, an NVMe drive, a display with
its audio, or a NIC with virtual functions. Every function has the files that sysfs has,
and a configuration space with the capabilities of its kind.
"""

from __future__ import annotations

import itertools
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["write_host"]

_PORTS = 24
"""Root ports of one root, each with a bus below."""
_VIRTUAL = 16
# What sysfs shows of a function besides what is written below, and nobody reads here.
_UNREAD = (
    *("ari_enabled", "broken_parity_status", "consistent_dma_mask_bits"),
    *("current_link_speed", "current_link_width", "d3cold_allowed", "dma_mask_bits"),
    *("enable", "local_cpulist", "local_cpus", "max_link_speed", "max_link_width"),
    *("msi_bus", "remove", "rescan", "reset", "resource0", "link", "firmware_node"),
)


@dataclass(frozen=True, slots=True)
class _Function:
    address: str
    above: str
    ids: tuple[int, int]
    code: int
    driver: str
    port: bool = False
    physfn: str = ""
    virtual: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.above}/{self.address}"


def write_host(folder: Path, count: int) -> Path:
    """Write a host with so many functions, and return where its ``sys`` is."""
    sys_ = folder / "sys"
    names = (
        *("bus/pci/devices", "bus/pci/drivers", "kernel/iommu_groups", "class/iommu"),
        *("class/net", "class/block", "module/vfio_pci", "firmware/acpi/tables"),
        *("bus/pci/slots", "devices/system/cpu", "class/dmi/id"),
    )
    for name in names:
        (sys_ / name).mkdir(parents=True)
    (sys_ / "firmware/acpi/tables/DMAR").touch()
    # A host that stood still meanwhile is read once.
    (sys_ / "kernel/uevent_seqnum").write_text("4711\n")
    for number in range(2):
        (sys_ / f"devices/virtual/iommu/dmar{number}").mkdir(parents=True)
        target = f"../../devices/virtual/iommu/dmar{number}"
        (sys_ / f"class/iommu/dmar{number}").symlink_to(target)
    for number, function in enumerate(itertools.islice(_functions(), count)):
        _write(sys_, function, number)
    return sys_


def _functions() -> Iterator[_Function]:
    kinds = itertools.cycle((_nics, _drive, _display, _sharing))
    for domain in itertools.count():
        root = f"devices/pci{domain:04x}:00"
        for slot in range(1, _PORTS + 1):
            address = f"{domain:04x}:00:{slot:02x}.0"
            yield _Function(address, root, (0x8086, 0x2030), 0x060400, "pcieport", True)
            bus = f"{domain:04x}:{slot:02x}"
            yield from next(kinds)(bus, f"{root}/{address}")


def _nics(bus: str, above: str) -> Iterator[_Function]:
    for number in range(2):
        ids = (0x8086, 0x1572)
        yield _Function(f"{bus}:00.{number}", above, ids, 0x020000, "i40e")


def _drive(bus: str, above: str) -> Iterator[_Function]:
    yield _Function(f"{bus}:00.0", above, (0x144D, 0xA808), 0x010802, "nvme")


def _display(bus: str, above: str) -> Iterator[_Function]:
    yield _Function(f"{bus}:00.0", above, (0x10DE, 0x1E04), 0x030000, "nouveau")
    ids = (0x10DE, 0x10F7)
    yield _Function(f"{bus}:00.1", above, ids, 0x040300, "snd_hda_intel")


def _sharing(bus: str, above: str) -> Iterator[_Function]:
    first = f"{bus}:00.0"
    others = tuple(
        f"{bus}:{2 + number // 8:02x}.{number % 8}" for number in range(_VIRTUAL)
    )
    ids = (0x8086, 0x10FB)
    yield _Function(first, above, ids, 0x020000, "ixgbe", virtual=others)
    for name in others:
        ids = (0x8086, 0x10ED)
        yield _Function(name, above, ids, 0x020000, "ixgbevf", physfn=first)


def _write(root: Path, function: _Function, group: int) -> None:
    folder = root / function.path
    (folder / "power").mkdir(parents=True, exist_ok=True)
    vendor, device = function.ids
    up = "../" * (function.path.count("/") + 1)
    code = function.code
    modalias = (
        f"pci:v{vendor:08X}d{device:08X}sv{vendor:08X}sd00000001"
        f"bc{code >> 16:02X}sc{code >> 8 & 0xFF:02X}i{code & 0xFF:02x}"
    )
    texts = {
        "vendor": f"0x{vendor:04x}",
        "device": f"0x{device:04x}",
        "subsystem_vendor": f"0x{vendor:04x}",
        "subsystem_device": "0x0001",
        "class": f"0x{code:06x}",
        "revision": "0x01",
        "irq": "24",
        "numa_node": "0",
        "power_state": "D0",
        "driver_override": "(null)",
        "reset_method": "flr bus",
        "modalias": modalias,
        "resource": "\n".join(
            ["0x00000000fe000000 0x00000000fe01ffff 0x0000000000040200"]
            + ["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 12
        ),
        "uevent": f"DRIVER={function.driver}\nPCI_CLASS={code:X}\n"
        f"PCI_ID={vendor:04X}:{device:04X}\nPCI_SUBSYS_ID={vendor:04X}:0001\n"
        f"PCI_SLOT_NAME={function.address}\nMODALIAS={modalias}",
        "power/runtime_status": "active",
        "power/control": "on",
    }
    if code >> 16 == 3:
        texts["boot_vga"] = "0"
    for name, text in texts.items():
        (folder / name).write_text(f"{text}\n", encoding="ascii")
    for name in _UNREAD:
        (folder / name).touch()
    (folder / "config").write_bytes(_config(function))
    _link(folder / "subsystem", f"{up}bus/pci")
    driver = root / "bus/pci/drivers" / function.driver
    driver.mkdir(exist_ok=True)
    _link(folder / "driver", f"{up}bus/pci/drivers/{function.driver}")
    _link(folder / "iommu_group", f"{up}kernel/iommu_groups/{group}")
    _link(folder / "iommu", f"{up}devices/virtual/iommu/dmar0")
    if function.physfn:
        _link(folder / "physfn", f"../{function.physfn}")
    for number, name in enumerate(function.virtual):
        _link(folder / f"virtfn{number}", f"../{name}")
    if function.virtual:
        (folder / "sriov_numvfs").write_text(f"{len(function.virtual)}\n")
        (folder / "sriov_totalvfs").write_text("63\n")
    _link(root / "bus/pci/devices" / function.address, f"../../../{function.path}")
    home = root / f"kernel/iommu_groups/{group}"
    (home / "devices").mkdir(parents=True)
    _link(home / "devices" / function.address, f"../../../../{function.path}")
    (home / "type").write_text("DMA-FQ\n")
    (home / "reserved_regions").write_text(
        "0x00000000fee00000 0x00000000feefffff msi\n"
    )


def _link(at: Path, target: str) -> None:
    at.symlink_to(target)


def _config(function: _Function) -> bytes:
    """Return 4096 bytes: header, power management, MSI, PCI Express, and extended."""
    space = bytearray(4096)
    code = function.code
    struct.pack_into("<HHHH", space, 0, *function.ids, 0x0406, 0x0010)
    space[8:12] = bytes([1, code & 255, code >> 8 & 255, code >> 16])
    multifunction = 0x80 if function.code in (0x020000, 0x030000) else 0
    space[0x0E] = (1 if function.port else 0) | multifunction
    if function.port:
        bus = int(function.address[8:10], 16)
        space[0x18:0x1B] = bytes([0, bus, bus])
    space[0x34] = 0x40
    space[0x40:0x44] = b"\x01\x50\x03\x00"
    space[0x50:0x54] = b"\x05\x60\x80\x00"
    kind = 4 if function.port else 0
    space[0x60:0x64] = bytes([0x10, 0x00, kind << 4 | 2, 0x00])
    struct.pack_into("<I", space, 0x64, 0x10008FE2)  # function-level reset
    space[0x60 + 0x24] = 0x20  # ARI forwarding
    space[0x100:0x104] = b"\x01\x00\x02\x14"
    if function.port:
        space[0x140:0x148] = b"\x0d\x00\x01\x00\x1f\x00\x1d\x00"
    elif function.virtual:
        space[0x140:0x144] = b"\x0e\x00\x01\x16"
        space[0x160:0x164] = b"\x10\x00\x01\x00"
        struct.pack_into("<HHHH", space, 0x168, 1, 0, 63, 63)
        struct.pack_into("<HHHHH", space, 0x170, len(function.virtual), 0, 16, 1, 0)
        struct.pack_into("<H", space, 0x17A, 0x10ED)
    else:
        space[0x140:0x144] = b"\x0e\x00\x01\x00"
    return bytes(space)


if __name__ == "__main__":
    os.umask(0o022)
    print(write_host(Path(sys.argv[1]), int(sys.argv[2])))
