"""A physical function and its virtual ones between host and user space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.kernel.ownership.tokens import GROUPS_ASK, asks
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, host_keeps, normalised
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.machine import Family
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import RemoveVirtualFunctions
from iommu_inspect.rules._words import addresses, bound_to
from iommu_inspect.rules.base import About, Case, Finding, Rule, Severity

ABOUT = About(
    id="sriov-mix",
    summary="a physical function and its virtual ones have different owners",
    severity=Severity.WARNING,
    joint=True,
)
_TOKEN_SOURCE = "drivers/vfio/pci/vfio_pci_core.c: vfio_pci_validate_vf_token() (v5.7)"  # noqa: S105


def _check(case: Case) -> Iterator[Finding]:
    # Only the families of what was asked for: a summary asks group by group.
    physical = (d for d in case.machine.devices if value_or(d.pci.virtfns, ()))
    families: dict[Family, list[Device]] = {}
    for device in case.asked if case.targets else physical:
        family = case.machine.family(device)
        if family is not None:
            families.setdefault(family, []).append(device)
    for family, members in families.items():
        wanted = [device for device in members if device is not family.physical]
        yield from _judge(case, family, wanted)


def _judge(case: Case, family: Family, wanted: list[Device]) -> Iterator[Finding]:
    pf, vfs = family.physical, family.virtual
    on_vfio = has_vfio_driver(pf)
    if on_vfio is False and case.asked_for(pf):
        yield _pf_refused(case, pf, vfs)
    if on_vfio:
        yield from _pf_on_vfio(case, pf, wanted if case.targets else vfs, vfs)
    yield from _one_group(case, family, wanted)


def _pf_refused(case: Case, pf: Device, vfs: Sequence[Device]) -> Finding:
    name = shown(pf.address)
    return case.finding(
        pf,
        f"{name} has {_counted(vfs)}: vfio-pci does not take a physical function that "
        "has any (-EBUSY, 'Cannot bind to PF with SR-IOV enabled').",
        "Hand over the virtual functions, or take them away first.",
        others=vfs,
        cures=() if any(map(host_keeps, vfs)) else [RemoveVirtualFunctions(pf.id)],
        references=(
            "drivers/vfio/pci/vfio_pci_core.c: vfio_pci_core_register_device()",
        ),
    )


def _pf_on_vfio(
    case: Case, pf: Device, concerned: Sequence[Device], vfs: Sequence[Device]
) -> Iterator[Finding]:
    kept = [vf for vf in vfs if host_keeps(vf) and not _is_idle(vf)]
    if kept:
        yield case.finding(
            pf,
            f"{shown(pf.address)} is {bound_to(pf)} while the host uses "
            f"{_counted(kept)} of it: whoever opens it can read and stop what passes "
            "through them.",
            "Take the virtual functions off the host's drivers, or give the physical "
            "function back to the host.",
            others=kept,
        )
    open_by_token = [vf for vf in concerned if not host_keeps(vf)]
    if not open_by_token or not _is_vfio_pci(pf):
        return
    # Before there were tokens vfio-pci let no virtual functions be made.
    if asks(case.machine, GROUPS_ASK) is False:
        return
    first = open_by_token[0] if case.targets else pf
    yield case.finding(
        first,
        f"{shown(pf.address)}, the physical function of {_counted(open_by_token)}, is "
        "on vfio-pci: a virtual function opens only for who knows the VF token that "
        "the physical function's user set (-EACCES, 'VF token required to access "
        "device').",
        "Give both the same token (QEMU: -device vfio-pci,...,vf-token=UUID; DPDK: "
        "--vfio-vf-token=UUID), or leave the physical function with the host.",
        others=(pf, *open_by_token),
        references=(_TOKEN_SOURCE,),
    )


def _is_idle(vf: Device) -> bool:
    """Say whether the driver is the one that keeps others away and does nothing."""
    return isinstance(vf.driver, str) and normalised(vf.driver) == "pci_stub"


def _is_vfio_pci(pf: Device) -> bool:
    return isinstance(pf.driver, str) and normalised(pf.driver) == "vfio_pci"


def _one_group(case: Case, family: Family, wanted: list[Device]) -> Iterator[Finding]:
    pf = family.physical
    group = case.machine.group_of(pf)
    members = group.devices if group else ()
    inside = [d for d in members if d is not pf and case.machine.family(d) is family]
    if group is None or not inside:
        return
    matters = wanted or case.asked_for(pf) or case.handed_over(group)
    first = next((vf for vf in wanted if case.share_group(pf, vf)), pf)
    yield case.finding(
        first,
        f"{addresses([pf])} and {_counted(inside)} of it are in one group "
        f"({group.id}): they can only go together, to one owner.",
        "Use a slot below a port with ACS, or a card whose functions have it; "
        "iommu-inspect why says what is missing.",
        others=(pf, *inside),
        severity=None if matters else Severity.INFO,
    )


def _counted(vfs: Sequence[Device]) -> str:
    if len(vfs) == 1:
        return f"1 virtual function ({addresses(vfs)})"
    if len(vfs) <= 4:
        return f"{len(vfs)} virtual functions ({addresses(vfs)})"
    return f"{len(vfs)} virtual functions ({addresses(vfs[:1])} and others)"


RULE = Rule(ABOUT, check_machine=_check)
