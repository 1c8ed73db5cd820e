"""How a device can be reset between two owners, and who is reset with it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_VENDOR_ID_AMD,
    PCI_VENDOR_ID_ATI,
)
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.topology import Topology
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="reset-scope",
    summary="a device cannot be reset, or not without others",
    severity=Severity.WARNING,
)
# Methods that reset this function and nothing else, and that users rely on. "pm" is
# left out: QEMU takes it only where nothing else works, since many devices keep
# their state through it.
_OWN = frozenset({"device_specific", "acpi", "flr", "af_flr"})
# Since v5.15 ("vfio/pci: Change VFIO_DEVICE_PCI_HOT_RESET to use the dev_set") every
# function of the bus has to be on vfio; before, to be in a group that the user holds.
_ALL_ON_VFIO = (5, 15)


@dataclass(frozen=True, slots=True)
class _Bus:
    """What a reset of a device's bus would reset with it.

    ``resettable`` is false on a root bus and for virtual functions.
    """

    resettable: bool
    others: tuple[Device, ...]


def _check(case: Case, device: Device) -> Iterator[Finding]:
    if not device.is_pci or device.is_bridge is True or not known(device.path):
        return
    methods = _methods(case.inquiry, device)
    name = shown(device.address)
    if not known(methods):
        yield case.finding(
            device,
            f"The source does not tell how {name} can be reset (the kernel shows it "
            "since v5.15).",
            "Look at the host itself, with a kernel that shows it.",
            severity=Severity.INFO,
            certainty=Certainty.UNKNOWN,
            cures=[Look(Looking.RESET_METHODS, device.id)],
        )
        return
    if _OWN & set(methods):
        return
    bus = _bus(case.inquiry.topology, device)
    if bus.resettable and bus.others:
        yield from _with_others(case, device, methods, bus.others)
    elif not bus.resettable or not {"bus", "cxl_bus"} & set(methods):
        yield _alone(case, device, methods)


def _methods(inquiry: Inquiry, device: Device) -> Fact[tuple[str, ...]]:
    """Return the methods; the file of a device that has none does not exist.

    That it does not says so only where other devices have theirs.
    """
    methods = device.reset_methods
    if methods is not Missing.ABSENT:
        return methods
    shows = inquiry.once(
        "shows reset methods",
        lambda: any(known(d.reset_methods) for d in inquiry.machine.devices),
    )
    return () if shows else Missing.ABSENT


def _bus(topology: Topology, device: Device) -> _Bus:
    if topology.parent(device) is None or device.pci.is_virtual:
        return _Bus(resettable=False, others=())
    beside = topology.siblings(device)
    return _Bus(True, tuple(d for b in beside for d in topology.subtree(b) if d.is_pci))


def _alone(case: Case, device: Device, methods: tuple[str, ...]) -> Finding:
    name = shown(device.address)
    if "pm" in methods:
        return case.finding(
            device,
            f"{name} can be reset only by power management (pm), through which many "
            "devices keep their state.",
            "If a second start of the guest fails, the device needs a reboot of the "
            "host between owners.",
            severity=Severity.INFO,
        )
    return case.finding(
        device,
        f"The kernel has no way to reset {name}: the next owner, the host among "
        "them, gets it in the state in which the last one left it.",
        f"Reboot the host between owners.{_VENDOR_RESET if _of_amd(device) else ''}",
    )


_VENDOR_RESET = (
    " For some AMD graphics cards the module vendor-reset adds a way (write "
    "device_specific into reset_method)."
)


def _of_amd(device: Device) -> bool:
    """Say whether it is a function of an AMD graphics card, or may be one."""
    vendor, base = device.ids.vendor, device.base_class
    of_amd = vendor in (PCI_VENDOR_ID_ATI, PCI_VENDOR_ID_AMD) or not known(vendor)
    return of_amd and (not known(base) or base >> 8 == PCI_BASE_CLASS_DISPLAY)


def _with_others(
    case: Case, device: Device, methods: tuple[str, ...], others: tuple[Device, ...]
) -> Iterator[Finding]:
    """Judge a reset of the bus: VFIO's hot reset, since the function has none."""
    stopping = [d for d in others if _stops(case, device, d)]
    counted = {d.id for d in stopping}
    apart = [d for d in others if d.id not in counted and _held_apart(case, device, d)]
    if not stopping and not apart:
        return
    by_pm = "pm" in methods
    told = all(has_vfio_driver(d) is not None for d in stopping)
    yield case.finding(
        device,
        f"{shown(device.address)} has no reset of its own"
        f"{' but that of power management (pm)' if by_pm else ''}: VFIO resets the "
        f"whole bus, {_named(case, (*stopping, *apart))} with it. The kernel refuses "
        "that with -EINVAL unless all of them are "
        f"{'on vfio and ' if stopping else ''}held by the same owner.",
        _remedy(stopping),
        others=(*stopping, *apart),
        severity=Severity.INFO if by_pm or not told else None,
        certainty=Certainty.KERNEL if told else Certainty.UNKNOWN,
        references=("drivers/vfio/pci/vfio_pci_core.c: vfio_pci_dev_set_hot_reset()",),
    )


def _stops(case: Case, device: Device, other: Device) -> bool:
    """Say whether a function of the bus that is not on vfio makes VFIO refuse."""
    if has_vfio_driver(other) is True:
        return False
    if not case.share_group(device, other):
        return True
    if other.driver is not None and other.is_bridge is not True:
        return False  # mixed-ownership says that this one has to go first
    release = value_or(case.machine.kernel.release, "")
    version = version_of(release)
    return version is None or version >= _ALL_ON_VFIO


def _held_apart(case: Case, device: Device, other: Device) -> bool:
    return not case.share_group(device, other) and not case.asked_for(other)


def _named(case: Case, others: tuple[Device, ...]) -> str:
    groups = {d.address: case.machine.group_of(d) for d in others}
    return listed(
        f"{shown(d.address)} ({bound_to(d)}"
        f"{'' if (g := groups[d.address]) is None else f', group {g.id}'})"
        for d in others
    )


def _remedy(stopping: list[Device]) -> str:
    if any(d.is_bridge is True for d in stopping):
        return (
            "A bridge is on the bus, and it cannot be on vfio: put the card into a "
            "slot of its own, or reboot the host between owners."
        )
    if stopping:
        return (
            "Bind what shares the bus to vfio-pci too, and give all of it to one "
            "owner; else the device starts in the state in which it was left."
        )
    return "Give all of them to the same owner."


RULE = Rule(ABOUT, check_device=_check)
