"""Why the kernel's group may differ from isolation: only reasons that fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shared import FIXTURES

from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.sharing import Sharing, sharing
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Acs, Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

ALL = 0x1D


def booted(name: str) -> Machine:
    return read_machine(open_path(str(FIXTURES / f"kernels/6.12-{name}-0.tar.gz")))


def changed(machine: Machine, change: Callable[[Device], Device]) -> Machine:
    groups = tuple(
        replace(group, devices=tuple(map(change, group.devices)))
        for group in machine.groups
    )
    return replace(machine, groups=groups)


def controls(control: int) -> Callable[[Device], Device]:
    """Change the control register of what has ACS, as setpci does."""

    def change(device: Device) -> Device:
        acs = device.pci.acs
        if not isinstance(acs, Acs):
            return device
        return replace(
            device, pci=replace(device.pci, acs=replace(acs, control=control))
        )

    return change


def split(machine: Machine) -> Machine:
    """Give every device a group of its own, as an ACS override does."""
    groups = [
        Group(str(number), (replace(device, group=str(number)),))
        for number, device in enumerate(d for g in machine.groups for d in g.devices)
    ]
    return replace(machine, groups=tuple(groups))


def with_line(machine: Machine, line: str) -> Machine:
    words = parse_command_line(line)
    return replace(machine, settings=replace(machine.settings, command_line=words))


def explained(machine: Machine, address: str) -> Sharing:
    device = find_target(machine, address).device
    assert device is not None
    return sharing(Grouping(machine), device)


def test_nothing_is_suspected_where_the_two_agree() -> None:
    machine = booted("two-functions")
    for device in machine.devices:
        assert explained(machine, device.address).suspects == ()
    assert all(recompute(machine).agreement(g).agrees for g in machine.groups)


def test_acs_switched_off_after_boot() -> None:
    machine = changed(booted("two-functions"), controls(0))
    found = explained(machine, "01:00.0")
    assert found.recomputed.agrees is False
    assert len(found.suspects) == 1 or "quirk" in found.suspects[1]
    assert "0000:00:01.0 was switched off after the groups" in found.suspects[0]


def test_acs_switched_on_after_boot() -> None:
    found = explained(changed(booted("arm64-arm-ports"), controls(ALL)), "01:00.0")
    assert found.recomputed.agrees is False
    assert "0000:00:01.0" in found.suspects[0]
    assert "was switched on after the groups were made" in found.suspects[0]


def test_an_override_of_the_command_line_comes_first() -> None:
    machine = split(booted("switch-no-acs"))
    for word in (
        "pcie_acs_override=downstream,multifunction",
        "pcie-acs-override=downstream",
    ):
        found = explained(with_line(machine, f"quiet {word}"), "03:00.0")
        assert found.recomputed.agrees is False
        assert word in found.suspects[0]


def test_without_the_word_no_override_is_suspected() -> None:
    machine = split(booted("switch-no-acs"))
    found = explained(machine, "03:00.0")
    assert found == explained(
        with_line(machine, "quiet -- pcie_acs_override=downstream"), "03:00.0"
    )
    assert found.recomputed.agrees is False
    assert "quirk" in found.suspects[0]
    assert "override" not in " ".join(found.suspects)
    assert "switched" not in " ".join(found.suspects)


def test_an_override_explains_no_group_that_is_too_large() -> None:
    machine = changed(booted("arm64-arm-ports"), controls(ALL))
    overridden = with_line(machine, "pcie_acs_override=downstream")
    found = explained(overridden, "01:00.0")
    assert "pcie_acs_override" not in " ".join(found.suspects)
