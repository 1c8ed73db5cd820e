"""``ids=`` names a device that this host does not have."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.near import is_near
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.settings.dynamic_ids import DynamicId, matches
from iommu_inspect.settings.ids import ID_DRIVERS, IdSetting, id_settings

ABOUT = About(
    id="ids-name-nothing",
    summary="vfio-pci.ids names a device that is not there",
    severity=Severity.WARNING,
)
_ANY = 0xFFFFFFFF
_MOST = 3


def _check(case: Case) -> Iterator[Finding]:
    functions = [d for d in case.machine.devices if d.is_pci]
    if not functions or any(d.ids.pair is None for d in functions):
        return  # the one that is not told may be the one that is named
    for module in ID_DRIVERS:
        for setting in id_settings(case.machine.settings, module):
            if not setting.in_force:
                continue
            entries = dict.fromkeys(setting.entries)
            free = [d for d in functions if not any(_names(e, d) for e in entries)]
            for entry in entries:
                # Of a bridge vfio-pci has no use, but its id is none that is not there.
                if not any(_names(entry, device) for device in functions):
                    yield _nobody(case, setting, entry, free)


def _names(entry: DynamicId, device: Device) -> bool:
    if device.is_bridge is not True:
        return matches(entry, device) is not False
    pair = (device.ids.vendor, device.ids.device)
    return all(
        wanted in (_ANY, has)
        for wanted, has in zip((entry.vendor, entry.device), pair, strict=True)
    )


def _nobody(
    case: Case, setting: IdSetting, entry: DynamicId, free: list[Device]
) -> Finding:
    near = _near(entry, free)
    missed = [d for d in near if has_vfio_driver(d) is False]
    mine = [d for d in missed if not case.targets or case.asked_for(d)]
    message = (
        f"The id {shown(entry.text)} {setting.where} names no device of this host."
    )
    if near:
        names = listed(
            f"{d.ids.pair} ({shown(d.address)}, {bound_to(d)})" for d in near
        )
        message += f" Near it is {names}."
    return case.finding(
        mine[0] if mine else None,
        message,
        (
            "If that was meant, write its id in ids=, or choose it by address "
            "(driverctl keeps that over boots)."
            if near
            else "Take it out, unless it is for a device that is plugged in at times."
        ),
        others=mine,
        severity=Severity.WARNING if mine else Severity.INFO,
        certainty=Certainty.DERIVED,
    )


def _near(entry: DynamicId, free: list[Device]) -> list[Device]:
    """Return endpoints whose id somebody may have mistyped so, or read wrongly.

    That is one digit wrong or two exchanged; the subsystem's id in the device's place,
    which lspci shows as well; or a wrong subsystem behind the right id. Where many are
    near, as functions of one chipset are, none of them is.
    """
    if entry.vendor == _ANY or entry.device == _ANY:
        return []
    said = f"{entry.vendor:04x}:{entry.device:04x}"
    found = []
    for device in free:
        ids = device.ids
        subsystem = (ids.subsystem_vendor, ids.subsystem_device)
        if device.is_bridge is True or device.is_chipset:
            continue
        if (
            ids.pair == said
            or is_near(said, str(ids.pair))
            or subsystem == (entry.vendor, entry.device)
        ):
            found.append(device)
    return found if len(found) <= _MOST else []


RULE = Rule(ABOUT, check_machine=_check)
