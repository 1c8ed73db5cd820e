"""What hangs below a device, who uses it, and what goes when its driver lets go."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import HostUse, UseKind
from iommu_inspect.model.uses.losses import host_losses

__all__ = ["Relations"]


class Relations:
    """Answers about the devices of one machine; make it once for all of them."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def below(self, device: Device) -> tuple[Device, ...]:
        """Return the devices that vanish when a device's driver lets go of it.

        They are what it has below it in sysfs (the domain behind a Volume Management
        Device, mediated devices), and a physical function's virtual ones. Below a
        bridge nothing vanishes: it goes on forwarding without a driver.
        """
        found = {each.id: each for each in self._inside(device)}
        if device.driver == "vmd":
            found |= {each.id: each for each in self._behind_vmd(device)}
        for name in value_or(device.pci.virtfns, ()):
            if (virtual := self._machine.device(name)) is not None:
                found[virtual.id] = virtual
                found |= {each.id: each for each in self._inside(virtual)}
        return tuple(found[name] for name in sorted(found))

    def _behind_vmd(self, controller: Device) -> tuple[Device, ...]:
        """Return its domain where no path shows it: it shares the controller's group.

        Requests from behind it carry the controller's own id.
        """
        group = self._machine.group_of(controller)
        return tuple(
            d
            for d in (group.devices if group else ())
            if d.is_below_vmd and not d.is_placed
        )

    def uses(self, device: Device) -> tuple[HostUse, ...]:
        """Return what the host uses a device for, the worst to lose first.

        That is what stands on the device or on what would vanish with it, alone or
        with others. What the source does not show is not among it:
        ``Host.untold`` says which kinds, and uses whose devices are not told are in
        ``Host.uses`` only.
        """
        found = [loss.use for loss in host_losses(self._machine, [device])]
        used = self._virtual_in_use(device)
        if used is not None:
            order = list(UseKind)
            found = sorted([*found, used], key=lambda use: order.index(use.kind))
        return tuple(found)

    def _virtual_in_use(self, device: Device) -> HostUse | None:
        """Return a physical function's virtual ones that have a driver, of any kind."""
        family = self._machine.family(device)
        if family is None or family.physical.id != device.id:
            return None
        used = [vf for vf in family.virtual if isinstance(vf.driver, str)]
        if not used:
            return None
        what = tuple(f"{vf.address} ({vf.driver})" for vf in used)
        needs = tuple((vf.path,) for vf in used if known(vf.path))
        return HostUse(UseKind.VIRTUAL_FUNCTION, what, needs)

    def _inside(self, device: Device) -> tuple[Device, ...]:
        return () if device.is_bridge is True else self._machine.inside(device)
