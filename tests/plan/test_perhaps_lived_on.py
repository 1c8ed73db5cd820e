"""No step takes away what the host may live on, unless somebody is told to look."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.plan.decision.moves import Decision
from iommu_inspect.plan.steps.making import Outcome, Plan, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text
from iommu_inspect.rules._cures import Look, Looking

RULES = only(SINCE_6_6)
AUDIO, VGA, USB, SATA, NVME = 0x040300, 0x030000, 0x0C0330, 0x010601, 0x010802


def of_class(address: str, driver: str, code: int) -> Device:
    found = device(address, driver)
    return replace(found, ids=replace(found.ids, class_code=code))


def planned(target: str, *members: Device) -> Plan:
    """Plan on a host whose mounts, swaps and routes are not told."""
    host = machine(group(*members), host=Host())
    return make_plan(host, RULES, [find_target(host, target)])


DISK = of_class("0000:03:00.0", "nvme", NVME)
ETHERNET = device("0000:04:00.0", "r8169")


@each("target", ["group:1", "03:00.0"])
def test_a_disk_that_was_asked_for_is_looked_at_by_whatever_name(target: str) -> None:
    plan = planned(target, DISK, device("0000:05:00.0", "vfio-pci"))
    looks = [look for condition in plan.conditions for look in condition.looks]
    assert [look.about for look in looks if look.what is Looking.NAMES] == [DISK.id]
    assert {Looking.MOUNTS, Looking.SWAPS} <= {look.what for look in looks}
    script = str(written(plan, RULES).script)
    assert "    looked 'findmnt --real'\n" in script


def test_the_look_follows_what_stands_on_a_disk_or_an_interface() -> None:
    """The names of findmnt and ip are often those of a volume or a bridge."""
    plan = planned("group:1", DISK, ETHERNET)
    (check,) = written(plan, RULES).checks
    (condition,) = plan.conditions
    assert [line.split()[-1] for line in check[:2]] == [DISK.address, ETHERNET.address]
    assert "slaves" in check[2]
    assert "lower_" in check[2]
    assert "LVM" in condition.supposed
    assert "bridge" in condition.supposed


def test_each_is_looked_at_for_what_it_can_carry() -> None:
    host = machine(group(DISK), host=Host(untold=((UseKind.SWAP, Missing.ABSENT),)))
    (disk,) = make_plan(host, RULES, [find_target(host, "03:00.0")]).conditions
    assert {look.what for look in disk.looks} >= {Looking.MOUNTS, Looking.SWAPS}
    assert "LVM" in disk.supposed
    assert "bridge" not in disk.supposed
    (network,) = planned("04:00.0", ETHERNET).conditions
    assert "LVM" not in network.supposed
    assert "bridge" in network.supposed


VMD = of_class("0000:00:0e.0", "vmd", 0x010400)


@each("targets", [["group:1"], ["00:0e.0", "03:00.0"]])
def test_what_goes_with_its_parent_is_nobodys_afterwards(targets: list[str]) -> None:
    behind = replace(DISK, path=f"{VMD.path}/pci10000:e0/{DISK.address}")
    host = machine(group(VMD, behind), host=Host())
    plan = make_plan(host, RULES, [find_target(host, text) for text in targets])
    assert plan.has_steps
    assert [m.device.id for m in plan.moves if m.asked] == [VMD.id]
    looks = [look for condition in plan.conditions for look in condition.looks]
    assert [look.about for look in looks if look.what is Looking.NAMES] == [VMD.id]
    words = written(plan, RULES)
    text = plan_text(plan, words, RULES)
    assert "audit ready for 0000:00:0e.0, and" in " ".join(text.split())
    assert words.spdk is not None
    assert not any(DISK.address in line for line in words.spdk.lines)
    assert not any(DISK.address in line for line in words.qemu)


@each(
    "asked, decision",
    [
        # A graphics card goes as a whole, whichever function was asked for.
        (of_class("0000:01:00.1", "snd_hda_intel", AUDIO), Decision.MOVES),
        # A chipset has USB beside SATA, and any disk may be plugged in there.
        (of_class("0000:01:00.1", "ahci", SATA), Decision.STAYS),
    ],
)
def test_a_usb_port_goes_along_on_a_graphics_card_only(
    asked: Device, decision: Decision
) -> None:
    usb = of_class("0000:01:00.2", "xhci_hcd", USB)
    others = [usb]
    if decision is Decision.MOVES:
        others = [of_class("0000:01:00.0", "nouveau", VGA), usb]
    plan = planned("01:00.1", asked, *others)
    (move,) = (m for m in plan.moves if m.device.id == usb.id)
    assert move.decision is decision
    assert plan.has_steps is (decision is Decision.MOVES)


def test_a_device_of_another_bus_may_be_the_hosts_network() -> None:
    ethernet = device("30be0000.ethernet", "fec", bus="platform")
    ethernet = replace(ethernet, ids=PciIds())
    plan = planned("03:00.0", DISK, ethernet)
    (move,) = (m for m in plan.moves if m.device.id == ethernet.id)
    assert move.decision is Decision.STAYS
    assert not plan.has_steps


def test_a_neighbour_in_a_group_that_is_only_supposed_makes_nothing_certain() -> None:
    """The other port carries the default route; it may have a group of its own."""
    ports = [
        replace(
            device(f"0000:04:00.{n}", "ixgbe", group=Missing.ABSENT),
            path=f"sys/devices/pci0000:00/0000:04:00.{n}",
        )
        for n in (0, 1)
    ]
    use = HostUse(UseKind.DEFAULT_ROUTE, ("eno1",), ((str(ports[0].path),),))
    paths = tuple(str(port.path) for port in ports)
    told = Host(uses=(use,), untold=(), disks=(), interfaces=paths)
    host = machine(ungrouped=ports, groups_known=False, host=told)
    wanted = make_plan(host, RULES, [find_target(host, "04:00.1")])
    assert wanted.outcome is Outcome.UNKNOWN
    assert not any(refusal.certain for refusal in wanted.refusals)
    assert wanted.refusals[0].cures[0] == Look(Looking.NEIGHBOURS, ports[1].id)
    assert {move.group.id for move in wanted.moves} == {"?"}
    own = make_plan(host, RULES, [find_target(host, "04:00.0")])
    assert own.outcome is Outcome.REFUSED


def test_the_script_checks_that_a_card_is_alone_with_itself() -> None:
    """The groups of two cards are supposed; each is checked for its own functions."""

    def card(address: str) -> Device:
        found = device(address, "nvme", group=Missing.ABSENT)
        return replace(found, path=f"sys/devices/pci0000:00/{address}")

    cards = [card("0000:03:00.0"), card("0000:03:00.1"), card("0000:05:00.0")]
    told = Host(untold=(), disks=(), interfaces=())
    host = machine(ungrouped=cards, groups_known=False, host=told)
    targets = [find_target(host, "03:00.0"), find_target(host, "05:00.0")]
    script = str(written(make_plan(host, RULES, targets), RULES).script)
    checks = [line.split() for line in script.splitlines() if "    card " in line]
    assert checks == [
        ["card", "pci", "0000:03:00.0", "0000:03:00.0", "0000:03:00.1"],
        ["card", "pci", "0000:05:00.0", "0000:05:00.0"],
    ]
