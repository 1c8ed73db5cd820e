"""Answers for states that a capture seldom shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import (
    BEFORE_5_19,
    SINCE_6_6,
    device,
    functions,
    group,
    machine,
    only,
)

from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import CLAIM, SET_IOMMU
from iommu_inspect.kernel.ownership.uio import reaches_memory
from iommu_inspect.kernel.steps.binding import bind_answer
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.device import PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Held
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.pci.regs import PciExpType

NIC, OTHER = "0000:01:00.0", "0000:01:00.1"


def test_a_mediated_devices_group_is_vfios_own_and_not_foretold() -> None:
    mediated = device("4b20d080-1b54", "vfio_mdev", bus="mdev")
    asked = Inquiry(machine(group(mediated)), only(SINCE_6_6))
    (members,) = asked.machine.groups
    assert asked.operation(members, CLAIM).result == "unknown"
    assert asked.attach(mediated).result == "unknown"


def test_before_5_19_a_domain_of_the_host_is_in_the_way_only_at_the_end() -> None:
    held = group(device(NIC, "vfio-pci"), held=Held.BY_KERNEL_DOMAIN)
    asked = Inquiry(machine(held), only(BEFORE_5_19))
    assert asked.operation(held, SET_IOMMU).result == "-EBUSY"


def test_type_1_may_be_served_by_iommufd() -> None:
    host = machine(
        group(device(NIC, "vfio-pci")), vfio=VfioSettings(type1_loaded=False)
    )
    kernel = replace(host.kernel, features=frozenset({"iommufd"}))
    for found, result in (
        (host, "-ENODEV"),
        (replace(host, kernel=kernel), "unknown"),
        (replace(host, vfio=VfioSettings()), "unknown"),
    ):
        asked = Inquiry(found, only(SINCE_6_6))
        answer = asked.operation(found.groups[0], SET_IOMMU)
        assert (answer.result, answer.rule) == (result, "not-on-vfio")


def test_a_driver_of_an_unknown_kind_cannot_be_judged_in_a_held_group() -> None:
    free = device(NIC)
    host = machine(group(free, device(OTHER, "vfio-pci"), held=Held.BY_USER))
    assert bind_answer(host, free, "my_vfio_thing", SINCE_6_6).result == "unknown"


def test_virtual_functions_that_could_not_be_seen_leave_vfio_pcis_answer_open() -> None:
    hidden = replace(device(NIC), pci=PciPlacement(0, virtfns=Missing.DENIED))
    shown = replace(device(NIC), pci=PciPlacement(0, virtfns=functions(OTHER)))
    for found, result in ((hidden, "unknown"), (shown, "-EBUSY")):
        host = machine(group(found))
        assert bind_answer(host, found, "vfio-pci", SINCE_6_6).result == result


def test_a_bus_that_asks_for_no_ownership_binds_in_a_held_group() -> None:
    free = device("vmbus_0_1", None, bus="vmbus")
    held = machine(group(free, device(NIC, "vfio-pci"), held=Held.BY_USER))
    assert bind_answer(held, free, "hv_netvsc", SINCE_6_6).result == "0"


def test_whether_dma_of_uio_reaches_memory_needs_the_groups() -> None:
    found = device(NIC, "uio_pci_generic", group=Missing.ABSENT)
    assert reaches_memory(machine(ungrouped=[found], groups_known=False), found) is None


def test_a_newcomer_whose_driver_kills_the_host_is_no_success() -> None:
    port = device("0000:00:01.0", "pcieport", bridge=True)
    facts: dict[str, Any] = {
        "pcie_type": PciExpType.ROOT_PORT,
        "hotplug_slot": True,
        "acs": None,
    }
    port = replace(
        port,
        path="sys/devices/pci0000:00/0000:00:01.0",
        pci=replace(port.pci, secondary_bus=1, **facts),
    )
    host = machine(group(port, device("0000:00:01.1", "vfio-pci")))
    steps = [parse_step("claim=1"), parse_step(f"hotplug={port.address},0200,e1000e")]
    died = simulate(host, only(BEFORE_5_19), steps)
    assert died.outcomes[-1].answer.result == "host-crash"
    assert died.alive is False
    # The card alone does no harm; since v5.19 its driver is kept out.
    plug = parse_step(f"hotplug={port.address}")
    bare = simulate(host, only(BEFORE_5_19), [steps[0], plug])
    assert [o.answer.result for o in bare.outcomes] == ["0", "0"]
    kept = simulate(host, only(SINCE_6_6), steps)
    assert kept.outcomes[-1].answer.result == "0"
    assert "e1000e binding to it: -EBUSY" in kept.outcomes[-1].answer.because
    assert kept.alive is True
