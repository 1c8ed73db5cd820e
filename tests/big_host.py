"""A host of thousands of functions, many of its groups bad: for size and for time."""

from __future__ import annotations

from builders import device, group, machine

from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType

__all__ = ["big_host"]

_DRIVERS = ("ahci", "nvme", "ixgbe", "mlx5_core", "snd_hda_intel", "xhci_hcd")
_CLASSES = (0x010601, 0x010802, 0x020000, 0x030000, 0x040300, 0x0C0330)


def big_host(functions: int = 5000, bad: int = 1000) -> Machine:
    """Return a host whose first ``bad`` groups are half handed over.

    Bad groups have a root port, one function on vfio-pci and one to four on drivers of
    the host; good ones are a function alone, below a port that is alone as well.
    """
    groups: list[Group] = []
    count = number = 0
    while count < functions:
        domain, bus = divmod(number, 200)
        above = f"{domain:04x}:00:{bus % 32:02x}.{bus // 32}"
        size = 2 + number % 4 if number < bad else 1
        name = str(len(groups))
        members = tuple(
            _function(f"{domain:04x}:{bus + 1:02x}:00.{n}", above, name, number + n, n)
            for n in range(size)
        )
        port = _port(above, domain, name)
        if number < bad:
            groups.append(group(port, *members, id=name))
        else:
            groups.append(group(port, id=name))
            alone = str(len(groups))
            moved = _function(members[0].address, above, alone, number, 1)
            groups.append(group(moved, id=alone))
        count += 1 + size
        number += 1
    return machine(*groups)


def _port(address: str, domain: int, name: str) -> Device:
    return Device(
        device(address).id,
        path=f"sys/devices/pci{domain:04x}:00/{address}",
        driver="pcieport",
        group=name,
        ids=PciIds(0x8086, 0x2030, class_code=0x060400),
        pci=PciPlacement(
            1, False, PciExpType.ROOT_PORT, physfn=None, virtfns=(), acs=None
        ),
        driver_override=None,
    )


def _function(address: str, above: str, name: str, kind: int, n: int) -> Device:
    kind %= len(_DRIVERS)
    return Device(
        device(address).id,
        path=f"sys/devices/pci{address[:4]}:00/{above}/{address}",
        driver="vfio-pci" if n == 0 else _DRIVERS[kind],
        group=name,
        ids=PciIds(0x8086, 0x1500 + kind, class_code=_CLASSES[kind]),
        pci=PciPlacement(
            0, True, PciExpType.ENDPOINT, physfn=None, virtfns=(), acs=None
        ),
        driver_override=None,
    )
