"""VFIO_GROUP_GET_DEVICE_FD, and the token that a virtual function takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    ALL_ERAS,
    BEFORE_5_19,
    SINCE_6_6,
    UNKNOWN_KERNEL,
    device,
    group,
    machine,
    only,
)

from iommu_inspect.kernel.eras import Era, named
from iommu_inspect.kernel.ownership.device_fd import GET_DEVICE_FD
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.iommufd import BIND
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import (
    NO_VFIO_GROUP,
    VFIO_GROUP,
    Kernel,
    VfioSettings,
)
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine

NOW, BEFORE = only(SINCE_6_6), only(BEFORE_5_19)
CARD = device("0000:01:00.0", "vfio-pci")
BESIDE = device("0000:01:00.1", "e1000e", vfio_devices=())
FREE = replace(BESIDE, driver=None)
UNTOLD = replace(BESIDE, driver=Missing.DENIED)


def asked(host: Machine, card: Device = CARD, rules: Any = NOW) -> str:
    found = host.group_of(card)
    assert found is not None
    return Inquiry(host, rules).device_fd(card, found).result


@pytest.mark.parametrize("era", ALL_ERAS)
def test_alone_on_vfio_it_is_given(era: Era) -> None:
    assert asked(machine(group(CARD)), rules=only(era)) == "0"


@pytest.mark.parametrize(
    ("found", "card", "since_5_19", "before"),
    [
        # SET_CONTAINER refuses since v5.19; before, the group is not viable.
        (group(CARD, BESIDE), CARD, "-EINVAL", "-EINVAL"),
        # The device is looked for first since v5.19, and last before.
        (group(CARD, BESIDE), BESIDE, "-ENODEV", "-EINVAL"),
        (group(CARD, FREE), CARD, "0", "0"),
        (group(CARD, FREE), FREE, "-ENODEV", "-ENODEV"),
        (group(CARD, UNTOLD), CARD, "unknown", "unknown"),
        (group(CARD, UNTOLD), UNTOLD, "unknown", "unknown"),
        (group(BESIDE), BESIDE, "-ENOENT", "-ENOENT"),
        (group(CARD, held=Held.BY_USER), CARD, "-EBUSY", "-EBUSY"),
        (group(CARD, held=Held.BY_KERNEL_DOMAIN), CARD, "-EINVAL", "-EINVAL"),
        (group(CARD, name="vfio-noiommu"), CARD, "0", "0"),
    ],
)
def test_the_group_decides_and_then_the_device(
    found: Group, card: Device, since_5_19: str, before: str
) -> None:
    host = machine(found)
    assert asked(host, card) == since_5_19
    assert asked(host, card, BEFORE) == before


def test_where_the_order_decides_an_unknown_kernel_leaves_it_unknown() -> None:
    host = machine(group(CARD, BESIDE))
    assert asked(host, BESIDE, UNKNOWN_KERNEL) == "unknown"
    assert asked(host, CARD, UNKNOWN_KERNEL) == "-EINVAL"


def test_a_container_without_an_iommu_gives_no_device() -> None:
    host = machine(group(CARD), remapping=InterruptRemapping.OFF)
    assert asked(host) == "-EINVAL"
    host = machine(group(CARD), vfio=VfioSettings(False, False, type1_loaded=False))
    assert asked(host) == "-EINVAL"
    host = machine(group(CARD), remapping=Missing.DENIED)
    assert asked(host) == "unknown"


def test_before_5_19_a_group_that_is_not_viable_decides_whatever_the_iommu_says() -> (
    None
):
    untold = VfioSettings(False, False, type1_loaded=Missing.ABSENT)
    mixed = machine(group(CARD, BESIDE), vfio=untold)
    assert [asked(mixed, card, BEFORE) for card in (CARD, BESIDE)] == ["-EINVAL"] * 2
    # What is not told of its members matters where the IOMMU would be set.
    assert asked(machine(group(CARD, UNTOLD), vfio=untold), rules=BEFORE) == "unknown"


def test_a_kernel_without_nodes_of_groups_gives_none() -> None:
    host = machine(group(CARD), kernel=Kernel(features=frozenset({NO_VFIO_GROUP})))
    assert asked(host) == "-ENOENT"


def test_it_is_predicted_where_a_vfio_driver_has_a_member_but_not_of_bridges() -> None:
    port = device("0000:00:1c.0", "pcieport", bridge=True)
    with_vfio, without = group(CARD, FREE, port), group(port, FREE, id="2")
    for found, count in ((with_vfio, 2), (without, 0)):
        said = list(Inquiry(machine(found), NOW).predictions())
        assert sum(p.operation == GET_DEVICE_FD for p in said) == count


PHYSICAL = device("0000:05:00.0", "vfio-pci", group="2")


def family(
    driver: Fact[str | None], virtual: str = "vfio-pci", release: str = "6.17.1"
) -> tuple[Machine, Device]:
    """A virtual function in a group of its own, and its physical one."""
    own = device("0000:05:00.1", virtual, vfio_devices=("vfio1",), vfio_cdev=True)
    own = replace(own, pci=replace(own.pci, physfn=PHYSICAL.id))
    physical = replace(PHYSICAL, driver=driver, vfio_devices=())
    kernel = Kernel(release, features=frozenset({VFIO_GROUP}))
    host = machine(group(own), group(physical, id="2"), kernel=kernel)
    return host, own


@pytest.mark.parametrize(
    ("driver", "virtual", "release", "by_group", "by_node"),
    [
        ("vfio-pci", "vfio-pci", "6.17.1", "-EACCES", "-EACCES"),
        # The node takes one since v6.17; 6.12.117 was asked, and gave it without.
        ("vfio-pci", "vfio-pci", "6.12.117", "-EACCES", "0"),
        ("vfio-pci", "vfio-pci", "5.14.0-503.el9.x86_64", "-EACCES", "unknown"),
        ("vfio-pci", "vfio-pci", "5.10.1", "-EACCES", "n/a"),
        ("vfio-pci", "vfio-pci", "5.4.1", "0", "n/a"),
        ("vfio-pci", "mlx5-vfio-pci", "6.17.1", "unknown", "unknown"),
        ("nvme", "vfio-pci", "6.17.1", "0", "0"),
        (None, "vfio-pci", "6.17.1", "0", "0"),
        (Missing.DENIED, "vfio-pci", "6.17.1", "unknown", "unknown"),
    ],
)
def test_a_virtual_function_takes_a_token_where_vfio_has_the_physical_one(
    driver: Fact[str | None], virtual: str, release: str, by_group: str, by_node: str
) -> None:
    host, own = family(driver, virtual, release)
    rules = named(release)
    assert asked(host, own, rules) == by_group
    assert Inquiry(host, rules).by_iommufd(own, BIND).result == by_node


def test_a_physical_function_that_is_not_shown_may_be_on_vfio() -> None:
    host, own = family("vfio-pci")
    elsewhere = replace(own.pci, physfn=DeviceId("0000:77:00.0", "pci"))
    away = replace(own, pci=elsewhere)
    assert asked(host.with_device(own, away), away, named("6.17.1")) == "unknown"
