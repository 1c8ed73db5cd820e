"""What is wrong with a plan that was carried out: nothing may pass that must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from examples import each

from lab.__main__ import main
from lab.machines import MACHINES
from lab.plan_cases import CASES, PLAN_KERNELS, QUICK_CASE, PlanCase
from lab.plan_report import render_plans
from lab.plan_trial import (
    Moment,
    Ran,
    Trial,
    load_trials,
    problems,
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
}


@each("text", BAD)
def test_what_went_wrong_is_said(text: str) -> None:
    assert text in found(BAD[text])


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    save_trials([GOOD, REFUSED], tmp_path)
    assert load_trials(tmp_path) == [GOOD, REFUSED]


def test_the_page_counts_and_hides_nothing() -> None:
    page = render_plans([GOOD, REFUSED], "make lab-plans")
    assert "**1 combinations of machine and targets on 1 kernels: 1 plans" in page
    assert "| 6.12 | `6.12.1` | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 0 |" in page
    page = render_plans([BAD["the undo fails: busy"], REFUSED], "make lab-plans")
    assert "1 refused that had to be; 1 wrong.**" in page
    assert "| 6.12 | two-functions | f0 | the undo fails: busy |" in page


def test_cases_name_what_there_is() -> None:
    assert QUICK_CASE in {case.machine for case in CASES}
    for case in CASES:
        names = {device.name for device in MACHINES[case.machine].devices}
        for target in case.targets:
            assert target.startswith("0000:") or target.partition("/")[0] in names
    for kernel in PLAN_KERNELS:
        planned = [c for c in CASES if not c.refused and c.holds_on(kernel)]
        asked = {(case.machine, case.targets) for case in planned}
        assert len(asked) == len(planned) > 19
        assert sum(case.qemu for case in planned) >= 5


def test_an_unknown_machine_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plans", "--only", "nothing"]) == 1
    assert "no plan is made for 'nothing'" in capsys.readouterr().err
