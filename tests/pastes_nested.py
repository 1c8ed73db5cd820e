"""Entries of YAML and JSON, and words of people, as in pastes_seen."""

from __future__ import annotations

__all__ = ["ENTRIES", "WORDS"]

ENTRIES: dict[str, tuple[str, str]] = {
    "a subsystem nested in JSON": (
        """\
[
 {
  "address": "0000:01:00.0",
  "subsystem": {
    "vendor": "1458",
    "device": "3771"
  },
  "driver": "nvidia",
  "iommu_group": 3
 }
]
""",
        """\
01:00.0 3 nvidia -:-
""",
    ),
    "a subsystem nested in YAML": (
        """\
devices:
  - address: "0000:01:00.0"
    subsystem:
      vendor: "1458"
      device: "3771"
    driver: nvidia
    group: 3
  - address: "0000:02:00.0"
    driver: nvme
""",
        """\
01:00.0 3 nvidia -:-
02:00.0 - nvme -:-
""",
    ),
    "devices below a bridge": (
        """\
- address: 0000:00:01.0
  children:
    - address: 0000:01:00.0
      driver: nvidia
    - address: 0000:01:00.1
  driver: pcieport
""",
        """\
00:01.0 - pcieport -:-
01:00.0 - nvidia -:-
01:00.1 - - -:-
""",
    ),
    "items whose address is not first": (
        """\
- driver: nvidia
  address: 0000:01:00.0
- address: 0000:02:00.0
- driver: nvme
  address: 0000:03:00.0
""",
        """\
01:00.0 - nvidia -:-
02:00.0 - - -:-
03:00.0 - nvme -:-
""",
    ),
    "values that show no items": (
        """\
driver: nvidia
address: 0000:01:00.0
address: 0000:02:00.0
driver: nvme
address: 0000:03:00.0
""",
        "",
    ),
    "items as kubectl indents them": (
        """\
items:
- address: 0000:01:00.0
  driver: nvidia
kind: List
driver: other
""",
        """\
01:00.0 - nvidia -:-
""",
    ),
    "numbers of JSON are decimal": (
        """\
{
 "address": "0000:01:00.0",
 "vendor": 4318,
 "device": 7171
}
""",
        """\
01:00.0 - - -:-
""",
    ),
    "an object a line": (
        """\
{"address": "0000:01:00.0", "driver": "nvidia", "iommu_group": 3, "ids": "10de:1c03"}
{"address": "0000:02:00.0", "driver": null, "iommu_group": 4, "vendor": 4318}
""",
        """\
01:00.0 3 nvidia 10de:1c03
02:00.0 4 - -:-
""",
    ),
    "all of JSON in a line": (
        """\
[{"address":"0000:01:00.0","driver":"nvidia"},{"address":"0000:02:00.0"},{"driver":\
"nvme","address":"0000:03:00.0"}]
""",
        """\
01:00.0 - nvidia -:-
02:00.0 - - -:-
03:00.0 - nvme -:-
""",
    ),
    "TrueNAS": (
        """\
[
  {
    "addr": {
      "pci_slot": "0000:01:00.0",
      "domain": "0000",
      "bus": "01",
      "slot": "00"
    },
    "description": "Acme Card",
    "devices": [
      {
        "pci_id": "10DE:1C03",
        "pci_slot": "0000:01:00.0",
        "vm_pci_slot": "pci_0000_01_00_0"
      },
      {
        "pci_id": "10DE:10F1",
        "pci_slot": "0000:01:00.1",
        "vm_pci_slot": "pci_0000_01_00_1"
      }
    ],
    "vendor": "Acme",
    "available_to_host": true
  }
]
""",
        """\
01:00.0 - - 10de:1c03
01:00.1 - - 10de:10f1
""",
    ),
    "Incus": (
        """\
pci:
  devices:
  - driver: nvidia
    driver_version: 535.1
    iommu_group: 14
    numa_node: 0
    pci_address: 0000:01:00.0
    product: Card
    product_id: 1c03
    vendor: Acme Corporation
    vendor_id: 10de
  - driver: xhci_hcd
    iommu_group: 4
    pci_address: 0000:00:14.0
    product_id: 43ed
    vendor_id: "8086"
""",
        """\
00:14.0 4 xhci_hcd 8086:43ed
01:00.0 14 nvidia 10de:1c03
""",
    ),
}

WORDS: dict[str, tuple[str, str]] = {
    "a card in a sentence": (
        "my GPU 01:00.0 is in IOMMU group 14 with 01:00.1\n",
        "",
    ),
    "a driver in one's own words": (
        """\
IOMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
Driver: nvidia
""",
        """\
03:00.0 12 - 144d:a808
""",
    ),
    "a sentence below a list": (
        """\
IOMMU Group 12:
\t03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
and 01:00.0 is my card, group 14 has it
group 13 is not viable
""",
        """\
03:00.0 12 - 144d:a808
""",
    ),
    "decimal addresses of Xorg": (
        """\
Section "Device"
  Driver "nvidia"
  BusID "PCI:10:0:0"
EndSection
""",
        "",
    ),
    "groups without addresses": (
        """\
IOMMU Group  15: Acme Corporation Card [10de:1b81] (rev a1)
IOMMU Group  17: Acme Corporation Other Card [10de:2482] (rev a1)
""",
        "",
    ),
    "addresses that are none": (
        """\
IOMMU Group 1:
\t01:00 VGA compatible controller [0300]: Acme Card [10de:1c03]
\t01:00.8 VGA compatible controller [0300]: Acme Card [10de:1c03]
""",
        "",
    ),
    "a path that is none": (
        "01:00.0/1 VGA compatible controller [0300]: Acme Card [10de:1c03]\n",
        "",
    ),
    "pciutils before 2.2": (
        """\
01:00.0 Class 0300: 10de:1c03 (rev a1)
\tSubsystem: Unknown device 1458:3771
\tFlags: bus master, fast devsel, latency 0, IRQ 16

02:00.0 VGA compatible controller: Acme Corporation Unknown device 73bf (rev c1)
\tSubsystem: Other Corporation Unknown device 5701
\tFlags: bus master, fast devsel, latency 0, IRQ 17

""",
        """\
01:00.0 - - 10de:1c03
02:00.0 - - -:73bf
""",
    ),
    "two commands and a filter": (
        """\
\u276f lspci -nnk | grep -A3 VGA
01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03](rev a1)
\tSubsystem: Acme Board [1458:3771]
\tKernel driver in use: nvidia
\tKernel modules: nvidia
--
0a:00.0 VGA compatible controller [0300]: Acme Card [1002:73bf] (rev c1)
\tKernel driver in use: amdgpu
""",
        """\
01:00.0 - nvidia 10de:1c03
0a:00.0 - amdgpu 1002:73bf
""",
    ),
    "a prompt of zsh": (
        """\
host% lspci -nnks 01:00.0
01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)
\tSubsystem: Acme Board [1458:3771]
\tKernel driver in use: nvidia
➜  ~ lspci -nnks 03:00.0
03:00.0 Non-Volatile memory controller [0108]: Acme Disk [144d:a808]
\tKernel driver in use: nvme
[root@host ~]# exit
""",
        """\
01:00.0 - nvidia 10de:1c03
03:00.0 - nvme 144d:a808
""",
    ),
    "line breaks that were lost": (
        "01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1) "
        "Subsystem: Acme Board [1458:3771] Kernel driver in use: vfio-pci Kernel "
        "modules: nouveau 01:00.1 Audio device [0403]: Acme Audio [10de:10f1] (rev a1) "
        "Subsystem: Acme Board [1458:3771] Kernel driver in use: snd_hda_intel\n",
        """\
01:00.0 - vfio-pci 10de:1c03
01:00.1 - snd_hda_intel 10de:10f1
""",
    ),
    "a list without its line breaks": (
        "IOMMU Group 1: 00:01.0 PCI bridge [0604]: Acme Port [8086:1901] (rev 07) "
        "01:00.0 VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1) "
        "IOMMU Group 12: 03:00.0 Non-Volatile memory controller [0108]: Acme Disk "
        "[144d:a808]\n",
        """\
00:01.0 1 - 8086:1901
01:00.0 - - 10de:1c03
03:00.0 12 - 144d:a808
""",
    ),
    "USB devices have ids of their own": (
        """\
IOMMU Group 3:
\t00:14.0 USB controller [0c03]: Acme xHCI [8086:43ed]
\t\tBus 001 Device 003: ID 10de:1c03 Acme Receiver
""",
        """\
00:14.0 3 - 8086:43ed
""",
    ),
}
