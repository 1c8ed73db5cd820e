"""What a host is built of, and what it is to Xen, as files of a capture tell it."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

from examples import each

from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.host.platform import Architecture, IortNode, Processor, XenRole
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

NUMBER = itertools.count()
IORT = "sys/firmware/acpi/tables/IORT"
SERVER = "".join(
    f"processor\t: {n}\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse\n"
    f"address sizes\t: 52 bits physical, 57 bits virtual\n{'x' * 400}\n\n"
    for n in range(256)
)


def read(root: Path, files: dict[str, str | bytes]) -> Machine:
    root = root / str(next(NUMBER))
    (root / "sys").mkdir(parents=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_machine(open_path(str(root)))


@each(
    "text, found",
    [
        (
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu\n",
            Processor(Architecture.X86, "intel"),
        ),
        ("vendor_id\t: AuthenticAMD\n", Processor(Architecture.X86, "amd")),
        ("vendor_id\t: HygonGenuine\n", Processor(Architecture.X86, "amd")),
        ("vendor_id\t:   Shanghai  \n", Processor(Architecture.X86, "other")),
        ("CPU implementer\t: 0x41\n", Processor(Architecture.ARM)),
        ("vendor_id       : IBM/S390\n", Processor(Architecture.S390)),
        ("cpu\t\t: POWER9, altivec supported\n", Processor(Architecture.POWER)),
        ("processor\t: 0\nisa\t\t: rv64imafdc\n", Processor(Architecture.OTHER)),
        ("nothing\n", Missing.ABSENT),
        (SERVER, Processor(Architecture.X86, "amd")),
    ],
)
def test_the_processor(tmp_path: Path, text: str, found: object) -> None:
    assert read(tmp_path, {"proc/cpuinfo": text}).processor == found


def test_a_long_cpuinfo_is_read_to_where_it_tells(tmp_path: Path) -> None:
    machine = read(tmp_path, {"proc/cpuinfo": SERVER})
    assert (machine.cpu_address_bits, machine.guest) == (52, False)


def test_without_cpuinfo_nothing_is_known_of_the_processor(tmp_path: Path) -> None:
    machine = read(tmp_path, {})
    assert machine.processor is machine.cpu_address_bits is Missing.ABSENT


TYPE, UUID = "sys/hypervisor/type", "sys/hypervisor/uuid"
CAPABILITIES = "proc/xen/capabilities"
ZEROS = "00000000-0000-0000-0000-000000000000\n"


@each(
    "files, role",
    [
        ({TYPE: "xen\n", CAPABILITIES: "control_d\n"}, XenRole.DOM0),
        ({TYPE: "xen\n", UUID: ZEROS}, XenRole.DOM0),
        ({TYPE: "xen\n", CAPABILITIES: ""}, XenRole.UNTOLD),  # as tar copies /proc
        ({TYPE: "xen\n", UUID: ZEROS.replace("0-", "1-")}, XenRole.UNTOLD),
        ({TYPE: "xen\n"}, XenRole.UNTOLD),
        ({TYPE: "z/VM\n"}, None),
        ({"sys/hypervisor/.gitkeep": ""}, None),
        ({CAPABILITIES: "control_d\n"}, XenRole.DOM0),
        ({}, Missing.ABSENT),
    ],
)
def test_what_linux_is_to_xen(
    tmp_path: Path, files: dict[str, str | bytes], role: object
) -> None:
    assert read(tmp_path, files).xen == role


def iort(*types: int, count: int | None = None, length: int = 16) -> bytes:
    nodes = b"".join(
        struct.pack("<BHBIII", kind, length, 0, 0, 0, 0)[:16].ljust(length, b"\0")
        for kind in types
    )
    number = len(types) if count is None else count
    return (b"IORT".ljust(36, b"\0") + struct.pack("<III", number, 48, 0)) + nodes


@each(
    "table, found",
    [
        (iort(0, 2, 4), (IortNode.ITS_GROUP, IortNode.ROOT_COMPLEX, IortNode.SMMU_V3)),
        (iort(), ()),
        (iort(3, length=40), (IortNode.SMMU,)),
        (iort(0, 2, count=3), Missing.TRUNCATED),
        (iort(0, 2, count=0xFFFFFFFF), Missing.TRUNCATED),
        (iort(0, 2)[:70], Missing.TRUNCATED),
        (iort(0).replace(b"\0\x10\0", b"\0\0\0"), Missing.UNREADABLE),
        (b"", Missing.UNREADABLE),
        (b"DMAR" + iort(0)[4:], Missing.UNREADABLE),
    ],
)
def test_the_nodes_of_an_iort(tmp_path: Path, table: bytes, found: object) -> None:
    assert read(tmp_path, {IORT: table}).iort_nodes == found
    assert not known(read(tmp_path, {}).iort_nodes)


@each("vendor, found", [("IBM/S390", "ON"), ("GenuineIntel", None)])
def test_interrupts_of_s390_are_isolated_whatever_their_chips_are_called(
    tmp_path: Path, vendor: str, found: str | None
) -> None:
    files: dict[str, str | bytes] = {
        "proc/cpuinfo": f"vendor_id\t: {vendor}\n",
        "sys/kernel/irq/3/chip_name": "PCI-MSI\n",
    }
    told = read(tmp_path, files).interrupt_remapping
    assert (told.name if known(told) else None) == found
