"""Machines in a few words, for tests that need no tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iommu_inspect.kernel.eras import ERAS, PROPOSALS, Era, Semantics
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Ownership, summed
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Fact
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.iommu import InterruptRemapping, IommuUnit
from iommu_inspect.model.host.kernel import Kernel, VfioSettings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.uses.host import Host
from iommu_inspect.rules.finding import Finding

BEFORE_4_2, BEFORE_5_19, SINCE_5_19, SINCE_6_2, SINCE_6_6 = ERAS
ALL_ERAS = (*ERAS, *PROPOSALS)
UNKNOWN_KERNEL = Semantics(ERAS, "unknown kernel", "the kernel release is not known")


def only(era: Era) -> Semantics:
    return Semantics((era,), era.name, f"release of {era.name}")


def ownership_of(group: Group, rules: Semantics) -> Ownership:
    return summed(GroupOwnership.of(group, era) for era in rules.eras)


def functions(*addresses: str) -> tuple[DeviceId, ...]:
    return tuple(DeviceId(address, "pci") for address in addresses)


def addresses(finding: Finding) -> tuple[str, ...]:
    return tuple(map(str, finding.devices))


def device(
    address: str,
    driver: Fact[str | None] = None,
    *,
    bus: Fact[str] = "pci",
    bridge: bool = False,
    group: Fact[str | None] = "1",
    **more: Any,
) -> Device:
    return Device(
        DeviceId(address, bus),
        path=f"sys/devices/{address}",
        driver=driver,
        group=group,
        ids=PciIds(0x8086, 0x1234, class_code=0x060400 if bridge else 0x020000),
        pci=PciPlacement(1 if bridge else 0, False, physfn=None, virtfns=()),
        driver_override=more.pop("driver_override", None),
        **more,
    )


def group(*devices: Device, id: str = "1", regions: Any = (), **more: Any) -> Group:
    return Group(id, devices, type="DMA", reserved_regions=regions, **more)


def machine(
    *groups: Group,
    ungrouped: Sequence[Device] = (),
    remapping: Fact[InterruptRemapping] = InterruptRemapping.ON,
    **more: Any,
) -> Machine:
    """A machine on which nothing but what a test says can be wrong."""
    fields: dict[str, Any] = {
        "kernel": Kernel(release="6.12.1", command_line="quiet"),
        "iommus": (IommuUnit("dmar0"),),
        "firmware_tables": ("DMAR",),
        "guest": False,
        "vfio": VfioSettings(False, False, False, type1_loaded=True),
        "host": Host(untold=(), disks=(), interfaces=()),
    }
    return Machine(
        source=Source("tree", "a test"),
        groups=groups,
        ungrouped=tuple(ungrouped),
        interrupt_remapping=remapping,
        **{**fields, **more},
    )
