"""The plan in the words of Proxmox, driverctl, DPDK and SPDK: the same decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.guest.guests import (
    iommufd_arguments,
    libvirt_xml,
    qemu_arguments,
)
from iommu_inspect.plan.guest.proxmox import proxmox
from iommu_inspect.plan.sheets import dpdk, saved_driverctl, spdk
from iommu_inspect.plan.steps.making import Plan, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text, qemu_text

NEW = only(SINCE_6_6)
PORT = "sys/devices/pci0000:00/0000:00:1c.0"
NIC, GPU, AUDIO, NVME = 0x020000, 0x030000, 0x040300, 0x010802


def function(address: str, driver: str | None, code: int, **more: Any) -> Device:
    found = device(address, driver, **more)
    return replace(
        found,
        path=f"{PORT}/{address}",
        ids=PciIds(0x8086, 0x1234, class_code=code),
        pci=replace(found.pci, pcie_type=0),
    )


def plan_for(host: Machine, *words: str) -> Plan:
    plan = make_plan(host, NEW, [find_target(host, w) for w in words])
    assert not plan.refusals
    return plan


def family(owner: str, *, asked: str = "e1000e") -> Machine:
    """A physical function in a group of its own, and a virtual one in another."""
    ends = DeviceId("0000:01:00.0", "pci"), DeviceId("0000:01:00.2", "pci")
    physical = function("0000:01:00.0", owner, NIC)
    virtual = function("0000:01:00.2", asked, NIC, group="2")
    return machine(
        group(replace(physical, pci=replace(physical.pci, virtfns=(ends[1],)))),
        group(replace(virtual, pci=PciPlacement(0, True, 0, ends[0])), id="2"),
    )


CARD = machine(
    group(
        function("0000:01:00.0", "nouveau", GPU),
        function("0000:01:00.1", "snd_hda_intel", AUDIO),
    )
)


@each(
    "host, words, value",
    [
        (CARD, ["01:00.0"], "0000:01:00,pcie=1"),
        # A function that stays, even one of another group: they are named.
        (
            machine(
                *CARD.groups,
                group(function("0000:01:00.2", "mei_me", 0x078000, group="2"), id="2"),
            ),
            ["01:00.0"],
            "0000:01:00.0;0000:01:00.1,pcie=1",
        ),
        (
            machine(group(function("0000:01:00.0", "e1000e", NIC))),
            ["01:00.0"],
            "0000:01:00.0,pcie=1",
        ),
        # No PCI Express: such a card sits on the guest's conventional bus.
        (
            machine(
                group(
                    replace(
                        device("0000:01:00.0", "e1000"),
                        pci=PciPlacement(0, False, None, None, ()),
                    )
                )
            ),
            ["01:00.0"],
            "0000:01:00.0",
        ),
    ],
)
def test_proxmox_gets_a_slot_as_a_whole_only_if_all_of_it_is_given(
    host: Machine, words: list[str], value: str
) -> None:
    lines = proxmox(plan_for(host, *words)).lines
    assert f"hostpci0: {value}" in lines
    (command,) = (x for x in lines if x.startswith("qm "))
    quoted = f"'{value}'" if ";" in value else value
    assert command == f"qm set VMID --hostpci0 {quoted}"
    assert ("q35" in lines[0]) is ("pcie=1" in value)


def test_proxmox_numbers_its_lines_and_says_what_it_cannot_take() -> None:
    many = [function(f"0000:{n:02x}:00.0", "e1000e", NIC) for n in range(1, 19)]
    host = machine(group(*many))
    sheet = proxmox(plan_for(host, *(d.address for d in many)))
    assert "hostpci15: 0000:10:00.0,pcie=1" in sheet.lines
    assert "16 hostpci lines" in sheet.notes[0]
    long = machine(group(device("10000:e1:00.0", "nvme")))
    sheet = proxmox(plan_for(long, "10000:e1:00.0"))
    assert sheet.lines == ()
    assert "domains of 4 digits" in sheet.notes[0]
    sheet = proxmox(plan_for(family("vfio-pci"), "01:00.2"))
    assert sheet.lines == ()
    assert "VF token" in sheet.notes[0]


def test_driverctl_keeps_the_overrides_in_the_plans_order() -> None:
    sheet = saved_driverctl(plan_for(CARD, "01:00.0"))
    assert sheet.lines == (
        "driverctl set-override 0000:01:00.0 vfio-pci",
        "driverctl set-override 0000:01:00.1 vfio-pci",
        "# Undo (shut the guest down first):",
        "# driverctl unset-override 0000:01:00.0",
        "# driverctl unset-override 0000:01:00.1",
    )
    assert sheet.notes == ()


def test_driverctl_is_not_let_loose_on_what_a_guest_may_have() -> None:
    """It takes the driver off first, the right one too, and waits for the guest."""
    host = machine(group(function("0000:01:00.0", "vfio-pci", GPU)))
    sheet = saved_driverctl(plan_for(host, "01:00.0"))
    assert all(line.startswith("#") for line in sheet.lines)
    assert "# driverctl set-override 0000:01:00.0 vfio-pci" in sheet.lines


def test_what_driverctl_cannot_take_back_is_said() -> None:
    bare = machine(group(function("0000:01:00.0", None, GPU)))
    sheet = saved_driverctl(plan_for(bare, "01:00.0"))
    assert not any("Undo" in line for line in sheet.lines)
    assert "cannot take it back" in sheet.notes[0]


def test_dpdk_takes_all_drivers_off_before_it_binds_the_first() -> None:
    host = machine(
        group(
            function("0000:01:00.0", "e1000e", NIC),
            function("0000:01:00.1", "igb", NIC),
        )
    )
    assert dpdk(plan_for(host, "01:00.0")).lines == (
        "modprobe vfio-pci",
        "dpdk-devbind.py --unbind 0000:01:00.1 0000:01:00.0",
        "dpdk-devbind.py --bind=vfio-pci 0000:01:00.0 0000:01:00.1",
        "# EAL arguments (before DPDK 20.11 -w in place of -a):",
        "-a 0000:01:00.0",
        "# Undo (end DPDK first):",
        "# dpdk-devbind.py --unbind 0000:01:00.0 0000:01:00.1",
        "# dpdk-devbind.py --bind=e1000e 0000:01:00.0",
        "# dpdk-devbind.py --bind=igb 0000:01:00.1",
    )


@each(
    "other",
    [
        # dpdk-devbind.py does not know what is no network.
        function("0000:01:00.1", "snd_hda_intel", AUDIO),
        # It clears overrides, and could not bring one back.
        function("0000:01:00.1", "igb", NIC, driver_override="igb"),
    ],
)
def test_what_devbind_cannot_do_is_done_by_the_plans_own_commands(
    other: Device,
) -> None:
    host = machine(group(function("0000:01:00.0", "e1000e", NIC), other))
    plan = plan_for(host, "01:00.0")
    lines = dpdk(plan).lines
    words = written(plan, NEW)
    assert lines[: len(words.there)] == words.there
    assert not any("devbind" in line for line in lines)
    assert lines[-len(words.back) :] == tuple(f"# {line}" for line in words.back)


def test_spdk_names_the_drives_and_says_what_becomes_of_others() -> None:
    host = machine(group(function("0000:01:00.0", "nvme", NVME)))
    sheet = spdk(plan_for(host, "01:00.0"))
    calls = [x for x in sheet.lines if not x.startswith("#")]
    assert calls == [
        "PCI_ALLOWED=0000:01:00.0 DRIVER_OVERRIDE=vfio-pci scripts/setup.sh"
    ]
    assert "# PCI_ALLOWED=0000:01:00.0 scripts/setup.sh reset" in sheet.lines
    assert any("every NVMe drive" in line for line in sheet.lines)
    assert any("huge pages" in line for line in sheet.lines)


def test_spdk_has_the_rest_of_the_group_moved_first() -> None:
    host = machine(
        group(
            function("0000:01:00.0", "nvme", NVME),
            function("0000:02:00.0", "e1000e", AUDIO),
        )
    )
    plan = plan_for(host, "01:00.0")
    lines = spdk(plan).lines
    there = written(plan, NEW).there
    first = [x for x in lines if not x.startswith("#")]
    assert tuple(first[:-1]) == there
    assert first[-1].endswith("scripts/setup.sh")


def test_spdk_has_nothing_to_say_of_a_network_card() -> None:
    host = machine(group(function("0000:01:00.0", "e1000e", NIC)))
    sheet = spdk(plan_for(host, "01:00.0"))
    assert sheet.lines == ()
    assert "is not for 0000:01:00.0" in sheet.notes[0]


@each(
    "owner, release, token",
    [
        ("vfio-pci", "6.12.1", True),
        ("vfio-pci", "5.7.0", True),
        ("vfio-pci", "5.6.0", False),
        ("ixgbe", "6.12.1", False),
    ],
)
def test_a_virtual_function_opens_by_token_where_the_physical_one_is_on_vfio(
    owner: str, release: str, token: bool
) -> None:
    features = frozenset({"iommufd"})
    host = replace(family(owner), kernel=Kernel(release, features=features))
    plan = plan_for(host, "01:00.2")
    words = written(plan, NEW)
    line = "-device vfio-pci,host=0000:01:00.2"
    wanted = f"{line},vf-token=$VF_TOKEN" if token else line
    assert qemu_arguments(host, plan.moves) == (wanted,)
    assert bool(words.token) is bool(words.locked) is token
    assert ("--vfio-vf-token=$VF_TOKEN" in " ".join(dpdk(plan).lines)) is token
    # No XML that libvirt could not start, and no way that was not looked at.
    assert bool(libvirt_xml(host, plan.moves)) is not token
    assert bool(iommufd_arguments(host, NEW, plan.moves)) is not token
    text = plan_text(plan, words, NEW)
    assert ("the user of 0000:01:00.0 has" in text.replace("\n", " ")) is token
    assert ("No XML for 0000:01:00.2" in text) is token
    assert qemu_text(words).startswith("# VF_TOKEN") is token


def test_who_gets_both_ends_sets_the_token_himself() -> None:
    host = family("vfio-pci", asked="vfio-pci")
    plan = plan_for(host, "01:00.0", "01:00.2")
    lines = qemu_arguments(host, plan.moves)
    assert all(",vf-token=$VF_TOKEN" in line for line in lines)
    assert "0000:01:00.0" in lines[0]
    assert "of your choice" in written(plan, NEW).token
