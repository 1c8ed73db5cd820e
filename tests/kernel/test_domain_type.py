"""The type of a group's default domain is written (iommu_group_store_type())."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import device, group, machine

from iommu_inspect.kernel.eras import applicable, named
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import BadStepError, parse_step
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.machine import Machine

NIC, TWO = "0000:01:00.0", "0000:01:00.1"
FREE, BOUND = device(NIC), device(NIC, "e1000e")
GIVEN = device(NIC, "vfio-pci", vfio_devices=("vfio0",))


def take(release: str, *steps: str, members: Group) -> Simulation:
    host = machine(members, kernel=Kernel(release, command_line="quiet"))
    return on(host, *steps)


def on(host: Machine, *steps: str) -> Simulation:
    return simulate(host, applicable(host.kernel), [parse_step(s) for s in steps])


@pytest.mark.parametrize(
    ("members", "steps", "answers"),
    [
        # By 5.10, 6.1 and 6.12, 7.3: python -m lab run --machines types
        ((BOUND,), ("type=1,identity",), "-EACCES -EBUSY -EPERM"),
        ((BOUND,), ("type=1,DMA-FQ",), "-EACCES 0 0"),
        ((FREE,), ("type=1,identity",), "-EACCES 0 0"),
        ((FREE,), ("type=1,identity", "type=1,identity"), "-EACCES 0 0"),
        ((FREE,), ("type=1,auto",), "-EACCES 0 0"),
        ((FREE, device(TWO)), ("type=1,identity",), "-EACCES -EINVAL 0"),
        ((FREE, device(TWO, "xhci_hcd")), ("type=1,DMA-FQ",), "-EACCES -EINVAL 0"),
        ((GIVEN,), ("type=1,identity",), "-EACCES -EBUSY 0"),
        ((GIVEN,), ("claim=1", "type=1,DMA-FQ"), "-EACCES -EBUSY 0"),
        ((GIVEN,), ("claim=1", "type=1,identity"), "-EACCES -EBUSY -EPERM"),
        ((GIVEN,), ("claim=1", "release=1", "type=1,identity"), "-EACCES -EBUSY 0"),
        # Read, not asked: who attached a domain of his own.
        ((FREE,), ("attach=01:00.0", "type=1,identity"), "-EACCES -EBUSY unknown"),
    ],
)
def test_who_may_change_the_type_of_a_group(
    members: tuple[object, ...], steps: tuple[str, ...], answers: str
) -> None:
    found = Group("1", members, type="DMA", reserved_regions=())  # type: ignore[arg-type]
    releases = ("5.10.0-32-amd64", "6.1.0-50-amd64", "7.3.4")
    said = [
        take(release, *steps, members=found).outcomes[-1].answer.result
        for release in releases
    ]
    assert said == answers.split()


def test_the_group_has_the_new_type_afterwards() -> None:
    for kind, after in (("identity", "identity"), ("auto", Missing.ABSENT)):
        found = take("6.12.1", f"type=1,{kind}", members=group(FREE))
        assert found.after.groups[0].type == after


def test_what_a_device_may_insist_on_is_not_foretold() -> None:
    """A group that is identity without iommu=pt may be so because a device needs it."""
    mapped = replace(group(FREE), type="identity")
    for words, answer in (("quiet", "unknown"), ("quiet iommu=pt", "0")):
        kernel = Kernel("6.12.1", command_line=words)
        found = on(machine(mapped, kernel=kernel), "type=1,DMA")
        assert found.outcomes[0].answer.result == answer


@pytest.mark.parametrize(
    ("release", "answer"),
    [
        # The vendor's kernels have later code; of 6.3 and 6.4 the sources differ.
        ("5.14.0-362.el9.x86_64", "unknown"),
        ("5.12.0", "-EINVAL"),
        ("6.3.9", "0"),
        ("6.4.1", "0"),
    ],
)
def test_the_version_decides(release: str, answer: str) -> None:
    found = take(release, "type=1,DMA-FQ", members=group(BOUND))
    assert found.outcomes[0].answer.result == answer


def test_a_flush_queue_for_a_type_that_is_not_told() -> None:
    """Of type DMA it works while a driver is bound, of type identity it does not."""
    for release in ("6.1.1", "6.12.1"):
        hidden = replace(group(BOUND), type=Missing.UNREADABLE)
        found = take(release, "type=1,DMA-FQ", members=hidden)
        assert found.outcomes[0].answer.result == "unknown"


def test_other_iommus_are_not_foretold() -> None:
    host = machine(group(FREE), iommus=(IommuUnit("virtio_iommu0"),))
    assert on(host, "type=1,identity").outcomes[0].answer.result == "unknown"


def test_what_is_no_type_is_wrong_usage() -> None:
    with pytest.raises(BadStepError, match="TYPE is identity, DMA, DMA-FQ, auto"):
        parse_step("type=1,bypass")


def test_a_release_that_is_asked_for_has_its_own_version() -> None:
    """The host runs 6.12; v6.1 and v6.3 are in eras with both rules."""
    host = machine(group(BOUND), kernel=Kernel("6.12.1", command_line="quiet"))
    steps = [parse_step("type=1,identity")]
    for release, answer in (("5.10", "-EACCES"), ("6.1", "-EBUSY"), ("6.4", "-EPERM")):
        found = simulate(host, named(release), steps)
        assert found.outcomes[0].answer.result == answer
