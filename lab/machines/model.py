"""What a machine is, and how QEMU is told.

A machine is data.  ``Device`` is one ``-device`` argument with a short name to
refer to it; ``Machine`` adds what surrounds them.  The generator of machines makes
the same objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from lab import acpi
from lab.errors import LabError
from lab.steps import Move


class Iommu(Enum):
    """The IOMMU of a machine; the value is its QEMU device, if it has one."""

    NONE = ""
    INTEL = "intel-iommu,intremap=on,caching-mode=on"
    INTEL_NO_REMAP = "intel-iommu,intremap=off,caching-mode=on"
    AMD = "amd-iommu,intremap=on"
    AMD_NO_REMAP = "amd-iommu,intremap=off"
    VIRTIO = "virtio-iommu-pci,bus=pcie.0,addr=1e.0"
    SMMUV3 = "smmuv3"


# QEMU's name of the first root bus, and the devices that sit on no bus.
ROOT_BUS = "pcie.0"
NOT_PCI = frozenset({"nvme-subsys"})
# A bus of the board that is no PCI bus: its disk controller's first port.
DISK_BUS = "ide.0"

# The models that a driver could use: class, and the driver that binds by itself.
ENDPOINTS = {
    "e1000e": ("0200", "e1000e"),
    "e1000": ("0200", "e1000"),
    "nec-usb-xhci": ("0c03", "xhci_hcd"),
    "qemu-xhci": ("0c03", "xhci_hcd"),
    "nvme": ("0108", "nvme"),
    "ich9-intel-hda": ("0403", "snd_hda_intel"),
    "AC97": ("0401", ""),
    "rtl8139": ("0200", ""),
    "virtio-scsi-pci": ("0100", "virtio-pci"),
}

__all__ = [
    "DISK_BUS",
    "ENDPOINTS",
    "NOT_PCI",
    "ROOT_BUS",
    "Device",
    "Iommu",
    "Machine",
    "parse_device",
    "port",
]

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

    @property
    def is_endpoint(self) -> bool:
        """Say whether a driver could use it."""
        return self.model in ENDPOINTS

    @property
    def class_code(self) -> str:
        """Base class and subclass, empty for what is no endpoint."""
        return ENDPOINTS.get(self.model, ("", ""))[0]

    @property
    def driver(self) -> str:
        """The driver that binds by itself, empty if none does."""
        return ENDPOINTS.get(self.model, ("", ""))[1]

    @property
    def _place(self) -> str | None:
        # Left to itself, QEMU may take another root bus.
        return self.bus or (ROOT_BUS if self.model not in NOT_PCI else None)

    def properties(self) -> dict[str, object]:
        """Return the arguments of QMP's ``device_add`` for this device."""
        found: dict[str, object] = {"driver": self.model}
        if self.name:
            found["id"] = self.name
        if self._place:
            found["bus"] = self._place
        if self.slot:
            found["addr"] = self.slot
        for option in filter(None, self.options.split(",")):
            key, _, value = option.partition("=")
            found[key] = {"on": True, "off": False}.get(value, _number(value))
        return found

    def option(self, name: str) -> str | None:
        """Return the property ``name`` as it was given, if it was."""
        pairs = (option.partition("=") for option in self.options.split(","))
        return next((value for key, _, value in pairs if key == name), None)

    def argument(self) -> str:
        """Return the value of QEMU's ``-device`` for this device."""
        parts = [self.model]
        if self.name:
            parts.append(f"id={self.name}")
        if self._place:
            parts.append(f"bus={self._place}")
        if self.slot:
            parts.append(f"addr={self.slot}")
        if self.options:
            parts.append(self.options)
        return ",".join(parts)


def _number(text: str) -> object:
    return int(text) if text.isdecimal() else text


def parse_device(text: str) -> Device:
    """Read what ``Device.argument`` wrote."""
    model, *options = text.split(",")
    known = {"id": "", "bus": "", "addr": ""}
    others = list[str]()
    for option in options:
        key, _, value = option.partition("=")
        if key in known:
            known[key] = value
        else:
            others.append(option)
    bus = known["bus"]
    return Device(
        model,
        known["id"],
        bus if bus and bus != ROOT_BUS else None,
        known["addr"] or None,
        ",".join(others),
    )


@dataclass(frozen=True)
class Machine:
    """An emulated machine.

    ``kernel_arguments`` are added to the command line, ``without`` names modules
    that are not loaded, ``module_options`` maps a module to its options, and
    ``spare`` are devices for hot-plug, by name.  ``since`` is the first
    kernel series that the machine runs with; empty means all of its architecture.
    ``reserved`` are regions that the firmware wants mapped one to one (intel-iommu
    only).
    ``newer_qemu`` says that old QEMUs do not know all of its devices.

    ``states`` are the moves that lead from each state to the next; the first state is
    the machine as it booted.
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
    since: tuple[int, ...] = ()
    gic_version: int = 3
    qemu_arguments: tuple[str, ...] = ()
    newer_qemu: bool = False
    reserved: tuple[acpi.Reserved, ...] = ()
    states: tuple[tuple[Move, ...], ...] = ((),)

    @property
    def endpoints(self) -> tuple[Device, ...]:
        """The devices, as booted, that a driver could use."""
        return tuple(device for device in self.devices if device.is_endpoint)

    def device(self, name: str) -> Device:
        """Return the device called ``name``, a spare one too."""
        for device in (*self.devices, *self.spare):
            if device.name == name:
                return device
        raise LabError(f"{self.name} has no device '{name}'")

    def firmware(self) -> dict[str, bytes]:
        """Return the firmware tables that replace QEMU's, by path."""
        if not self.reserved:
            return {}
        remapping = self.iommu is Iommu.INTEL
        return {acpi.PATH: acpi.dmar(self.reserved, remapping=remapping)}

    def arguments(self) -> list[str]:
        """Return QEMU's arguments for the hardware of this machine."""
        # Page tables of five levels are a quarter of a boot's time, under emulation.
        cpu = "max,la57=off" if self.architecture == "amd64" else "max"
        found = ["-accel", "tcg", "-cpu", cpu, "-m", "640"]
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
