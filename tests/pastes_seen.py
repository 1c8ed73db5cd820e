"""Shapes in which people paste lists of groups, and what each of them states.

What is expected has a line a device: address, group, driver, ids; ``-`` where the text
does not say, ``none`` where it says that there is none. Nothing else may be read.
"""

from __future__ import annotations

__all__ = ["LISTINGS"]

LISTINGS: dict[str, tuple[str, str]] = {
    "hashes around the heading": (
        """\
### Group 1 ###
    00:01.0 PCI bridge: Acme Corporation Root Port (rev 07)
    01:00.0 VGA compatible controller: Acme Corporation Card (rev a1)
### Group 12 ###
    03:00.0 Non-Volatile memory controller: Acme Corporation Disk
""",
        """\
00:01.0 1 - -:-
01:00.0 1 - -:-
03:00.0 12 - -:-
""",
    ),
    "no colon, and a mark of reset": (
        """\
IOMMU group 1
\t00:01.0 PCI bridge [0604]: Acme Corporation Root Port [8086:1901] (rev 07)
[RESET]\t01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
[RESET]\t01:00.1 Audio device [0403]: Acme Audio [10de:10f1] (rev a1)
IOMMU group 12
[RESET]\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
01:00.1 1 - 10de:10f1
03:00.0 12 - 144d:a808
""",
    ),
    "a heading with a slip in it": (
        """\
IOMMMU Group 1:
\t00:01.0 PCI bridge [0604]: Acme Corporation Root Port [8086:1901] (rev 07)
IOMMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
03:00.0 12 - 144d:a808
""",
    ),
    "groups of two digits": (
        """\
IOMMU Group 01:
\t00:01.0 PCI bridge [0604]: Acme Corporation Root Port [8086:1901] (rev 07)
IOMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
03:00.0 12 - 144d:a808
""",
    ),
    "drivers behind the devices": (
        """\
IOMMU Group 1:
\t00:01.0 PCI bridge [0604]: Acme Root Port [8086:1901] (rev 07) -- pcieport
\t01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
\t\t-- driver: vfio-pci
\t01:00.1 Audio device [0403]: Acme Audio [10de:10f1] (rev a1)
\t\tDriver: snd_hda_intel
IOMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
\t\tdriver: nvme
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 vfio-pci 10de:1c03
01:00.1 1 snd_hda_intel 10de:10f1
03:00.0 12 nvme 144d:a808
""",
    ),
    "lspci -nnks below headings": (
        """\
IOMMU Group 1:
\t00:01.0 PCI bridge [0604]: Acme Corporation Root Port [8086:1901] (rev 07)
\tKernel driver in use: pcieport
\t01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
\tSubsystem: Acme Board [1458:3771]
\tKernel driver in use: vfio-pci
\tKernel modules: nouveau, nvidia
IOMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
\tSubsystem: Acme Other [144d:a801]
\tKernel driver in use: nvme
""",
        """\
00:01.0 1 pcieport 8086:1901
01:00.0 1 vfio-pci 10de:1c03
03:00.0 12 nvme 144d:a808
""",
    ),
    "USB buses in between": (
        """\
IOMMU Group 4:
\t00:14.0 USB controller [0c03]: Acme xHCI [8086:43ed] (rev 11)
\t\tUSB: Bus 002 Device 001: ID 1d6b:0003 Linux Foundation 3.0 root hub
\t\tUSB: Bus 001 Device 003: ID 046d:c52b Acme Receiver
\t00:14.2 RAM memory [0500]: Acme SRAM [8086:43ef] (rev 11)
IOMMU Group 5:
\t00:16.0 Communication controller [0780]: Acme MEI [8086:43e0] (rev 11)
""",
        """\
00:14.0 4 - 8086:43ed
00:14.2 4 - 8086:43ef
00:16.0 5 - 8086:43e0
""",
    ),
    "a mark of reset behind the group": (
        """\
IOMMU Group 1 [R] 01:00.0 VGA compatible controller [0300]: Acme [10de:1c03] (rev a1)
IOMMU Group 1     00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
Reset: [R] IOMMU Group 12 03:00.0 Non-Volatile memory controller [0108]: A [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "USB controllers with their groups": (
        """\
Bus 1 --> 0000:00:14.0 (IOMMU group 4)
Bus 001 Device 003: ID 046d:c52b Acme Receiver
Bus 001 Device 001: ID 1d6b:0002 Linux Foundation 2.0 root hub

Bus 3 --> 0000:09:00.3 (IOMMU group 21)
Bus 003 Device 001: ID 1d6b:0002 Linux Foundation 2.0 root hub
""",
        """\
00:14.0 4 - -:-
09:00.3 21 - -:-
""",
    ),
    "emphasis over two lines": (
        """\
IOMMU Group 1 00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
**IOMMU Group 1 01:00.0 VGA compatible controller [0300]: Acme [10de:1c03] (rev a1)
IOMMU Group 1 01:00.1 Audio device [0403]: Acme Audio [10de:10f1] (rev a1)**
IOMMU Group 12 03:00.0 Non-Volatile memory controller [0108]: Acme [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
01:00.1 1 - 10de:10f1
03:00.0 12 - 144d:a808
""",
    ),
    "ticks around all of it": (
        """\
`IOMMU Group 1:
        00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
IOMMU Group 12:
        03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]`
""",
        """\
00:01.0 1 - 8086:1901
03:00.0 12 - 144d:a808
""",
    ),
    "a table in Markdown": (
        """\
| Group | Address | IDs | Driver | Device |
|------:|---------|-----|--------|--------|
| 1 | 00:01.0 | 8086:1901 | pcieport | PCI bridge: Acme Port |
| 1 | 01:00.0 | 10de:1c03 | vfio-pci | VGA compatible controller: Acme Card |
| 12 | 03:00.0 | 144d:a808 | nvme | Non-Volatile memory controller: Acme Disk |
""",
        """\
00:01.0 1 pcieport 8086:1901
01:00.0 1 vfio-pci 10de:1c03
03:00.0 12 nvme 144d:a808
""",
    ),
    "rows of a table, a heading's words in each": (
        """\
| IOMMU Group 1 | 00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07) |
| IOMMU Group 1 | 01:00.0 VGA compatible controller [0300]: Acme [10de:1c03] |
| IOMMU Group 12 | 03:00.0 Non-Volatile memory controller [0108]: A [144d:a808] |
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "the tables of Proxmox": (
        """\
┌──────────┬────────┬──────────────┬────────────┬────────┬──────────────────────┐
│ class    │ device │ id           │ iommugroup │ vendor │ device_name          │
╞══════════╪════════╪══════════════╪════════════╪════════╪══════════════════════╡
│ 0x030000 │ 0x1c03 │ 0000:01:00.0 │          1 │ 0x10de │ GP106                │
├──────────┼────────┼──────────────┼────────────┼────────┼──────────────────────┤
│ 0x040300 │ 0x10f1 │ 0000:01:00.1 │          1 │ 0x10de │ GP106 Audio          │
├──────────┼────────┼──────────────┼────────────┼────────┼──────────────────────┤
│ 0x010802 │ 0xa808 │ 0000:03:00.0 │         12 │ 0x144d │ SM981                │
├──────────┼────────┼──────────────┼────────────┼────────┼──────────────────────┤
│ 0x060000 │ 0xa700 │ 0000:00:00.0 │         -1 │ 0x8086 │                      │
└──────────┴────────┴──────────────┴────────────┴────────┴──────────────────────┘
""",
        """\
00:00.0 none - 8086:a700
01:00.0 1 - 10de:1c03
01:00.1 1 - 10de:10f1
03:00.0 12 - 144d:a808
""",
    ),
    "a tree of groups": (
        """\
IOMMU Group 1
├── 00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
└── 01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
IOMMU Group 12
└── 03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "a table with tabs": (
        """\
IOMMU Group 1\t00:01.0\tPCI bridge [0604]\tAcme Port [8086:1901]
IOMMU Group 1\t01:00.0\tVGA compatible controller [0300]\tAcme [10de:1c03]
IOMMU Group 12\t03:00.0\tNon-Volatile memory controller [0108]\tAcme [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "numbers before the lines": (
        """\
     1\tIOMMU Group 1:
     2\t\t00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
     3\t\t01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
     4\tIOMMU Group 12:
     5\t\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "grep's numbers before the lines": (
        """\
12:IOMMU Group 1 00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
13:IOMMU Group 1 01:00.0 VGA compatible controller [0300]: Acme [10de:1c03]
27:IOMMU Group 12 03:00.0 Non-Volatile memory controller [0108]: A [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "the journal of a service": (
        """\
Mar 03 10:00:01 host groups.sh[811]: IOMMU Group 1:
Mar 03 10:00:01 host groups.sh[811]:         00:01.0 PCI bridge [0604]: A [8086:1901]
Mar 03 10:00:01 host groups.sh[811]:         01:00.0 VGA compatible controller [0300]: A [10de:1c03]
Mar 03 10:00:02 host groups.sh[811]: IOMMU Group 12:
Mar 03 10:00:02 host groups.sh[811]:         03:00.0 Non-Volatile memory controller [0108]: A [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "times before the lines": (
        """\
[2024-03-03 10:00:01] IOMMU Group 1:
[2024-03-03 10:00:01]     00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
[2024-03-03 10:00:01]     01:00.0 VGA compatible controller [0300]: A [10de:1c03]
[2024-03-03 10:00:02] IOMMU Group 12:
[2024-03-03 10:00:02]     03:00.0 Non-Volatile memory controller [0108]: A [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "within a terminal's border": (
        """\
│IOMMU Group 1:                                                               │
│        00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)            │
│        01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03]      │
│IOMMU Group 12:                                                              │
│        03:00.0 Non-Volatile memory controller [0108]: Acme [144d:a808]      │
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "Reddit": (
        """\
&#x200B;

    IOMMU Group 1:
    \t00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
    \t01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
    IOMMU Group 12:
    \t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]

&#x200B;
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "what Markdown has escaped": (
        r"""
IOMMU Group 1:

00:01.0 PCI bridge \[0604\]: Acme Port \[8086:1901\] (rev 07)

01:00.0 VGA compatible controller \[0300\]: Acme Card \[10de:1c03\] (rev a1)

Kernel driver in use: vfio\-pci

Kernel modules: nvidia\_drm

IOMMU Group 12:

03:00.0 Non\-Volatile memory controller \[0108\]: Acme Disk \[144d:a808\]

""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 vfio-pci 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "characters of full width": (
        """\
IOMMU Group 1：
\t00:01.0 PCI bridge ［0604］： Acme Port ［8086:1901］ （rev 07）
\t01:00.0 VGA compatible controller ［0300］： Acme Card ［10de:1c03］ （rev a1）
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
""",
    ),
    "digits in capitals": (
        """\
IOMMU GROUP 1:
\t00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
\t0000:0A:00.0 VGA compatible controller [0300]: Acme Card [10DE:1C03] (rev A1)
IOMMU GROUP 12:
\t0000:0B:00.0 Non-Volatile memory controller [0108]: Acme Disk [144D:A808]
""",
        """\
00:01.0 1 - 8086:1901
0a:00.0 1 - 10de:1c03
0b:00.0 12 - 144d:a808
""",
    ),
    "domains wider than four digits": (
        """\
IOMMU Group 1:
\t10000:e0:06.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
\t10000:e1:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
10000:e0:06.0 1 - 8086:1901
10000:e1:00.0 1 - 144d:a808
""",
    ),
    "the group behind the device": (
        """\
0000:00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07) IOMMU group 1
0000:01:00.0 VGA compatible controller [0300]: Acme [10de:1c03] (IOMMU Group: 1)
0000:03:00.0 Non-Volatile memory controller [0108]: A [144d:a808] - IOMMU Group 12
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "Harvester's devices": (
        """\
apiVersion: devices.harvesterhci.io/v1beta1
kind: PCIDevice
metadata:
  name: node1-000001000
status:
  address: "0000:01:00.0"
  classId: "0300"
  description: 'VGA compatible controller: NVIDIA Corporation GP106'
  deviceId: 1c03
  iommuGroup: "1"
  kernelDriverInUse: nouveau
  nodeName: node1
  resourceName: nvidia.com/GP106
  vendorId: 10de
---
apiVersion: devices.harvesterhci.io/v1beta1
kind: PCIDevice
metadata:
  name: node1-000003000
status:
  address: 0000:03:00.0
  classId: "0108"
  deviceId: a808
  iommuGroup: "12"
  kernelDriverInUse: nvme
  nodeName: node1
  vendorId: 144d
""",
        """\
01:00.0 1 nouveau 10de:1c03
03:00.0 12 nvme 144d:a808
""",
    ),
    "Proxmox's devices as JSON": (
        """\
[
   {
      "class" : "0x030000",
      "device" : "0x1c03",
      "device_name" : "GP106",
      "id" : "0000:01:00.0",
      "iommugroup" : 1,
      "vendor" : "0x10de"
   },
   {
      "class" : "0x060000",
      "device" : "0xa700",
      "id" : "0000:00:00.0",
      "iommugroup" : -1,
      "vendor" : "0x8086"
   }
]
""",
        """\
00:00.0 none - 8086:a700
01:00.0 1 - 10de:1c03
""",
    ),
    "a heading in brackets": (
        """\
[IOMMU Group 1]
00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
[IOMMU Group 12]
03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "headings with rules around them": (
        """\
======== IOMMU Group 1 ========
00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
======== IOMMU Group 12 ========
03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "headings that count": (
        """\
IOMMU Group 1 (2 devices):
  00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)
  01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
IOMMU Group 12 - 1 device
  03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
""",
        """\
00:01.0 1 - 8086:1901
01:00.0 1 - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "Group: 1, then addresses": (
        """\
Group: 1
  0000:00:01.0
  0000:01:00.0
Group: 12
  0000:03:00.0
""",
        """\
00:01.0 1 - -:-
01:00.0 1 - -:-
03:00.0 12 - -:-
""",
    ),
    "Group: 1 before each device": (
        """\
Group:  1   0000:00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07)   Driver: pcieport
Group:  1   0000:01:00.0 VGA compatible controller [0300]: A [10de:1c03]   Driver: vfio-pci
Group:  12  0000:03:00.0 Non-Volatile memory controller [0108]: A [144d:a808]   Driver: nvme
""",
        """\
00:01.0 1 pcieport 8086:1901
01:00.0 1 vfio-pci 10de:1c03
03:00.0 12 nvme 144d:a808
""",
    ),
    "the driver in brackets": (
        """\
IOMMU Group 1:
\t00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07) [driver: pcieport]
\t01:00.0 VGA compatible controller [0300]: A [10de:1c03] (driver: vfio-pci)
IOMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: A [144d:a808] driver=nvme
""",
        """\
00:01.0 1 pcieport 8086:1901
01:00.0 1 vfio-pci 10de:1c03
03:00.0 12 nvme 144d:a808
""",
    ),
}
