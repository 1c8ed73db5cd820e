"""The machines with an x86-64 processor."""

from __future__ import annotations

from dataclasses import replace

from lab import acpi
from lab.machines.model import DISK_BUS, Device, Iommu, Machine, port
from lab.machines.parts import (
    BOOTED,
    BRIDGES,
    FUNCTIONS,
    LOOSE,
    MIXED,
    PLAIN,
    SLOTS,
    SPARES,
    SRIOV,
    SWITCH,
    bind,
    claim,
    closed,
    disk,
    down,
    functions,
    give,
    new_id,
    opened,
    plug,
    probe,
    released,
    sriov_disk,
    unbind,
    unplug,
    up,
)
from lab.machines.walks import CLAIM_ENDS, MODULES, NEW_IDS, TYPES
from lab.steps import Step, Verb

__all__ = ["AMD64"]

# In most machines: an endpoint alone, one of two behind a bridge, then its neighbour.
_HAND_OVER = (BOOTED, give("nic", "old1"), give("old2"))
_RECENT = (6, 12)
_VFS = functions("disk")


_PORTS = (
    Machine(
        "reference",
        "a NIC below a port with ACS, two behind a PCIe-to-PCI bridge, USB, audio",
        MIXED,
        states=_HAND_OVER,
    ),
    Machine(
        "claim-ends",
        "a NIC and USB on one card, whose group user space holds while both leave vfio",
        CLAIM_ENDS.devices,
        states=CLAIM_ENDS.states,
    ),
    Machine(
        "device-nodes",
        "a NIC and USB on one card, had by their own nodes and by that of the group",
        FUNCTIONS,
        since=_RECENT,
        states=(
            BOOTED,
            give("f0", "f1"),
            (opened("f0"),),
            (opened("f0"), opened("f1"), claim("f0")),
            (*unbind("f1"), bind("f1", "xhci_hcd")),
            (closed("f0"), claim("f0"), opened("f0")),
            (released("f0"), bind("f1", "vfio-pci"), opened("f1"), opened("f0")),
            (closed("f1"), closed("f0"), opened("f0"), *unbind("f0")),
        ),
    ),
    Machine(
        "two-functions",
        "an endpoint with two functions below a port with ACS",
        FUNCTIONS,
        states=(BOOTED, give("f0"), unbind("f1")),
    ),
    Machine(
        "four-functions",
        "an endpoint with four functions, and a neighbour with two",
        (
            port("rp1", 1, "1.0"),
            Device("e1000e", "f0", "rp1", "0.0", "multifunction=on"),
            Device("e1000e", "f1", "rp1", "0.1", "multifunction=on"),
            disk("f2", "rp1", "0.2", "multifunction=on"),
            Device("ich9-intel-hda", "f3", "rp1", "0.3", "multifunction=on"),
            port("rp2", 2, "2.0"),
            Device("e1000e", "g0", "rp2", "0.0", "multifunction=on"),
            Device("nec-usb-xhci", "g1", "rp2", "0.1"),
        ),
        states=(
            BOOTED,
            (*give("f0", "f1", "f2", "f3"), *give("g1")),
            (*unbind("f1"), *give("g0", driver="pci-stub")),
        ),
    ),
    Machine(
        "root-functions",
        "functions of one slot on the root bus, NICs, USB 2 with companions, audio",
        (
            Device("e1000e", "nic1", None, "3.0", "multifunction=on"),
            Device("e1000e", "nic2", None, "3.1"),
            Device("ich9-usb-uhci1", "uhci", None, "4.0", "multifunction=on"),
            Device("ich9-usb-ehci1", "ehci", None, "4.7", "multifunction=on"),
            Device("ich9-intel-hda", "audio", None, "5.0"),
        ),
        states=(BOOTED, give("nic1", "ehci"), give("nic2", "audio")),
    ),
    Machine(
        "no-acs",
        "two ports without ACS, a NIC below one, two functions below the other",
        LOOSE,
        states=(BOOTED, give("nic1", "nic2"), give("usb")),
    ),
    Machine(
        "port-functions",
        "ports that are functions of one slot, with ACS, and one without it",
        SLOTS,
        states=(BOOTED, give("nic1", "nic2"), unbind("nic3")),
    ),
    Machine(
        "port-functions-bare",
        "four ports without ACS in one slot, three cards below them",
        (
            port("rp1", 1, "1.0", acs=False, options="multifunction=on"),
            port("rp2", 2, "1.1", acs=False),
            port("rp3", 3, "1.2", acs=False),
            port("rp4", 4, "1.3", acs=False),
            Device("e1000e", "nic", "rp1"),
            disk("disk", "rp2"),
            Device("nec-usb-xhci", "usb", "rp3"),
        ),
        spare=(Device("e1000e", "card", "rp4"),),
        states=(
            BOOTED,
            give("nic", "disk", "usb"),
            plug("card"),
        ),
    ),
    Machine(
        "mixed-cards",
        "NVMe, NIC, USB, audio and virtio cards, each below a port with ACS",
        (
            port("rp1", 1, "1.0"),
            disk("disk", "rp1"),
            port("rp2", 2, "2.0"),
            Device("e1000e", "nic", "rp2"),
            port("rp3", 3, "3.0"),
            Device("qemu-xhci", "usb", "rp3"),
            port("rp4", 4, "4.0"),
            Device("virtio-scsi-pci", "scsi", "rp4"),
            port("rp5", 5, "5.0"),
            Device("ich9-intel-hda", "audio", "rp5"),
            Device("virtio-net-pci", "net", None, "6.0"),
        ),
        states=(
            BOOTED,
            give("disk", "nic", "net"),
            (*give("usb", driver="pci-stub"), *unbind("scsi")),
        ),
    ),
    Machine(
        "unclaimed",
        "cards without a driver: a test device, a bare NIC, a display",
        (
            port("rp1", 1, "1.0"),
            Device("rtl8139", "old", None, "3.0"),
            Device("pci-testdev", "tested", None, "4.0"),
            Device("bochs-display", "display", "rp1"),
        ),
        states=(BOOTED, give("old", "display"), give("tested", driver="pci-stub")),
    ),
)

_SWITCHES = (
    Machine(
        "switch",
        "a switch with two downstream ports, a NIC and a USB controller below them",
        SWITCH,
        states=(BOOTED, give("nic"), give("usb")),
    ),
    Machine(
        "switch-no-acs",
        "a switch below a port without ACS",
        (replace(SWITCH[0], options="chassis=1,slot=1,disable-acs=on"), *SWITCH[1:]),
        states=(BOOTED, give("nic"), unbind("usb")),
    ),
    Machine(
        "switch-functions",
        "a switch whose downstream ports are functions of one slot",
        (
            port("rp1", 1, "1.0"),
            up("up", "rp1"),
            down("down1", 11, "up", "0.0", "multifunction=on"),
            down("down2", 12, "up", "0.1", "multifunction=on"),
            Device("e1000e", "nic", "down1"),
            Device("nec-usb-xhci", "usb", "down2"),
        ),
        states=(BOOTED, give("nic"), give("usb")),
    ),
    Machine(
        "cascade",
        "two switches, one below the other, with cards at both levels",
        (
            port("rp1", 1, "1.0"),
            up("up1", "rp1"),
            down("down11", 11, "up1", "0.0"),
            down("down12", 12, "up1", "1.0"),
            up("up2", "down11"),
            down("down21", 21, "up2", "0.0"),
            down("down22", 22, "up2", "1.0"),
            Device("e1000e", "nic1", "down21"),
            disk("disk", "down22"),
            Device("e1000e", "nic2", "down12"),
        ),
        states=(BOOTED, give("nic1", "disk"), give("nic2")),
    ),
    Machine(
        "switch-bridge",
        "a switch with a PCIe-to-PCI bridge below one port, a NIC below the other",
        (
            *SWITCH[:5],
            Device("pcie-pci-bridge", "bridge", "down2"),
            Device("e1000", "old1", "bridge", "1.0"),
            Device("AC97", "sound", "bridge", "2.0"),
        ),
        states=(BOOTED, give("nic", "old1"), give("sound", driver="pci-stub")),
    ),
)

_BRIDGES = (
    Machine(
        "bridges",
        "a PCI-to-PCI bridge behind a PCIe-to-PCI bridge, cards at both levels",
        BRIDGES,
        states=(BOOTED, give("old1", "old2"), give("sound")),
    ),
    Machine(
        "legacy-bridge",
        "a legacy bridge on the root bus, a PCI-to-PCI bridge behind it",
        (
            Device("i82801b11-bridge", "legacy", None, "2.0"),
            Device("pci-bridge", "inner", "legacy", "1.0", "chassis_nr=21"),
            Device("e1000", "old1", "inner", "1.0"),
            Device("e1000", "old2", "inner", "2.0"),
            Device("e1000e", "nic", None, "3.0"),
        ),
        states=(BOOTED, give("nic", "old1"), give("old2")),
    ),
    Machine(
        "empty-bridges",
        "bridges with nothing behind them: groups that hold only bridges",
        (
            port("rp1", 1, "1.0"),
            Device("pcie-pci-bridge", "bridge", "rp1"),
            Device("i82801b11-bridge", "legacy", None, "2.0"),
            port("rp2", 2, "3.0", acs=False),
            up("up", "rp2"),
            down("down1", 11, "up", "0.0"),
            Device("e1000e", "nic", None, "4.0"),
        ),
        states=(BOOTED, give("nic")),
    ),
    Machine(
        "three-bridges",
        "three conventional bridges in a row, and two beside each other",
        (
            port("rp1", 1, "1.0"),
            Device("pcie-pci-bridge", "first", "rp1"),
            Device("pci-bridge", "second", "first", "1.0", "chassis_nr=21"),
            Device("pci-bridge", "third", "second", "1.0", "chassis_nr=22"),
            Device("e1000", "old1", "third", "1.0"),
            Device("pci-bridge", "beside", "first", "2.0", "chassis_nr=23"),
            Device("e1000", "old2", "beside", "1.0"),
        ),
        states=(BOOTED, give("old1"), give("old2")),
    ),
    Machine(
        "conventional-root",
        "conventional cards on the root bus, one of them with two functions",
        (
            Device("e1000", "old1", None, "2.0"),
            Device("AC97", "sound", None, "3.0"),
            Device("e1000", "old2", None, "4.0", "multifunction=on"),
            Device("ich9-usb-uhci1", "uhci", None, "4.1"),
        ),
        states=(BOOTED, give("old1", "old2"), unbind("uhci")),
    ),
)

_VIRTUAL_FUNCTIONS = (
    Machine(
        "sriov",
        "an NVMe drive with virtual functions below a port with ACS",
        SRIOV,
        states=(
            BOOTED,
            _VFS,
            give("disk/0", "nic"),
            (*give("disk/0", driver="pci-stub"), *functions("disk", 0)),
        ),
    ),
    Machine(
        "sriov-no-acs",
        "an NVMe drive with virtual functions below a port without ACS",
        (replace(SRIOV[0], options="chassis=1,slot=1,disable-acs=on"), *SRIOV[1:]),
        states=(BOOTED, _VFS, give("disk/0"), (*give("disk/1"), *unbind("disk"))),
    ),
    Machine(
        "sriov-vfio",
        "virtual functions that vfio-pci makes, and what asks for their token",
        SRIOV,
        module_options={"vfio_pci": "enable_sriov=1"},
        states=(
            BOOTED,
            give("disk"),
            _VFS,
            # vfio-pci has both already.
            (bind("disk/0", "vfio-pci"), *give("disk/1", driver="pci-stub")),
            functions("disk", 0),
            (*_VFS, *unbind("disk")),
        ),
    ),
    Machine(
        "probes",
        "what drivers_probe tells of a refusal, of a driver that is there, of a claim",
        (
            port("rp1", 1, "1.0"),
            *sriov_disk("disk", "rp1"),
            port("rp2", 2, "2.0"),
            Device("e1000e", "nic", "rp2", "0.0", "multifunction=on"),
            Device("nec-usb-xhci", "usb", "rp2", "0.1"),
        ),
        states=(
            BOOTED,
            (*_VFS, *unbind("disk"), *probe("disk", "vfio-pci")),
            (*probe("nic", "vfio-pci"), *unbind("nic"), *probe("nic", "vfio-pci")),
            (*unbind("usb"), claim("nic"), *probe("usb", "xhci_hcd")),
        ),
    ),
    Machine(
        "new-ids",
        "two cards with one id, which drivers are told of, twice, and forget",
        NEW_IDS.devices,
        states=NEW_IDS.states,
    ),
    Machine(
        "async-probe",
        "drivers that probe by themselves: told of ids, asked, and a card that comes",
        (
            *(port("rp1", 1, "1.0"), Device("e1000e", "nic", "rp1")),
            *(port("rp2", 2, "2.0"), Device("e1000e", "twin", "rp2")),
            port("rp3", 3, "3.0"),
        ),
        spare=(Device("e1000e", "late", "rp3"),),
        kernel_arguments="driver_async_probe=vfio-pci,e1000e",
        states=(
            BOOTED,
            (Step(Verb.HOTPLUG, "late"), *unbind("nic", "twin"), new_id("nic")),
            (*unbind("nic"), *probe("nic", "vfio-pci"), *probe("twin", "e1000e")),
            (claim("nic"), *unbind("twin"), *probe("twin", "e1000e")),
        ),
    ),
    Machine(
        "types",
        "the types of groups are written: of one, of two, bound, claimed, attached",
        TYPES.devices,
        states=TYPES.states,
    ),
    Machine(
        "modules",
        "VFIO's modules come and go, and their parameters are written",
        MODULES.devices,
        states=MODULES.states,
    ),
    Machine(
        "sriov-switch",
        "an NVMe drive with virtual functions below a switch, a NIC beside it",
        (*SWITCH[:5], *sriov_disk("disk", "down2")),
        states=(BOOTED, _VFS, give("disk/0", "nic"), give("disk/1")),
    ),
)

# What stands behind a drive: it reads as zeros until it is written to, and what is
# written is gone with the guest.
_MEDIA = (
    "-drive",
    "if=none,id={0},snapshot=on,format=raw,file.driver=null-co,file.size=67108864,"
    "file.read-zeroes=on",
)


def _media(*names: str) -> tuple[str, ...]:
    return tuple(word.format(name) for name in names for word in _MEDIA)


_DISKS = (
    Machine(
        "beside-disk",
        "cards whose other function is a drive with media, and a drive on the board",
        (
            port("rp1", 1, "1.0"),
            Device("e1000e", "nic", "rp1", "0.0", "multifunction=on"),
            disk("flash", "rp1", "0.1", "drive=first"),
            port("rp2", 2, "2.0"),
            Device("nec-usb-xhci", "usb", "rp2", "0.0", "multifunction=on"),
            Device("virtio-blk-pci", "virtual", "rp2", "0.1", "drive=second"),
            Device("ide-hd", "sata", DISK_BUS, None, "drive=third"),
        ),
        qemu_arguments=_media("first", "second", "third"),
        states=(BOOTED, give("nic"), give("usb")),
    ),
    Machine(
        "sriov-nic",
        "a NIC whose driver removes its virtual functions when it goes",
        (
            port("rp1", 1, "1.0"),
            Device("igb", "card", "rp1"),
            port("rp2", 2, "2.0"),
            Device("e1000e", "nic", "rp2"),
        ),
        newer_qemu=True,
        states=(BOOTED, functions("card"), unbind("card")),
    ),
)

_ROOTS = (
    Machine(
        "two-roots",
        "a second root bus with ports, with and without ACS",
        (
            Device("pxb-pcie", "root2", None, "5.0", "bus_nr=128"),
            replace(port("far1", 11, "0.0"), bus="root2"),
            replace(port("far2", 12, "1.0", acs=False), bus="root2"),
            Device("e1000e", "nic1", "far1"),
            Device("nec-usb-xhci", "usb", "far2"),
            port("rp1", 1, "1.0"),
            Device("e1000e", "nic2", "rp1"),
        ),
        states=(BOOTED, give("nic1", "nic2"), give("usb")),
    ),
    Machine(
        "three-roots",
        "two more root buses, a bridge below one, a switch below the other",
        (
            Device("pxb-pcie", "root2", None, "5.0", "bus_nr=64"),
            replace(port("far1", 11, "0.0"), bus="root2"),
            Device("pcie-pci-bridge", "bridge", "far1"),
            Device("e1000", "old1", "bridge", "1.0"),
            Device("e1000", "old2", "bridge", "2.0"),
            Device("pxb-pcie", "root3", None, "6.0", "bus_nr=128"),
            replace(port("far2", 12, "0.0"), bus="root3"),
            up("up", "far2"),
            down("down1", 21, "up", "0.0"),
            Device("e1000e", "nic", "down1"),
        ),
        states=_HAND_OVER,
    ),
    Machine(
        "cxl",
        "memory and a NIC below CXL root ports, whose host bridge is a root bus",
        (
            Device("pxb-cxl", "cxl", None, "5.0", "bus_nr=64"),
            Device("cxl-rp", "rp1", "cxl", "0.0", "port=0,chassis=1,slot=1"),
            Device("cxl-rp", "rp2", "cxl", "1.0", "port=1,chassis=2,slot=2"),
            Device("cxl-type3", "memory", "rp1", None, "memdev=ram,lsa=labels"),
            Device("e1000e", "nic", "rp2"),
        ),
        qemu_arguments=(
            *("-machine", "cxl=on,cxl-fmw.0.targets.0=cxl,cxl-fmw.0.size=4G"),
            *("-object", "memory-backend-ram,id=ram,size=256M,share=on"),
            *("-object", "memory-backend-ram,id=labels,size=256M,share=on"),
        ),
        states=(BOOTED, give("memory", "nic"), (claim("memory"), *unbind("nic"))),
    ),
)

_SLOTS = (
    Machine(
        "empty-slot",
        "two empty slots, one below a port without ACS, to plug a card into",
        SPARES,
        spare=(Device("e1000e", "card1", "bare"), Device("e1000e", "card2", "clean")),
        states=(
            BOOTED,
            plug("card1", "card2"),
            give("card1", "card2"),
            unplug("card2"),
        ),
    ),
    Machine(
        "empty-slot-switch",
        "an empty slot below a switch, a card below its other port",
        SWITCH[:5],
        spare=(Device("nec-usb-xhci", "card", "down2"),),
        states=(BOOTED, give("nic"), plug("card"), give("card")),
    ),
    Machine(
        "empty-slot-neighbour",
        "an empty slot whose port shares its group with a card in use",
        (
            port("rp1", 1, "1.0", acs=False, options="multifunction=on"),
            port("rp2", 2, "1.1", acs=False),
            Device("e1000e", "nic", "rp1"),
        ),
        spare=(disk("card", "rp2"),),
        states=(BOOTED, give("nic"), plug("card"), unplug("card")),
    ),
    Machine(
        "empty-slots-only",
        "nothing but empty slots, one of them of a switch",
        (
            port("rp1", 1, "1.0"),
            port("rp2", 2, "2.0", acs=False),
            up("up", "rp2"),
            down("down1", 11, "up", "0.0"),
        ),
        spare=(Device("e1000e", "card1", "rp1"), Device("e1000e", "card2", "down1")),
        states=(BOOTED, plug("card1", "card2"), give("card2")),
    ),
)

_TRANSLATORS = (
    Machine("no-iommu", "no IOMMU at all", MIXED, Iommu.NONE, states=_HAND_OVER),
    Machine(
        "no-iommu-unsafe",
        "no IOMMU; VFIO is told to do without, which Debian's kernels do not offer",
        MIXED,
        Iommu.NONE,
        module_options={"vfio": "enable_unsafe_noiommu_mode=1"},
        states=_HAND_OVER,
    ),
    Machine(
        "translation-off",
        "an IOMMU that the kernel was told not to use",
        PLAIN,
        kernel_arguments="intel_iommu=off",
        states=(BOOTED, give("nic")),
    ),
    Machine(
        "virtio-iommu",
        "a paravirtual IOMMU; a NIC below a port with ACS, USB, audio",
        PLAIN,
        Iommu.VIRTIO,
        since=_RECENT,
        states=(BOOTED, give("nic"), give("usb")),
    ),
    Machine(
        "virtio-iommu-bridge",
        "the reference machine with a paravirtual IOMMU",
        MIXED,
        Iommu.VIRTIO,
        since=_RECENT,
        states=_HAND_OVER,
    ),
    Machine(
        "virtio-iommu-switch",
        "a switch and ports without ACS with a paravirtual IOMMU",
        (*SWITCH, replace(LOOSE[2], slot="3.0"), *LOOSE[3:4]),
        Iommu.VIRTIO,
        since=_RECENT,
        states=(BOOTED, give("nic", "nic2")),
    ),
    Machine(
        "no-remapping",
        "the reference machine without interrupt remapping",
        MIXED,
        Iommu.INTEL_NO_REMAP,
        states=_HAND_OVER,
    ),
    Machine(
        "unsafe-interrupts",
        "no interrupt remapping, and VFIO told to do without",
        MIXED,
        Iommu.INTEL_NO_REMAP,
        module_options={"vfio_iommu_type1": "allow_unsafe_interrupts=1"},
        states=_HAND_OVER,
    ),
    Machine(
        "lazy",
        "ports without ACS, with lazy invalidation (groups of type DMA-FQ)",
        LOOSE,
        kernel_arguments="iommu.strict=0",
        states=(BOOTED, give("nic1", "nic2"), give("usb")),
    ),
    Machine(
        "identity",
        "the reference machine with identity domains (iommu=pt)",
        MIXED,
        kernel_arguments="iommu=pt iommu.passthrough=1",
        states=_HAND_OVER,
    ),
    Machine(
        "identity-amd",
        "ports without ACS, an AMD IOMMU, identity domains",
        LOOSE,
        Iommu.AMD,
        kernel_arguments="iommu=pt iommu.passthrough=1",
        states=(BOOTED, give("nic1", "nic2"), give("usb")),
    ),
    Machine(
        "amd",
        "the reference machine with an AMD IOMMU",
        MIXED,
        Iommu.AMD,
        states=_HAND_OVER,
    ),
    Machine(
        "amd-no-remapping",
        "a switch, an AMD IOMMU without interrupt remapping",
        SWITCH,
        Iommu.AMD_NO_REMAP,
        states=(BOOTED, give("nic"), give("usb")),
    ),
    Machine(
        "amd-bridges",
        "conventional bridges behind each other, with an AMD IOMMU",
        BRIDGES,
        Iommu.AMD,
        states=(BOOTED, give("old1", "old2"), give("sound")),
    ),
    Machine(
        "amd-ports",
        "ports that are functions of one slot, with an AMD IOMMU",
        SLOTS,
        Iommu.AMD,
        states=(BOOTED, give("nic1", "nic2"), unbind("nic3")),
    ),
    Machine(
        "amd-empty-slot",
        "empty slots with and without ACS, with an AMD IOMMU",
        SPARES,
        Iommu.AMD,
        spare=(Device("e1000e", "card1", "bare"), Device("e1000e", "card2", "clean")),
        states=(BOOTED, plug("card1", "card2"), give("card1", "card2")),
    ),
)

_SETTINGS = (
    Machine(
        "reserved",
        "the firmware wants memory mapped one to one for the NIC",
        MIXED,
        reserved=(acpi.Reserved(((1, 0), (0, 0))),),
        states=_HAND_OVER,
    ),
    Machine(
        "reserved-neighbour",
        "the firmware wants memory mapped one to one for one of two functions",
        FUNCTIONS,
        reserved=(acpi.Reserved(((1, 0), (0, 1))),),
        states=(BOOTED, give("f0"), give("f1")),
    ),
    Machine(
        "no-vfio",
        "the VFIO modules are not loaded",
        MIXED,
        without=frozenset({"vfio", "vfio_iommu_type1", "iommufd", "vfio-pci"}),
        states=(BOOTED, give("nic", driver="pci-stub"), unbind("old1", "old2")),
    ),
    Machine(
        "no-type1",
        "VFIO without its IOMMU driver (vfio_iommu_type1 is not loaded)",
        PLAIN,
        without=frozenset({"vfio_iommu_type1"}),
        states=(BOOTED, give("nic"), give("usb")),
    ),
    Machine(
        "disable-acs-redir",
        "ports with ACS that the kernel was told to redirect less on",
        SLOTS,
        kernel_arguments="pci=disable_acs_redir=pci:1b36:000c",
        states=(BOOTED, give("nic1", "nic2"), unbind("nic3")),
    ),
    Machine(
        "config-acs",
        "ports whose ACS bits the kernel was told to set otherwise",
        SLOTS,
        kernel_arguments="pci=config_acs=0000000@pci:1b36:000c",
        since=_RECENT,
        states=(BOOTED, give("nic1", "nic2"), unbind("nic3")),
    ),
)

AMD64 = (
    *_PORTS,
    *_SWITCHES,
    *_BRIDGES,
    *_VIRTUAL_FUNCTIONS,
    *_DISKS,
    *_ROOTS,
    *_SLOTS,
    *_TRANSLATORS,
    *_SETTINGS,
)
