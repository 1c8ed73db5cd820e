"""Groups that user space has by a device's own node, beside those by a container."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import SINCE_6_2, SINCE_6_6, device, group, machine, only

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import BadStepError, parse_step
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Held
from iommu_inspect.model.host.kernel import VFIO_GROUP, Kernel
from iommu_inspect.model.machine import Machine

NOW = only(SINCE_6_6)
ONE, TWO = "0000:01:00.0", "0000:01:00.1"
CARD = device(ONE, "vfio-pci", vfio_devices=("vfio0",), vfio_cdev=True)
OTHER = device(TWO, "vfio-pci", vfio_devices=("vfio1",), vfio_cdev=True)
KERNEL = Kernel("7.3.1", features=frozenset({VFIO_GROUP}))
HOST = machine(group(CARD, OTHER), kernel=KERNEL)
OPEN = f"claim={ONE},iommufd"


def take(*steps: str, host: Machine = HOST, rules: Semantics = NOW) -> Simulation:
    return simulate(host, rules, [parse_step(step) for step in steps])


def last(*steps: str, host: Machine = HOST, rules: Semantics = NOW) -> str:
    return take(*steps, host=host, rules=rules).outcomes[-1].answer.result


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        # As v7.3 answered: python -m lab run --machines device-nodes --kernels 7.3-own
        ((OPEN,), "0"),
        ((OPEN, OPEN), "-EINVAL"),
        ((OPEN, f"claim={TWO},iommufd"), "-EPERM"),
        ((OPEN, "claim=1"), "-EBUSY"),
        (("claim=1", OPEN), "-EBUSY"),
        ((OPEN, f"unbind={TWO}", f"bind={TWO},xhci_hcd"), "-EBUSY"),
        ((OPEN, f"unbind={TWO}"), "0"),
        ((OPEN, f"unbind={ONE}"), "blocks"),
        ((OPEN, f"unplug={ONE}"), "blocks"),
        ((OPEN, f"attach={ONE}"), "-EINVAL"),
        ((OPEN, f"release={ONE},iommufd", "claim=1"), "0"),
        ((OPEN, f"release={TWO},iommufd"), "0"),  # nothing refuses to close a file
        ((OPEN, f"release={TWO},iommufd", "claim=1"), "-EBUSY"),
        ((OPEN, f"release={ONE},iommufd", f"unbind={ONE}"), "0"),
    ],
)
def test_who_has_a_device_by_its_own_node_has_the_group(
    steps: tuple[str, ...], answer: str
) -> None:
    assert last(*steps) == answer


def test_the_group_is_held_until_the_last_of_its_nodes_is_closed() -> None:
    found = take(OPEN).after.groups[0]
    assert (found.held, found.nodes) == (Held.BY_IOMMUFD, frozenset({CARD.id}))
    both = machine(replace(found, nodes=frozenset({CARD.id, OTHER.id})), kernel=KERNEL)
    after = take(f"release={ONE},iommufd", host=both).after.groups[0]
    assert (after.held, after.nodes) == (Held.BY_IOMMUFD, frozenset({OTHER.id}))
    after = take(f"release={TWO},iommufd", host=machine(after)).after.groups[0]
    assert (after.held, after.nodes) == (Held.FREE, frozenset())


def test_what_the_kernel_is_asked_then() -> None:
    after = take(OPEN).after
    said = {
        (p.operation, str(p.target)): p.answer.result
        for p in Inquiry(after, NOW).predictions()
    }
    assert said["iommu_group_claim_dma_owner", "1"] == "-EPERM"
    assert said["VFIO_GROUP_SET_CONTAINER", "1"] == "-EBUSY"
    assert said["VFIO_DEVICE_BIND_IOMMUFD", ONE] == "-EINVAL"
    assert said["VFIO_DEVICE_BIND_IOMMUFD", TWO] == "-EPERM"


def test_a_kernel_without_nodes_gives_none() -> None:
    assert last(OPEN, rules=only(SINCE_6_2)) == "n/a"
    bare = machine(group(replace(CARD, vfio_cdev=False)), kernel=KERNEL)
    assert last(OPEN, host=bare) == "-ENOENT"


@pytest.mark.parametrize(
    ("elsewhere", "answer"),
    [(True, "0"), (False, "-ENOENT"), (Missing.ABSENT, "unknown")],
)
def test_a_device_that_has_just_come_to_vfio_has_a_node_where_others_have(
    elsewhere: bool | Missing, answer: str
) -> None:
    free = device(ONE, driver_override=None)
    other = replace(OTHER, vfio_cdev=elsewhere)
    host = machine(group(free), group(replace(other, group="2"), id="2"), kernel=KERNEL)
    assert last(f"bind={ONE},vfio-pci", OPEN, host=host) == answer


@pytest.mark.parametrize("text", ["claim=1,vfio", "claim=1,iommufd,x", "release=1,"])
def test_there_is_one_other_way_to_claim(text: str) -> None:
    with pytest.raises(BadStepError, match=r"=GROUP\[,iommufd\]"):
        parse_step(text)


def test_a_device_without_a_group_is_not_followed() -> None:
    alone = device(ONE, "vfio-pci", vfio_devices=("noiommu-vfio0",), group=None)
    assert last(OPEN, host=machine(ungrouped=[alone], kernel=KERNEL)) == "unknown"
