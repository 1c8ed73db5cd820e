"""The machine that is read from a tree is the one that the tree describes."""

from __future__ import annotations

import bz2
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from builders import functions
from examples import each
from running import document, read
from shared import KERNELS, SHARED, SYSFS, needs_shared

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.render.audits.verdict import audit_text
from iommu_inspect.render.listing.columns import rows_of
from iommu_inspect.render.listing.table import list_text
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.directory import DirTree
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tree import Kind

Members = dict[str, str | None]
Groups = dict[str, Members]

STATES = [f"{kernel}/{state}" for kernel in KERNELS for state in ("before", "after")]
ALL_FIXTURES = sorted(path.name for path in SYSFS.iterdir() if path.is_dir())


@cache
def fixture(name: str) -> Machine:
    return read_machine(open_path(str(SYSFS / name)))


def capture(state: str) -> Path:
    return SHARED / "real-kernels" / f"{state}.tar.gz"


def listed(source: Path) -> tuple[Groups, Members]:
    """What ``list --format json`` says: drivers by address by group, and the rest."""
    found = document("list", "--numeric", "--from", source)
    groups = {
        group["id"]: {d["address"]: d["driver"] for d in group["devices"]}
        for group in found["groups"]
    }
    for group in found["groups"]:  # none was lost for having the name of another
        assert len(group["devices"]) == len(groups[group["id"]]) or (
            source.name == "same-name-two-buses"
        )
    return groups, {d["address"]: d["driver"] for d in found["ungrouped"]}


def by_address(machine: Machine) -> dict[str, Device]:
    return {device.address: device for device in machine.devices}


# Real captures against a second, independent reading of them


class Tarred:
    """A tar read by the standard library, in the plainest way."""

    def __init__(self, path: Path) -> None:
        self.links: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                if member.issym():
                    self.links[name] = member.linkname
                elif member.isreg() and member.size < 70_000:
                    file = tar.extractfile(member)
                    assert file is not None
                    text = file.read().decode("latin-1").rstrip("\n\0 ")
                    self.texts[name] = text

    def groups(self) -> Groups:
        drivers = {
            name.split("/")[-2]: link.split("/")[-1]
            for name, link in self.links.items()
            if name.startswith("sys/devices/pci") and name.endswith("/driver")
        }
        groups: Groups = {}
        for name, link in self.links.items():
            match = re.fullmatch(r"sys/kernel/iommu_groups/(\d+)/devices/[^/]+", name)
            if match:
                address = link.split("/")[-1]
                groups.setdefault(match[1], {})[address] = drivers.get(address)
        return groups


@needs_shared
@pytest.mark.parametrize("state", STATES)
def test_groups_of_a_real_kernel_are_those_that_its_tar_holds(state: str) -> None:
    wanted = Tarred(capture(state)).groups()
    assert len(wanted) == 8
    assert listed(capture(state))[0] == wanted


@needs_shared
@pytest.mark.parametrize("state", STATES)
def test_facts_of_a_real_kernel_are_those_that_its_tar_holds(state: str) -> None:
    tar = Tarred(capture(state))
    found = document("list", "--numeric", "--from", capture(state))
    assert found["source"]["kernel"] == tar.texts["proc/sys/kernel/osrelease"]
    for group in found["groups"]:
        folder = f"sys/kernel/iommu_groups/{group['id']}"
        assert group["type"] == tar.texts.get(f"{folder}/type")
        regions = [
            f"{region['start']} {region['end']} {region['type']}"
            for region in group["reserved_regions"]
        ]
        assert "\n".join(regions) == tar.texts[f"{folder}/reserved_regions"]
        for device in group["devices"]:
            _, _, path = tar.links[
                f"sys/bus/pci/devices/{device['address']}"
            ].rpartition("../devices/")
            for key in ("vendor", "device", "class", "subsystem_vendor", "revision"):
                assert f"0x{device[key]}" == tar.texts[f"sys/devices/{path}/{key}"]
            assert device["bus"] == "pci"


@needs_shared
def test_a_laptop_captured_without_group_directories_has_all_its_groups() -> None:
    source = next((SHARED / "ghw").glob("linux-amd64-415ee03b*.tar.gz"))
    table = (SHARED / "ghw" / "thinkpad-x1-carbon-gen10.groups.tsv").read_text()
    wanted: Groups = {}
    for line in table.splitlines():
        if not line.startswith("#"):
            group, address, driver = line.split("\t")
            wanted.setdefault(group, {})[address] = None if driver == "-" else driver
    assert len(wanted) == 15
    assert listed(source) == (wanted, {})


def real_trees() -> list[Path]:
    return sorted([*SHARED.glob("ghw/*.tar.gz"), *SHARED.glob("hwloc/*.tar.bz2")])


@needs_shared
@pytest.mark.parametrize("source", real_trees(), ids=lambda path: path.name[:24])
def test_every_real_tree_can_be_listed_and_audited(source: Path) -> None:
    machine = read(source)
    rules = applicable(machine.kernel)
    assert list(machine.devices)
    groups = map(Inquiry(machine, rules).owned, machine.groups)
    assert list_text(rows_of(groups, machine.ungrouped))
    assert audit_text(audit(machine, rules))
    assert all(device.bus == "pci" for device in machine.devices)


@needs_shared
@pytest.mark.parametrize("source", real_trees(), ids=lambda path: path.name[:24])
def test_every_pci_function_of_a_real_tree_is_listed(source: Path) -> None:
    if source.suffix == ".bz2":  # the standard library is slow at these
        names = subprocess.run(
            ["tar", "-t"],
            input=bz2.decompress(source.read_bytes()),
            capture_output=True,
            check=True,
        ).stdout.decode()
    else:
        with tarfile.open(source) as tar:
            names = "\n".join(tar.getnames())
    pattern = r"sys/bus/pci/devices/([0-9a-f:.]+)/?$"
    wanted = set(re.findall(pattern, names, re.MULTILINE))
    assert wanted
    assert set(by_address(read(source))) == wanted


@needs_shared
def test_a_capture_without_a_trace_of_groups_cannot_tell_them() -> None:
    source = next((SHARED / "hwloc").glob("40intel64*"))
    machine = read(source)
    assert not machine.groups_known
    assert all(device.group is Missing.ABSENT for device in machine.devices)


# Hand-made trees against what they were made to say

TRUTH: dict[str, tuple[Groups, Members]] = {
    "acs-override": ({"11": {"0000:00:19.0": "vfio-pci"}}, {}),
    "bare-capture": (
        {
            "3": {"0000:00:19.0": "vfio-pci"},
            "4": {"0000:00:1c.0": "pcieport", "0000:02:00.0": "vfio-pci"},
        },
        {},
    ),
    "bridge-shpchp": (
        {
            "9": {"0000:00:1e.0": "shpchp", "0000:05:01.0": "vfio-pci"},
            "10": {"0000:00:1c.0": "pcieport", "0000:06:00.0": "vfio-pci"},
        },
        {},
    ),
    "dangling-member": (
        {
            "6": {"0000:00:19.0": "vfio-pci", "0000:00:1a.0": None},
            "7": {"0000:00:1c.0": "vfio-pci"},
        },
        {},
    ),
    "device-facts": (
        {
            "1": {"0000:00:01.0": "pcieport"},
            "2": {"0000:00:02.0": "pcieport"},
            "3": {"0000:00:03.0": "pcieport"},
            "4": {"0000:00:04.0": "pcieport"},
            "5": {"0000:00:05.0": "pcieport"},
            "6": {"0000:00:06.0": "pcieport"},
            "7": {"0000:00:07.0": "pcieport"},
            "8": {"0000:00:1f.3": None, "0000:00:1f.4": None},
            "10": {"0000:01:00.0": "vfio-pci"},
            "11": {"0000:01:00.1": "snd_hda_intel"},
            "20": {"0000:02:00.0": "vfio-pci"},
            "30": {"0000:03:00.0": "vfio-pci"},
            "40": {"0000:04:00.0": "nouveau"},
            "41": {"0000:04:00.1": None},
            "50": {"0000:05:00.0": "vfio-pci"},
            "51": {"0000:05:00.1": "vfio-pci"},
            "60": {"0000:06:00.0": "vfio-pci"},
            "61": {"0000:06:10.0": "vfio-pci"},
            "62": {"0000:06:10.2": "iavf"},
            "70": {"0000:07:00.0": "i40e"},
            "71": {"0000:07:10.0": "vfio-pci"},
            "72": {"0000:07:10.2": "vfio-pci"},
        },
        {},
    ),
    "dpdk-drivers": (
        {
            "2": {"0000:00:02.0": "uio_pci_generic"},
            "3": {"0000:00:03.0": "uio_pci_generic"},
            "4": {"0000:00:04.0": "igb_uio"},
            "5": {"0000:00:05.0": "mlx5_core"},
            "6": {"0000:00:06.0": "vfio-pci"},
            "7": {"0000:00:07.0": "i40e"},
        },
        {"0000:00:08.0": "uio_pci_generic"},
    ),
    "firmware-mappings": (
        {"4": {"0000:00:01.0": "vfio-pci"}, "5": {"0000:00:1d.0": "vfio-pci"}},
        {},
    ),
    "groups-of-one": (
        {
            "2": {"0000:00:02.0": "vfio-pci"},
            "3": {"0000:00:03.0": "ifcvf"},
            "4": {"0000:00:04.0": "ifcvf", "0000:00:04.1": None},
            "5": {"0000:00:05.0": "ifcvf"},
            "6": {"0000:00:06.0": "vfio-pci"},
        },
        {},
    ),
    "half-a-group": (
        {
            "13": {"0000:00:01.0": "vfio-pci", "0000:00:01.1": None},
            "14": {"0000:00:02.0": "vfio-pci", "0000:00:02.1": "vfio-pci"},
            "15": {"0000:00:03.0": "vfio-pci", "0000:00:03.1": "snd_hda_intel"},
            "16": {"0000:00:04.0": None, "0000:00:04.1": None},
        },
        {},
    ),
    "host-lives-here": (
        {
            "1": {"0000:00:01.0": "nvme", "0000:00:01.1": "vfio-pci"},
            "2": {"0000:00:02.0": "ahci"},
            "3": {"0000:00:03.0": "ahci"},
            "4": {"0000:00:04.0": "igb"},
            "5": {"0000:00:05.0": "igb"},
            "6": {"0000:00:06.0": "xhci_hcd"},
            "7": {"0000:00:07.0": "nvme"},
            "8": {"0000:00:08.0": "e1000e"},
            "9": {"0000:00:09.0": "nouveau"},
            "10": {"0000:00:0a.0": "vfio-pci"},
            "11": {"0000:00:0b.0": "serial"},
            "12": {"0000:00:0c.0": "igb"},
        },
        {},
    ),
    "hostile-names": (
        {
            "1": {
                "0000:00:01.0": "vfio-pci",
                "0000:00:01.1": "evil\x1b[2J\u202edriver",
                "$(reboot)`id`;&|": "x y",
                "new\nline": "a'; reboot; echo '",
            }
        },
        {},
    ),
    "interrupts-not-remapped": ({"3": {"0000:00:19.0": "vfio-pci"}}, {}),
    "interrupts-unsafe": ({"3": {"0000:00:19.0": "vfio-pci"}}, {}),
    "links-only": (
        {
            "0": {"0000:00:02.0": "i915"},
            "9": {"0000:00:14.0": "xhci_hcd"},
            "14": {"0000:00:1f.0": None, "0000:00:1f.3": "snd_hda_intel"},
        },
        {},
    ),
    "no-driver-links": (
        {
            "3": {"0000:00:19.0": None},
            "4": {"0000:00:01.0": None, "0000:00:01.1": None},
        },
        {},
    ),
    **{
        f"no-iommu-{layer}": ({}, {"0000:00:02.0": "i915", "0000:00:1f.6": "e1000e"})
        for layer in ("firmware", "groups", "guest", "unit")
    },
    "no-iommu-mode": ({"0": {"0000:00:19.0": "vfio-pci"}}, {"0000:00:02.0": "i915"}),
    "old-kernel-vmd": (
        {
            "0": {"0000:00:17.0": "ahci"},
            "3": {
                "0000:00:0e.0": "vmd",
                "10000:e0:06.0": "pcieport",
                "10000:e1:00.0": "nvme",
            },
            "17": {"0000:00:14.0": "xhci_hcd"},
            "205": {"0000:00:1f.6": "vfio-pci"},
        },
        {},
    ),
    "override-pending": (
        {
            "1": {"0000:00:02.0": "nouveau"},
            "2": {"0000:00:03.0": None},
            "3": {"0000:00:04.0": "vfio-pci"},
            "4": {"0000:00:05.0": "e1000e"},
            "5": {"0000:00:06.0": "mlx5_vfio_pci"},
        },
        {},
    ),
    "platform-members": (
        {
            "0": {"1000800000.codec": "rpi-hevc-dec", "1000880000.pisp_be": "pispbe"},
            "1": {"107c580000.hvs": "vc4_hvs", "axi:gpu": "vc4-drm"},
        },
        {"0001:00:00.0": "pcieport", "0001:01:00.0": "nvme"},
    ),
    **{
        f"rhel9-{has}-vfio-dev": (
            {"8": {"0000:00:19.0": "vfio-pci", "0000:00:1b.0": "snd_hda_intel"}},
            {},
        )
        for has in ("with", "without")
    },
    "same-name-two-buses": (
        # Two members have this one name: see the test of its own below.
        {"4": {"7ff00000.dma": None}, "5": {"7ff60000.ohci": "ohci-platform"}},
        {},
    ),
    "sriov-one-group": (
        {
            "12": {"0000:00:03.0": "pcieport"},
            "31": {
                "0000:3b:00.0": "vfio-pci",
                "0000:3b:01.0": "iavf",
                "0000:3b:01.1": "iavf",
            },
        },
        {},
    ),
    "variant-by-name": (
        {
            "2": {"0000:00:05.0": "mlx5_vfio_pci"},
            "3": {"0000:00:06.0": "acme_vfio_pci"},
        },
        {},
    ),
    "variant-by-vfio-dev": ({"2": {"0000:00:05.0": "acme-migration"}}, {}),
    "ids-built-in": (
        {"1": {"0000:00:02.0": "nouveau"}, "2": {"0000:00:04.0": "vfio-pci"}},
        {},
    ),
    "ids-lost-race": (
        {
            "1": {"0000:00:02.0": "nouveau"},
            "2": {"0000:00:02.1": "snd_hda_intel"},
            "3": {"0000:00:03.0": "igb"},
            "4": {"0000:00:04.0": "vfio-pci"},
            "5": {"0000:00:05.0": None},
        },
        {},
    ),
    "ids-two-cards": (
        {
            "1": {"0000:00:02.0": "vfio-pci"},
            "2": {"0000:00:02.1": "vfio-pci"},
            "3": {"0000:00:03.0": "nouveau"},
            "4": {"0000:00:03.1": "snd_hda_intel"},
        },
        {},
    ),
    "ids-two-taken": (
        {
            "1": {"0000:00:02.0": "vfio-pci"},
            "2": {"0000:00:02.1": "vfio-pci"},
            "3": {"0000:00:03.0": "vfio-pci"},
            "4": {"0000:00:03.1": "vfio-pci"},
        },
        {},
    ),
    "ids-wrong": (
        {"1": {"0000:00:02.0": "nouveau"}, "2": {"0000:00:02.1": "vfio-pci"}},
        {},
    ),
    "no-answer": (
        {"1": {"0000:00:02.0": "vfio-pci"}, "2": {"0000:00:02.1": "vfio-pci"}},
        {},
    ),
    "xen-dom0": ({}, {"0000:00:02.0": "i915", "0000:00:1f.6": "pciback"}),
    "in-use": (
        {
            "1": {"0000:00:01.0": "nvidia"},
            "2": {"0000:00:02.0": "xhci_hcd"},
            "3": {"0000:00:03.0": "nvidia"},
            "4": {"0000:00:04.0": "nvme"},
            "9": {"83b8f4f2-509f-482f-9c1e-e6bfe0fa1001": "vfio_mdev"},
        },
        {},
    ),
    "quickassist": (
        {
            "2": {"0000:00:02.0": "c6xxvf"},
            "3": {"0000:00:03.0": None},
            "4": {"0000:00:04.0": "idxd"},
        },
        {},
    ),
    "settings-misspelt": (
        {
            "1": {"0000:00:02.0": "nouveau"},
            "2": {"0000:00:02.1": "snd_hda_intel"},
            "3": {"0000:00:03.0": "vfio-pci"},
        },
        {},
    ),
}


@each("name", TRUTH)
def test_groups_of_a_hand_made_tree_are_those_it_was_made_with(name: str) -> None:
    groups, ungrouped = listed(SYSFS / name)
    assert (groups, ungrouped) == TRUTH[name]
    assert list(groups) == sorted(groups, key=int)


def test_every_hand_made_tree_is_tested_and_has_its_purpose_stated() -> None:
    text = (SYSFS / "README.md").read_text()
    stated = re.findall(r"^\| `([a-z0-9-]+)` \| \S.*\|$", text, re.MULTILINE)
    assert stated == ALL_FIXTURES == sorted(TRUTH)


def test_a_member_whose_directory_was_not_captured_is_kept_and_says_so() -> None:
    group = fixture("dangling-member").group("6")
    assert group is not None
    assert [device.address for device in group.devices] == [
        "0000:00:19.0",
        "0000:00:1a.0",
    ]
    lost = group.devices[1]
    assert lost.driver is Missing.ABSENT
    assert lost.bus == "pci"
    assert lost.ids.vendor is Missing.ABSENT


def test_two_members_of_one_name_on_two_buses_are_two_members() -> None:
    group = fixture("same-name-two-buses").group("4")
    assert group is not None
    assert {(d.address, d.bus, d.driver) for d in group.devices} == {
        ("7ff00000.dma", "platform", None),
        ("7ff00000.dma", "amba", "dma-pl330"),
    }


def test_no_driver_bound_and_drivers_not_captured_are_two_things() -> None:
    unbound = by_address(fixture("half-a-group"))["0000:00:01.1"]
    untold = by_address(fixture("no-driver-links"))["0000:00:01.1"]
    assert unbound.driver is None
    assert untold.driver is Missing.ABSENT
    found = document("list", "-n", "--from", SYSFS / "no-driver-links")
    assert found["groups"][0]["devices"][0]["missing"]["driver"] == "absent"
    found = document("list", "-n", "--from", SYSFS / "half-a-group")
    assert "driver" not in found["groups"][0]["devices"][1]["missing"]


def test_functions_that_share_a_card_know_each_other() -> None:
    devices = by_address(fixture("sriov-one-group"))
    virtual = ("0000:3b:01.0", "0000:3b:01.1")
    assert devices["0000:3b:00.0"].pci.virtfns == functions(*virtual)
    assert {devices[address].pci.physfn for address in virtual} == {
        *functions("0000:3b:00.0")
    }
    assert devices["0000:3b:00.0"].vfio_devices == ("vfio0",)
    assert devices["0000:3b:01.0"].vfio_devices == ()


def test_configuration_space_gives_header_and_port_type() -> None:
    devices = by_address(fixture("bridge-shpchp"))
    conventional, port = devices["0000:00:1e.0"].pci, devices["0000:00:1c.0"].pci
    assert (conventional.header_type, conventional.pcie_type) == (1, None)
    assert (port.header_type, port.pcie_type) == (1, PciExpType.ROOT_PORT)
    assert devices["0000:06:00.0"].pci.pcie_type == PciExpType.ENDPOINT
    assert by_address(fixture("sriov-one-group"))["0000:3b:00.0"].pci.multifunction
    assert devices["0000:00:1e.0"].is_bridge is True
    assert devices["0000:05:01.0"].is_bridge is False


def test_a_bridge_is_told_by_its_class_where_there_is_no_configuration_space() -> None:
    bridge = by_address(fixture("old-kernel-vmd"))["10000:e0:06.0"]
    assert bridge.pci.header_type is Missing.ABSENT
    assert bridge.is_bridge is True
    assert by_address(fixture("old-kernel-vmd"))["10000:e1:00.0"].is_bridge is False


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("half-a-group", InterruptRemapping.ON),
        ("old-kernel-vmd", InterruptRemapping.ON),  # from proc/interrupts
        ("platform-members", InterruptRemapping.ON),  # an ITS
        ("interrupts-not-remapped", InterruptRemapping.OFF),
        ("bare-capture", Missing.ABSENT),
    ],
)
def test_interrupt_remapping_is_read_from_the_names_of_chips(
    name: str, wanted: Fact[InterruptRemapping]
) -> None:
    assert fixture(name).interrupt_remapping == wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("0000:00:02.0", "vfio-pci"),
        ("0000:00:05.0", None),  # "(null)"
    ],
)
def test_driver_override_is_a_name_or_none(address: str, wanted: str | None) -> None:
    assert by_address(fixture("override-pending"))[address].driver_override == wanted


def test_facts_that_an_old_kernel_does_not_show_are_absent() -> None:
    for group in fixture("old-kernel-vmd").groups:
        assert group.type is Missing.ABSENT
        assert group.reserved_regions is Missing.ABSENT
    found = document("list", "-n", "--from", SYSFS / "old-kernel-vmd")
    assert found["groups"][0]["missing"]["reserved_regions"] == "absent"
    assert found["groups"][0]["type"] is None


def test_a_name_beside_the_groups_is_no_group(tmp_path: Path) -> None:
    shutil.copytree(SYSFS / "acs-override", tmp_path / "tree", symlinks=True)
    (tmp_path / "tree/sys/kernel/iommu_groups/.gitkeep").touch()
    (tmp_path / "tree/sys/kernel/iommu_groups/README").touch()
    machine = read_machine(open_path(str(tmp_path / "tree")))
    assert [group.id for group in machine.groups] == ["11"]


def test_a_region_that_cannot_be_read_spoils_the_fact(tmp_path: Path) -> None:
    shutil.copytree(SYSFS / "acs-override", tmp_path / "tree", symlinks=True)
    file = tmp_path / "tree/sys/kernel/iommu_groups/11/reserved_regions"
    file.write_text("0x0 0xff msi\nnonsense\n")
    group = read_machine(open_path(str(tmp_path / "tree"))).group("11")
    assert group is not None
    assert group.reserved_regions is Missing.UNREADABLE
    found = document("list", "-n", "--from", tmp_path / "tree")
    assert found["groups"][0]["missing"]["reserved_regions"] == "unreadable"


# One tree, however it is packed


def unlabelled(machine: Machine) -> Machine:
    """Drop where the facts came from: that is not a fact about the host."""
    return replace(machine, source=replace(machine.source, name=""))


@each("name", ALL_FIXTURES)
def test_a_directory_and_its_tar_are_the_same_machine(
    name: str, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "tree.tar", "w") as tar:
        tar.add(SYSFS / name, "captured-host")
    packed = read_machine(open_path(str(tmp_path / "tree.tar")))
    assert unlabelled(packed) == unlabelled(fixture(name))


@pytest.fixture(scope="module")
def unpacked() -> Iterator[Path]:
    """A real capture in a folder that other users can get at, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        tar = capture("6.12/after")
        subprocess.run(["tar", "-xzf", tar, "-C", folder], check=True)
        yield Path(folder)


@needs_shared
def test_a_real_capture_unpacked_is_the_same_machine(unpacked: Path) -> None:
    packed = read_machine(open_path(str(capture("6.12/after"))))
    assert packed.groups
    assert unlabelled(read_machine(open_path(str(unpacked)))) == unlabelled(packed)


# Devices that go away


class Vanishing(DirTree):
    """A live host one of whose devices goes away after some looks at it."""

    def __init__(self, root: Path, gone: str, looks: int) -> None:
        super().__init__(str(root), "a host", live=True)
        self._gone = gone
        self.looks = looks

    def _is_gone(self, path: str) -> bool:
        if self._gone not in path:
            return False
        self.looks -= 1
        return self.looks < 0

    def _kind(self, path: str) -> Fact[Kind]:
        return Missing.ABSENT if self._is_gone(path) else super()._kind(path)

    def _link(self, path: str) -> Fact[str]:
        return Missing.ABSENT if self._is_gone(path) else super()._link(path)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        return Missing.ABSENT if self._is_gone(path) else super()._content(path, limit)


def test_a_device_that_vanishes_at_any_moment_is_left_out_or_whole() -> None:
    name, gone = "half-a-group", "0000:00:03.1"
    never = read_machine(Vanishing(SYSFS / name, gone, 1_000_000))
    whole = by_address(never)[gone]
    assert whole.driver == "snd_hda_intel"
    looks, found = 0, False
    while not found:
        machine = read_machine(Vanishing(SYSFS / name, gone, looks))
        others = [d for d in machine.devices if d.address != gone]
        assert others == [d for d in never.devices if d.address != gone]
        here = by_address(machine).get(gone)
        if here is not None:
            assert (here.driver, here.group) == (whole.driver, whole.group), looks
        found = here == whole
        looks += 1
        assert looks < 200
    assert looks > 5


# What a capture must not have from this host, and what needs no privileges

WATCHED = """
import contextlib, io, json, os, sys
seen = set()
def note(path):
    if isinstance(path, (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(path))
        if path.split("/")[1] in ("sys", "proc", "dev", "run"):
            seen.add(path)
def watch(name):
    real = getattr(os, name)
    def watched(path, *rest, **more):
        note(path)
        return real(path, *rest, **more)
    setattr(os, name, watched)
from iommu_inspect.cli.main import main
for name in ("stat", "lstat", "readlink", "listdir", "scandir", "open"):
    watch(name)
sys.addaudithook(
    lambda event, args: note(args[0]) if event in ("open", "os.listdir") else None
)
for words in json.loads(sys.argv[1]):
    sys.argv = ["iommu-inspect", *words]
    with contextlib.redirect_stdout(io.StringIO()):
        with contextlib.suppress(SystemExit):
            main()
print(json.dumps(sorted(seen)))
"""


def watched(*commands: list[str]) -> set[str]:
    """Return the files of the running host that the commands looked at."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(commands)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def test_nothing_of_the_running_host_is_looked_at_with_from(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "tree.tar", "w") as tar:
        tar.add(SYSFS / "bare-capture", ".")
    commands = [
        [command, "--from", str(source)]
        for command in ("list", "audit", "predict")
        for source in (SYSFS / "bare-capture", tmp_path / "tree.tar")
    ]
    assert watched(*commands, ["audit", "0000:00:19.0", *commands[0][1:]]) == set()


def test_the_running_host_is_looked_at_without_from() -> None:
    """The test above would see it if it happened."""
    assert "/sys/kernel/iommu_groups" in watched(["list"])


def test_a_capture_without_a_release_has_none() -> None:
    assert fixture("bare-capture").kernel.release is Missing.ABSENT
    found = document("predict", "--from", SYSFS / "bare-capture")
    assert found["source"]["kernel"] is None
    assert found["semantics"] == "unknown kernel"


TWICE = """
import contextlib, io, json, os, sys
from iommu_inspect.cli.main import main
def everything():
    results = []
    for words in json.loads(sys.argv[1]):
        sys.argv[1:], kept = [*words, "--format", "json"], sys.argv[1:]
        out, code = io.StringIO(), 0
        with contextlib.redirect_stdout(out):
            try:
                main()
            except SystemExit as end:
                code = end.code
        sys.argv[1:] = kept
        results.append([code, json.loads(out.getvalue())])
    return results
first = everything()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    os.listdir("/proc/1/fd")
    raise SystemExit("privileges are still there")
except PermissionError:
    print(json.dumps([first, everything()]))
"""


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that other users can get at; pytest's own are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_root_and_as_nobody(*commands: list[str]) -> tuple[list[Any], list[Any]]:
    probe = subprocess.run(
        [sys.executable, "-c", "import os; os.setgroups([]); os.setuid(65534)"],
        capture_output=True,
    )
    if probe.returncode:
        pytest.skip("only root can become somebody else, and this is not root")
    done = subprocess.run(
        [sys.executable, "-c", TWICE, json.dumps(commands)],
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert not done.returncode, done.stderr
    root, nobody = json.loads(done.stdout)
    return root, nobody


# Growth is read from the capabilities behind the first 64 bytes.
NEEDS_CONFIGURATION_SPACE = {"singleton-can-grow"}


_OF_ISOLATION = ("remedy", "step", "cures")


def ownership_verdicts(results: list[Any]) -> list[Any]:
    """What must not depend on privileges: owners, answers, findings, exit codes."""
    verdicts = []
    for code, found in results:
        groups = [(g["id"], g["ownership"]) for g in found.get("groups", ())]
        rest = [found.get(key) for key in ("predictions", "verdict")]
        # Where isolation is lost, and so which slot helps, is in the registers.
        findings = [
            {key: value for key, value in finding.items() if key not in _OF_ISOLATION}
            if finding["rule"] == "singleton-assumption"
            else finding
            for finding in found.get("findings", ())
            if finding["rule"] not in NEEDS_CONFIGURATION_SPACE
        ]
        verdicts.append([code, groups, rest, findings])
    return verdicts


def commands_on(*source: str) -> list[list[str]]:
    return [[command, *source] for command in ("list", "audit", "predict")]


@needs_shared
def test_verdicts_on_a_capture_do_not_need_root(unpacked: Path) -> None:
    for file in (unpacked / "sys/devices").glob("pci*/**/config"):
        assert file.stat().st_size > 64  # taken as root
    for name in ("DMAR", "APIC"):  # for root only, as on a host
        (unpacked / "sys/firmware/acpi/tables" / name).chmod(0o400)
    root, nobody = as_root_and_as_nobody(*commands_on("--from", str(unpacked)))
    assert len(root[0][1]["groups"]) == 8
    assert {group["ownership"] for group in root[0][1]["groups"]} > {"conflict", "user"}
    assert ownership_verdicts(nobody) == ownership_verdicts(root)


def test_verdicts_on_this_host_do_not_need_root() -> None:
    root, nobody = as_root_and_as_nobody(*commands_on())
    assert ownership_verdicts(nobody) == ownership_verdicts(root)


@needs_shared
def test_verdicts_need_only_the_configuration_space_that_everybody_may_read(
    tmp_path: Path,
) -> None:
    cut = 0
    with (
        tarfile.open(capture("6.12/after")) as whole,
        tarfile.open(tmp_path / "cut.tar", "w") as short,
    ):
        for member in whole:
            content = whole.extractfile(member) if member.isreg() else None
            if content is not None and member.name.endswith("/config"):
                cut += member.size > 64
                member.size = min(member.size, 64)
            short.addfile(member, content)
    assert cut >= 12
    for command in ("list", "audit", "predict"):
        before = document(command, "--from", capture("6.12/after"))
        after = document(command, "--from", tmp_path / "cut.tar")
        assert ownership_verdicts([[0, after]]) == ownership_verdicts([[0, before]])
        if command == "list":  # which shows that there really was less to read
            port = after["groups"][2]["devices"][0]
            assert port["missing"]["pcie_type"] == "truncated"


def test_a_fact_that_is_denied_is_not_absent(open_to_all: Path) -> None:
    shutil.copytree(SYSFS / "acs-override", open_to_all / "tree", symlinks=True)
    regions = open_to_all / "tree/sys/kernel/iommu_groups/11/reserved_regions"
    regions.chmod(0o600)
    source = str(open_to_all / "tree")
    root, nobody = as_root_and_as_nobody(
        ["list", "--from", source], ["audit", "group:11", "--from", source]
    )
    assert "reserved_regions" not in root[0][1]["groups"][0]["missing"]
    assert nobody[0][1]["groups"][0]["missing"]["reserved_regions"] == "denied"
    assert (root[1][0], root[1][1]["verdict"]) == (0, "ready")
    assert (nobody[1][0], nobody[1][1]["verdict"]) == (3, "unknown")


def test_removable_is_read_and_missing_where_it_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "sys/devices/pci0000:00/0000:00:01.0"
    path.mkdir(parents=True)
    (path / "vendor").write_text("0x8086\n")
    listed = tmp_path / "sys/bus/pci/devices"
    listed.mkdir(parents=True)
    link = "../../../devices/pci0000:00/0000:00:01.0"
    (listed / "0000:00:01.0").symlink_to(link)
    (found,) = read_machine(open_path(str(tmp_path))).devices
    assert found.removable is Missing.ABSENT
    (path / "removable").write_text("removable\n")
    (found,) = read_machine(open_path(str(tmp_path))).devices
    assert found.removable == "removable"
