"""Drivers are told of ids, twice, and forget them (new_id, remove_id)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import device, group, machine

from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.asked.target import UnknownTargetError
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.host.command_line import parse_command_line

NIC, TWIN, USB = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
TELL = "new_id=vfio-pci,8086:1234"


def host(release: str = "6.12.1", **drivers: str | None) -> Machine:
    """Two cards with one id and another; ``nic``, ``twin``, ``usb``: their drivers."""
    usb = device(USB, drivers.get("usb", "xhci_hcd"), group="3")
    usb = replace(usb, ids=PciIds(0x1033, 0x0194, class_code=0x0C0330))
    return machine(
        group(device(NIC, drivers.get("nic")), id="1"),
        group(device(TWIN, drivers.get("twin", "e1000e"), group="2"), id="2"),
        group(usb, id="3"),
        kernel=Kernel(release, command_line="quiet"),
    )


def take(on: Machine, *steps: str) -> Simulation:
    return simulate(on, applicable(on.kernel), [parse_step(s) for s in steps])


def drivers(found: Simulation) -> list[object]:
    return [device.driver for device in found.after.devices]


@pytest.mark.parametrize(
    ("steps", "answers"),
    [
        # By 5.10, and by 6.1, 6.12 and 7.3: python -m lab run --machines new-ids
        ((TELL,), "0 0"),
        ((TELL, TELL), "0 -EEXIST"),
        (("new_id=vfio-pci,01:00.0", TELL), "0 -EEXIST"),
        (("remove_id=vfio-pci,8086:1234",), "-ENODEV -ENODEV"),
        ((TELL, "remove_id=vfio-pci,8086:1234"), "0 0"),
        # A driver of the host has ids of its own, which no source tells.
        (("new_id=e1000e,8086:1234",), "unknown unknown"),
    ],
)
def test_no_driver_is_told_twice_since_5_11(
    steps: tuple[str, ...], answers: str
) -> None:
    said = [
        take(host(release), *steps).outcomes[-1].answer.result
        for release in ("5.10.0-32-amd64", "6.12.1")
    ]
    assert said == answers.split()


def test_a_driver_takes_whatever_fits_and_is_free() -> None:
    """Those of the id, those whose override names it; not those of another override."""
    assert drivers(take(host(), TELL)) == ["vfio-pci", "e1000e", "xhci_hcd"]
    free = host(twin=None, usb=None)
    assert drivers(take(free, TELL)) == ["vfio-pci", "vfio-pci", None]
    wanted = take(free, f"override={USB},vfio-pci", f"override={TWIN},pci-stub", TELL)
    assert drivers(wanted) == ["vfio-pci", None, "vfio-pci"]


def test_what_its_probe_refuses_is_not_told() -> None:
    alone = replace(host(), groups=(), ungrouped=(device(NIC, group=None),))
    found = take(alone, TELL)
    assert found.outcomes[0].answer.result == "0"
    assert f"it refuses {NIC}" in found.outcomes[0].answer.because
    assert drivers(found) == [None]


def test_an_id_counts_at_the_next_probe() -> None:
    """bind needs no override then; a driver that forgot does not let go."""
    told = take(host(twin=None), TELL, f"unbind={NIC}", f"rebind={NIC},vfio-pci")
    assert told.outcomes[-1].answer.result == "0"
    forgot = take(host(), TELL, "remove_id=vfio-pci,8086:1234")
    assert drivers(forgot) == ["vfio-pci", "e1000e", "xhci_hcd"]


def test_what_may_have_been_told_before_is_unknown() -> None:
    """By a setting, or since a device has the driver and no override names it."""
    words = parse_command_line("vfio-pci.ids=8086:1234")
    set_up = replace(host(), settings=Settings(command_line=words))
    for on in (set_up, host(twin="vfio-pci")):
        assert take(on, TELL).outcomes[0].answer.result == "unknown"
    old = replace(set_up, kernel=Kernel("5.10.1"))
    assert take(old, TELL).outcomes[0].answer.result == "0"


def test_a_device_whose_override_is_not_told_may_be_taken() -> None:
    hidden = replace(device(NIC), driver_override=Missing.UNREADABLE)
    on = replace(host(), groups=(group(hidden),))
    assert take(on, TELL).outcomes[0].answer.result == "unknown"


def test_the_id_of_a_device_has_to_be_told() -> None:
    bare = replace(device(NIC), ids=PciIds())
    on = replace(host(), groups=(group(bare),))
    with pytest.raises(UnknownTargetError, match=r"the ids of 01:00\.0 are not told"):
        take(on, "new_id=vfio-pci,01:00.0")
