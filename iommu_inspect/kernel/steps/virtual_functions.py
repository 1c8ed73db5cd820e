"""Virtual functions that appear and go: ``sriov_numvfs``."""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import SRIOV_CONFIGURE, VF_TOKEN
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.sriov_drivers import MAKES_NO_VIRTUAL, MAKES_VIRTUAL
from iommu_inspect.kernel.steps.binding import bind_answer
from iommu_inspect.kernel.steps.leaving import leave_vfio
from iommu_inspect.kernel.steps.newcomers import (
    NEW_GROUP,
    also_fits,
    device_after,
    with_newcomer,
    with_untold_driver,
    without,
)
from iommu_inspect.kernel.steps.state import Outcome, Taken, device_of, done
from iommu_inspect.kernel.steps.step import Sriov, Step
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import PciExpType, PciHeaderType
from iommu_inspect.model.topology import Topology

__all__ = ["sriov"]

_RULE = "singleton-assumption"


def sriov(machine: Machine, era: Era, step: Sriov) -> Taken:
    """Write ``sriov_numvfs``: virtual functions appear, or go with 0."""
    physical = device_of(machine, step)
    wanted = step.count
    capability = physical.pci.sriov
    group = machine.group_of(physical)
    if not known(capability):
        answer = Answer(
            UNKNOWN, _RULE, "the source does not tell its SR-IOV capability"
        )
        return done(machine, step, answer, group)
    if capability is None:
        answer = Answer("-ENOENT", _RULE, "it has no SR-IOV capability")
        return done(machine, step, answer, group)
    present = physical.pci.virtfns
    if not known(present):
        answer = Answer(
            UNKNOWN, _RULE, "the source does not tell its virtual functions"
        )
        return done(machine, step, answer, group)
    if wanted == len(present):
        answer = Answer(OK, _RULE, "it has that many virtual functions already")
        return done(machine, step, answer, group)
    if wanted > capability.total_vfs:
        because = f"it can have {capability.total_vfs} virtual functions"
        return done(machine, step, Answer("-ERANGE", _RULE, because), group)
    unable = _cannot_have_vfs(machine, physical)
    if unable is not None:
        return done(machine, step, unable, group)
    if wanted and present:
        answer = Answer("-EBUSY", _RULE, "it has virtual functions already")
        return done(machine, step, answer, group)
    if not wanted:
        return _without_vfs(machine, era, step, physical, present)
    return _with_vfs(machine, era, step, physical, wanted)


def _cannot_have_vfs(machine: Machine, physical: Device) -> Answer | None:
    """The driver makes virtual functions; none does without one."""
    if not known(physical.driver):
        return Answer(UNKNOWN, _RULE, "the source does not tell its driver")
    if physical.driver is None:
        return Answer("-ENOENT", _RULE, "no driver is bound that could make them")
    driver = normalised(physical.driver)
    enabled = machine.vfio.enable_sriov
    if driver == "vfio_pci" and known(enabled):
        because = "vfio-pci makes them only with its parameter enable_sriov"
        return None if enabled else Answer("-ENOENT", _RULE, because, (VF_TOKEN,))
    if has_vfio_driver(physical) is not False:
        because = "whether its vfio driver makes virtual functions is not known"
        return Answer(UNKNOWN, _RULE, because)
    if driver in MAKES_VIRTUAL:
        return None
    if driver in MAKES_NO_VIRTUAL:
        because = f"the driver {physical.driver} makes no virtual functions"
        return Answer("-ENOENT", _RULE, because, (SRIOV_CONFIGURE,))
    because = f"whether {physical.driver} makes virtual functions is not known"
    return Answer(UNKNOWN, _RULE, because)


def _with_vfs(
    machine: Machine, era: Era, step: Step, physical: Device, count: int
) -> Taken:
    by_vfio = normalised(str(physical.driver)) == "vfio_pci"
    ids = [_vf_id(physical, index) for index in range(count)]
    topology = Topology(machine)
    joined: set[str | None] = set()
    because = ""
    for each in ids:
        joins = Grouping(machine, topology).newcomer_beside(physical)
        because = joins.because
        if joins.new is None:
            return machine, Outcome(step, Answer(UNKNOWN, _RULE, because), None)
        virtual = Device(
            each,
            f"{str(physical.path).rpartition('/')[0]}/{each}",
            driver=None,
            ids=_vf_ids(physical),
            pci=PciPlacement(
                PciHeaderType.NORMAL,
                multifunction=False,
                pcie_type=PciExpType.ENDPOINT,
                physfn=physical.id,
                acs=None,
                sriov=None,
            ),
            driver_override=None,
        )
        machine, group_id = with_newcomer(machine, virtual, joins)
        if by_vfio:
            machine = _kept_by_vfio(machine, each, era)
        elif also_fits(machine, virtual, None):
            machine = with_untold_driver(machine, each)
        joined.add(NEW_GROUP if joins.new else group_id)
    current = device_after(machine, physical.id)
    placed = replace(current.pci, virtfns=tuple(ids))
    machine = machine.with_device(current, replace(current, pci=placed))
    group = joined.pop() if len(joined) == 1 else None
    return machine, Outcome(step, Answer(OK, _RULE, because), group)


def _kept_by_vfio(machine: Machine, name: DeviceId, era: Era) -> Machine:
    """Bind vfio-pci to a virtual function of one that it has itself.

    vfio_pci_bus_notifier() sets its override, so that no driver of the host gets it;
    pci_device_can_probe() then passes over ``sriov_drivers_autoprobe``.
    """
    virtual = device_after(machine, name)
    kept = replace(virtual, driver_override="vfio-pci")
    match bind_answer(machine, kept, "vfio-pci", era).result:
        case "0":
            kept = replace(kept, driver="vfio-pci", vfio_devices=())
        case "unknown":
            kept = replace(kept, driver=Missing.ABSENT)
    return machine.with_device(virtual, kept)


def _vf_ids(physical: Device) -> PciIds:
    """Return what identifies a virtual function (PCIe 6.0, 9.3.4.1).

    The capability holds the device's number; class and makers are the same, while
    revision and subsystem may be others.
    """
    capability, ids = physical.pci.sriov, physical.ids
    told = capability if known(capability) else None
    return PciIds(
        vendor=ids.vendor,
        device=told.vf_device if told else Missing.ABSENT,
        subsystem_vendor=ids.subsystem_vendor,
        class_code=ids.class_code,
    )


def _vf_id(physical: Device, index: int) -> DeviceId:
    """Place a virtual function by the capability's offset and stride."""
    capability, address = physical.pci.sriov, physical.pci_address
    if not known(capability) or capability is None or address is None:
        return DeviceId(f"{physical.address}-vf{index}", "pci")
    own = address.bus << 8 | address.slot << 3 | address.function
    found = own + capability.first_offset + capability.stride * index
    place = PciAddress(address.domain, found >> 8 & 0xFF, found >> 3 & 0x1F, found & 7)
    return DeviceId.of_pci(place)


def _without_vfs(
    machine: Machine,
    era: Era,
    step: Step,
    physical: Device,
    gone: tuple[DeviceId, ...],
) -> Taken:
    group = machine.group_of(physical)
    machine, waits = leave_vfio(machine, gone, era)
    if waits is not None:
        return done(machine, step, waits, group)
    placed = replace(physical, pci=replace(physical.pci, virtfns=()))
    after = machine.with_device(physical, placed)
    answer = Answer(OK, _RULE, f"{len(gone)} virtual functions go")
    return done(without(after, set(gone)), step, answer, group)
