"""A device's own node: binding it to an iommufd, and attaching it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import ALL_ERAS, SINCE_6_6, UNKNOWN_KERNEL, device, group, machine, only

from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.iommufd import ATTACH_PT, BIND
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group, Held, ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import VFIO_GROUP, Kernel, VfioSettings
from iommu_inspect.model.machine import Machine

NOW = only(SINCE_6_6)
CARD = device("0000:01:00.0", "vfio-pci", vfio_devices=("vfio0",), vfio_cdev=True)
BESIDE = device("0000:01:00.1", "e1000e", vfio_devices=())


def asked(host: Machine, card: Device = CARD, rules: Any = NOW) -> list[str]:
    inquiry = Inquiry(host, rules)
    return [inquiry.by_iommufd(card, each).result for each in (BIND, ATTACH_PT)]


def test_alone_on_vfio_it_is_bound_and_attached() -> None:
    assert asked(machine(group(CARD))) == ["0", "0"]


@pytest.mark.parametrize("era", ALL_ERAS)
def test_the_calls_came_with_v6_6(era: Era) -> None:
    found = asked(machine(group(CARD)), rules=only(era))
    assert found == (["0", "0"] if era.since >= (6, 6) else ["n/a", "n/a"])


@pytest.mark.parametrize(
    ("found", "results"),
    [
        # iommu_device_claim_dma_owner(): the host's driver owns the group.
        (group(CARD, BESIDE), ["-EPERM", "-EINVAL"]),
        (group(CARD, replace(BESIDE, driver=Missing.DENIED)), ["unknown", "unknown"]),
        (group(CARD, replace(BESIDE, driver=None)), ["0", "0"]),
        # vfio_device_block_group(): somebody has the group's own node open.
        (group(CARD, held=Held.BY_USER), ["-EBUSY", "-EINVAL"]),
        (group(CARD, held=Held.BY_KERNEL_DOMAIN), ["-EBUSY", "-EINVAL"]),
        # v7.3 makes a node in no-IOMMU mode too (CONFIG_IOMMUFD_NOIOMMU).
        (group(CARD, name="vfio-noiommu"), ["0", "0"]),
        (group(CARD, name=Missing.DENIED), ["unknown", "unknown"]),
    ],
)
def test_the_group_is_claimed_for_the_iommufd(found: Group, results: list[str]) -> None:
    assert asked(machine(found)) == results


def test_what_the_firmware_maps_refuses_the_claim() -> None:
    direct = (ReservedRegion(0xE0000, 0xFFFFF, "direct"),)
    assert asked(machine(group(CARD, regions=direct))) == ["-EINVAL", "-EINVAL"]


@pytest.mark.parametrize(
    ("allowed", "results"),
    [
        (False, ["-EPERM", "-EINVAL"]),
        (True, ["0", "0"]),
        (Missing.DENIED, ["unknown", "unknown"]),
    ],
)
def test_unsafe_interrupts_are_allowed_by_a_parameter_of_iommufd(
    allowed: Fact[bool], results: list[str]
) -> None:
    host = machine(
        group(CARD),
        remapping=InterruptRemapping.OFF,
        # That of vfio_iommu_type1 is of no matter here.
        vfio=VfioSettings(False, allowed is False, allowed, type1_loaded=True),
    )
    assert asked(host) == results


@pytest.mark.parametrize(
    ("card", "result"),
    [
        (replace(CARD, driver="e1000e", vfio_devices=()), "-ENOENT"),
        (replace(CARD, driver=Missing.DENIED, vfio_devices=()), "unknown"),
        (replace(CARD, vfio_cdev=False), "-ENOENT"),
        (replace(CARD, vfio_cdev=Missing.ABSENT), "unknown"),
    ],
)
def test_without_a_node_nothing_can_be_opened(card: Device, result: str) -> None:
    assert asked(machine(group(card)), card) == [result, result]


@pytest.mark.parametrize(
    ("above", "result"),
    [("igb", "0"), ("vfio-pci", "-EACCES"), (Missing.DENIED, "unknown")],
)
def test_a_virtual_function_of_one_on_vfio_may_want_a_token(
    above: Fact[str], result: str
) -> None:
    on_vfio = {"igb": (), "vfio-pci": ("vfio1",)}.get(str(above), Missing.DENIED)
    physical = device("0000:02:00.0", above, group="2", vfio_devices=on_vfio)
    virtual = replace(CARD, pci=replace(CARD.pci, physfn=physical.id))
    kernel = Kernel("6.17.1", features=frozenset({VFIO_GROUP}))
    host = machine(group(virtual), group(physical, id="2"), kernel=kernel)
    assert asked(host, virtual)[0] == result
    hidden = replace(CARD, pci=replace(CARD.pci, physfn=Missing.DENIED))
    alone = machine(group(hidden), kernel=kernel)
    assert asked(alone, hidden) == ["unknown", "unknown"]


def test_it_is_predicted_where_a_node_is_and_nowhere_else() -> None:
    for card, said in ((CARD, True), (replace(CARD, vfio_cdev=False), False)):
        found = Inquiry(machine(group(card, BESIDE)), NOW).predictions()
        nodes = [p for p in found if p.operation in (BIND, ATTACH_PT)]
        assert [str(p.target) for p in nodes] == [card.address] * 2 * said


def test_without_a_group_or_a_kernel_nothing_is_claimed() -> None:
    lone = replace(CARD, group=None)
    assert asked(machine(ungrouped=(lone,)), lone) == ["unknown", "unknown"]
    assert asked(machine(group(CARD)), rules=UNKNOWN_KERNEL) == ["unknown", "unknown"]
