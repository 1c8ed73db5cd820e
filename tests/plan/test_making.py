"""What a plan does with each member, and when there is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from builders import (
    BEFORE_5_19,
    SINCE_5_19,
    SINCE_6_6,
    device,
    functions,
    group,
    machine,
    only,
)
from shared import FIXTURES, SHARED, SYSFS

from iommu_inspect.kernel.eras import Semantics, applicable
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.asked.target import Target, find_target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.plan.decision.moves import Decision
from iommu_inspect.plan.host.commands import commands, driverctl_back
from iommu_inspect.plan.steps import making
from iommu_inspect.plan.steps.checking import check
from iommu_inspect.plan.steps.making import Outcome, Plan, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

NEW = only(SINCE_6_6)


def plan_for(
    host: Machine, *words: str, rules: Semantics = NEW, accept: tuple[str, ...] = ()
) -> Plan:
    targets = tuple(find_target(host, word) for word in words)
    return make_plan(host, rules, targets, frozenset(accept))


def actions(plan: Plan) -> dict[str, Decision]:
    return {move.device.address: move.decision for move in plan.moves}


def of_class(address: str, driver: str | None, code: int, **more: Any) -> Device:
    ids = PciIds(0x8086, 0x1234, class_code=code)
    return replace(device(address, driver, **more), ids=ids)


def test_every_member_on_a_driver_of_the_host_moves_and_the_rest_stays() -> None:
    host = machine(
        group(
            device("0000:00:01.0", "pcieport", bridge=True),
            device("0000:01:00.0", "nouveau"),
            device("0000:01:00.1", "snd_hda_intel"),
            device("0000:01:00.2"),
            device("0000:01:00.3", "pci-stub"),
            device("0000:01:00.4", "mlx5_vfio_pci", vfio_devices=("vfio0",)),
        )
    )
    plan = plan_for(host, "01:00.0")
    assert plan.outcome is Outcome.PLANNED
    assert actions(plan) == {
        "0000:00:01.0": Decision.STAYS,
        "0000:01:00.0": Decision.MOVES,
        "0000:01:00.1": Decision.MOVES,
        "0000:01:00.2": Decision.STAYS,
        "0000:01:00.3": Decision.STAYS,
        "0000:01:00.4": Decision.STAYS,
    }
    assert commands(plan.there) == (
        "modprobe vfio-pci",
        "echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override",
        "echo vfio-pci > /sys/bus/pci/devices/0000:01:00.1/driver_override",
        "echo 0000:01:00.1 > /sys/bus/pci/drivers/snd_hda_intel/unbind",
        "echo 0000:01:00.0 > /sys/bus/pci/drivers/nouveau/unbind",
        "echo 0000:01:00.0 > /sys/bus/pci/drivers_probe",
        "echo 0000:01:00.1 > /sys/bus/pci/drivers_probe",
    )
    assert commands(plan.back) == (
        "echo 0000:01:00.0 > /sys/bus/pci/drivers/vfio-pci/unbind",
        "echo 0000:01:00.1 > /sys/bus/pci/drivers/vfio-pci/unbind",
        "echo > /sys/bus/pci/devices/0000:01:00.0/driver_override",
        "echo > /sys/bus/pci/devices/0000:01:00.1/driver_override",
        "echo 0000:01:00.0 > /sys/bus/pci/drivers/nouveau/bind",
        "echo 0000:01:00.1 > /sys/bus/pci/drivers/snd_hda_intel/bind",
    )


def test_why_a_neighbour_moves_names_those_that_were_asked_for() -> None:
    host = machine(
        group(device("0000:01:00.0", "nouveau"), device("0000:01:00.1", "e1000e"))
    )
    moves = {m.device.address: m for m in plan_for(host, "01:00.0").moves}
    assert moves["0000:01:00.1"].why == (
        "shares the group with 0000:01:00.0, and e1000e is the host's"
    )


def test_what_vfio_pci_does_not_take_ends_without_a_driver() -> None:
    host = machine(
        group(
            device("0000:00:1e.0", "shpchp", bridge=True),
            of_class("0000:00:1f.0", "lpc_ich", 0x060100),
            device("0000:00:1f.6", "e1000e"),
            device("PNP0C02:00", "acpi_thing", bus="platform"),
        ),
        # Whether a platform device's interrupts are isolated is not shown.
        vfio=VfioSettings(False, True, False, type1_loaded=True),
    )
    plan = plan_for(host, "00:1f.6")
    assert plan.outcome is Outcome.PLANNED
    free = [a for a, action in actions(plan).items() if action is Decision.RELEASED]
    assert free == ["0000:00:1e.0", "0000:00:1f.0", "PNP0C02:00"]
    lines = commands(plan.there)
    assert "echo none > /sys/bus/pci/devices/0000:00:1f.0/driver_override" in lines
    assert "echo PNP0C02:00 > /sys/bus/platform/drivers/acpi_thing/unbind" in lines
    assert not any("PNP" in line and "probe" in line for line in lines)
    back = commands(plan.back)
    assert "echo 0000:00:1e.0 > /sys/bus/pci/drivers/shpchp/bind" in back


def test_what_serves_the_board_goes_to_a_guest_by_its_own_name_only() -> None:
    smbus = of_class("0000:00:1f.4", "i801_smbus", 0x0C0500)
    host = machine(group(device("0000:00:1f.6", "e1000e"), smbus))
    whole = plan_for(host, "group:1")
    assert actions(whole)[smbus.address] is Decision.RELEASED
    assert not any("0000:00:1f.4" in line for line in written(whole, NEW).qemu)
    named = plan_for(host, smbus.address)
    assert actions(named)[smbus.address] is Decision.MOVES
    (move,) = (m for m in named.moves if m.device.id == smbus.id)
    assert any("harm the host" in cost for cost in move.costs)
    # There is nothing else in the group that could be opened.
    alone = plan_for(machine(group(smbus)), "group:1")
    assert actions(alone)[smbus.address] is Decision.MOVES


def test_before_5_19_an_idle_neighbour_is_kept_from_getting_a_driver() -> None:
    members = (device("0000:01:00.0", "e1000e"), device("0000:01:00.1"))
    old = plan_for(machine(group(*members)), "01:00.0", rules=only(BEFORE_5_19))
    new = plan_for(machine(group(*members)), "01:00.0", rules=only(SINCE_5_19))
    assert actions(old)["0000:01:00.1"] is Decision.RELEASED
    assert actions(new)["0000:01:00.1"] is Decision.STAYS
    assert old.outcome is new.outcome is Outcome.PLANNED


def test_the_undo_restores_an_override_that_was_there() -> None:
    stub = device("0000:01:00.0", "pci-stub", driver_override="pci-stub")
    plan = plan_for(machine(group(stub)), "01:00.0")
    assert plan.check is not None
    assert plan.check.back
    back = commands(plan.back)
    assert "echo pci-stub > /sys/bus/pci/devices/0000:01:00.0/driver_override" in back
    assert back[-1] == "echo 0000:01:00.0 > /sys/bus/pci/drivers/pci-stub/bind"


def test_the_undo_binds_before_it_restores_an_override_that_names_another() -> None:
    """The kernel matches the override: bind then says -ENODEV to the old driver."""
    host = read_machine(open_path(str(SYSFS / "override-pending")))
    plan = plan_for(host, "00:02.0")
    device = "/sys/bus/pci/devices/0000:00:02.0"
    assert commands(plan.back) == (
        "echo 0000:00:02.0 > /sys/bus/pci/drivers/vfio-pci/unbind",
        f"echo nouveau > {device}/driver_override",
        "echo 0000:00:02.0 > /sys/bus/pci/drivers/nouveau/bind",
        f"echo vfio-pci > {device}/driver_override",
    )


def test_no_undo_passes_the_proof_that_binds_against_a_foreign_override() -> None:
    host = read_machine(open_path(str(SYSFS / "override-pending")))
    plan = plan_for(host, "00:02.0")
    off, name, bind, restore = plan.back
    for back, leads_back in (
        (plan.back, True),
        ((off, restore, bind), False),
        ((off, bind, name, restore), False),
        ((off, name, bind), False),
        ((off, name, restore), False),
    ):
        case = Case(Inquiry(host, NEW), plan.targets)
        checked = check(case, plan.there, back, frozenset())
        assert checked.back is leads_back, back


def test_no_plan_is_printed_whose_steps_fail_when_they_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = machine(group(device("0000:01:00.0", "e1000e")))
    plan = plan_for(host, "01:00.0")
    load, override, off, probe = plan.there
    for there, back, outcome, said in (
        (plan.there, (), Outcome.UNKNOWN, "The steps back would not lead"),
        ((load, override, off, off, probe), plan.back, Outcome.REFUSED, "-ENOENT"),
        ((load, off, probe, override), plan.back, Outcome.UNKNOWN, "cannot be told"),
        ((load, override, off), plan.back, Outcome.REFUSED, "not-on-vfio"),
        ((load,), plan.back, Outcome.REFUSED, "not-on-vfio"),
    ):
        monkeypatch.setattr(making, "steps_there", Mock(return_value=there))
        monkeypatch.setattr(making, "steps_back", Mock(return_value=back))
        bad = plan_for(host, "01:00.0")
        assert bad.outcome is outcome, said
        assert said in "".join(r.rule + r.message for r in bad.refusals)


def test_what_is_accepted_does_not_stand_in_for_what_is_not() -> None:
    """Interrupts may be accepted; a firmware mapping, and what it does, may not."""
    region = (ReservedRegion(0x1000, 0x1FFF, "direct"),)
    members = group(device("0000:01:00.0", "e1000e"), regions=region)
    host = machine(members, remapping=InterruptRemapping.OFF)
    plan = plan_for(host, "01:00.0", accept=("interrupt-remapping",))
    assert plan.outcome is Outcome.REFUSED
    assert rules_of(plan) == {"direct-mapping"}
    plan = plan_for(host, "group:1", accept=("interrupt-remapping",))
    assert rules_of(plan) == {"direct-mapping"}


@pytest.mark.parametrize(
    ("accept", "outcome"),
    [
        ((), Outcome.REFUSED),
        (("interrupt-remapping",), Outcome.REFUSED),
        (("host-loss",), Outcome.PLANNED),
        (("host-loss", "interrupt-remapping"), Outcome.PLANNED),
    ],
)
def test_only_what_is_accepted_is_passed_over(
    accept: tuple[str, ...], outcome: Outcome
) -> None:
    """The host's root file system is on the drive."""
    drive = of_class("0000:01:00.0", "nvme", 0x010802)
    use = HostUse(UseKind.FILE_SYSTEM, ("/",), ((str(drive.path),),))
    told = Host(uses=(use,), untold=(), disks=(str(drive.path),), interfaces=())
    host = machine(group(drive), host=told)
    assert plan_for(host, "01:00.0", accept=accept).outcome is outcome


def test_what_had_no_driver_has_none_after_the_undo() -> None:
    plan = plan_for(machine(group(device("0000:01:00.0"))), "01:00.0")
    assert plan.outcome is Outcome.PLANNED
    assert not any(line.endswith("/bind") for line in commands(plan.back))


def test_driverctl_goes_back_only_to_the_driver_that_fits() -> None:
    plan = plan_for(machine(group(device("0000:01:00.0", "e1000e"))), "01:00.0")
    assert driverctl_back(plan.back) == (
        "driverctl --nosave unset-override 0000:01:00.0",
    )
    for had in (device("0000:01:00.0"), device("0000:01:00.0", driver_override="x")):
        plan = plan_for(machine(group(had)), "01:00.0")
        assert plan.outcome is Outcome.PLANNED
        assert driverctl_back(plan.back) == ()


def test_what_is_ready_needs_no_step() -> None:
    plan = plan_for(machine(group(device("0000:01:00.0", "vfio-pci"))), "01:00.0")
    assert plan.outcome is Outcome.PLANNED
    assert plan.nothing_to_do
    assert commands(plan.there) == ()


def test_vfio_iommu_type1_is_loaded_where_it_is_missing() -> None:
    host = machine(group(device("0000:01:00.0", "e1000e")), vfio=VfioSettings())
    plan = plan_for(host, "01:00.0")
    assert plan.outcome is Outcome.PLANNED
    assert plan.load == ("vfio-pci", "vfio_iommu_type1")


def test_a_group_without_drivers_gets_one_device_on_vfio() -> None:
    host = machine(group(device("0000:01:00.0"), device("0000:01:00.1")))
    plan = plan_for(host, "group:1")
    assert actions(plan) == {
        "0000:01:00.0": Decision.MOVES,
        "0000:01:00.1": Decision.STAYS,
    }


def rules_of(plan: Plan) -> set[str]:
    return {refusal.rule for refusal in plan.refusals}


@pytest.mark.parametrize(
    ("member", "rule"),
    [
        (device("0000:00:1c.0", "pcieport", bridge=True), "not-on-vfio"),
        (of_class("0000:00:1f.0", "lpc_ich", 0x060100), "not-on-vfio"),
        (device("107c580000.hvs", "vc4_hvs", bus="platform"), "not-on-vfio"),
        (
            replace(device("0000:01:00.0", "c6xx"), ids=PciIds(0x8086, 0x37C8)),
            "denylist",
        ),
    ],
    ids=["bridge", "chipset", "platform", "denylist"],
)
def test_what_cannot_be_handed_over_is_refused(member: Device, rule: str) -> None:
    plan = plan_for(machine(group(member)), member.address)
    assert plan.outcome is Outcome.REFUSED
    assert rules_of(plan) == {rule}


@pytest.mark.parametrize(
    ("header", "base", "outcome"),
    [
        (0, 0x0601, Outcome.REFUSED),  # an ISA bridge's header is that of an endpoint
        (Missing.TRUNCATED, 0x0601, Outcome.REFUSED),
        (Missing.TRUNCATED, 0x0604, Outcome.REFUSED),
        (0, 0x0200, Outcome.PLANNED),
    ],
)
def test_a_group_of_the_chipset_holds_nothing_for_vfio(
    header: Any, base: int, outcome: Outcome
) -> None:
    found = of_class("0000:00:1f.0", "lpc_ich", base << 8)
    found = replace(found, pci=replace(found.pci, header_type=header))
    plan = plan_for(machine(group(found)), "group:1")
    assert plan.outcome is outcome


def test_whether_a_group_holds_anything_for_vfio_may_not_be_told() -> None:
    plain = of_class("0000:00:1f.0", "lpc_ich", 0x060100)
    untold = replace(
        of_class("0000:00:1e.0", "x", 0),
        ids=PciIds(0x8086, 0x1234, class_code=Missing.UNREADABLE),
        pci=replace(plain.pci, header_type=Missing.UNREADABLE),
    )
    for members in ([plain, untold], [untold]):
        plan = plan_for(machine(group(*members)), "group:1")
        refusal = plan.refusals[0]
        assert plan.outcome is Outcome.UNKNOWN
        assert "does not tell whether group:1 holds a device" in refusal.message


def physical(driver: str = "ixgbe", *, vfs: tuple[str, ...]) -> Device:
    found = device("0000:01:00.0", driver)
    return replace(found, pci=PciPlacement(header_type=0, virtfns=functions(*vfs)))


def virtual(group_id: str) -> Device:
    found = device("0000:01:10.0", "ixgbevf", group=group_id)
    return replace(
        found, pci=PciPlacement(header_type=0, physfn=functions("0000:01:00.0")[0])
    )


def test_no_refusal_is_certain_because_of_a_driver_that_was_only_supposed() -> None:
    """The virtual functions may be on vfio-pci like their parent: then all is ready."""
    parent = physical("vfio-pci", vfs=("0000:01:10.0",))
    child = replace(virtual("1"), driver=Missing.DENIED)
    host = machine(group(parent, child))
    for target in ("01:00.0", "group:1"):
        for purpose in (Purpose.VFIO, Purpose.DPDK, Purpose.ONE_PER_GROUP):
            found = find_target(host, target)
            plan = make_plan(host, only(SINCE_6_6), (found,), purpose=purpose)
            assert plan.outcome is Outcome.UNKNOWN
            assert not any("(its driver)" in r.message for r in plan.refusals)


def test_a_physical_function_with_virtual_ones_is_refused_the_virtual_one_is_not() -> (
    None
):
    host = machine(group(physical(vfs=("0000:01:10.0",))), group(virtual("2"), id="2"))
    refused = plan_for(host, "01:00.0")
    assert refused.outcome is Outcome.REFUSED
    assert "it vanishes with its driver (ixgbe)" in refused.refusals[0].message
    assert refused.refusals[0].cures == ()  # a driver has it
    assert plan_for(host, "01:10.0").outcome is Outcome.PLANNED
    without = machine(group(physical(vfs=())))
    assert plan_for(without, "01:00.0").outcome is Outcome.PLANNED


def test_why_a_device_stays_is_a_phrase_that_stands_by_itself() -> None:
    """The table has it beside the name, and nothing that "they" could mean."""
    host = machine(group(physical(vfs=("0000:01:10.0",))), group(virtual("2"), id="2"))
    (move,) = plan_for(host, "01:00.0").moves
    assert move.why == (
        "a physical function with 1 virtual function, of which 0000:01:10.0 has a "
        "driver: it vanishes with its driver (ixgbe)"
    )


def test_a_virtual_function_in_the_group_of_its_physical_one_is_refused() -> None:
    host = machine(group(physical(vfs=("0000:01:10.0",)), virtual("1")))
    plan = plan_for(host, "01:10.0")
    assert plan.outcome is Outcome.REFUSED
    assert plan.refusals[0].rule == "sriov-mix"
    assert "cannot be had alone" in plan.refusals[0].remedy


def test_what_can_never_work_is_refused_with_the_rules_reason() -> None:
    region = (ReservedRegion(0x1000, 0x1FFF, "direct"),)
    host = machine(group(device("0000:01:00.0", "e1000e"), regions=region))
    assert rules_of(plan_for(host, "01:00.0")) == {"direct-mapping"}
    relaxable = (ReservedRegion(0x1000, 0x1FFF, "direct-relaxable"),)
    host = machine(group(device("0000:01:00.0", "e1000e"), regions=relaxable))
    assert plan_for(host, "01:00.0").outcome is Outcome.PLANNED
    host = machine(ungrouped=[device("0000:01:00.0", "e1000e", group=None)])
    assert rules_of(plan_for(host, "01:00.0")) == {"no-iommu"}


def test_interrupts_that_are_not_remapped_are_refused_unless_accepted() -> None:
    members = group(device("0000:01:00.0", "e1000e"))
    host = machine(members, remapping=InterruptRemapping.OFF)
    plan = plan_for(host, "01:00.0")
    assert (plan.outcome, rules_of(plan)) == (
        Outcome.REFUSED,
        {"interrupt-remapping"},
    )
    plan = plan_for(host, "01:00.0", accept=("interrupt-remapping",))
    assert plan.outcome is Outcome.PLANNED
    unsafe = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
    assert f"echo Y > {unsafe}" in commands(plan.there)
    assert commands(plan.back)[-1] == f"echo N > {unsafe}"
    # Accepting something else does not help, nor does it change a sound host.
    plan = plan_for(host, "01:00.0", accept=("host-loss",))
    assert plan.outcome is Outcome.REFUSED
    plan = plan_for(machine(members), "01:00.0", accept=("interrupt-remapping",))
    assert f"echo Y > {unsafe}" not in commands(plan.there)


def test_what_the_source_does_not_tell_makes_no_plan() -> None:
    host = machine(
        group(device("0000:01:00.0", "e1000e"), device("0000:01:00.1", Missing.DENIED))
    )
    plan = plan_for(host, "01:00.0")
    assert plan.outcome is Outcome.UNKNOWN
    whole = group(device("0000:01:00.0", "e1000e"))
    part = replace(whole, whole=False)
    assert plan_for(machine(part), "01:00.0").outcome is Outcome.UNKNOWN
    assert plan_for(machine(whole), "01:00.0").outcome is Outcome.PLANNED


def test_no_command_is_written_with_a_name_that_would_be_one() -> None:
    for name in ("a/../../x", "x\ny", "..", "e\x1b[31m"):
        host = machine(group(device("0000:01:00.0", name)))
        plan = plan_for(host, "01:00.0")
        assert plan.outcome is Outcome.UNKNOWN, name


def captures() -> list[Path]:
    found = sorted(p for p in SYSFS.iterdir() if p.is_dir())
    found += sorted((FIXTURES / "kernels").glob("*.tar.gz"))
    return found + sorted((SHARED / "real-kernels").glob("*/*.tar.gz"))


@pytest.mark.parametrize("source", captures(), ids=lambda path: path.name)
def test_every_plan_leads_to_a_group_that_can_be_claimed(source: Path) -> None:
    """The steps as ``whatif`` reads them, then the claim, from the plan's words."""
    host = read_machine(open_path(str(source)))
    rules = applicable(host.kernel)
    for found in host.devices:
        target = Target(found.address, found, host.group_of(found))
        plan = make_plan(host, rules, (target,))
        if plan.outcome is not Outcome.PLANNED or not found.is_pci:
            continue
        assert plan.check is not None
        assert target.group is not None
        words = [outcome.step.text for outcome in plan.check.outcomes]
        loaded = replace(host, vfio=replace(host.vfio, type1_loaded=True))
        steps = [parse_step(w) for w in (*words, f"claim={target.group.id}")]
        results = [o.answer.result for o in simulate(loaded, rules, steps).outcomes]
        assert set(results) == {"0"}, (found.address, words, results)


def test_a_group_that_can_be_opened_already_needs_no_other_member_moved() -> None:
    """Though what is on vfio there is of the kind that serves the board."""
    smbus = of_class("0000:00:1f.4", "vfio-pci", 0x0C0500)
    host = machine(group(smbus, device("0000:00:1f.6")))
    assert plan_for(host, "group:1").nothing_to_do
