"""What may have made the kernel's group another one than isolation gives now.

Groups form when devices are added; registers are read later. Only what fits the facts
of the machine is offered, the likeliest first.
"""

from __future__ import annotations

from iommu_inspect.kernel.grouping.acs.off import controls_off, made_up_isolation
from iommu_inspect.kernel.grouping.acs.quirks import REQUIRED_ACS
from iommu_inspect.kernel.grouping.making.joining import Grouping, Mechanism
from iommu_inspect.kernel.grouping.making.recompute import Recomputed
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group

__all__ = ["suspects"]


def suspects(grouping: Grouping, found: Recomputed, group: Group) -> tuple[str, ...]:
    """Return sentences for a group that isolation does not give."""
    labels = {found.labels.get(d.address) for d in group.devices}
    larger = len(labels) > 1
    return (
        _kernel_joined_more(grouping, group)
        if larger
        else _kernel_joined_less(grouping, found, group)
    )


def _kernel_joined_less(
    grouping: Grouping, found: Recomputed, group: Group
) -> tuple[str, ...]:
    """Explain a group that is smaller than isolation would have it."""
    answers = []
    word = made_up_isolation(grouping.machine)
    if word is not None:
        answers.append(
            f"the kernel was booted with {word}, which makes it take devices for "
            "isolated that are not (in kernels with the ACS override patch)"
        )
    leaks = _leaks(grouping, found, group)
    off = [device for device in leaks if controls_off(device)]
    if off:
        answers.append(
            f"ACS of {_names(off)} was switched off after the groups were made (setpci "
            "can do that)"
        )
    none = [device for device in leaks if not controls_off(device)]
    if none:
        answers.append(
            f"a quirk of this kernel takes {_names(none)} for isolated, which "
            "configuration space does not show"
        )
    return tuple(answers)


def _leaks(grouping: Grouping, found: Recomputed, group: Group) -> list[Device]:
    """Return where isolation is lost for the devices that share the group's label."""
    labels = {found.labels.get(device.address) for device in group.devices}
    by_address = {device.address: device for device in grouping.machine.devices}
    leaks = []
    for address, label in found.labels.items():
        placement = found.placements[address]
        if label not in labels or placement.mechanism is Mechanism.ALONE:
            continue
        leak = placement.at or by_address[address]
        if leak not in leaks:
            leaks.append(leak)
    return leaks


def _kernel_joined_more(grouping: Grouping, group: Group) -> tuple[str, ...]:
    """Explain a group that is larger than isolation would have it."""
    answers = []
    on = [device for device in _path(grouping, group) if _switched_on(device)]
    if on:
        answers.append(
            f"ACS of {_names(on)} was switched on after the groups were made (setpci, "
            "or the kernel itself when it set up the IOMMU late)"
        )
    answers.append(
        "a quirk of this kernel gives two of its devices one requester id, which "
        "configuration space does not show"
    )
    return tuple(answers)


def _path(grouping: Grouping, group: Group) -> list[Device]:
    """Return the group's functions and what is above them, each once, in order."""
    found: list[Device] = []
    for device in group.devices:
        for hop in [device, *grouping.topology.upwards(device)]:
            if hop not in found:
                found.append(hop)
    return found


def _switched_on(device: Device) -> bool:
    acs = device.pci.acs
    if acs is None or not known(acs):
        return False
    return bool(acs.capability & acs.control & REQUIRED_ACS)


def _names(devices: list[Device]) -> str:
    names = [device.address for device in devices[:3]]
    more = len(devices) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
