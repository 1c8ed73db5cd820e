"""What is read of the kernel's log, in all the forms in which it is pasted."""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from examples import each
from said import about, cuts, facts, of_host, read
from shared import SHARED, needs_shared

from iommu_inspect.sources.text.parts.log.reader import LogReader
from iommu_inspect.sources.text.said import CUT

ADDED = "pci 0000:00:01.0: Adding to iommu group 1"
ENUMERATED = "pci 0000:00:1c.0: [8086:a110] type 01 class 0x060400"
VERSION = "Linux version 6.8.0-45-generic (build@host) (gcc (GCC) 13.2.0) #45 SMP"


def log(*messages: str) -> str:
    return "\n".join(f"[{at + 1:5}.123456] {text}" for at, text in enumerate(messages))


STAMPS = (
    "",
    "[    0.000000] ",
    "[    1.234567] ",
    "[   12.345678][    T1] ",
    "[    1.234567] [T1] ",
    "[    1.234567 <    0.000012>] ",
    "[Mon Nov 25 12:00:00 2024] ",
    "[Nov25 12:00] ",
    "[  +0.000123] ",
    "<6>[    1.234567] ",
    "kern  :info  : [    1.234567] ",
    "kern  :warn  : [Mon Nov 25 12:00:00 2024] ",
    "2024-11-25T12:00:00,123456+01:00 ",
    "2024-11-25T12:00:00+0100 host kernel: ",
    "2024-11-25T12:00:00.123456+01:00 host kernel: [    1.234567] ",
    "Mon 2024-11-25 12:00:00 CET host kernel: ",
    "Nov 25 12:00:00 host kernel: ",
    "Nov  5 12:00:00.123456 host kernel: [    1.234567] ",
    "1732532400.123456 host kernel: ",
    "[    1.234567] host kernel: ",
    "kernel: ",
    "2024-12-17 14:39:28,478 DEBUG:\t",
    "/var/log/syslog:Nov 25 12:00:00 host kernel: ",
    "/var/log/syslog.1:17:Nov 25 12:00:00 host kernel: ",
    "42:[    1.234567] ",
)


@each("stamp", STAMPS)
def test_every_program_s_stamp_comes_off(stamp: str) -> None:
    assert LogReader.begins(f"{stamp}{ADDED}")
    assert about(read(LogReader, f"{stamp}{ADDED}"), "group") == {"0000:00:01.0": ["1"]}


@each(
    "line,group",
    [
        ("iommu: Adding device 0000:00:01.0 to group 3", "3"),
        ("[ 1.000000] Adding device 0000:00:01.0 to group 3", "3"),
        ("[ 1.000000] iommu: Adding device 0000:00:01.0 to group 3", "3"),
        ("[ 1.000000] pcieport 0000:00:01.0: Adding to iommu group 17", "17"),
        ("vfio-pci 0000:00:01.0: Adding to iommu group 0", "0"),
        ("[ 9.1] x[   24.436381] pci 0000:00:01.0: Adding to iommu group 4", "4"),
        ("[ 9.123456] pci 0000:00:0a.0: Adding to iom[    9.2] pci 0000:00:01.0: "
         "Adding to iommu group 4", "4"),
    ],
)  # fmt: skip
def test_groups_of_every_era(line: str, group: str) -> None:
    assert about(read(LogReader, line), "group") == {"0000:00:01.0": [group]}


@each(
    "line,device",
    [
        ("[ 1.000000] platform 5000000.gpu: Adding to iommu group 2", "5000000.gpu"),
        ("adreno 5000000.gpu: Adding to iommu group 2", "5000000.gpu"),
        ("[ 1.000000] hidma QCOM8061:04: Adding to iommu group 2", "QCOM8061:04"),
        ("[ 1.000000] iommu: Adding device sound to group 2", "sound"),
    ],
)
def test_members_that_are_not_on_pci(line: str, device: str) -> None:
    assert about(read(LogReader, line), "group") == {device: ["2"]}


@each(
    "line",
    [
        "you should see pci 0000:00:01.0: Adding to iommu group 1",
        "Adding to iommu group 1",
        "For mine: Adding to iommu group 1",
        "It says Adding device 0000:00:01.0 to group 3",
        "Adding device 0000:00:01.0 to group 3",
        f"[    1.234567] {ADDED}{CUT}",
        f"[    1.234567] {ADDED} of many",
        "[    1.234567] pci 00:01.0: Adding to iommu group 1",
        "[   25.416b.0: Adding to iommu group 57",
        "[   20000:20:00.0: Adding to iommu group 26",
        " 0000:24:00.0: Adding to iommu group 39",
        "[    1.234567] pci 0000:00:01.0: Failed to add to iommu group 1: -12",
        "DMI: Memory slots populated: 2/2",
        "Linux version 6.8 (Debian) is what I have (from backports)",
        "Command line: make -j4",
        "[    0.1] DMAR: IOMMU enabled",
        "[    0.123456] Hypervisor detected: Xen PV",
        "[    0.123456] x2apic: IRQ remapping doesn't support X2APIC mode",
        "[    0.123456] vfio_pci: add [10de:1e04[ffffffff:ffffffff]] class "
        "0x000000/00000000",
        "[    9.123456] vfio-pci 0000:01:00.0: enabling device (0000 -> 0003)",
        "[    9.123456] pci 0000:00:1c.0: Intel PCH root port ACS workaround enabled",
        "[    9.123456] nvidia 0000:01:00.0: vgaarb: VGA device added: decodes=io+mem",
    ],
)
def test_what_tells_nothing(line: str) -> None:
    assert facts(read(LogReader, line)) == set()


def test_enumerated_functions() -> None:
    found = read(
        LogReader,
        log(
            f"{ENUMERATED} PCIe Root Port",
            "pci 0000:01:00.0: [10de:1e04] type 00 class 0x030000 PCIe Legacy Endpoint",
            "pci 0000:02:00.0: [1000:0072] type 00 class 0x010700",
            "pci 0000:03:00.0: [1106:3044] type 00 class 0x0c0010 conventional PCI "
            "endpoint",
            "pci 0000:04:00.0: [1af4:1009] type 00 class 0x000200",
            "pci 0000:04:01.0: [1af4:1005] type 00 class 0x00ff00",
            "pci 0000:05:00.0: [8086:2448] type 7f class 0x060400",
            "pci 0000:06:00.0: [8086/2448] class 000604 header type 01",
            "pci 0000:07:00.0: [8086:2448] type 1 class 0x000604",
        ),
    )
    assert about(found, "vendor")["0000:01:00.0"] == [0x10DE]
    assert about(found, "device")["0000:01:00.0"] == [0x1E04]
    assert about(found, "class_code") == {
        "0000:00:1c.0": [0x060400],
        "0000:01:00.0": [0x030000],
        "0000:02:00.0": [0x010700],
        "0000:03:00.0": [0x0C0010],
        "0000:04:00.0": [0x000200],
        "0000:04:01.0": [0x00FF00],
    }
    assert about(found, "header_type")["0000:00:1c.0"] == [1]
    assert about(found, "pcie_type") == {
        "0000:00:1c.0": [4],
        "0000:01:00.0": [1],
        "0000:03:00.0": [None],
    }
    assert about(found, "driver") == {}


def test_two_devices_at_one_address_are_none() -> None:
    other = ENUMERATED.replace("a110", "a111")
    assert about(read(LogReader, log(ENUMERATED, other)), "device") == {}


def test_buses_are_known_when_the_kernel_says_them_twice() -> None:
    first = "pci 0000:00:01.0: PCI bridge to [bus 01-ff]"
    last = "pci 0000:00:01.0: PCI bridge to [bus 01-05]"
    one = "pci 0000:00:02.0: PCI bridge to [bus 06] (subtractive decode)"
    assert about(read(LogReader, log(first)), "buses") == {}
    assert about(read(LogReader, log(first, last, last)), "buses") == {}
    assert about(read(LogReader, log(last, one, last, one)), "buses") == {
        "0000:00:01.0": [(1, 5)],
        "0000:00:02.0": [(6, 6)],
    }


def test_root_buses_and_what_they_hang_from() -> None:
    found = read(
        LogReader,
        log(
            "PCI host bridge to bus 0000:00",
            "vmd 0000:00:0e.0: PCI host bridge to bus 10000:e0",
            "dw-pcie 1c00000.pci: PCI host bridge to bus 0001:00",
            ENUMERATED,
            ENUMERATED.replace("0000:00:1c.0", "10000:e0:06.0"),
            ENUMERATED.replace("0000:00:1c.0", "0001:00:00.0"),
            ENUMERATED.replace("0000:00:1c.0", "0000:01:00.0"),
        ),
    )
    above = {d: [str(v) for v in vs] for d, vs in about(found, "parent").items()}
    assert above == {
        "0000:00:1c.0": ["None"],
        "0001:00:00.0": ["None"],
        "10000:e0:06.0": ["0000:00:0e.0"],
    }


@each(
    "line",
    [
        "pci 0000:00:14.0: DMAR: Setting identity map [0x7b000000 - 0x7b001fff]",
        "DMAR: Setting identity map for device 0000:00:14.0 [0x7b000000 - 0x7b001fff]",
        "IOMMU: Setting identity map for device 0000:00:14.0 [0x7b000000 - 0x7b001fff]",
    ],
)
def test_memory_that_firmware_wants_mapped(line: str) -> None:
    floppy = "DMAR: Setting identity map for device 0000:00:1f.0 [0x0 - 0xffffff]"
    found = read(LogReader, log(line, floppy))
    assert about(found, "direct") == {"0000:00:14.0": [(0x7B000000, 0x7B001FFF)]}


def test_slots() -> None:
    text = (
        "pcieport 0000:00:1c.{}: pciehp: Slot #0 AttnBtn- PwrCtrl- MRL- AttnInd- "
        "PwrInd- HotPlug{} Surprise+ Interlock- NoCompl+ IbPresDis- LLActRep+"
    )
    found = read(LogReader, log(text.format(0, "+"), text.format(1, "-")))
    assert about(found, "hotplug_slot") == {
        "0000:00:1c.0": [True],
        "0000:00:1c.1": [False],
    }


def test_the_host() -> None:
    found = read(
        LogReader,
        log(
            VERSION,
            "Command line: BOOT_IMAGE=/vmlinuz ro",
            "DMI: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.3 04/01/2014",
            "Hypervisor detected: KVM",
            "ACPI: DMAR 0x000000006FFFD000 0001A0 (v01 DELL   PE_SC3   00000001)",
            "Kernel command line: BOOT_IMAGE=/vmlinuz ro intel_iommu=on",
            "DMAR-IR: Enabled IRQ remapping in x2apic mode",
            "smpboot: CPU0: Intel(R) Core(TM) i7-8700 (family: 0x6, model: 0x9e)",
            "DMAR: Intel(R) Virtualization Technology for Directed I/O",
            "Machine model: some tree",
        ),
    )
    assert {name: value for _, name, value in facts(found)} == {
        "release": "'6.8.0-45-generic'",
        "board": "'QEMU Standard PC (i440FX + PIIX, 1996)'",
        "guest": "True",
        "firmware_tables": "'DMAR'",
        "command_line": "'BOOT_IMAGE=/vmlinuz ro intel_iommu=on'",
        "remaps_interrupts": "True",
        "processor": "'intel'",
        "translates": "True",
    }


@each(
    "line,name,value",
    [
        ("AMD-Vi: Interrupt remapping enabled", "remaps_interrupts", True),
        ("DMAR-IR: Failed to enable irq remapping. You are vulnerable to "
         "irq-injection attacks.", "remaps_interrupts", False),
        ("AMD-Vi: Found IOMMU at 0000:00:00.2 cap 0x40", "translates", True),
        ("pci 0000:00:00.2: AMD-Vi: Found IOMMU cap 0x40", "translates", True),
        ("AMD-Vi: Extended features (0x58f77ef22294ade, 0x0): PPR NX GT", "translates",
         True),
        ("PCI-DMA: Intel(R) Virtualization Technology for Directed I/O", "translates",
         True),
        ("ACPI: IVRS 00000000dbe4a000 000D0 (v02 AMD    ANNAPURN 00000001 AMD  )",
         "firmware_tables", "IVRS"),
        ("ACPI: IORT: SMMU-v3[33ffe0000000] Mapped to Proximity domain 0",
         "firmware_tables", "IORT"),
        ("ACPI: VIOT 0x000000007FFE0000 000058 (v00 BOCHS  BXPC     00000001 BXPC)",
         "firmware_tables", "VIOT"),
        ("Booting Linux on physical CPU 0x0000000000 [0x410fd083]", "processor", "arm"),
        ("smpboot: CPU0: AMD Ryzen 5 2400G (family: 0x17, model: 0x11)", "processor",
         "amd"),
        ("Hypervisor detected: VMware", "guest", True),
        ("Machine model: Raspberry Pi 5 Model B Rev 1.0", "board",
         "Raspberry Pi 5 Model B Rev 1.0"),
        ("OF: fdt: Machine model: Thundercomm Dragonboard 845c", "board",
         "Thundercomm Dragonboard 845c"),
        ("Hardware name: LENOVO 21G2/21G2, BIOS R2DET28W 05/22/2024", "board",
         "LENOVO 21G2/21G2"),
    ],
)  # fmt: skip
def test_states_of_the_host(line: str, name: str, value: object) -> None:
    assert of_host(read(LogReader, log(line)), name) == [value]


def test_command_lines_are_whole_or_none() -> None:
    words = " ".join(f"option{n}=value" for n in range(90))
    long = read(LogReader, log(f"Kernel command line: {words}"))
    assert of_host(long, "command_line") == []
    pieces = ("a=1 b=2 \\", "c=3 \\", "d=4")
    wrapped = read(LogReader, log(*(f"Kernel command line: {p}" for p in pieces)))
    assert of_host(wrapped, "command_line") == ["a=1 b=2 c=3 d=4"]
    ends = read(LogReader, log(*(f"Kernel command line: {p}" for p in pieces[:2])))
    assert of_host(ends, "command_line") == []
    early = read(LogReader, log("Command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1"))
    assert of_host(early, "command_line") == ["BOOT_IMAGE=/vmlinuz root=/dev/sda1"]
    empty = read(LogReader, log("Command line: "))
    assert of_host(empty, "command_line") == []


LEFT = ADDED.replace("Adding to", "Removing from")
AGAIN = ADDED.replace("group 1", "group 22")


def test_the_last_word_of_a_boot_counts() -> None:
    assert about(read(LogReader, log(ADDED, LEFT, AGAIN)), "group") == {
        "0000:00:01.0": ["22"]
    }
    gone = read(LogReader, log(ENUMERATED.replace("1c", "01"), ADDED, LEFT))
    assert facts(gone) == set()
    old = [
        "iommu: Adding device 0000:00:01.0 to group 1",
        "iommu: Removing device 0000:00:01.0 from group 1",
    ]
    assert facts(read(LogReader, log(*old))) == set()


def test_order_counts_only_where_the_log_shows_it() -> None:
    lines = log(ADDED, LEFT).splitlines()
    for text in ("\n".join(reversed(lines)), f"{ADDED}\n{AGAIN}\n{LEFT}"):
        assert facts(read(LogReader, text)) == set()


def test_boots_that_differ_contradict_each_other() -> None:
    text = log(VERSION, ADDED, VERSION, AGAIN)
    assert about(read(LogReader, text), "group") == {"0000:00:01.0": ["1", "22"]}
    same = log(VERSION, ADDED, VERSION, ADDED)
    assert about(read(LogReader, same), "group") == {"0000:00:01.0": ["1"]}


ALL = (
    VERSION,
    "Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet",
    "DMI: LENOVO 21G2001VUS/21G2001VUS, BIOS R2DET28W (1.13 ) 05/22/2024",
    "ACPI: DMAR 0x000000006FFFD000 0001A0 (v01 DELL   PE_SC3   00000001 DELL 1)",
    "DMAR: Intel(R) Virtualization Technology for Directed I/O",
    "AMD-Vi: Interrupt remapping enabled",
    "Machine model: Raspberry Pi 5 Model B Rev 1.0",
    "PCI host bridge to bus 0000:00",
    f"{ENUMERATED} PCIe Root Port",
    "pci 0000:00:1c.0: PCI bridge to [bus 01-05]",
    "pci 0000:00:1c.0: PCI bridge to [bus 01-05]",
    "pci 0000:00:14.0: DMAR: Setting identity map [0x7b000000 - 0x7b001fff]",
    "pci 0000:00:14.0: Adding to iommu group 12",
    "platform 5000000.gpu: Adding to iommu group 21",
)


def test_what_is_cut_off_anywhere_says_no_other_facts() -> None:
    for text in (log(*ALL), "\n".join(ALL)):
        whole = facts(read(LogReader, text))
        assert len(whole) > 12
        for part in cuts(text):
            # A model counts where firmware has no DMI name; that is above it here.
            assert facts(read(LogReader, part)) <= whole, part[-60:]


def test_the_order_of_one_boot_s_lines_does_not_matter_without_departures() -> None:
    lines = log(*ALL).splitlines()
    whole = facts(read(LogReader, "\n".join(lines)))
    shuffled = random.Random(7)
    for _ in range(20):
        shuffled.shuffle(lines)
        found = facts(read(LogReader, "\n".join(lines)))
        # Each half of a text around its first line is a boot of its own.
        assert {
            f for f in found if f[1] in ("group", "device", "command_line")
        } <= whole


@needs_shared
def test_every_posted_log_states_exactly_its_groups() -> None:
    folders = sorted((SHARED / "machines").glob("*/dmesg.txt"))
    assert len(folders) > 20
    for log_file in folders:
        text = log_file.read_text(errors="replace")
        found = about(read(LogReader, text), "group")
        wanted = _groups(log_file.parent / "groups.tsv")
        # A serial console lost bytes of one of them; a damaged line says nothing.
        if log_file.parent.name == "server-hp-dl388p-gen8":
            assert len(found) > 150
            wanted = {d: g for d, g in wanted.items() if d in found}
        assert found == wanted, log_file


def _groups(table: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for line in table.read_text().splitlines():
        if not line.startswith("#"):
            group, device = line.split("\t")[:2]
            found[device].append(group)
    return dict(found)
