"""Why ACS that is there is off, on machines that really booted so."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from shared import FIXTURES

from iommu_inspect.kernel.grouping.acs.off import why_off
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path


@cache
def booted(name: str) -> Machine:
    return read_machine(open_path(str(FIXTURES / f"kernels/6.12-{name}-0.tar.gz")))


def with_line(machine: Machine, line: str) -> Machine:
    words = parse_command_line(line)
    return replace(machine, settings=replace(machine.settings, command_line=words))


def off(machine: Machine, address: str = "00:01.0") -> str | None:
    device = find_target(machine, address).device
    assert device is not None
    return why_off(machine, device)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("disable-acs-redir", "pci=disable_acs_redir=pci:1b36:000c"),
        ("config-acs", "pci=config_acs=0000000@pci:1b36:000c"),
    ],
)
def test_the_command_line_that_took_acs_away_is_named(name: str, word: str) -> None:
    assert word in (off(booted(name)) or "")


@pytest.mark.parametrize(
    "line",
    [
        "quiet",
        "pci=disable_acs_redir=pci:8086:1234",
        "pci=disable_acs_redir=0000:00:02.0",
        "pci=config_acs=x@",
        "pci=disable_acs_redir=pci:zz:1",
        "pci=noacs",
        "pci=config_acs=11111@pci:1b36:000c",
        "quiet -- pci=disable_acs_redir=pci:1b36:000c",
    ],
)
def test_a_command_line_that_names_other_devices_is_no_reason(line: str) -> None:
    assert off(with_line(booted("config-acs"), line)) is None


@pytest.mark.parametrize(
    "line",
    [
        "pci=noats,disable_acs_redir=0000:00:02.0;0000:00:01.0",
        "pci=disable_acs_redir=00:01.0",
        "pci=config_acs=10xx0@pci:0:0",
        '"pci=disable_acs_redir=pci:0:0"',
    ],
)
def test_every_form_of_naming_a_device_is_understood(line: str) -> None:
    assert "which names 0000:00:01.0" in (
        off(with_line(booted("config-acs"), line)) or ""
    )


def test_an_smmu_of_the_device_tree_is_found_too_late() -> None:
    assert "SMMU" in (off(booted("arm64-arm-ports")) or "")


def test_it_is_not_offered_where_it_does_not_fit() -> None:
    arm = booted("arm64-arm-ports")
    assert off(replace(arm, kernel=Kernel(release="7.3.4"))) is None
    assert off(replace(arm, kernel=Kernel(release="\u00b2.6.1"))) is None
    assert off(replace(arm, kernel=Kernel(release=Missing.ABSENT))) is None
    for odd in ("\N{SUPERSCRIPT TWO}.6", "9" * 5000, "4" * 5000 + ".1"):
        assert off(replace(arm, kernel=Kernel(release=odd))) is None
    assert off(replace(arm, firmware_tables=("IORT",))) is None
    assert off(replace(arm, iommus=())) is None


def test_controls_that_are_on_need_no_reason() -> None:
    machine = with_line(booted("two-functions"), "pci=disable_acs_redir=pci:0:0")
    assert off(machine) is None
