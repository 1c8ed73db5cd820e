"""Texts as people paste them, what is told of a machine, and ways to spoil a text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import fields

from iommu_inspect.model.device import Acs
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.machine import read_texts

ACS = "SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-"
LSPCI = f"""\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:a700] (rev 01)
	Subsystem: Acme Board [1af4:1100]
	Control: I/O- Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
	Status: Cap- 66MHz- UDF- FastB2B+ ParErr- DEVSEL=fast >TAbort- <TAbort- <MAbort+
	IOMMU group: 0

00:01.0 PCI bridge [0604]: Intel Corporation 6th-10th Gen Core Processor PCIe \
Controller (x16) [8086:1901] (rev 07) (prog-if 00 [Normal decode])
	Control: I/O+ Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
	IOMMU group: 1
	Bus: primary=00, secondary=01, subordinate=01, sec-latency=0
	Capabilities: [a0] Express (v2) Root Port (Slot+), MSI 00
		SltCap:	AttnBtn- PwrCtrl- MRL- AttnInd- PwrInd- HotPlug- Surprise-
	Capabilities: [100 v1] Virtual Channel
	Kernel driver in use: pcieport

00:1c.0 PCI bridge [0604]: Intel Corporation Device [8086:7ab8] (rev 11) (prog-if 00 \
[Normal decode])
	Control: I/O+ Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
	IOMMU group: 12
	Bus: primary=00, secondary=03, subordinate=03, sec-latency=0
	Capabilities: [40] Express (v2) Root Port (Slot+), MSI 00
	Capabilities: [220 v1] Access Control Services
		ACSCap:	{ACS}
		ACSCtl:	{ACS}
	Kernel driver in use: pcieport

01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GP106 [GeForce GTX 1060 \
6GB] [10de:1c03] (rev a1) (prog-if 00 [VGA controller])
	Subsystem: Gigabyte Technology Co., Ltd Device [1458:3771]
	Control: I/O+ Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
	IOMMU group: 1
	Capabilities: [78] Express (v2) Legacy Endpoint, MSI 00
	Capabilities: [250 v1] Latency Tolerance Reporting
	Kernel driver in use: vfio-pci
	Kernel modules: nouveau, nvidia_drm, nvidia

01:00.1 Audio device [0403]: NVIDIA Corporation GP106 High Definition Audio Controller \
[10de:10f1] (rev a1)
	Subsystem: Gigabyte Technology Co., Ltd Device [1458:3771]
	Control: I/O- Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
	IOMMU group: 1
	Capabilities: [78] Express (v2) Endpoint, MSI 00
	Capabilities: [100 v2] Advanced Error Reporting
	Kernel driver in use: snd_hda_intel
	Kernel modules: snd_hda_intel

03:00.0 Non-Volatile memory controller [0108]: Samsung Electronics Co Ltd NVMe SSD \
Controller SM981/PM981/PM983 [144d:a808] (prog-if 02 [NVM Express])
	Control: I/O- Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
	IOMMU group: 12
	Capabilities: [70] Express (v2) Endpoint, MSI 00
	Capabilities: [100 v2] Advanced Error Reporting
	Kernel driver in use: nvme

"""
BRIEF = """\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:a700] (rev 01)
	Subsystem: Acme Board [1af4:1100]
	Flags: bus master, fast devsel, latency 0, IOMMU group 0

01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GP106 [GeForce GTX 1060 \
6GB] [10de:1c03] (rev a1) (prog-if 00 [VGA controller])
	Subsystem: Gigabyte Technology Co., Ltd Device [1458:3771]
	Flags: bus master, fast devsel, latency 0, IRQ 16, NUMA node 0, IOMMU group 13
	Memory at a2000000 (32-bit, non-prefetchable) [size=16M]
	Capabilities: <access denied>
	Kernel driver in use: vfio-pci
	Kernel modules: nouveau, nvidia_drm, nvidia

"""
WIKI = """\
IOMMU Group 0:
	00:00.0 Host bridge [0600]: Intel Corporation Device [8086:a700] (rev 01)
IOMMU Group 1:
	00:01.0 PCI bridge [0604]: Intel Corporation 6th-10th Gen Core Processor PCIe \
Controller (x16) [8086:1901] (rev 07)
	01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GP106 [GeForce GTX \
1060 6GB] [10de:1c03] (rev a1)
	01:00.1 Audio device [0403]: NVIDIA Corporation GP106 High Definition Audio \
Controller [10de:10f1] (rev a1)
IOMMU Group 12:
	00:1c.0 PCI bridge [0604]: Intel Corporation Device [8086:7ab8] (rev 11)
	03:00.0 Non-Volatile memory controller [0108]: Samsung Electronics Co Ltd NVMe SSD \
Controller SM981/PM981/PM983 [144d:a808]
"""
ONE_LINE = """\
IOMMU Group 0 00:00.0 Host bridge [0600]: Intel Corporation Device [8086:a700] (rev 01)
IOMMU Group 1 00:01.0 PCI bridge [0604]: Intel Corporation 6th-10th Gen Core Processor \
PCIe Controller (x16) [8086:1901] (rev 07)
IOMMU Group 1 01:00.0 VGA compatible controller [0300]: NVIDIA Corporation GP106 \
[GeForce GTX 1060 6GB] [10de:1c03] (rev a1)
IOMMU Group 1 01:00.1 Audio device [0403]: NVIDIA Corporation GP106 High Definition \
Audio Controller [10de:10f1] (rev a1)
IOMMU Group 12 03:00.0 Non-Volatile memory controller [0108]: Samsung Electronics Co \
Ltd NVMe SSD Controller SM981/PM981/PM983 [144d:a808]
"""
UNRAID = """\
IOMMU group 0:\t[8086:a700] 00:00.0 Host bridge: Intel Corporation Device a700 (rev 01)
IOMMU group 1:\t[8086:1901] 00:01.0 PCI bridge: Intel Corporation 6th-10th Gen Core \
Processor PCIe Controller (x16) (rev 07)
\t\t[10de:1c03] 01:00.0 VGA compatible controller: NVIDIA Corporation GP106 (rev a1)
\t\t[10de:10f1] 01:00.1 Audio device: NVIDIA Corporation GP106 High Definition Audio
"""
MANAGER = """\
Group 0:\t[8086:a700]     00:00.0  Host bridge                              Device a700
Group 1:\t[8086:1901]     00:01.0  PCI bridge                               6th-10th Gen
\t\t[10de:1c03] [R] 01:00.0  VGA compatible controller                GP106 [GeForce]
\t\t[10de:10f1]     01:00.1  Audio device                             GP106 Audio
"""
LINKS = """\
/sys/kernel/iommu_groups/1/devices/0000:00:01.0
/sys/kernel/iommu_groups/1/devices/0000:01:00.0
/sys/kernel/iommu_groups/1/devices/0000:01:00.1
/sys/kernel/iommu_groups/12/devices/0000:00:1c.0
/sys/kernel/iommu_groups/12/devices/0000:03:00.0
"""
LONG_LINKS = """\
/sys/kernel/iommu_groups/1/devices:
total 0
lrwxrwxrwx 1 root root 0 Feb  4 10:29 0000:00:01.0 -> \
../../../../devices/pci0000:00/0000:00:01.0
lrwxrwxrwx 1 root root 0 Feb  4 10:29 0000:01:00.0 -> \
../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0
lrwxrwxrwx 1 root root 0 Feb  4 10:29 0000:01:00.1 -> \
../../../../devices/pci0000:00/0000:00:01.0/0000:01:00.1

/sys/kernel/iommu_groups/12/devices:
total 0
lrwxrwxrwx 1 root root 0 Feb  4 10:29 0000:03:00.0 -> \
../../../../devices/pci0000:00/0000:00:1c.0/0000:03:00.0
"""
FIELDS = """\
Slot:\t00:00.0
Class:\tHost bridge [0600]
Vendor:\tIntel Corporation [8086]
Device:\tDevice [a700]
Rev:\t01
IOMMUGroup:\t0

Slot:\t01:00.0
Class:\tVGA compatible controller [0300]
Vendor:\tNVIDIA Corporation [10de]
Device:\tGP106 [GeForce GTX 1060 6GB] [1c03]
SVendor:\tGigabyte Technology Co., Ltd [1458]
SDevice:\tDevice [3771]
Rev:\ta1
ProgIf:\t00
Driver:\tvfio-pci
Module:\tnouveau
Module:\tnvidia
IOMMUGroup:\t1

"""
QUOTED = """\
00:00.0 "Host bridge [0600]" "Intel Corporation [8086]" "Device [a700]" -r01 \
"Acme [1af4]" "Board [1100]"
01:00.0 "VGA compatible controller [0300]" "NVIDIA Corporation [10de]" "GP106 [1c03]" \
-ra1 -p00 "Gigabyte Technology Co., Ltd [1458]" "Device [3771]"
"""
TREE = """\
-[0000:00]-+-00.0  Intel Corporation Device a700
           +-01.0-[01]--+-00.0  NVIDIA Corporation GP106 [GeForce GTX 1060 6GB]
           |            \\-00.1  NVIDIA Corporation GP106 HD Audio Controller
           \\-1c.0-[03]----00.0  Samsung Electronics Co Ltd NVMe SSD Controller
"""
PATHS = """\
00:01.0 PCI bridge [0604]: Intel Corporation 6th-10th Gen Core Processor PCIe \
Controller (x16) [8086:1901] (rev 07) (prog-if 00 [Normal decode])
	Control: I/O+ Mem+ BusMaster+
	IOMMU group: 1
	Bus: primary=00, secondary=01, subordinate=01, sec-latency=0
	Kernel driver in use: pcieport

00:01.0/00.0 VGA compatible controller [0300]: NVIDIA Corporation GP106 [10de:1c03]
	Control: I/O+ Mem+ BusMaster+
	IOMMU group: 1
	Kernel driver in use: vfio-pci

"""
# All are of one machine.
TEXTS = {
    "lspci -vvvnnk": LSPCI,
    "the wiki's loop": WIKI,
    "a line a device": ONE_LINE,
    "Unraid": UNRAID,
    "ids first": MANAGER,
    "find": LINKS,
    "ls -l": LONG_LINKS,
    "lspci -vmmnnk": FIELDS,
    "lspci -mmnn": QUOTED,
    "lspci -tv": TREE,
    "lspci -P": PATHS,
}
# This one is of another.
OTHERS = {"lspci -vnnk without root": BRIEF}


def facts(*texts: str) -> dict[tuple[str, str], object]:
    """Return what texts of one machine tell, by device and field; names apart.

    A text that is refused tells nothing.
    """
    try:
        machine = read_texts([(text, "a test") for text in texts])
    except SourceError:
        return {}
    return facts_of(machine)


def facts_of(machine: Machine) -> dict[tuple[str, str], object]:
    """Return what is told of a machine, by device and field; names apart."""
    found: dict[tuple[str, str], object] = {}
    for device in machine.devices:
        values = {
            "driver": device.driver,
            "group": device.group,
            **{
                f"ids.{f.name}": getattr(device.ids, f.name) for f in fields(device.ids)
            },
            **{
                f"pci.{f.name}": getattr(device.pci, f.name) for f in fields(device.pci)
            },
        }
        values.pop("ids.derived")
        if known(device.ids.class_code):  # its lowest byte is often left out
            values["ids.class_code"] = device.ids.class_code >> 8
        if isinstance(acs := device.pci.acs, Acs):  # words show seven bits of each
            values["pci.acs"] = acs.capability & 0x7F, acs.control & 0x7F
        if device.is_placed:
            values["path"] = device.path
        found |= {(device.address, k): v for k, v in values.items() if known(v)}
    found |= {(f"group {g.id}", "whole"): True for g in machine.groups if g.whole}
    return found


def unindented(text: str) -> str:
    return "".join(f"{line.strip()}\n" for line in text.split("\n"))[:-1]


def with_no_break_spaces(text: str) -> str:
    return "".join(
        line.replace("\t", "\u00a0\u00a0\u00a0\u00a0") for line in text.splitlines(True)
    )


def all_no_break_spaces(text: str) -> str:
    return text.replace("\t", "    ").replace(" ", "\u00a0")


def quoted(text: str) -> str:
    return "".join(f"> {line}" for line in text.splitlines(keepends=True))


def quoted_twice(text: str) -> str:
    return "".join(f">> {line}" for line in text.splitlines(keepends=True))


def wrapped(text: str) -> str:
    return "".join(
        f"{part}\n"
        for line in text.split("\n")[:-1]
        for part in textwrap.wrap(line, 72) or [""]
    )


def hard_wrapped(text: str) -> str:
    lines = (line.expandtabs() for line in text.split("\n")[:-1])
    return "".join(
        f"{line[at : at + 80]}\n"
        for line in lines
        for at in range(0, max(len(line), 1), 80)
    )


def fenced(text: str) -> str:
    return f"My groups:\n```\n{text}```\nThank you\n"


def with_windows_ends(text: str) -> str:
    return text.replace("\n", "\r\n")


def with_a_mark(text: str) -> str:
    return f"\ufeff{text}"


def bold(text: str) -> str:
    return "".join(
        f"**{line}**\n" if line[:1].isalnum() else f"{line}\n"
        for line in text.split("\n")[:-1]
    )


def coloured(text: str) -> str:
    return "".join(f"\x1b[1;32m{line}\x1b[0m\n" for line in text.split("\n")[:-1])


def escaped(text: str) -> str:
    table = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\t": "&nbsp;&nbsp;&nbsp;&nbsp;"}
    return "<pre>" + "".join(table.get(c, c) for c in text) + "</pre>\n"


def in_forum_tags(text: str) -> str:
    return f"[code]{text}[/code]\n"


def with_a_prompt(text: str) -> str:
    return f"user@host:~$ sudo lspci -vvvnnk\n{text}user@host:~$ exit\n"


def double_spaced(text: str) -> str:
    return "".join(f"{line}\n\n" for line in text.split("\n")[:-1] if line)


def bulleted(text: str) -> str:
    return "".join(f"- {line}\n" if line else "\n" for line in text.split("\n")[:-1])


SPOILT: dict[str, Callable[[str], str]] = {
    each.__name__: each
    for each in (
        unindented,
        with_no_break_spaces,
        all_no_break_spaces,
        quoted,
        quoted_twice,
        wrapped,
        hard_wrapped,
        fenced,
        with_windows_ends,
        with_a_mark,
        bold,
        coloured,
        escaped,
        in_forum_tags,
        with_a_prompt,
        double_spaced,
        bulleted,
    )
}
# What these do is undone without a loss.
HARMLESS = tuple(
    each.__name__
    for each in (
        with_no_break_spaces,
        all_no_break_spaces,
        quoted,
        quoted_twice,
        fenced,
        with_windows_ends,
        with_a_mark,
        coloured,
        escaped,
        in_forum_tags,
        with_a_prompt,
    )
)
