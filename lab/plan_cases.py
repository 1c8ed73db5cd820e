"""Which devices of which machines a plan is made for and carried out, as data."""

from __future__ import annotations

from dataclasses import dataclass

from lab.machines.parts import functions, give, unbind
from lab.steps import Command, Step, Verb, commands

__all__ = ["CASES", "PLAN_KERNELS", "QEMU_KERNELS", "QUICK_CASE", "PlanCase"]

PLAN_KERNELS = ("5.10", "6.12", "7.3")
# Where the guest's own QEMU is started too: emulated twice, that takes minutes.
QEMU_KERNELS = ("6.12",)
QUICK_CASE = "two-functions"


@dataclass(frozen=True)
class PlanCase:
    """One plan: a machine, what the plan is asked for, and what must come of it.

    ``targets`` are the machine's names, or addresses of what QEMU brings along.
    ``setup`` are commands of the guest that come first; what they do stays for the
    machine's later cases. ``refused`` names the rule where there must be no plan.
    ``qemu`` says that QEMU is to start in the guest with the printed arguments,
    ``kernels`` that the case is about these alone.
    """

    machine: str
    targets: tuple[str, ...]
    setup: tuple[str, ...] = ()
    accept: str = ""
    refused: str = ""
    qemu: bool = False
    kernels: tuple[str, ...] = ()

    def holds_on(self, kernel: str) -> bool:
        """Say whether the case is about this kernel; without a list it is about all."""
        return not self.kernels or kernel in self.kernels

    @property
    def name(self) -> str:
        """What the case is called in messages."""
        return f"{self.machine}: {' '.join(self.targets)}"


def _plan(machine: str, *targets: str, qemu: bool = False) -> PlanCase:
    return PlanCase(machine, targets, qemu=qemu)


_HALF = commands(
    Command("load vfio_pci"), Command("load vfio_iommu_type1"), *give("old1")
)
_AMD_SETUP = commands(*unbind("old1"), Step(Verb.OVERRIDE, "old1", "none"))
_AMD_REMAPS = ("5.10", "6.1", "6.12")
_VFS = commands(*functions("disk"))

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
    PlanCase("reference", ("rp1",), refused="not-on-vfio"),
    _plan("two-functions", "f0", qemu=True),
    _plan("two-functions", "f1"),
    _plan("four-functions", "f1"),
    _plan("four-functions", "g0", "g1", qemu=True),
    # No ACS: the ports are in the group, on pcieport.
    _plan("no-acs", "nic1", qemu=True),
    _plan("no-acs", "nic2"),
    _plan("switch-no-acs", "nic"),
    # The inner bridge is on shpchp.
    _plan("bridges", "old1"),
    _plan("bridges", "sound"),
    PlanCase("sriov", ("disk/0",), setup=_VFS, qemu=True),
    _plan("sriov", "nic"),
    PlanCase("sriov", ("disk",), refused="sriov-mix"),
    _plan("root-functions", "nic1"),
    _plan("root-functions", "ehci"),
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
    PlanCase("three-roots", ("old1",), setup=_HALF),
    PlanCase("no-remapping", ("nic",), refused="interrupt-remapping"),
    PlanCase("no-remapping", ("old1",), accept="interrupt-remapping"),
    PlanCase("reserved", ("nic",), refused="direct-mapping"),
)
