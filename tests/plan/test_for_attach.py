"""``plan --for attach``: nothing is bound; the call works, or the reason why not."""

from __future__ import annotations

from dataclasses import replace

from builders import BEFORE_4_2, SINCE_6_6, UNKNOWN_KERNEL, device, group, machine, only
from examples import each
from running import call
from shared import SYSFS

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.steps.making import Outcome, Plan, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text
from iommu_inspect.rules.finding import Purpose

NEW = only(SINCE_6_6)
FIRST, SECOND = "0000:01:00.0", "0000:01:00.1"
ALONE = machine(group(device(FIRST, "ifcvf")))
TWO = machine(group(device(FIRST, "ifcvf"), device(SECOND)))
PLANNED, REFUSED, UNKNOWN = Outcome.PLANNED, Outcome.REFUSED, Outcome.UNKNOWN


def planned(host: Machine, word: str, rules: Semantics = NEW) -> Plan:
    return make_plan(host, rules, (find_target(host, word),), purpose=Purpose.ATTACH)


@each(
    "host, word, rules, outcome",
    [
        (ALONE, FIRST, NEW, PLANNED),
        (ALONE, "group:1", NEW, PLANNED),
        (machine(group(device(FIRST, "vfio-pci"))), FIRST, NEW, PLANNED),
        (TWO, FIRST, NEW, REFUSED),
        (TWO, "group:1", NEW, REFUSED),
        (TWO, FIRST, only(BEFORE_4_2), PLANNED),
        (TWO, FIRST, UNKNOWN_KERNEL, UNKNOWN),
        (machine(replace(TWO.groups[0], whole=False)), FIRST, NEW, REFUSED),
        (machine(replace(ALONE.groups[0], whole=False)), FIRST, NEW, UNKNOWN),
        (machine(ungrouped=[device(FIRST, group=None)]), FIRST, NEW, REFUSED),
    ],
)
def test_no_step_changes_what_the_call_returns(
    host: Machine, word: str, rules: Semantics, outcome: Outcome
) -> None:
    plan = planned(host, word, rules)
    assert plan.outcome is outcome, plan.refusals
    assert not any(move.changes for move in plan.moves)
    words = written(plan, rules)
    assert (words.there, words.back, words.boot, words.qemu) == ((), (), None, ())
    text = plan_text(plan, words, rules)
    assert "vfio-pci" not in text.replace("  vfio-pci  ", "")
    assert ("can be attached by iommu_attach_device()" in " ".join(text.split())) is (
        outcome is PLANNED
    )


@each("address, code", [("00:07.0", 0), ("group:7", 0)])
def test_the_exit_code_is_that_of_the_call(address: str, code: int) -> None:
    tree = SYSFS / "dpdk-drivers"
    done = call("plan", address, "--for", "attach", "--from", tree)
    assert done.returncode == code
    assert call("audit", address, "--for", "attach", "--from", tree).returncode == code


def test_a_group_of_two_is_exit_code_1_with_the_reason() -> None:
    tree = SYSFS / "half-a-group"
    done = call("plan", "00:01.0", "--for", "attach", "--from", tree)
    assert done.returncode == 1
    assert "The device needs a group of its own." in " ".join(done.stdout.split())
