"""Everything that a plan has written down: commands, settings, the guest's side."""

from __future__ import annotations

from collections.abc import Callable

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.elsewhere import slots_text
from iommu_inspect.plan.guest import guests
from iommu_inspect.plan.guest.proxmox import proxmox
from iommu_inspect.plan.guest.windows import Window, window
from iommu_inspect.plan.host.boot import Boot, cure, leads_with_boot, nothing_set
from iommu_inspect.plan.host.commands import commands, driverctl, driverctl_back
from iommu_inspect.plan.host.cures import cure_lines, fitting_lines
from iommu_inspect.plan.host.other_drivers import every_boot
from iommu_inspect.plan.host.script import refusing_script, script
from iommu_inspect.plan.host.systems import Place, loader_places
from iommu_inspect.plan.sheets import Sheet, dpdk, saved_driverctl, spdk
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._cures import LoadModule
from iommu_inspect.rules.finding import Purpose

__all__ = ["Written", "written"]

_NOTHING = Sheet(notes=("What it is wanted for (--for) does not go with it.",))


@dataclass(frozen=True, slots=True)
class Written:
    """The words of a plan; without a plan they are empty, but for ``cure``.

    ``there`` and ``back`` are commands, one a line, ``supposed`` those of them whose
    success is taken for granted. ``cautions`` say of each of the plan's moves what the
    host may lose, empty where nothing is taken. ``cure`` are words for the kernel's
    command line that may do away with the refusal, ``cure_places`` where they go.
    ``checks`` are the commands of each of the plan's conditions, ``looks`` those that
    the refusals name. ``elsewhere`` says which other slots may help.
    ``boot_first`` says why the settings for every boot come first, if they do.
    ``without_xml`` are given addresses that libvirt's XML cannot name, ``locked`` those
    that open only with a VF token, and ``token`` says what that is. ``window`` is what
    the guest's firmware needs for large memory. The last four are
    the same plan in the words of one tool.
    """

    there: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    driverctl: tuple[str, ...] = ()
    driverctl_back: tuple[str, ...] = ()
    supposed: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    script: str | None = None
    boot: Boot | None = None
    boot_first: str = ""
    cure: tuple[str, ...] = ()
    cure_places: tuple[Place, ...] = ()
    checks: tuple[tuple[str, ...], ...] = ()
    looks: tuple[tuple[str, ...], ...] = ()
    elsewhere: str = ""
    libvirt: str | None = None
    qemu: tuple[str, ...] = ()
    qemu_iommufd: tuple[str, ...] = ()
    given: tuple[PciAddress, ...] = ()
    only_held: tuple[PciAddress, ...] = ()
    without_xml: tuple[PciAddress, ...] = ()
    locked: tuple[PciAddress, ...] = ()
    token: str = ""
    window: Window | None = None
    proxmox: Sheet | None = None
    saved_driverctl: Sheet | None = None
    dpdk: Sheet | None = None
    spdk: Sheet | None = None


def written(plan: Plan, semantics: Semantics, *, all_systems: bool = False) -> Written:
    """Write a plan down; ``semantics`` are the rules that it was checked with.

    ``all_systems`` asks for the settings of every kind of system, not this host's.
    """
    supposed = tuple(x for m in plan.load for x in cure_lines(LoadModule(m)))
    cautions = tuple(" ".join(move.costs) for move in plan.moves)
    if not plan.has_steps:
        no_iommu = any(refusal.rule == "no-iommu" for refusal in plan.refusals)
        words = cure(plan.machine) if no_iommu else ()
        return Written(
            supposed=supposed,
            cautions=cautions,
            cure=words,
            cure_places=loader_places(
                words, plan.machine.system, all_systems=all_systems
            ),
            looks=tuple(
                fitting_lines(refusal.cures, plan.moves) for refusal in plan.refusals
            ),
            elsewhere=slots_text(plan.machine, _devices(plan))
            if any(refusal.elsewhere for refusal in plan.refusals)
            else "",
        )
    # DPDK and drivers of the host have no guest.
    by_guest = plan.purpose in (Purpose.VFIO, Purpose.ONE_PER_GROUP)
    by_user_space = plan.purpose is not Purpose.ATTACH
    moves = plan.moves if by_guest else ()
    given = guests.given(plan.machine, moves)
    by_iommufd = guests.iommufd_arguments(plan.machine, semantics, moves)
    # Without VFIO groups there is no other way, and libvirt's XML asks for a group.
    alone = plan.machine.vfio_groups is False
    is_given = set(given)
    return Written(
        there=commands(plan.there),
        back=commands(plan.back),
        driverctl=driverctl(plan.there),
        driverctl_back=driverctl_back(plan.back),
        supposed=supposed,
        cautions=cautions,
        checks=tuple(
            tuple(line for look in condition.looks for line in cure_lines(look))
            for condition in plan.conditions
        ),
        script=_script(plan, semantics.label),
        boot=_boot(plan, all_systems=all_systems),
        boot_first=leads_with_boot(plan) or "",
        libvirt="" if alone else guests.libvirt_xml(plan.machine, moves),
        qemu=by_iommufd if alone else guests.qemu_arguments(plan.machine, moves),
        qemu_iommufd=() if alone else by_iommufd,
        given=tuple(given),
        only_held=tuple(guests.only_held(plan.machine, moves)),
        without_xml=tuple(guests.too_long(given)),
        locked=tuple(
            address
            for device in guests.locked(plan.machine, moves)
            if (address := device.pci_address) is not None
        ),
        token=guests.tokens_note(plan.machine, moves),
        window=window(
            plan.machine,
            [move.device for move in moves if move.device.pci_address in is_given],
        ),
        proxmox=_sheet(proxmox, plan) if by_guest else _NOTHING,
        saved_driverctl=_sheet(saved_driverctl, plan),
        dpdk=_sheet(dpdk, plan) if by_user_space else _NOTHING,
        spdk=_sheet(spdk, plan) if by_user_space else _NOTHING,
    )


def _sheet(write: Callable[[Plan], Sheet], plan: Plan) -> Sheet:
    """Write a sheet; what is ready as it is may have names that no command can hold."""
    try:
        return write(plan)
    except shell.UnwritableError as error:
        return Sheet(notes=(_unwritable(error),))


def _boot(plan: Plan, *, all_systems: bool) -> Boot | None:
    try:
        return every_boot(plan, all_systems=all_systems)
    except shell.UnwritableError as error:
        return nothing_set("no command is written", _unwritable(error))


def _script(plan: Plan, label: str) -> str:
    try:
        return script(plan, label)
    except shell.UnwritableError as error:
        return refusing_script([_unwritable(error)])


def _unwritable(error: shell.UnwritableError) -> str:
    return f"No command is written: {error}."


def _devices(plan: Plan) -> list[Device]:
    return [device for target in plan.targets for device in target.devices]
