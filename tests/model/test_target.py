"""What a person types, and which device or group that is."""

from __future__ import annotations

import pytest
from builders import device, group, machine

from iommu_inspect.model.target import UnknownTargetError, find_target

HOST = machine(
    group(
        device("0000:01:00.0", "vfio-pci", group="2", name="TU117 [GTX 1650]"),
        device("0000:01:00.1", "snd_hda_intel", group="2", vendor_name="NVIDIA"),
        id="2",
    ),
    group(device("0001:01:00.0", "nvme", group="30"), id="30"),
    group(device("10000:e1:00.0", "nvme", group="31"), id="31"),
    group(device("axi:gpu", "vc4-drm", bus="platform", group="32"), id="32"),
    ungrouped=[device("0000:05:00.0", "ahci", group=None)],
)


@pytest.mark.parametrize(
    ("text", "address", "group_id"),
    [
        ("0000:01:00.0", "0000:01:00.0", "2"),
        ("01:00.0", "0000:01:00.0", "2"),  # domain 0 where there is one
        ("1:0.1", "0000:01:00.1", "2"),
        ("0001:01:00.0", "0001:01:00.0", "30"),
        ("e1:00.0", "10000:e1:00.0", "31"),  # only one domain has it
        ("axi:gpu", "axi:gpu", "32"),
        ("gpu", "axi:gpu", "32"),
        ("snd_hda", "0000:01:00.1", "2"),
        ("gtx 1650", "0000:01:00.0", "2"),
        ("nvidia", "0000:01:00.1", "2"),
        ("05:00.0", "0000:05:00.0", None),
    ],
)
def test_a_device_is_found_by_what_it_is_called(
    text: str, address: str, group_id: str | None
) -> None:
    target = find_target(HOST, text)
    assert target.device is not None
    assert target.device.address == address
    assert (target.group and target.group.id) == group_id
    assert target.text == text


def test_a_group_is_found_by_its_id_alone() -> None:
    target = find_target(HOST, "group:2")
    assert target.device is None
    assert [d.address for d in target.devices] == ["0000:01:00.0", "0000:01:00.1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nvme", "fits 2 devices: 0001:01:00.0, 10000:e1:00.0"),
        ("01:00.5", "near are 0000:01:00.1, 0000:01:00.0"),
        ("0002:01:00.0", "no device is called '0002:01:00.0'"),
        ("zzz", "'iommu-inspect list' shows them all"),
        ("", "no device is called ''"),
        ("group:3", "the groups go from 2 to 32, near are"),
        ("group:x", "there is no group 'x'"),
    ],
)
def test_what_fits_nothing_or_too_much_is_explained(text: str, message: str) -> None:
    with pytest.raises(UnknownTargetError) as error:
        find_target(HOST, text)
    assert message in str(error.value)


def test_a_host_without_devices_names_no_near_misses() -> None:
    with pytest.raises(UnknownTargetError, match="nor any other"):
        find_target(machine(), "01:00.0")
    with pytest.raises(UnknownTargetError, match="there are no groups"):
        find_target(machine(), "group:1")
