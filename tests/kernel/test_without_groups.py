"""A kernel without CONFIG_VFIO_GROUP has no /dev/vfio/N, and says so nowhere else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from builders import device, machine
from faults.cases import FaultCase, opened
from shared import SYSFS

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.iommufd import ATTACH_PT, BIND
from iommu_inspect.kernel.ownership.operations import (
    CLAIM,
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import NO_VFIO_GROUP, Kernel, VfioSettings
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.steps.making import Outcome, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.rules.finding import Certainty, Purpose, Severity
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.verdict.outcome import Verdict

CARD = "0000:00:05.0"


def host(tmp_path: Path, *, groups: bool, live: bool = True) -> Machine:
    """Read a card on a vfio driver with a node of its own; ``live``: of a host."""
    made = tmp_path / f"{groups}{live}"
    copy = Path(shutil.copytree(SYSFS / "variant-by-vfio-dev", made, symlinks=True))
    if not groups:
        shutil.rmtree(copy / "sys/class/vfio")
    return read_machine(opened(FaultCase(str(copy), live=live)))


def results(machine: Machine) -> list[str]:
    group = find_target(machine, CARD).group
    assert group is not None
    inquiry = Inquiry(machine, applicable(machine.kernel))
    asked = (GET_STATUS, SET_CONTAINER, SET_IOMMU, CLAIM)
    return [inquiry.operation(group, each).result for each in asked]


def test_calls_of_groups_fail_and_those_of_the_core_do_not(tmp_path: Path) -> None:
    with_groups, without = (host(tmp_path, groups=g) for g in (True, False))
    assert results(with_groups)[0] == "viable"
    *calls, claim = results(without)
    assert calls == ["-ENOENT"] * 3
    assert claim == results(with_groups)[-1]


@pytest.mark.parametrize(
    ("purpose", "verdict", "severity"),
    [
        # QEMU knows iommufd; whether DPDK does hangs on its release.
        (Purpose.VFIO, Verdict.READY, Severity.WARNING),
        (Purpose.DPDK, Verdict.UNKNOWN, Severity.ERROR),
    ],
)
def test_devices_are_had_by_iommufd_alone(
    tmp_path: Path, purpose: Purpose, verdict: Verdict, severity: Severity
) -> None:
    machine = host(tmp_path, groups=False)
    rules = applicable(machine.kernel)
    target = find_target(machine, CARD)
    for targets in ((target,), ()):
        found = audit(machine, rules, targets, purpose=purpose)
        assert found.verdict is verdict
        (told,) = [f for f in found.findings if "CONFIG_VFIO_GROUP" in f.message]
        assert (told.rule, told.severity) == ("not-on-vfio", severity)


def test_what_iommufd_refuses_blocks(tmp_path: Path) -> None:
    machine = host(tmp_path, groups=False)
    off = replace(machine, interrupt_remapping=InterruptRemapping.OFF)
    target = find_target(off, CARD)
    found = audit(off, applicable(off.kernel), (target,), purpose=Purpose.VFIO)
    assert found.verdict is Verdict.BLOCKED


def test_a_guest_is_given_its_device_by_iommufd_alone(tmp_path: Path) -> None:
    found = host(tmp_path, groups=False)
    features = found.kernel.features | {"iommufd"}
    kernel = replace(found.kernel, release="7.3.1", features=features)
    machine = replace(found, kernel=kernel)
    rules = applicable(machine.kernel)
    plan = make_plan(machine, rules, (find_target(machine, CARD),))
    words = written(plan, rules)
    assert words.qemu[0] == "-object iommufd,id=iommufd0"
    assert words.qemu[1:] == (f"-device vfio-pci,iommufd=iommufd0,host={CARD}",)
    assert (words.qemu_iommufd, words.libvirt) == ((), "")


def test_a_device_that_goes_to_vfio_has_a_node_then(tmp_path: Path) -> None:
    machine = host(tmp_path, groups=False)
    kernel = replace(machine.kernel, release="7.3.1")
    steps = (f"unbind={CARD}", f"bind={CARD},vfio-pci")
    rules = applicable(kernel)
    after = simulate(
        replace(machine, kernel=kernel), rules, [parse_step(step) for step in steps]
    ).after
    card = next(d for d in after.devices if d.address == CARD)
    assert card.driver == "vfio-pci"
    inquiry = Inquiry(after, rules)
    assert [inquiry.by_iommufd(card, each).result for each in (BIND, ATTACH_PT)] == [
        "0",
        "0",
    ]


@pytest.mark.parametrize(
    ("nodes", "answer"),
    [(("noiommu-vfio0",), "0"), (("vfio0",), "unknown"), ((), "unknown")],
)
def test_a_no_iommu_device_has_a_node_and_no_group(
    nodes: tuple[str, ...], answer: str
) -> None:
    card = device(CARD, "vfio-pci", group=None, vfio_devices=nodes, vfio_cdev=True)
    kernel = Kernel("7.3.1", features=frozenset({NO_VFIO_GROUP}))
    found = machine(ungrouped=[card], kernel=kernel)
    assert Inquiry(found, applicable(kernel)).by_iommufd(card, BIND).result == answer


def test_vfio_makes_no_group_where_it_has_none() -> None:
    card = device(CARD, group=None, vfio_devices=())
    mode = VfioSettings(enable_unsafe_noiommu_mode=True)
    for features, count in ((frozenset({NO_VFIO_GROUP}), 0), (frozenset(), 1)):
        kernel = Kernel("7.3.1", features=features)
        found = machine(ungrouped=[card], kernel=kernel, vfio=mode)
        steps = [parse_step(f"bind={CARD},vfio-pci")]
        after = simulate(found, applicable(kernel), steps).after
        assert len(after.groups) == count


def test_nodes_of_devices_leave_open_whether_there_are_groups(tmp_path: Path) -> None:
    found = host(tmp_path, groups=False, live=False)
    assert results(found)[:3] == ["unknown"] * 3
    # By iommufd the device can be had, whether there are groups or not.
    rules, target = applicable(found.kernel), find_target(found, CARD)
    for purpose, verdict in (
        (Purpose.VFIO, Verdict.READY),
        (Purpose.DPDK, Verdict.UNKNOWN),
    ):
        said = audit(found, rules, (target,), purpose=purpose)
        assert said.verdict is verdict
        (told,) = [f for f in said.findings if "CONFIG_VFIO_GROUP" in f.message]
        assert told.certainty is Certainty.UNKNOWN
    assert make_plan(found, rules, (target,)).outcome is Outcome.PLANNED


def test_a_capture_may_lack_the_class(tmp_path: Path) -> None:
    for live, groups, lacking in (
        (True, False, True),
        (True, True, False),
        (False, False, False),
    ):
        machine = host(tmp_path, groups=groups, live=live)
        assert (NO_VFIO_GROUP in machine.kernel.features) is lacking
