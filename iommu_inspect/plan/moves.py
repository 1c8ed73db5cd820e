"""Which members of the groups have to move, which stay, and why."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import shown
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.case import Case

__all__ = ["VFIO_PCI", "Action", "Move", "moves_of"]

VFIO_PCI = "vfio-pci"


class Action(enum.Enum):
    """What happens to one member.

    ``BIND``: it goes to vfio-pci. ``FREE``: it ends without a driver, and is kept
    from getting one. ``STAY``: nothing is done to it. ``UNTOLD``: whether something
    has to be done cannot be told.
    """

    BIND = "bind"
    FREE = "free"
    STAY = "stay"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Move:
    """One member of a group, what is done to it, and why; ``asked`` for by name."""

    device: Device
    group: Group
    action: Action
    why: str
    asked: bool

    @property
    def changes(self) -> bool:
        """Say whether anything is done to the device."""
        return self.action in (Action.BIND, Action.FREE)

    @property
    def override(self) -> str:
        """The driver_override that the device gets: ``none`` keeps drivers away."""
        return VFIO_PCI if self.action is Action.BIND else "none"


def moves_of(case: Case) -> tuple[Move, ...]:
    """Decide about every member of the targets' groups, in the machine's order."""
    return tuple(
        _move(case, group, device, asked)
        for group in case.groups
        for asked in [_asked(case, group)]
        for device in group.devices
    )


def _asked(case: Case, group: Group) -> tuple[Device, ...]:
    """Return what was asked for: devices, or for ``group:N`` what can be handed over.

    Of a group without a driver of the host one device has to go to vfio-pci, or
    there is nothing to open.
    """
    by_name = case.targets_in(group)
    if not any(t.device is None and t.group is group for t in case.targets):
        return by_name
    fit = [d for d in group.devices if _fits(d)]
    bound = [d for d in fit if case.role(d) in (Role.KERNEL, Role.VFIO)]
    if not bound and not by_name:
        bound = fit[:1]
    return (*by_name, *(d for d in bound if not any(d is other for other in by_name)))


def _fits(device: Device) -> bool:
    """Say whether vfio-pci takes such a device, and a host can live without it."""
    return device.is_pci and device.is_bridge is False and not device.is_chipset


def _move(case: Case, group: Group, device: Device, asked: tuple[Device, ...]) -> Move:
    is_asked = any(device is other for other in asked)
    action, why = _decide(case, group, device, is_asked)
    return Move(device, group, action, why, is_asked)


def _decide(
    case: Case, group: Group, device: Device, asked: bool
) -> tuple[Action, str]:
    role = case.role(device)
    if role is Role.VFIO:
        return Action.STAY, f"on a vfio driver already ({_driver(device)})"
    if asked:
        return Action.BIND, "asked for"
    if role is Role.UNKNOWN:
        return Action.UNTOLD, "what its driver is to the group cannot be told"
    if role is Role.KERNEL:
        return _of_the_host(case, group, device)
    if role is Role.MANAGED:
        return Action.STAY, _managed(case, device)
    if role is Role.UNENFORCED:
        return Action.STAY, f"the bus {shown(str(device.bus))} asks for no ownership"
    if device.is_bridge is not False:
        return Action.STAY, "a bridge without a driver: it does not count"
    if case.may_crash and device.is_pci:
        return Action.FREE, (
            "no driver, and none may come: on a kernel before v5.19 a driver that "
            "binds here while user space has the group kills the host"
        )
    return Action.STAY, "no driver: it goes along and is in nobody's way"


def _managed(case: Case, device: Device) -> str:
    if case.may_crash and device.is_bridge is True:
        return f"a bridge: the kernel does not mind {_driver(device)} on it"
    return f"{_driver(device)} manages its own DMA: it does not count"


def _of_the_host(case: Case, group: Group, device: Device) -> tuple[Action, str]:
    """A driver of the host keeps user space out of the whole group."""
    counts = f"{_driver(device)} is a driver of the host in group {shown(group.id)}"
    if not device.is_pci:
        return Action.FREE, f"{counts}; on the bus {device.bus} plan can only unbind"
    if device.is_bridge is not False:
        return Action.FREE, f"{counts}; vfio-pci does not take bridges"
    if device.is_chipset:
        return Action.FREE, f"{counts}; a part of the chipset is not handed over"
    named = [d for d in case.targets_in(group) if d is not device]
    along = f" with {addresses(named)}" if named else ""
    return Action.BIND, f"shares the group{along}, and {_driver(device)} is the host's"


def _driver(device: Device) -> str:
    driver = device.driver
    if driver is None or not known(driver):
        return "its driver"
    return shown(driver)
