"""The emulated machines: what each one holds, and how QEMU is told.

A machine is data.  ``Device`` is one ``-device`` argument with a short name to
refer to it; ``Machine`` adds what surrounds them.  A generator of machines makes
the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from lab import acpi
from lab.errors import LabError


class Iommu(Enum):
    """The IOMMU of a machine; the value is its QEMU device, if it has one."""

    NONE = ""
    INTEL = "intel-iommu,intremap=on,caching-mode=on"
    INTEL_NO_REMAP = "intel-iommu,intremap=off,caching-mode=on"
    AMD = "amd-iommu,intremap=on"
    AMD_NO_REMAP = "amd-iommu,intremap=off"
    VIRTIO = "virtio-iommu-pci,addr=1e.0"
    SMMUV3 = "smmuv3"


_AMD = (Iommu.AMD, Iommu.AMD_NO_REMAP)
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Device:
    """One emulated device: QEMU's model, where it sits, further properties.

    ``bus`` is the name of the port or bridge above (None: the root bus);
    ``slot`` is ``addr=`` as QEMU writes it, ``"2.1"`` for function 1.
    """

    model: str
    name: str = ""
    bus: str | None = None
    slot: str | None = None
    options: str = ""

    def properties(self) -> dict[str, object]:
        """Return the arguments of QMP's ``device_add`` for this device."""
        found: dict[str, object] = {"driver": self.model}
        if self.name:
            found["id"] = self.name
        if self.bus:
            found["bus"] = self.bus
        if self.slot:
            found["addr"] = self.slot
        for option in filter(None, self.options.split(",")):
            key, _, value = option.partition("=")
            found[key] = {"on": True, "off": False}.get(value, _number(value))
        return found

    def argument(self) -> str:
        """Return the value of QEMU's ``-device`` for this device."""
        parts = [self.model]
        if self.name:
            parts.append(f"id={self.name}")
        if self.bus:
            parts.append(f"bus={self.bus}")
        if self.slot:
            parts.append(f"addr={self.slot}")
        if self.options:
            parts.append(self.options)
        return ",".join(parts)


def _number(text: str) -> object:
    return int(text) if text.isdecimal() else text


@dataclass(frozen=True)
class Machine:
    """An emulated machine.

    ``kernel_arguments`` are added to the command line, ``without`` names modules
    that are not loaded, ``module_options`` maps a module to its options, and
    ``spare`` are devices for hot-plug, by name.  ``kernels`` limits the machine to
    some kernel series; empty means all of its architecture.  ``reserved`` are
    regions that the firmware wants mapped one to one (intel-iommu only).
    """

    name: str
    description: str
    devices: tuple[Device, ...]
    iommu: Iommu = Iommu.INTEL
    architecture: str = "amd64"
    kernel_arguments: str = ""
    without: frozenset[str] = frozenset()
    module_options: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    spare: tuple[Device, ...] = ()
    kernels: frozenset[str] = frozenset()
    gic_version: int = 3
    qemu_arguments: tuple[str, ...] = ()
    reserved: tuple[acpi.Reserved, ...] = ()

    def firmware(self) -> dict[str, bytes]:
        """Return the firmware tables that replace QEMU's, by path."""
        if not self.reserved:
            return {}
        remapping = self.iommu is Iommu.INTEL
        return {acpi.PATH: acpi.dmar(self.reserved, remapping=remapping)}

    def arguments(self) -> list[str]:
        """Return QEMU's arguments for the hardware of this machine."""
        found = ["-accel", "tcg", "-cpu", "max", "-m", "640"]
        if self.architecture == "arm64":
            iommu = "smmuv3" if self.iommu is Iommu.SMMUV3 else "none"
            board = f"virt,iommu={iommu},gic-version={self.gic_version}"
        else:
            board = "q35,kernel-irqchip=split"
        found += ["-machine", board, "-nodefaults", "-display", "none", "-no-reboot"]
        translator = ["-device", self.iommu.value]
        if self.iommu not in (Iommu.NONE, Iommu.SMMUV3, *_AMD):
            found += translator
        for device in self.devices:
            found += ["-device", device.argument()]
        if self.iommu in _AMD:
            # It brings a PCI function of its own, for the first free slot.
            found += translator
        return [*found, *self.qemu_arguments]

    def command_line(self) -> str:
        """Return the kernel arguments that belong to the hardware."""
        words = ["iommu.passthrough=0"]
        if self.architecture == "amd64":
            words.append("iommu=nopt")
        if self.iommu in (Iommu.INTEL, Iommu.INTEL_NO_REMAP):
            words.append("intel_iommu=on")
        if self.kernel_arguments:
            words.append(self.kernel_arguments)
        return " ".join(words)


def port(
    name: str,
    chassis: int,
    slot: str | None = None,
    *,
    acs: bool = True,
    options: str = "",
) -> Device:
    """Return a root port; without ACS if ``acs`` is false."""
    given = f"chassis={chassis},slot={chassis}" + ("" if acs else ",disable-acs=on")
    given += f",{options}" if options else ""
    return Device("pcie-root-port", name, None, slot, given)


_MIXED = (
    port("rp1", 1, "1.0"),
    Device("e1000e", "nic", "rp1"),
    port("rp2", 2, "2.0"),
    Device("pcie-pci-bridge", "bridge", "rp2"),
    Device("e1000", "old1", "bridge", "1.0"),
    Device("e1000", "old2", "bridge", "2.0"),
    Device("nec-usb-xhci", "usb", None, "3.0"),
    Device("ich9-intel-hda", "audio", None, "4.0"),
)

# A virtio-iommu cannot tell apart what sits behind a conventional bridge: those
# devices get no group (6.12), or none of the machine's devices does (7.3).
_PLAIN = tuple(
    device for device in _MIXED if device.name not in ("rp2", "bridge", "old1", "old2")
)

_ALL = (
    Machine(
        "reference",
        "a NIC below a port with ACS, two behind a PCIe-to-PCI bridge, USB, audio",
        _MIXED,
    ),
    Machine(
        "two-functions",
        "an endpoint with two functions below a port with ACS",
        (
            port("rp1", 1, "1.0"),
            Device("e1000e", "f0", "rp1", "0.0", "multifunction=on"),
            Device("nec-usb-xhci", "f1", "rp1", "0.1"),
        ),
    ),
    Machine(
        "switch",
        "a switch with two downstream ports, a NIC and a USB controller below them",
        (
            port("rp1", 1, "1.0"),
            Device("x3130-upstream", "up", "rp1"),
            Device("xio3130-downstream", "down1", "up", "0.0", "chassis=11,slot=1"),
            Device("xio3130-downstream", "down2", "up", "1.0", "chassis=12,slot=2"),
            Device("e1000e", "nic", "down1"),
            Device("nec-usb-xhci", "usb", "down2"),
        ),
    ),
    Machine(
        "empty-slot",
        "two empty slots, one below a port without ACS, to plug a card into",
        (
            port("bare", 1, "1.0", acs=False),
            port("clean", 2, "2.0"),
            Device("nec-usb-xhci", "usb", None, "3.0"),
        ),
        spare=(
            Device("e1000e", "card1", "bare"),
            Device("e1000e", "card2", "clean"),
        ),
    ),
    Machine("no-iommu", "no IOMMU at all", _MIXED, Iommu.NONE),
    Machine(
        "no-iommu-unsafe",
        "no IOMMU, and VFIO told to do without one",
        _MIXED,
        Iommu.NONE,
        module_options={"vfio": "enable_unsafe_noiommu_mode=1"},
    ),
    Machine(
        "virtio-iommu",
        "a paravirtual IOMMU; a NIC below a port with ACS, USB, audio",
        _PLAIN,
        Iommu.VIRTIO,
        kernels=frozenset({"6.12", "7.3"}),
    ),
    Machine(
        "virtio-iommu-bridge",
        "the reference machine with a paravirtual IOMMU",
        _MIXED,
        Iommu.VIRTIO,
        kernels=frozenset({"6.12", "7.3"}),
    ),
    Machine(
        "no-remapping",
        "the reference machine without interrupt remapping",
        _MIXED,
        Iommu.INTEL_NO_REMAP,
    ),
    Machine(
        "reserved",
        "the firmware wants memory mapped one to one for the NIC",
        _MIXED,
        reserved=(acpi.Reserved(((1, 0), (0, 0))),),
    ),
    Machine("amd", "the reference machine with an AMD IOMMU", _MIXED, Iommu.AMD),
    Machine(
        "identity",
        "the reference machine with identity domains (iommu=pt)",
        _MIXED,
        kernel_arguments="iommu=pt iommu.passthrough=1",
    ),
    Machine(
        "arm-smmu",
        "the reference machine on arm64, with an SMMUv3",
        _MIXED,
        Iommu.SMMUV3,
        "arm64",
    ),
    Machine(
        "arm-gicv2",
        "arm64 with an SMMUv3 and an interrupt controller without an ITS",
        _MIXED,
        Iommu.SMMUV3,
        "arm64",
        gic_version=2,
    ),
)

MACHINES: dict[str, Machine] = {machine.name: machine for machine in _ALL}


def find_machine(name: str) -> Machine:
    """Return the machine called ``name``, or say which there are."""
    try:
        return MACHINES[name]
    except KeyError:
        known = ", ".join(MACHINES)
        raise LabError(f"unknown machine '{name}'; known: {known}") from None
