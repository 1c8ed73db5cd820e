"""What a person types, and which device, devices or group that is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import device, group, machine
from examples import each

from iommu_inspect.model.asked.target import (
    UnknownTargetError,
    devices_named,
    find_target,
    find_targets,
)
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import Host


def nvidia(address: str, driver: str, id_: int, name: str) -> Device:
    made = device(
        address, driver, group="2", name=name, vendor_name="NVIDIA Corporation"
    )
    return replace(made, ids=PciIds(0x10DE, id_, class_code=0x030000))


def at(*addresses: str) -> tuple[str, ...]:
    return tuple(f"sys/devices/{address}" for address in addresses)


HOST = machine(
    group(
        nvidia("0000:01:00.0", "vfio-pci", 0x1E04, "TU102 [GeForce RTX 2080 Ti]"),
        nvidia("0000:01:00.1", "snd_hda_intel", 0x10F7, "TU102 HD Audio"),
        id="2",
    ),
    group(device("0000:03:00.0", "nvme", group="7", name="Samsung 990"), id="7"),
    group(device("0000:04:00.0", "e1000", group="13"), id="13"),
    group(device("0000:04:1f.0", "e1000e", group="14"), id="14"),
    group(device("0001:01:02.0", "nvme", group="30"), id="30"),
    group(device("0001:03:00.0", "ahci", group="33"), id="33"),
    group(device("10000:e1:00.0", "nvme", group="31"), id="31"),
    group(device("axi:gpu", "vc4-drm", bus="platform", group="32"), id="32"),
    ungrouped=[device("0000:05:00.0", "ahci", group=None)],
    host=Host(
        nodes=(
            ("bond0", at("0000:04:00.0", "0000:04:1f.0")),
            ("eno1", at("0000:04:00.0")),
            ("eth7", at("0000:99:00.0")),
            ("lo", Missing.ABSENT),
            ("loop0", ()),
            ("nvme0n1p2", at("0000:03:00.0")),
        )
    ),
)


def named(text: str, host: Machine = HOST) -> list[str]:
    return [str(target.identity) for target in find_targets(host, [text])]


@each(
    "text, wanted",
    [
        # addresses, of a domain of any width
        ("0000:01:00.0", ["0000:01:00.0"]),
        ("01:00.0", ["0000:01:00.0"]),
        ("1:0.1", ["0000:01:00.1"]),
        ("0000:04:1F.0", ["0000:04:1f.0"]),
        ("10000:e1:00.0", ["10000:e1:00.0"]),
        ("e1:00.0", ["10000:e1:00.0"]),  # only one domain has it
        ("05:00.0", ["0000:05:00.0"]),
        ("axi:gpu", ["axi:gpu"]),
        # all functions of a slot
        ("01:00", ["0000:01:00.0", "0000:01:00.1"]),
        ("0000:01:00", ["0000:01:00.0", "0000:01:00.1"]),
        ("01:02", ["0001:01:02.0"]),
        ("10000:e1:00", ["10000:e1:00.0"]),
        ("0001:03:00", ["0001:03:00.0"]),
        ("04:1f", ["0000:04:1f.0"]),
        # every device with these ids
        ("10de:1e04", ["0000:01:00.0"]),
        ("10DE:1E04", ["0000:01:00.0"]),
        ("8086:1234", [d.address for d in HOST.devices if "01:00" not in d.address]),
        # as libvirt writes it
        ("pci_0000_01_00_1", ["0000:01:00.1"]),
        ("pci_10000_e1_00_0", ["10000:e1:00.0"]),
        # interfaces and disks, and what they are made of
        ("eno1", ["0000:04:00.0"]),
        ("bond0", ["0000:04:00.0", "0000:04:1f.0"]),
        ("nvme0n1p2", ["0000:03:00.0"]),
        ("/dev/nvme0n1p2", ["0000:03:00.0"]),
        # a part of one device's names
        ("geforce rtx", ["0000:01:00.0"]),
        ("snd_hda", ["0000:01:00.1"]),
        ("gpu", ["axi:gpu"]),
        ("e1000", ["0000:04:00.0"]),  # a whole word, which need not have three letters
        ("group:2", ["2"]),
    ],
)
def test_a_text_names_what_its_shape_says(text: str, wanted: list[str]) -> None:
    assert named(text) == wanted
    assert {target.text for target in find_targets(HOST, [text])} == {text}


def test_a_target_knows_its_group() -> None:
    grouped, alone, whole = find_targets(HOST, ["01:00.1", "05:00.0", "group:2"])
    assert grouped.group is not None
    assert grouped.group.id == "2"
    assert alone.group is None
    assert [d.address for d in whole.devices] == ["0000:01:00.0", "0000:01:00.1"]


def test_each_device_is_a_target_once_in_the_order_asked_for() -> None:
    texts = ["snd_hda", "01:00", "pci_0000_01_00_0", "0000:01:00.1", "10de:1e04"]
    found = find_targets(HOST, texts)
    assert [(t.text, str(t.identity)) for t in found] == [
        ("snd_hda", "0000:01:00.1"),
        ("01:00", "0000:01:00.0"),
    ]


@each(
    "text, message",
    [
        # what fits too much is never guessed at
        ("nvme", "fits 3 devices: 0000:03:00.0 (Ethernet controller), 0001:01:02.0 "),
        ("nvidia", "fits 2 devices: 0000:01:00.0 (VGA controller), 0000:01:00.1"),
        ("03:00.0", "fits 2 devices: 0000:03:00.0 (Ethernet controller), 0001:03:00.0"),
        ("03:00", "fits 2 devices: 0000:03:00.0 (Ethernet controller), 0001:03:00.0"),
        # bare digits are nothing, whatever has them in its name or address
        ("7", "no device is called '7'; a group is asked for as group:7"),
        ("13", "a group is asked for as group:13"),
        (
            "990",
            "a device is asked for as 0000:01:00.0, a group as group:2 to group:32",
        ),
        ("2080", "no device is called '2080'"),
        # parts of addresses are none of names, and two letters are no part
        ("0000:01", "slots go from 00 to 1f, and are asked for as 01:00 or 0000:01:00"),
        ("01:20", "slots go from 00 to 1f"),
        ("00.0", "a part of a name has 3 letters at least"),
        ("hd", "3 letters at least; it is in the names of 0000:01:00.1 (VGA contr"),
        ("x99", "a part of a name has 3 letters at least"),
        # near misses
        ("01:00.5", "near are 0000:01:00.1, 0000:01:00.0"),
        ("0002:01:00.0", "no device is called '0002:01:00.0'; near are"),
        ("pci_0000_01_00_5", "near are 0000:01:00.1"),
        ("01:01", "near are 0000:01:00.0"),
        ("10de:1e05", "near are 10de:1e04 (0000:01:00.0), 10de:10f7"),
        ("eno2", "near are eno1"),
        ("zzz", "'iommu-inspect list' shows them all"),
        ("", "no device is called ''"),
        ("group:3", "the groups go from 2 to 32, near are"),
        ("group:x", "there is no group 'x'"),
        # an interface or a disk that is on nothing, or on what the source leaves out
        ("lo", "the source tells no device that 'lo' is on"),
        ("loop0", "that is on none of the devices that could be handed over"),
        ("eth7", "that is on none of the devices that could be handed over"),
    ],
)
def test_what_fits_nothing_or_too_much_is_explained(text: str, message: str) -> None:
    with pytest.raises(UnknownTargetError) as error:
        find_targets(HOST, [text])
    assert message in str(error.value)


def test_what_the_source_cannot_show_is_said() -> None:
    blind = machine(group(device("0000:01:00.0", "igb")), host=Host())
    with pytest.raises(UnknownTargetError, match="no names of network interfaces"):
        find_targets(blind, ["enp3s0"])
    nameless = replace(device("0000:01:00.0"), ids=PciIds())
    with pytest.raises(UnknownTargetError, match="the source tells no ids"):
        find_targets(machine(group(nameless)), ["10de:1e04"])


def test_where_one_device_is_wanted_several_are_refused() -> None:
    with pytest.raises(UnknownTargetError, match=r"names 2 devices .* one is wanted"):
        find_target(HOST, "01:00")


def test_a_filter_takes_all_that_fits() -> None:
    for text in ("nvidia", "group:2", "01:00"):
        found = [device.address for device in devices_named(HOST, text)]
        assert found == ["0000:01:00.0", "0000:01:00.1"]
    assert len(devices_named(HOST, "03:00.0")) == 2


def test_a_host_without_devices_names_no_near_misses() -> None:
    with pytest.raises(UnknownTargetError, match="nor any other"):
        find_target(machine(), "01:00.0")
    with pytest.raises(UnknownTargetError, match="there are no groups"):
        find_target(machine(), "group:1")
