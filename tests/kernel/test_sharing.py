"""One reason for each pair of devices, and why others are apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import device, group, machine
from shared import FIXTURES, SYSFS

from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.sharing import Pair, pair, sharing
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciPlacement
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path


def booted(name: str) -> Machine:
    return read_machine(open_path(str(FIXTURES / f"kernels/6.12-{name}.tar.gz")))


def between(found: Machine, first: str, second: str) -> Pair:
    ends = [find_target(found, text).device for text in (first, second)]
    assert ends[0] is not None
    assert ends[1] is not None
    return pair(Grouping(found), recompute(found), ends[0], ends[1])


@pytest.mark.parametrize(
    ("name", "first", "second", "mechanism", "at"),
    [
        ("two-functions-0", "01:00.0", "01:00.1", "multifunction", "0000:01:00.0"),
        ("bridges-0", "03:01.0", "03:02.0", "dma-alias", "0000:02:02.0"),
        ("bridges-0", "03:01.0", "02:01.0", "dma-alias", "0000:01:00.0"),
        ("bridges-0", "03:01.0", "02:02.0", "dma-alias", "0000:02:02.0"),
        ("switch-no-acs-0", "03:00.0", "04:00.0", "acs-path", "0000:02:00.0"),
        ("switch-no-acs-0", "04:00.0", "03:00.0", "acs-path", "0000:02:01.0"),
        ("switch-no-acs-0", "03:00.0", "01:00.0", "acs-path", "0000:00:01.0"),
        ("arm64-arm-ports-0", "01:00.0", "00:01.0", "acs-path", "0000:00:01.0"),
        ("arm64-arm-ports-0", "01:00.0", "02:00.0", "multifunction", "0000:00:01.0"),
        ("sriov-no-acs-1", "01:00.0", "01:00.1", "acs-path", "0000:00:01.0"),
    ],
)
def test_a_pair_of_one_group_has_a_reason_and_a_place(
    name: str, first: str, second: str, mechanism: str, at: str
) -> None:
    found = between(booted(name), first, second)
    assert found.shared is True
    assert (found.mechanism, found.at and found.at.address) == (mechanism, at)


@pytest.mark.parametrize(
    ("release", "at"), [("6.12.1", "0000:02:02.0"), ("7.3.4", "0000:01:00.0")]
)
def test_the_bridge_of_a_bmc_takes_requests_over_until_v7_3(
    release: str, at: str
) -> None:
    found = booted("bridges-0")
    plain = find_target(found, "02:02.0").device
    assert plain is not None
    ids = replace(plain.ids, vendor=0x1A03, device=0x1150)
    placed = replace(plain.pci, pcie_type=PciExpType.PCI_BRIDGE)
    host = found.with_device(plain, replace(plain, ids=ids, pci=placed))
    host = replace(host, kernel=replace(host.kernel, release=release))
    told = between(host, "03:01.0", "03:02.0")
    assert (told.mechanism, told.at and told.at.address) == ("dma-alias", at)


@pytest.mark.parametrize(
    ("name", "first", "second", "words"),
    [
        ("two-functions-0", "01:00.0", "00:01.0", "different requester ids"),
        ("config-acs-0", "01:00.0", "04:00.0", "only at the root"),
        ("two-functions-1", "01:00.0", "00:01.0", "only root can read"),
        ("arm64-arm-ports-0", "01:00.0", "00:00.0", "00:00.0 has no IOMMU group"),
    ],
)
def test_a_pair_of_two_groups_has_a_reason_too(
    name: str, first: str, second: str, words: str
) -> None:
    found = between(booted(name), first, second)
    assert found.shared is False
    assert found.mechanism is None
    assert words in found.evidence


def test_a_group_that_the_source_does_not_tell_is_not_told() -> None:
    here, there = device("0000:00:02.0"), device("0000:00:03.0", group=Missing.ABSENT)
    found = between(machine(group(here), ungrouped=[there]), "00:02.0", "00:03.0")
    assert found.shared is None


def test_every_neighbour_of_every_lab_machine_has_a_reason_of_its_own() -> None:
    for path in sorted((FIXTURES / "kernels").glob("*-0.tar.gz")):
        found = read_machine(open_path(str(path)))
        for one in (d for g in found.groups for d in g.devices):
            told = sharing(Grouping(found), one)
            assert told.recomputed.agrees is True, (path.name, one.address)
            for reason in told.reasons:
                assert reason.mechanism != "unknown", (path.name, one.address)
                assert reason.at is not None
                assert Grouping(found).isolates(reason.at) is False


def behind_vmd() -> Machine:
    top = "sys/devices/pci0000:00/0000:00:0e.0"
    vmd = replace(device("0000:00:0e.0", "vmd"), path=top)
    drives = [
        replace(device(f"10000:e{n}:00.0", "nvme"), path=f"{top}/pci10000:e{n}/x{n}")
        for n in (0, 1)
    ]
    drives = [
        replace(d, path=str(d.path).rpartition("/")[0] + f"/{d.address}")
        for d in drives
    ]
    return machine(group(vmd, *drives))


def test_what_is_behind_a_vmd_carries_its_requester_id() -> None:
    found = between(behind_vmd(), "10000:e0:00.0", "0000:00:0e.0")
    assert (found.mechanism, found.at and found.at.address) == ("vmd", "0000:00:0e.0")
    beside = between(behind_vmd(), "10000:e0:00.0", "10000:e1:00.0")
    assert (beside.mechanism, beside.at and beside.at.address) == (
        "vmd",
        "0000:00:0e.0",
    )


def test_a_vmd_that_is_not_shown_is_no_reason() -> None:
    whole = behind_vmd()
    drives = whole.groups[0].devices[1:]
    found = between(machine(group(*drives)), "10000:e0:00.0", "10000:e1:00.0")
    assert found.mechanism == "unknown"


def outside_pci(
    *units: Fact[str | None], bus: str = "platform", apart: bool = False
) -> Pair:
    members = [
        Device(
            DeviceId(f"dev{n}", bus),
            f"sys/devices/platform/dev{n}",
            iommu=unit,
            group="1",
        )
        for n, unit in enumerate(units)
    ]
    far = replace(members[0], id=DeviceId("far", bus), path="far", group="2")
    more = [Group("2", (far,))]
    return between(machine(group(*members), *(more if apart else [])), "dev0", "dev1")


def test_outside_pci_the_iommu_decides() -> None:
    for missing in (None, Missing.ABSENT):
        assert outside_pci(missing, missing).mechanism == "shared-stream"
    assert "does not tell which" in outside_pci(None, None).evidence
    assert "one group for all" in outside_pci("gpu-mmu", "gpu-mmu").evidence
    told_apart = outside_pci("smmu0", "smmu0", apart=True).evidence
    assert "keeps other devices apart" in told_apart
    assert "one group for all" not in told_apart
    assert "container" in outside_pci(None, None, bus="fsl-mc").evidence


def test_two_iommus_are_no_reason() -> None:
    assert outside_pci("smmu0", "smmu1").mechanism == "unknown"


def test_a_pci_function_and_a_platform_device_have_no_known_reason() -> None:
    other = Device(DeviceId("dev0", "platform"), "sys/devices/platform/dev0", group="1")
    found = between(machine(group(device("0000:00:02.0"), other)), "00:02.0", "dev0")
    assert found.mechanism == "unknown"


def test_platform_devices_of_a_real_layout() -> None:
    found = read_machine(open_path(str(SYSFS / "platform-members")))
    for members in found.groups:
        told = sharing(Grouping(found), members.devices[0])
        assert {reason.mechanism for reason in told.reasons} == {"shared-stream"}


def test_a_placement_that_is_hidden_gives_no_reason() -> None:
    hidden = PciPlacement(multifunction=True, acs=Missing.TRUNCATED)
    members = [replace(device(f"0000:01:00.{n}"), pci=hidden) for n in (0, 1)]
    found = between(machine(group(*members)), "01:00.0", "01:00.1")
    assert found.mechanism == "unknown"
    assert "64 bytes" in found.evidence
