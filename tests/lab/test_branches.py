"""Which branches of the engine a kernel confirmed, told by the answers they made."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.kernel.answers import Answer
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from lab.branches import NOT_YET, REASONS, Branch, Ledger, branches, reason
from lab.compare import Comparison
from lab.report import render

CARD = device("0000:01:00.0", "vfio-pci")
BUSY = device("0000:01:00.1", "e1000e", vfio_devices=())
NOW = only(SINCE_6_6)


def comparison(answer: Answer, expected: str | None = None) -> Comparison:
    told = answer.result if expected is None else expected
    return Comparison("call", "it", told, answer.result, answer.because, answer)


def given(ledger: Ledger) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (each.branch.function, each.branch.result): dict(each.kernels)
        for each in ledger.confirmed()
        if each.kernels
    }


def test_a_right_answer_confirms_the_place_that_made_it() -> None:
    with Ledger() as ledger:
        mixed = Inquiry(machine(group(CARD, BUSY)), NOW)
        found = mixed.operation(mixed.machine.groups[0], "VFIO_SET_IOMMU")
        ledger.note("6.12", [comparison(found), comparison(found)])
    assert given(ledger) == {("_set_iommu", "-EINVAL"): {"6.12": 2}}


@pytest.mark.parametrize("expected", ["0", "-EPERM"])
def test_a_wrong_answer_confirms_nothing(expected: str) -> None:
    with Ledger() as ledger:
        mixed = Inquiry(machine(group(CARD, BUSY)), NOW)
        found = mixed.operation(mixed.machine.groups[0], "VFIO_SET_IOMMU")
        ledger.note("6.12", [comparison(found, expected)])
    assert given(ledger) == {}


def test_an_answer_that_repeats_another_confirms_both() -> None:
    busy = group(CARD, BUSY)
    with Ledger() as ledger:
        found = simulate(machine(busy), NOW, [parse_step("claim=1")])
        ledger.note("7.3", [comparison(found.outcomes[-1].answer)])
    # The step says first which call refused it.
    assert given(ledger) == {("claim_refused", "-EPERM"): {"7.3": 1}}


def test_an_answer_that_says_otherwise_confirms_nothing_but_itself() -> None:
    held = machine(group(CARD, replace(BUSY, driver=None, driver_override="e1000e")))
    steps = ("claim=1", "probe=01:00.1")
    with Ledger() as ledger:
        found = simulate(held, NOW, [parse_step(step) for step in steps])
        ledger.note("7.3", [comparison(found.outcomes[-1].answer)])
    # drivers_probe said -EINVAL; that it was -EBUSY in itself no kernel has said.
    assert given(ledger) == {("probe", "-EINVAL"): {"7.3": 1}}


def test_answers_are_made_as_ever_afterwards() -> None:
    made = Answer.__init__
    with pytest.raises(KeyError), Ledger():
        raise KeyError
    assert Answer.__init__ is made


def test_every_reason_is_one_for_a_branch_that_is_there() -> None:
    names = {
        name
        for b in branches()
        for name in (
            b.file,
            f"{b.file} {b.function}",
            f"{b.file} {b.function} {b.result}",
        )
    }
    assert set(tomllib.loads(REASONS.read_text())) <= names


def test_a_reason_is_the_closest_one_that_is_written_down() -> None:
    proposed = Branch("ownership/proposals.py", 1, "_as_posted", "-EBUSY")
    assert reason(proposed) == "no kernel has the rules of a proposal"
    claim = Branch("ownership/operations.py", 1, "claim_refused", "-EPERM")
    assert reason(claim) == NOT_YET


def test_unknown_is_no_branch_and_every_call_that_answers_is() -> None:
    found = branches()
    assert not any(branch.result == "UNKNOWN" for branch in found)
    where = {(b.file, b.function, b.result) for b in found}
    assert ("steps/binding.py", "_refused_by_vfio", "-EBUSY") in where
    assert ("steps/drivers.py", "probe", "-EINVAL") in where
    assert len({branch.place for branch in found}) == len(found) > 80


def test_the_page_tells_what_was_confirmed_and_why_the_rest_was_not() -> None:
    with Ledger() as ledger:
        alone = Inquiry(machine(group(CARD)), NOW)
        found = alone.operation(alone.machine.groups[0], "VFIO_GROUP_GET_STATUS")
        ledger.note("6.12", [comparison(found)])
    page = render((), "make lab", confirmed=ledger.confirmed())
    assert f"\n1 of {len(branches())} places in " in page
    said = "| `ownership/operations.py` `_get_status()` | `viable` 1 | "
    assert f"{said}`viable`, `not-viable`: not asked yet |" in page
    proposals = "`-EBUSY`, `-EPERM`, `-EBUSY`: no kernel has the rules of a proposal |"
    assert proposals in page
