"""Whether a guest's firmware has room for the memory of what it is given."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules._words import addresses

__all__ = ["Window", "window"]

# PcdPciMmio64Size of OvmfPkgX64.dsc in edk2.
_OVMF = 32 << 30


@dataclass(frozen=True, slots=True)
class Window:
    """What OVMF has to be told: ``size`` bytes are needed, ``argument`` makes room."""

    size: int
    argument: str
    note: str


def window(machine: Machine, given: Iterable[Device]) -> Window | None:
    """Return what the guest's firmware needs, ``None`` where its default does.

    OVMF puts 64-bit memory into a window of 32 GiB, and leaves what does not fit
    without an address. Where it trusts the width of the guest's addresses it takes an
    eighth of what these reach (``PlatformDynamicMmioWindow()`` in
    OvmfPkg/Library/PlatformInitLib).
    """
    sizes = {
        device.id: (device, total)
        for device in given
        if (total := _wide_memory(machine, device))
    }
    needed = sum(total for _, total in sizes.values())
    if needed < _OVMF:
        return None
    room = 1 << needed.bit_length()
    argument = f"-fw_cfg name=opt/ovmf/X-PciMmio64Mb,string={room >> 20}"
    largest = [device for device, total in sizes.values() if total >= 1 << 30]
    has = "has" if len(largest) == 1 else "have"
    note = (
        f"{addresses(largest)} {has} {needed >> 30} GiB of memory to be mapped. OVMF "
        "has room for 32 GiB unless it knows how wide the guest's addresses are "
        "(-cpu host,host-phys-bits=on; libvirt: <maxphysaddr mode='passthrough'/> in "
        f"<cpu>; newer OVMF takes an eighth of that). Or tell it: {argument}"
    )
    return Window(needed, argument, note)


def _wide_memory(machine: Machine, device: Device) -> int:
    return sum(
        bar.size
        for bar in machine.bars_of(device)
        if bar.memory and bar.prefetchable and bar.wide
    )
