"""A physical function and its virtual ones between host and user space."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.kernel_release import version_of
from iommu_inspect.model.machine import Device, Machine
from iommu_inspect.model.text import quoted, shown
from iommu_inspect.rules._scope import asked_for, host_keeps
from iommu_inspect.rules._words import addresses, bound_to
from iommu_inspect.rules.about import About
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE"]

ID = "sriov-mix"
# "vfio/pci: Introduce VF token"; before, vfio-pci let no
# virtual functions be made.
_VF_TOKEN = (5, 7)
_TOKEN_SOURCE = "drivers/vfio/pci/vfio_pci_core.c: vfio_pci_validate_vf_token() (v5.7)"  # noqa: S105


def _check(case: Case) -> Iterator[Finding]:
    physical = [device for device in case.machine.devices if _named(device)]
    if not physical:
        return
    by_address = {device.address: device for device in case.machine.devices}
    for pf in physical:
        vfs = _virtual_functions(case.machine, by_address, pf)
        if vfs:
            yield from _judge(case, pf, vfs)


def _virtual_functions(
    machine: Machine, by_address: dict[str, Device], pf: Device
) -> list[Device]:
    """Return the virtual functions that either end's links show."""
    found = {name for name in _named(pf) if name in by_address}
    if not found:
        return []
    found |= {d.address for d in machine.devices if d.pci.physfn == pf.address}
    return [d for d in machine.devices if d.address in found]


def _named(pf: Device) -> tuple[str, ...]:
    return value_or(pf.pci.virtfns, ())


def _judge(case: Case, pf: Device, vfs: list[Device]) -> Iterator[Finding]:
    wanted = [vf for vf in vfs if asked_for(case, vf)]
    pf_wanted = asked_for(case, pf)
    if case.targets and not wanted and not pf_wanted:
        return
    on_vfio = has_vfio_driver(pf)
    if pf_wanted and on_vfio is False:
        yield _pf_refused(case, pf, vfs)
    if on_vfio:
        yield from _pf_on_vfio(case, pf, wanted if case.targets else vfs, vfs)
    yield from _one_group(case, pf, vfs, wanted)


def _pf_refused(case: Case, pf: Device, vfs: list[Device]) -> Finding:
    name = shown(pf.address)
    file = quoted(f"/sys/bus/pci/devices/{pf.address}/sriov_numvfs")
    return _finding(
        case,
        pf,
        vfs,
        Severity.WARNING,
        f"{name} has {_counted(vfs)}: vfio-pci does not take a physical function that "
        "has any (-EBUSY, 'Cannot bind to PF with SR-IOV enabled').",
        f"Hand over the virtual functions, or take them away first:\necho 0 > {file}",
        ("drivers/vfio/pci/vfio_pci_core.c: vfio_pci_core_register_device()",),
    )


def _pf_on_vfio(
    case: Case, pf: Device, concerned: list[Device], vfs: list[Device]
) -> Iterator[Finding]:
    kept = [vf for vf in vfs if host_keeps(vf)]
    if kept:
        yield _finding(
            case,
            pf,
            kept,
            Severity.WARNING,
            f"{shown(pf.address)} is {bound_to(pf)} while the host uses "
            f"{_counted(kept)} of it: whoever opens it can read and stop what passes "
            "through them.",
            "Take the virtual functions off the host's drivers, or give the physical "
            "function back to the host.",
        )
    open_by_token = [vf for vf in concerned if vf not in kept]
    version = version_of(value_or(case.machine.kernel.release, ""))
    if not open_by_token or not _is_vfio_pci(pf):
        return
    if version is not None and version < _VF_TOKEN:
        return
    first = open_by_token[0] if case.targets else pf
    others = [pf, *open_by_token[1:]] if case.targets else open_by_token
    yield _finding(
        case,
        first,
        others,
        Severity.WARNING,
        f"{shown(pf.address)}, the physical function of {_counted(open_by_token)}, is "
        "on vfio-pci: a virtual function opens only for who knows the VF token that "
        "the physical function's user set (-EACCES, 'VF token required to access "
        "device').",
        "Give both the same token (QEMU: -device vfio-pci,...,vf-token=UUID; DPDK: "
        "--vfio-vf-token=UUID), or leave the physical function with the host.",
        (_TOKEN_SOURCE,),
    )


def _is_vfio_pci(pf: Device) -> bool:
    return isinstance(pf.driver, str) and normalised(pf.driver) == "vfio_pci"


def _one_group(
    case: Case, pf: Device, vfs: list[Device], wanted: list[Device]
) -> Iterator[Finding]:
    group = case.machine.group_of(pf)
    if group is None:
        return
    inside = [vf for vf in vfs if case.machine.group_of(vf) is group]
    if not inside:
        return
    matters = wanted or asked_for(case, pf) or case.handed_over(group)
    first = next((vf for vf in wanted if vf in inside), pf)
    yield _finding(
        case,
        first,
        [d for d in (pf, *inside) if d is not first],
        Severity.WARNING if matters else Severity.INFO,
        f"{addresses([pf])} and {_counted(inside)} of it are in one group "
        f"({group.id}): they can only go together, to one owner.",
        "Use a slot below a port with ACS, or a card whose functions have it; "
        f"iommu-inspect why {quoted(first.address)} says what is missing.",
    )


def _counted(vfs: list[Device]) -> str:
    if len(vfs) == 1:
        return f"1 virtual function ({addresses(vfs)})"
    if len(vfs) <= 4:
        return f"{len(vfs)} virtual functions ({addresses(vfs)})"
    return f"{len(vfs)} virtual functions ({addresses(vfs[:1])} and others)"


def _finding(
    case: Case,
    first: Device,
    others: list[Device],
    severity: Severity,
    message: str,
    remedy: str,
    references: tuple[str, ...] = (),
) -> Finding:
    group = case.machine.group_of(first)
    return Finding(
        rule=ID,
        severity=severity,
        certainty=Certainty.KERNEL,
        group=None if group is None else group.id,
        devices=(first.address, *(other.address for other in others)),
        message=message,
        remedy=remedy,
        references=references,
    )


RULE = Rule(
    About(
        id=ID,
        summary="a physical function and its virtual ones have different owners",
        severity=Severity.ERROR,
        joint=True,
    ),
    check_machine=_check,
)
