"""The comparison itself: what counts as right, wrong and unknown; no QEMU needed."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from shared import FIXTURES

from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.steps.simulate import Simulation
from iommu_inspect.model.group import Held
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from lab import evidence as kept
from lab.compare import (
    Comparison,
    compare_simulation,
    compare_state,
    compare_user,
)
from lab.errors import LabError
from lab.evidence import Evidence, State, Taken
from lab.fixtures import manifest, write_fixture
from lab.growth import compare_growth
from lab.guest import Answer
from lab.judge import judge
from lab.steps import Step, Verb
from lab.truth import Truth, answer_of, result_of, vfio_answers

CAPTURE = (FIXTURES / "kernels" / "6.12-empty-slot-2.tar.gz").read_bytes()


def machine() -> Machine:
    return read_machine(open_path("-", io.BytesIO(CAPTURE)))


def truth() -> Truth:
    """What a kernel would say that agrees with the capture."""
    read = machine()
    return Truth(
        groups={g.id: frozenset(d.address for d in g.devices) for g in read.groups},
        drivers={d.address: str(d.driver) if d.driver else None for d in read.devices},
    )


def outcomes(found: list[Comparison]) -> Counter[str]:
    return Counter(item.outcome for item in found)


@pytest.mark.parametrize(
    ("value", "result"),
    [("0", "0"), ("-1", "-EPERM"), ("-16", "-EBUSY"), ("na", "n/a")],
)
def test_numbers_become_names(value: str, result: str) -> None:
    assert result_of(value) == result


@pytest.mark.parametrize(
    ("said", "results"),
    [
        ("open=0 iommufd=0 bind=0 ioas=0 attach=0", ("0", "0")),
        ("open=0 iommufd=0 bind=-1 ioas=0 attach=-22", ("-EPERM", "-EINVAL")),
        ("open=-19 iommufd=0 bind=na ioas=na attach=na", ("-ENODEV", "-ENODEV")),
    ],
)
def test_what_a_node_answers_is_of_its_device(
    said: str, results: tuple[str, str]
) -> None:
    line = f"TRUTH iommufd node=vfio0 dev=0000:01:00.0 {said}"
    found = vfio_answers(Answer(0, (line,)).facts())
    operations = ("VFIO_DEVICE_BIND_IOMMUFD", "VFIO_DEVICE_ATTACH_IOMMUFD_PT")
    assert found == {
        (operation, "0000:01:00.0"): result
        for operation, result in zip(operations, results, strict=True)
    }


def test_a_group_with_an_iommufd_has_answers_of_its_own() -> None:
    lines = (
        "TRUTH by_iommufd group=noiommu-4 set_container=0",
        "TRUTH device_fd_by_iommufd group=noiommu-4 dev=0000:01:00.0 ret=-1",
    )
    assert vfio_answers(Answer(0, lines).facts()) == {
        ("VFIO_GROUP_SET_CONTAINER(iommufd)", "4"): "0",
        ("VFIO_GROUP_GET_DEVICE_FD(iommufd)", "0000:01:00.0"): "-EPERM",
    }


def test_a_kernel_whose_iommufd_cannot_be_opened_is_no_answer() -> None:
    line = "TRUTH iommufd node=vfio0 dev=x open=0 iommufd=-2 bind=na ioas=na attach=na"
    with pytest.raises(LabError, match="/dev/iommu cannot be used"):
        vfio_answers(Answer(0, (line,)).facts())


@pytest.mark.parametrize(
    ("got", "outcome"), [("0", "right"), ("-EPERM", "wrong"), ("unknown", "unknown")]
)
def test_outcome(got: str, outcome: str) -> None:
    assert Comparison("VFIO_SET_IOMMU", "1", "0", got, "").outcome == outcome


def test_agreement_is_right() -> None:
    found = list(compare_state(machine(), truth()))
    assert found
    assert set(outcomes(found)) == {"right"}


def test_another_group_driver_or_answer_is_wrong() -> None:
    told = truth()
    group, members = next(iter(told.groups.items()))
    device = min(members)
    told.groups[group] = members | {"0000:ff:00.0"}
    told.drivers[device] = "another"
    told.answers["iommu_attach_device", device] = "-ENOMEM"
    wrong = [i for i in compare_state(machine(), told) if i.outcome == "wrong"]
    assert {(item.operation, item.target) for item in wrong} == {
        ("list", group),
        ("list driver", device),
        ("iommu_attach_device", device),
    }


def test_group_that_the_tool_does_not_see_is_wrong() -> None:
    told = truth()
    told.groups["99"] = frozenset({"0000:ff:00.0"})
    wrong = [i for i in compare_state(machine(), told) if i.outcome == "wrong"]
    assert [(item.target, item.got) for item in wrong] == [("99", "none")]


def test_what_steps_leave_is_compared_both_ways() -> None:
    """A group that is gone, and a driver, of which the tool says otherwise."""
    read, said = machine(), truth()
    after = Simulation((), read, alive=True, certain=True)
    rules = applicable(read.kernel)
    assert set(outcomes([*compare_simulation(after, rules, said)])) <= {"right"}
    gone = next(g for g in said.groups if len(said.groups[g]) == 1)
    (device,) = said.groups.pop(gone)
    del said.drivers[device]
    other = next(name for name, driver in said.drivers.items() if driver)
    said.drivers[other] = "another"
    wrong = {
        (item.operation, item.target): item.expected
        for item in compare_simulation(after, rules, said)
        if item.outcome == "wrong"
    }
    assert wrong == {
        ("whatif groups", device): "gone",
        ("whatif driver", device): "not listed",
        ("whatif driver", other): "another",
    }


def test_a_held_group_is_claimed() -> None:
    read, told = machine(), truth()
    group = next(g for g in read.groups if not any(d.driver for d in g.devices))
    told.claimed[group.id] = True
    assert outcomes(list(compare_state(read, told)))["wrong"] == 1
    held = tuple(
        replace(g, held=Held.BY_USER) if g is group else g for g in read.groups
    )
    assert not outcomes(list(compare_state(replace(read, groups=held), told)))["wrong"]


def test_user_who_sees_less_must_still_get_the_same() -> None:
    read = machine()
    assert set(outcomes(list(compare_user(read, read)))) == {"right"}
    less = replace(read, groups=read.groups[1:])
    wrong = [i for i in compare_user(read, less) if i.outcome == "wrong"]
    lost = read.groups[0]
    assert (wrong[0].target, wrong[0].got) == (lost.id, "no such group")
    assert {item.got for item in wrong[1:]} == {"not predicted"}


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["TRUTH claim group=2 open=0 set_container=0 set_iommu=0", "TRUTH held"], "0"),
        (["TRUTH claim group=2 open=-2 set_container=na", "TRUTH refused"], "-ENOENT"),
        (["TRUTH claim group=2 open=0 set_container=-1", "TRUTH refused"], "-EPERM"),
    ],
)
def test_claim_is_answered_by_the_call_that_refused(
    lines: list[str], answer: str
) -> None:
    assert answer_of(Step(Verb.CLAIM, "nic"), Answer(0, tuple(lines))) == answer


def test_detach_of_nothing_calls_no_kernel() -> None:
    """An attach was refused: the module then keeps no domain that it could detach."""
    told = Answer(0, ("TRUTH drop dev=0000:01:00.0 ret=-2",))
    assert answer_of(Step(Verb.DETACH, "nic"), told) == "n/a"
    held = Answer(0, ("TRUTH drop dev=0000:01:00.0 ret=0",))
    assert answer_of(Step(Verb.DETACH, "nic"), held) == "0"


def evidence() -> Evidence:
    states = [
        State([], CAPTURE, None, truth()),
        State([Taken("unbind usb", ("unbind=0000:00:03.0",), "0")], CAPTURE, CAPTURE),
    ]
    return Evidence("empty-slot", "two slots", "6.12", "6.12.1", None, states, "log")


def test_evidence_survives_the_disk(tmp_path: Path) -> None:
    folder = kept.save(evidence(), tmp_path)
    again = next(kept.load_all(tmp_path))
    assert folder.name == "6.12-empty-slot"
    assert replace(again, log="log") == evidence()
    assert sorted(map(str, judge(again))) == sorted(map(str, judge(evidence())))


def test_step_that_the_kernel_answers_otherwise_is_wrong() -> None:
    told = evidence()
    assert all(record.outcome == "right" for record in judge(told))
    told.states[1].taken[0] = replace(told.states[1].taken[0], answer="-EBUSY")
    wrong = [record for record in judge(told) if record.outcome == "wrong"]
    assert [(r.operation, r.expected, r.got) for r in wrong] == [
        ("whatif unbind", "-EBUSY", "0")
    ]
    assert "empty-slot 6.12 state 1" in str(wrong[0])


def test_fixture_is_the_same_bytes_again(tmp_path: Path) -> None:
    source = tmp_path / "whole.tar.gz"
    source.write_bytes(CAPTURE)
    for into in (tmp_path / "a", tmp_path / "b"):
        name = write_fixture(evidence(), 0, "root", source, into)
        assert sorted(path.name for path in into.iterdir()) == [
            f"{name}.json",
            f"{name}.tar.gz",
        ]
    for suffix in ("json", "tar.gz"):
        one, two = (tmp_path / d / f"{name}.{suffix}" for d in ("a", "b"))
        assert one.read_bytes() == two.read_bytes()


def test_fixture_that_cannot_be_cut_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "broken.tar.gz"
    source.write_bytes(b"no tar")
    with pytest.raises(LabError, match="cannot write the fixture"):
        write_fixture(evidence(), 0, "root", source, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_manifest_says_what_a_reader_needs() -> None:
    found = manifest(evidence(), 0, "user")
    assert found["privileged"] is False
    assert found["kernel"] == "6.12.1"
    assert found["steps"] == [[["unbind=0000:00:03.0"], "0"]]
    with pytest.raises(LabError, match="not asked"):
        manifest(evidence(), 1, "root")


def without(address: str) -> Machine:
    """The captured machine before the card ``address`` came."""
    read = machine()
    groups = (
        replace(g, devices=tuple(d for d in g.devices if d.address != address))
        for g in read.groups
    )
    return replace(read, groups=tuple(group for group in groups if group.devices))


def newcomers() -> list[str]:
    """Cards below the two ports, the first of which has no ACS."""
    found = [d.address for d in machine().devices if d.address > "0000:01"]
    assert len(found) == 2
    return found


def test_growth_that_was_foretold_is_right() -> None:
    for address in newcomers():
        found = list(compare_growth(without(address), machine()))
        assert [item.outcome for item in found] == ["right"]


def test_growth_that_was_not_foretold_is_wrong() -> None:
    bare, isolated = newcomers()
    after = machine()
    card = next(d for d in after.devices if d.address == isolated)
    groups = [
        tuple(d for d in g.devices if d is not card)
        + ((card,) if any(d.address == bare for d in g.devices) else ())
        for g in after.groups
    ]
    joined = next(g.id for g in after.groups if bare in {d.address for d in g.devices})
    moved = replace(
        after,
        groups=tuple(
            replace(g, devices=d) for g, d in zip(after.groups, groups, strict=True)
        ),
    )
    found = list(compare_growth(without(isolated), moved))
    assert [(i.outcome, i.expected, i.got) for i in found] == [
        ("wrong", joined, "a group of its own")
    ]
