"""Parts that several machines share: trees of devices, and steps for states."""

from __future__ import annotations

from lab.machines.model import Device, port
from lab.steps import Step, Verb

__all__ = [
    "BOOTED",
    "BRIDGES",
    "FUNCTIONS",
    "LOOSE",
    "MIXED",
    "PLAIN",
    "SLOTS",
    "SPARES",
    "SRIOV",
    "SWITCH",
    "VIRTUAL",
    "bind",
    "claim",
    "closed",
    "disk",
    "down",
    "functions",
    "give",
    "load",
    "new_id",
    "opened",
    "parameter",
    "plug",
    "probe",
    "released",
    "remove_id",
    "sriov_disk",
    "typed",
    "unbind",
    "unload",
    "unplug",
    "up",
]

BOOTED: tuple[Step, ...] = ()
VIRTUAL = 2


def give(*names: str, driver: str = "vfio-pci") -> tuple[Step, ...]:
    """Return the steps that hand the devices ``names`` to ``driver``."""
    return tuple(Step(Verb.GIVE, name, driver) for name in names)


def unbind(*names: str) -> tuple[Step, ...]:
    """Return the steps that take the devices ``names`` from their drivers."""
    return tuple(Step(Verb.UNBIND, name) for name in names)


def claim(name: str) -> Step:
    """Return the step by which user space takes the group of the device ``name``."""
    return Step(Verb.CLAIM, name)


def opened(name: str) -> Step:
    """Return the step by which user space binds a device's own node to an iommufd."""
    return Step(Verb.OPEN, name)


def closed(name: str) -> Step:
    """Return the step by which user space closes a device's own node."""
    return Step(Verb.CLOSE, name)


def released(name: str) -> Step:
    """Return the step by which user space lets the group of a device go."""
    return Step(Verb.RELEASE, name)


def bind(name: str, driver: str) -> Step:
    """Return the step that binds ``driver`` to a device that has none."""
    return Step(Verb.BIND, name, driver)


def probe(name: str, driver: str) -> tuple[Step, ...]:
    """Return the steps that have the bus look for ``driver`` for a device."""
    return Step(Verb.OVERRIDE, name, driver), Step(Verb.PROBE, name)


def new_id(name: str, driver: str = "vfio-pci") -> Step:
    """Return the step that tells ``driver`` of the id that a device has."""
    return Step(Verb.NEW_ID, name, driver)


def remove_id(name: str, driver: str = "vfio-pci") -> Step:
    """Return the step that has ``driver`` forget the id of a device."""
    return Step(Verb.REMOVE_ID, name, driver)


def typed(name: str, *types: str) -> tuple[Step, ...]:
    """Return the steps that write ``types`` to the group of a device."""
    return tuple(Step(Verb.TYPE, name, each) for each in types)


def load(module: str) -> Step:
    """Return the step that loads a module."""
    return Step(Verb.LOAD, module)


def unload(module: str) -> Step:
    """Return the step that removes a module."""
    return Step(Verb.UNLOAD, module)


def parameter(name: str, *values: str) -> tuple[Step, ...]:
    """Return the steps that write ``values`` to the parameter MODULE.NAME."""
    return tuple(Step(Verb.PARAMETER, name, value) for value in values)


def plug(*names: str) -> tuple[Step, ...]:
    """Return the steps that plug the spare devices ``names`` in."""
    return tuple(Step(Verb.HOTPLUG, name) for name in names)


def unplug(*names: str) -> tuple[Step, ...]:
    """Return the steps that take the devices ``names`` out."""
    return tuple(Step(Verb.UNPLUG, name) for name in names)


def functions(name: str, count: int = VIRTUAL) -> tuple[Step, ...]:
    """Return the step that gives the drive ``name`` so many virtual functions."""
    return (Step(Verb.SRIOV, name, str(count)),)


def up(name: str, bus: str) -> Device:
    """Return the upper port of a switch."""
    return Device("x3130-upstream", name, bus)


def down(name: str, chassis: int, bus: str, slot: str, more: str = "") -> Device:
    """Return a lower port of a switch; QEMU's has no ACS."""
    options = f"chassis={chassis},slot={chassis}" + (f",{more}" if more else "")
    return Device("xio3130-downstream", name, bus, slot, options)


def disk(name: str, bus: str, slot: str | None = None, more: str = "") -> Device:
    """Return an NVMe drive without media."""
    options = f"serial={name}" + (f",{more}" if more else "")
    return Device("nvme", name, bus, slot, options)


def sriov_disk(name: str, bus: str) -> tuple[Device, Device]:
    """Return an NVMe drive that can have virtual functions, with its subsystem."""
    given = f"subsys={name}-subsystem,sriov_max_vfs={VIRTUAL}"
    given += f",sriov_vq_flexible={2 * VIRTUAL},sriov_vi_flexible={VIRTUAL}"
    subsystem = Device("nvme-subsys", f"{name}-subsystem")
    return subsystem, disk(name, bus, more=given)


MIXED = (
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
PLAIN = tuple(
    device for device in MIXED if device.name not in ("rp2", "bridge", "old1", "old2")
)

FUNCTIONS = (
    port("rp1", 1, "1.0"),
    Device("e1000e", "f0", "rp1", "0.0", "multifunction=on"),
    Device("nec-usb-xhci", "f1", "rp1", "0.1"),
)

SWITCH = (
    port("rp1", 1, "1.0"),
    up("up", "rp1"),
    down("down1", 11, "up", "0.0"),
    down("down2", 12, "up", "1.0"),
    Device("e1000e", "nic", "down1"),
    Device("nec-usb-xhci", "usb", "down2"),
)

# Ports without ACS, each in a slot of its own.
LOOSE = (
    port("loose1", 1, "1.0", acs=False),
    Device("e1000e", "nic1", "loose1"),
    port("loose2", 2, "2.0", acs=False),
    Device("e1000e", "nic2", "loose2", "0.0", "multifunction=on"),
    Device("nec-usb-xhci", "usb", "loose2", "0.1"),
)

# Ports that are functions of one slot.  The kernel groups one without ACS only with
# other functions without it: mixed1 stays alone.
SLOTS = (
    port("rp1", 1, "1.0", options="multifunction=on"),
    port("rp2", 2, "1.1"),
    port("rp3", 3, "1.2"),
    Device("e1000e", "nic1", "rp1"),
    Device("nec-usb-xhci", "usb", "rp2"),
    port("mixed1", 4, "2.0", options="multifunction=on"),
    port("mixed2", 5, "2.1", acs=False),
    Device("e1000e", "nic2", "mixed1"),
    Device("e1000e", "nic3", "mixed2"),
)

# A conventional bridge behind another, with neighbours at both levels.
BRIDGES = (
    port("rp1", 1, "1.0"),
    Device("pcie-pci-bridge", "outer", "rp1"),
    Device("e1000", "old1", "outer", "1.0"),
    Device("pci-bridge", "inner", "outer", "2.0", "chassis_nr=21"),
    Device("e1000", "old2", "inner", "1.0"),
    Device("AC97", "sound", "inner", "2.0"),
)

SPARES = (
    port("bare", 1, "1.0", acs=False),
    port("clean", 2, "2.0"),
    Device("nec-usb-xhci", "usb", None, "3.0"),
)

SRIOV = (
    port("rp1", 1, "1.0"),
    *sriov_disk("disk", "rp1"),
    port("rp2", 2, "2.0"),
    Device("e1000e", "nic", "rp2"),
)
