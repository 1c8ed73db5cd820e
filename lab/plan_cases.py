"""Which devices of which machines a plan is made for and carried out, as data."""

from __future__ import annotations

from lab.machines.parts import functions, give, unbind
from lab.plan_case import PlanCase
from lab.steps import Command, Step, Verb, commands

__all__ = ["CASES", "PLAN_KERNELS", "QEMU_KERNELS", "QUICK_CASE"]

PLAN_KERNELS = ("5.10", "6.12", "7.3")
# Where the guest's own QEMU is started too: emulated twice, that takes minutes.
QEMU_KERNELS = ("6.12",)
QUICK_CASE = "two-functions"


def _plan(machine: str, *targets: str, qemu: bool = False) -> PlanCase:
    return PlanCase(machine, targets, qemu=qemu)


_VFIO = commands(Command("load vfio_pci"), Command("load vfio_iommu_type1"))
_HALF = (*_VFIO, *commands(*give("old1")))
_AMD_SETUP = commands(*unbind("old1"), Step(Verb.OVERRIDE, "old1", "none"))
_AMD_REMAPS = ("5.10", "6.1", "6.12")
_VFS = commands(*functions("disk"))
_LSPCI = "lspci -nnk 2> /dev/null"


def _to_the_host(name: str, driver: str) -> tuple[str, ...]:
    return (f"give {name} {driver}", f"override {name}")


def _default_route(address: str) -> tuple[str, ...]:
    """Return lines that lead the default route over the interface of a NIC."""
    return (
        f"dash ip link set $(ls /sys/bus/pci/devices/{address}/net) up",
        f"dash ip route add default dev $(ls /sys/bus/pci/devices/{address}/net)",
    )


# What the guest must answer to the checks of a conditional plan.
_REMAPPED = r"\bIR-"
_NOT_DIRECT = r"\A(?![\s\S]* direct$)"
_HAS_ROUTE = "ip route show default | grep default"

# Cases of one machine stand together: they share a boot.
CASES = (
    # A card below a port with ACS; two neighbours behind a bridge; functions of the
    # root bus; the chipset's disk controller, with lpc_ich beside it.
    _plan("reference", "nic", qemu=True),
    _plan("reference", "old1", qemu=True),
    # Not started: QEMU says that the card cannot be reset, as the plan said it would.
    _plan("reference", "usb"),
    _plan("reference", "audio"),
    _plan("reference", "0000:00:1f.2"),
    _plan("reference", "nic", "usb", "old2"),
    PlanCase("reference", ("rp1",), "a port", refused="not-on-vfio"),
    PlanCase("reference", ("bridge",), "a bridge", refused="not-on-vfio"),
    PlanCase("reference", ("old2",), "its neighbour is on vfio-pci", _HALF, qemu=True),
    PlanCase("reference", ("old1",), "on vfio-pci, its neighbour is not"),
    PlanCase(
        "reference",
        ("nic",),
        "its override names pci-stub",
        (*_to_the_host("old1", "e1000"), "override nic pci-stub"),
    ),
    PlanCase("reference", ("nic",), "on pci-stub", ("give nic pci-stub",)),
    PlanCase(
        "reference",
        ("nic",),
        "without what tells of interrupts and reserved memory",
        _to_the_host("nic", "e1000e"),
        lost=("sys/kernel/irq/*", "*/reserved_regions"),
        answers=(_REMAPPED, "^0x[0-9a-f]+ 0x[0-9a-f]+ msi$", _NOT_DIRECT),
    ),
    PlanCase(
        "reference",
        ("nic",),
        "without mounts and routes",
        lost=("proc/1/mountinfo", "proc/swaps", "proc/net/*"),
        answers=("-> .*/0000:01:00.0/net/",),
    ),
    PlanCase(
        "reference",
        ("nic",),
        "made of lspci -nnk",
        paste=_LSPCI,
        answers=(_REMAPPED, _NOT_DIRECT, "-> .*/0000:01:00.0/net/"),
    ),
    PlanCase("reference", ("usb",), "made of lspci -nnk", paste=_LSPCI),
    PlanCase(
        "reference",
        ("audio",),
        "made of lspci -nn, which tells no drivers",
        paste="lspci -nn 2> /dev/null",
        answers=("snd_hda_intel$",),
    ),
    PlanCase(
        "reference",
        ("old1",),
        "made of lspci -nnk, which tells of no neighbour",
        paste=_LSPCI,
        answers=("0000:03:02.0",),
        stops="0000:03:02.0 is in the group of 0000:03:01.0 too",
    ),
    PlanCase(
        "reference",
        ("old1",),
        "the default route is over its neighbour",
        _default_route("0000:03:02.0"),
        refused="host-loss",
        alive=_HAS_ROUTE,
    ),
    PlanCase(
        "reference",
        ("old2",),
        "the default route is over it",
        refused="host-loss",
        alive=_HAS_ROUTE,
    ),
    _plan("two-functions", "f0", qemu=True),
    _plan("two-functions", "f1"),
    _plan("four-functions", "f1"),
    _plan("four-functions", "g0", "g1", qemu=True),
    # No ACS: the ports are in the group, on pcieport.
    _plan("no-acs", "nic1", qemu=True),
    _plan("no-acs", "nic2"),
    _plan("switch-no-acs", "nic"),
    # The inner bridge is on shpchp.
    _plan("bridges", "old1", qemu=True),
    _plan("bridges", "sound"),
    PlanCase("bridges", ("inner",), "a bridge with a driver", refused="not-on-vfio"),
    _plan("legacy-bridge", "old1"),
    _plan("three-bridges", "old1", "old2"),
    _plan("switch-bridge", "old1", "nic"),
    _plan("cascade", "nic1", "disk"),
    PlanCase("sriov", ("disk/0",), setup=_VFS, qemu=True),
    _plan("sriov", "nic"),
    PlanCase("sriov", ("disk",), "it has virtual functions", refused="sriov-mix"),
    PlanCase(
        "sriov",
        ("disk",),
        "its virtual functions were removed",
        commands(*functions("disk", 0)),
    ),
    # igb takes its virtual functions along, in use or not.
    PlanCase(
        "sriov-nic",
        ("card",),
        "it has virtual functions, with drivers",
        ("sriov card 2",),
        refused="sriov-mix",
    ),
    PlanCase("sriov-nic", ("card/0",), qemu=True),
    _plan("sriov-nic", "card/0", "card/1"),
    PlanCase(
        "sriov-nic",
        ("card",),
        "a virtual function is on vfio-pci",
        (*_VFIO, *commands(*give("card/1"))),
        refused="sriov-mix",
    ),
    PlanCase("sriov-nic", ("card/0",), "its sister is on vfio-pci"),
    PlanCase(
        "sriov-nic",
        ("card",),
        "its virtual functions were removed",
        (*_to_the_host("card/1", "igbvf"), "sriov card 0"),
        qemu=True,
    ),
    PlanCase(
        "beside-disk",
        ("nic",),
        "its neighbour holds a mounted file system",
        (
            "load crc32c_generic",
            "load ext4",
            "load sd_mod",
            "dash mkdir -p /mnt /data",
            "dash mke2fs -q /dev/nvme0n1",
            "dash mount -t ext2 /dev/nvme0n1 /mnt",
        ),
        refused="host-loss",
        alive="echo kept > /mnt/file && sync && cat /mnt/file",
    ),
    PlanCase(
        "beside-disk",
        ("flash",),
        "it holds a mounted file system",
        refused="host-loss",
        alive="echo kept > /mnt/file && sync && cat /mnt/file",
    ),
    PlanCase(
        "beside-disk",
        ("usb",),
        "its neighbour holds the swap",
        ("dash mkswap /dev/vda", "dash swapon /dev/vda"),
        refused="host-loss",
        alive="grep vda /proc/swaps",
    ),
    PlanCase(
        "beside-disk",
        ("0000:00:1f.3",),
        "its neighbour holds a mounted file system",
        ("dash mke2fs -q /dev/sda", "dash mount -t ext2 /dev/sda /data"),
        refused="host-loss",
        alive="echo kept > /data/file && sync && cat /data/file",
    ),
    PlanCase(
        "beside-disk",
        ("nic",),
        "its neighbour is a disk, and the mounts are not told",
        ("dash umount /mnt",),
        lost=("proc/1/mountinfo", "proc/swaps"),
        refused="host-loss",
    ),
    PlanCase("beside-disk", ("nic",), "its neighbour is an idle disk", qemu=True),
    PlanCase(
        "beside-disk",
        ("usb",),
        "its neighbour is an idle disk",
        ("dash swapoff /dev/vda",),
    ),
    _plan("root-functions", "nic1"),
    _plan("root-functions", "ehci"),
    _plan("conventional-root", "old1", "uhci"),
    _plan("mixed-cards", "disk", "net"),
    _plan("mixed-cards", "scsi", "audio"),
    # No driver at all, and a neighbour's override that somebody has set.
    _plan("unclaimed", "display"),
    _plan("unclaimed", "old"),
    PlanCase("amd", ("nic",), kernels=_AMD_REMAPS),
    PlanCase("amd", ("old2",), setup=_AMD_SETUP, kernels=_AMD_REMAPS),
    # 7.3 does not use the remapping of that machine (docs/kernel-notes.md).
    PlanCase("amd", ("nic",), refused="interrupt-remapping", kernels=("7.3",)),
    PlanCase(
        "amd",
        ("old2",),
        setup=_AMD_SETUP,
        accept="interrupt-remapping",
        kernels=("7.3",),
    ),
    # Handed over by hand, the neighbour forgotten: the kernel says -EPERM.
    PlanCase("three-roots", ("old1",), "half of its group is on vfio-pci", _HALF),
    _plan("two-roots", "nic1", "usb"),
    PlanCase("no-remapping", ("nic",), refused="interrupt-remapping"),
    PlanCase("no-remapping", ("old1",), accept="interrupt-remapping"),
    PlanCase(
        "no-remapping",
        ("nic",),
        "without what tells of interrupts",
        lost=("sys/kernel/irq/*",),
        stops="interrupts are not remapped",
    ),
    PlanCase("reserved", ("nic",), refused="direct-mapping"),
    PlanCase(
        "reserved",
        ("nic",),
        "without what tells of reserved memory",
        lost=("*/reserved_regions",),
        answers=(" direct$",),
        stops="firmware insists on a 1:1 mapping",
    ),
    _plan("identity", "nic"),
    _plan("lazy", "nic2"),
    PlanCase(
        "unsafe-interrupts",
        ("old1",),
        setup=("load vfio_iommu_type1 allow_unsafe_interrupts=1",),
    ),
)
