"""A driver_override that did not come about."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import ClearOverride, Cure, ProbeAgain
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Finding, Rule, Severity

ABOUT = About(
    id="driver-override",
    summary="driver_override names another driver than the one bound",
    severity=Severity.WARNING,
)


def _check(case: Case) -> Iterator[Finding]:
    for device in case.machine.devices:
        if _is_pending(device) and case.concerns(device):
            yield _judge(case, device)


def _is_pending(device: Device) -> bool:
    override, driver = device.driver_override, device.driver
    if override is None or not known(override) or not known(driver):
        return False
    if driver is None:
        # "none" is how a device is kept from getting a driver: it has come about.
        return override != "none"
    return normalised(driver) != normalised(override)


def _judge(case: Case, device: Device) -> Finding:
    override = str(device.driver_override)
    return case.finding(
        device,
        f"driver_override of {shown(device.address)} says {shown(override)}, but "
        f"the device is {bound_to(device)}: the override waits for the next probe, "
        "or there is no such driver.",
        _remedy(device),
        cures=_cures(device, override),
    )


def _remedy(device: Device) -> str:
    if device.driver is None:
        return "Load the driver and probe again, or clear the override."
    # drivers_probe passes over a device that is bound already.
    return (
        "It comes about once the device leaves the driver that it has; where that is "
        "not wanted, clear the override."
    )


def _cures(device: Device, override: str) -> tuple[Cure, ...]:
    probe = (ProbeAgain(device.id, override),) if device.driver is None else ()
    return (*probe, ClearOverride(device.id))


RULE = Rule(ABOUT, check_machine=_check)
