"""Linux is Xen's dom0: the IOMMU is Xen's, and VFIO has nothing to work with."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.platform import XenRole
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE, Purpose

__all__ = ["RULE", "is_dom0"]

ABOUT = About(
    id="xen-dom0",
    summary="this is Xen's dom0, and the IOMMU is Xen's",
    severity=Severity.ERROR,
    purposes=EVERY_PURPOSE,
)
_BACKEND = ("pciback", "xen_pciback")


def is_dom0(machine: Machine) -> bool:
    """Say whether this is Xen's dom0: Xen says so, or its driver holds a device.

    That driver serves guests, so a guest has it bound only where it was made to serve
    others itself.
    """
    if machine.xen is XenRole.DOM0:
        return True
    if known(machine.xen) and machine.xen is not XenRole.UNTOLD:
        return False
    drivers = (d.driver for d in machine.devices if d.is_pci)
    return any(isinstance(d, str) and normalised(d) in _BACKEND for d in drivers)


def _check(case: Case) -> Iterator[Finding]:
    machine = case.machine
    # Whether groups were captured is all one: dom0 has none.
    if machine.groups or not is_dom0(machine):
        return
    dpdk = case.purpose is Purpose.DPDK
    yield case.finding(
        None,
        "This is Xen's dom0. Xen itself owns the IOMMU, so Linux sees none and has no "
        "IOMMU groups: VFIO does not work here.",
        "Let Xen pass devices through: keep them from dom0's drivers with xen-pciback "
        "(xl's pci-assignable-add, or xen-pciback.hide= at boot), and give them to a "
        "guest by xl's pci= or the tool stack (XCP-ng, XenServer). VFIO needs this "
        "host booted without Xen.",
        severity=Severity.WARNING if dpdk else None,
        certainty=Certainty.DERIVED,
        step="pass it through with Xen's own tools",
        final=not dpdk,
    )


RULE = Rule(ABOUT, check_machine=_check)
