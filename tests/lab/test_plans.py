"""What is wrong with a plan that was carried out: nothing may pass that must not."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from examples import each
from shared import SYSFS

from lab.__main__ import main
from lab.errors import LabError
from lab.machines import MACHINES
from lab.plan_case import PlanCase
from lab.plan_cases import CASES, PLAN_KERNELS, QUICK_CASE
from lab.plan_judge import problems
from lab.plan_report import render_plans, summary
from lab.plan_tool import without
from lab.plan_trial import (
    Moment,
    Ran,
    Trial,
    Typed,
    load_trials,
    save_trials,
)

NIC, USB = "0000:01:00.0", "0000:01:00.1"
CLOSED = {
    "VFIO_GROUP_GET_STATUS 5": "-ENOENT",
    "VFIO_GROUP_SET_CONTAINER 5": "-ENOENT",
    "VFIO_SET_IOMMU 5": "-ENOENT",
}
OPEN = {
    "VFIO_GROUP_GET_STATUS 5": "viable",
    "VFIO_GROUP_SET_CONTAINER 5": "0",
    "VFIO_SET_IOMMU 5": "0",
}
ON_HOST = {NIC: ("e1000e", ""), USB: ("xhci_hcd", "")}
ON_VFIO = {NIC: ("vfio-pci", "vfio-pci"), USB: ("vfio-pci", "vfio-pci")}
BEFORE = Moment("blocked", CLOSED, CLOSED, ON_HOST, False)
AFTER = Moment("ready", OPEN, OPEN, ON_VFIO, False)
ARGUMENTS = f"-device vfio-pci,host={NIC},bus=c \\\n-device vfio-pci,host={USB},bus=c\n"
SHOWN = Ran(0, (f'host = "{NIC}"', f'host = "{USB}"'))
OVERRIDE = f"echo vfio-pci > /sys/bus/pci/devices/{NIC}/driver_override"
GOOD = Trial(
    PlanCase("two-functions", ("f0",)),
    "6.12",
    "6.12.1",
    BEFORE,
    0,
    (),
    "#!/bin/sh\n",
    Ran(0, ()),
    AFTER,
    Ran(0, ()),
    BEFORE,
    ARGUMENTS,
    SHOWN,
    steps=((f"override={NIC},vfio-pci", "0"),),
    typed=(Typed("modprobe vfio-pci", Ran(0, ())), Typed(OVERRIDE, Ran(0, ()))),
    typed_devices=ON_VFIO,
    back=(Typed(f"echo > /sys/bus/pci/devices/{NIC}/driver_override", Ran(0, ())),),
    back_devices=ON_HOST,
)
ROUTE = Typed("ip route show default", Ran(0, ()))
CHIPS = Typed("cat /sys/kernel/irq/*/chip_name", Ran(0, ("IO-APIC", "IR-PCI-MSI")))
CONDITIONAL = replace(
    GOOD,
    case=PlanCase("reference", ("nic",), lost=("proc/*",), answers=("^IR-",)),
    plan_status=3,
    checks=(CHIPS, ROUTE),
    careless=Ran(1, ("plan: look first",)),
    careless_devices=ON_HOST,
)
STOPPED = replace(
    CONDITIONAL,
    case=replace(CONDITIONAL.case, answers=(), stops="interrupts are not remapped"),
    done=Ran(1, ("plan: interrupts are not remapped",)),
    after=BEFORE,
    careless=None,
    qemu=None,
)
REFUSED = Trial(
    PlanCase("sriov", ("disk",), refused="sriov-mix"),
    "6.12",
    "6.12.1",
    BEFORE,
    1,
    ("sriov-mix",),
    "exit 1\n",
    Ran(1, ("No plan",)),
    BEFORE,
)


def found(trial: Trial) -> str:
    return "; ".join(problems(trial))


def test_what_went_well_is_right() -> None:
    assert not found(GOOD)
    assert not found(REFUSED)
    assert not found(CONDITIONAL)
    assert not found(STOPPED)
    assert not found(replace(GOOD, qemu=None))


BAD = {
    "audit says ready, so": replace(GOOD, before=replace(BEFORE, verdict="ready")),
    "the kernel refuses nothing": replace(
        GOOD, before=replace(BEFORE, tool=OPEN, kernel=OPEN), end=BEFORE
    ),
    "before: VFIO_SET_IOMMU 5 is -ENOENT, audit says 0": replace(
        GOOD, before=replace(BEFORE, tool={**CLOSED, "VFIO_SET_IOMMU 5": "0"})
    ),
    "no plan: exit 3, host-loss": replace(GOOD, plan_status=3, rules=("host-loss",)),
    "the script fails: plan: no": replace(GOOD, done=Ran(1, ("plan: no",))),
    "after: audit says blocked": replace(GOOD, after=replace(AFTER, verdict="blocked")),
    "after: VFIO_SET_IOMMU says -EPERM": replace(
        GOOD,
        after=replace(
            AFTER,
            tool={**OPEN, "VFIO_SET_IOMMU 5": "-EPERM"},
            kernel={**OPEN, "VFIO_SET_IOMMU 5": "-EPERM"},
        ),
    ),
    "after: VFIO_SET_IOMMU was not asked": replace(
        GOOD, after=replace(AFTER, tool={}, kernel={})
    ),
    "the undo was not run": replace(GOOD, undone=None),
    "the undo fails: busy": replace(GOOD, undone=Ran(1, ("busy",))),
    f"{USB} is ('', ''), was ('xhci_hcd', '')": replace(
        GOOD, end=replace(BEFORE, devices={**ON_HOST, USB: ("", "")})
    ),
    f"{NIC} is ('e1000e', 'vfio-pci'), was": replace(
        GOOD, end=replace(BEFORE, devices={**ON_HOST, NIC: ("e1000e", "vfio-pci")})
    ),
    f"{USB} is None": replace(GOOD, end=replace(BEFORE, devices={NIC: ON_HOST[NIC]})),
    "allow_unsafe_interrupts is True": replace(GOOD, end=replace(BEFORE, unsafe=True)),
    "QEMU ends with 1": replace(GOOD, qemu=replace(SHOWN, status=1)),
    "QEMU says: vfio 0000": replace(GOOD, qemu_errors=("vfio 0000:01:00.0: no",)),
    f"QEMU shows no {USB}": replace(GOOD, qemu=Ran(0, SHOWN.lines[:1])),
    "plan printed no device for QEMU": replace(GOOD, arguments=""),
    "there is a plan, and there must be none": replace(REFUSED, plan_status=0),
    "refused by host-loss, not by sriov-mix": replace(REFUSED, rules=("host-loss",)),
    "the script of a refused plan succeeds": replace(REFUSED, done=Ran(0, ())),
    "after the script of a refused plan: 0000:01:00.0": replace(REFUSED, after=AFTER),
    "the host does not work any more: read-only": replace(
        REFUSED, alive=Ran(1, ("read-only",))
    ),
    "plan does not print for people: modprobe": replace(GOOD, unprinted=("modprobe",)),
    "2 steps are foretold, 1 are printed": replace(GOOD, steps=2 * GOOD.steps),
    f"step override={NIC},vfio-pci: -EPERM is foretold, the guest says 0": replace(
        GOOD, steps=((f"override={NIC},vfio-pci", "-EPERM"),)
    ),
    "0 is foretold, the guest says no": replace(
        GOOD, typed=(Typed(OVERRIDE, Ran(1, ("no",))),)
    ),
    "driver_override fails: busy": replace(
        GOOD, back=(replace(GOOD.back[0], ran=Ran(1, ("busy",))),)
    ),
    f"not the script,: {NIC} is ('e1000e', '')": replace(GOOD, typed_devices=ON_HOST),
    f"after the undo line by line: {USB} is": replace(GOOD, back_devices=ON_VFIO),
    "a fact is missing, and nothing is to be looked at": replace(
        CONDITIONAL, checks=()
    ),
    "nothing is missing, and something": replace(
        CONDITIONAL, case=replace(CONDITIONAL.case, lost=())
    ),
    "no check answers ^IR-": replace(CONDITIONAL, checks=(ROUTE,)),
    "the check fails: ip route": replace(
        CONDITIONAL, checks=(CHIPS, replace(ROUTE, ran=Ran(127, ("not found",))))
    ),
    "the script does not ask whether": replace(CONDITIONAL, careless=Ran(0, ())),
    "a script that nobody looked for: 0000": replace(
        CONDITIONAL, careless_devices=ON_VFIO
    ),
    "no plan: exit 0, ": replace(CONDITIONAL, plan_status=0),
    "the script goes on although a check fails": replace(STOPPED, done=Ran(0, ())),
    "the script stops with: plan: other": replace(
        STOPPED, done=Ran(1, ("plan: other",))
    ),
    "the script that a check stops: 0000": replace(STOPPED, after=AFTER),
}


@each("text", BAD)
def test_what_went_wrong_is_said(text: str) -> None:
    assert text in found(BAD[text])


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    kept = [replace(GOOD, alive=Ran(0, ("ok",))), REFUSED, CONDITIONAL, STOPPED]
    save_trials(kept, tmp_path)
    assert load_trials(tmp_path) == kept


def test_the_page_counts_and_hides_nothing() -> None:
    good = [GOOD, REFUSED, CONDITIONAL, STOPPED]
    page = render_plans(good, "make lab-plans")
    assert f"**{summary(good)}**" in page
    assert "2 combinations of machine and targets on 1 kernel: 2 plans" in page
    assert "6 printed steps typed; 1 refused and 1 stopped" in page
    assert "| 6.12 | `6.12.1` | 2 | 2 | 2 | 2 | 2 | 2 | 1 | 1 | 0 |" in page
    assert f"| `{CHIPS.line}`; `{ROUTE.line}` | as it must |" in page
    assert "| plan: interrupts are not remapped |" in page
    page = render_plans([BAD["the undo fails: busy"], REFUSED], "make lab-plans")
    assert "QEMU started 1 times; 1 wrong.**" in page
    assert "| 6.12 | two-functions | f0 | the undo fails: busy |" in page


def test_cases_name_what_there_is_and_enough_of_each_kind() -> None:
    assert QUICK_CASE in {case.machine for case in CASES}
    assert len({case.name for case in CASES}) + 1 >= len(CASES)
    for case in CASES:
        names = {device.name for device in MACHINES[case.machine].devices}
        for target in case.targets:
            assert target.startswith("0000:") or target.partition("/")[0] in names
    for kernel in PLAN_KERNELS:
        held = [case for case in CASES if case.holds_on(kernel)]
        planned = [case for case in held if not case.refused and not case.stops]
        assert len({case.name for case in planned}) == len(planned) >= 30
        assert sum(case.qemu for case in planned) >= 8
        assert sum(case.is_conditional for case in planned) >= 4
        assert sum(bool(case.stops) for case in held) >= 3
        assert sum(bool(case.alive) for case in held) >= 4


def test_a_capture_loses_what_the_patterns_fit_and_nothing_else() -> None:
    with (SYSFS.parent / "kernels" / "6.12-reference-2.tar.gz").open("rb") as file:
        whole = file.read()
    lost = without(whole, ("sys/kernel/irq/*", "*/reserved_regions"))

    def members(data: bytes) -> dict[str, str]:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            return {member.name: member.linkname for member in tar}

    gone = members(whole).keys() - members(lost).keys()
    assert {"sys/kernel/iommu_groups/7/reserved_regions"} < gone
    assert all("/irq/" in name or name.endswith("/reserved_regions") for name in gone)
    kept = {name: members(whole)[name] for name in members(whole).keys() - gone}
    assert members(lost) == kept
    assert without(whole, ()) == whole
    with pytest.raises(LabError, match="holds nothing of nothing/"):
        without(whole, ("nothing/*",))


def test_an_unknown_machine_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plans", "--only", "nothing"]) == 1
    assert "no plan is made for 'nothing'" in capsys.readouterr().err
