"""What holds of every machine, whatever its drivers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from builders import (
    ALL_ERAS,
    UNKNOWN_KERNEL,
    device,
    group,
    machine,
    only,
    ownership_of,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    CLAIM,
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.kernel.ownership.roles import Ownership, Role, role
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import Device, PciPlacement
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.verdict.outcome import Verdict

DRIVERS = [
    None,
    "vfio-pci",
    "mlx5_vfio_pci",
    "acme_vfio_pci",
    "pci-stub",
    "pcieport",
    "shpchp",
    "e1000e",
    "nvme",
    Missing.ABSENT,
    Missing.DENIED,
]
BUSES: list[Fact[str]] = [
    "pci",
    "pci",
    "pci",
    "platform",
    "cdx",
    "host1x-context",
    "odd",
    Missing.ABSENT,
]
REGIONS = [
    (),
    (ReservedRegion(0xFEE00000, 0xFEEFFFFF, "msi"),),
    (ReservedRegion(0, 0xFFFFFF, "direct-relaxable"),),
    (ReservedRegion(0x7B000000, 0x7BFFFFFF, "direct"),),
    Missing.ABSENT,
]
NAMES = [Missing.ABSENT, Missing.ABSENT, "vfio-noiommu", Missing.UNREADABLE]
eras = st.sampled_from(ALL_ERAS)
semantics = st.one_of(eras.map(only), st.just(UNKNOWN_KERNEL))


@st.composite
def members(draw: st.DrawFn, most: int) -> list[Device]:
    count = draw(st.integers(1, most))
    return [
        device(
            f"0000:01:{slot:02x}.0",
            draw(st.sampled_from(DRIVERS)),
            bus=draw(st.sampled_from(BUSES)),
            bridge=draw(st.booleans()),
        )
        for slot in range(count)
    ]


@st.composite
def machines(draw: st.DrawFn, most: int = 5) -> Machine:
    remapping = [*InterruptRemapping, Missing.ABSENT]
    unsafe: list[Fact[bool]] = [True, False, Missing.ABSENT]
    return machine(
        group(
            *draw(members(most)),
            regions=draw(st.sampled_from(REGIONS)),
            name=draw(st.sampled_from(NAMES)),
        ),
        remapping=draw(st.sampled_from(remapping)),
        iommus=draw(st.sampled_from([(), Missing.ABSENT])),
        vfio=VfioSettings(
            False,
            draw(st.sampled_from(unsafe)),
            False,
            draw(st.sampled_from(unsafe)),
        ),
    )


def only_group(host: Machine) -> Group:
    return host.groups[0]


def with_members(host: Machine, *devices: Device) -> Machine:
    return replace(host, groups=(replace(only_group(host), devices=devices),))


def answers(host: Machine, rules: Semantics) -> list[str]:
    operations = (CLAIM, GET_STATUS, SET_CONTAINER, SET_IOMMU)
    return [
        Inquiry(host, rules).operation(only_group(host), operation).result
        for operation in operations
    ]


def verdict_of(host: Machine, rules: Semantics, index: int = 0) -> Verdict:
    target = Target("x", only_group(host).devices[index], only_group(host))
    return audit(host, rules, (target,)).verdict


@given(machines(), semantics)
def test_an_unbound_device_more_never_changes_a_verdict(
    host: Machine, rules: Semantics
) -> None:
    before = only_group(host)
    more = with_members(host, *before.devices, device("0000:7f:00.0"))
    # Of members whose buses are not told, it may tell that vfio made their group up.
    assume(known(before.is_noiommu) or not known(only_group(more).is_noiommu))
    assert ownership_of(only_group(more), rules) is ownership_of(before, rules)
    assert answers(more, rules) == answers(host, rules)
    assert verdict_of(more, rules) is verdict_of(host, rules)


@given(machines(), semantics, st.data())
def test_binding_a_kernel_driver_never_makes_a_group_viable(
    host: Machine, rules: Semantics, data: st.DataObject
) -> None:
    devices = only_group(host).devices
    index = data.draw(st.integers(0, len(devices) - 1))
    bound = [
        replace(d, driver="e1000e", id=DeviceId(d.address, "pci")) if i == index else d
        for i, d in enumerate(devices)
    ]
    for operation in (GET_STATUS, CLAIM):
        before, after = (
            Inquiry(h, rules).operation(only_group(h), operation).result
            for h in (host, with_members(host, *bound))
        )
        assert after not in ("viable", "0") or before == after or before == "unknown"


@given(machines(), semantics, st.randoms())
def test_the_order_of_members_changes_nothing(
    host: Machine, rules: Semantics, random: Any
) -> None:
    devices = list(only_group(host).devices)
    random.shuffle(devices)
    shuffled = with_members(host, *devices)
    assert answers(shuffled, rules) == answers(host, rules)
    assert ownership_of(only_group(shuffled), rules) is ownership_of(
        only_group(host), rules
    )


@given(machines(), semantics, st.data())
def test_binding_a_kernel_driver_makes_an_endpoint_block_its_group(
    host: Machine, rules: Semantics, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(only_group(host).devices) - 1))
    devices = [
        replace(
            d,
            id=DeviceId(d.address, "pci"),
            driver="e1000e",
            pci=PciPlacement(0),
            vfio_devices=(),
        )
        if i == index
        else d
        for i, d in enumerate(only_group(host).devices)
    ]
    bound = with_members(host, *devices)
    state = ownership_of(only_group(bound), rules)
    assert state is not Ownership.NONE and state is not Ownership.USER
    status = Inquiry(bound, rules).operation(only_group(bound), GET_STATUS).result
    assert status in ("not-viable", "-ENOENT", "unknown") or (
        only_group(bound).is_noiommu is True
    )


def losses(value: Any) -> Iterator[Any]:
    """Every copy of a value in which one fact got lost."""
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            for lossy in losses(item):
                yield (*value[:index], lossy, *value[index + 1 :])
        return
    if not is_dataclass(value) or isinstance(value, type):
        return
    for field in fields(value):
        old = getattr(value, field.name)
        if "Fact[" in str(field.type) and known(old):
            yield replace(value, **{field.name: Missing.UNREADABLE})
        for lossy in losses(old):
            yield replace(value, **{field.name: lossy})


# Each example is some seventy audits; a third member would be like the second.
@pytest.mark.no_cover
@settings(max_examples=50)
@given(machines(most=2), semantics)
def test_losing_a_fact_never_makes_a_target_ready(
    host: Machine, rules: Semantics
) -> None:
    assume(verdict_of(host, rules) is not Verdict.READY)
    for poorer in losses(host):
        assert poorer != host
        assert verdict_of(poorer, rules) is not Verdict.READY


def lost_fields(value: Any) -> set[str]:
    """The names of all facts of a machine and of what is in it."""
    if isinstance(value, tuple):
        return {name for item in value for name in lost_fields(item)}
    if not is_dataclass(value) or isinstance(value, type):
        return set()
    found = {f.name for f in fields(value) if "Fact[" in str(f.type)}
    return found.union(*(lost_fields(getattr(value, f.name)) for f in fields(value)))


def test_every_fact_that_a_verdict_rests_on_is_lost_in_turn() -> None:
    host = machine(group(device("0000:01:00.0", "vfio-pci")))
    assert lost_fields(host) >= {
        *("driver", "bus", "group", "vfio_devices", "header_type", "class_code"),
        *("reserved_regions", "name", "type", "interrupt_remapping", "iommus"),
        *("type1_loaded", "type1_allow_unsafe_interrupts", "release"),
    }
    assert len(list(losses(host))) >= 20


@given(machines(), semantics)
def test_a_group_that_is_not_shown_whole_is_never_ready(
    host: Machine, rules: Semantics
) -> None:
    partial = replace(host, groups=(replace(only_group(host), whole=False),))
    assert verdict_of(partial, rules) is not Verdict.READY
    assert audit(partial, rules).verdict is not Verdict.READY


@given(machines(), semantics)
def test_a_host_is_in_order_only_if_what_is_on_vfio_can_be_opened(
    host: Machine, rules: Semantics
) -> None:
    claimed = any(
        role(d, era) is Role.VFIO
        for d in only_group(host).devices
        for era in rules.eras
    )
    if claimed and audit(host, rules).verdict is Verdict.READY:
        assert answers(host, rules)[1:] == ["viable", "0", "0"]


@given(machines(), semantics)
def test_ready_means_that_the_kernel_says_yes_to_every_step(
    host: Machine, rules: Semantics
) -> None:
    if verdict_of(host, rules) is Verdict.READY:
        claim, status, container, iommu = answers(host, rules)
        # Kernels without DMA ownership have no claim, so it may depend on the kernel.
        assert claim in ("0", "n/a") or not rules.certain
        assert (status, container, iommu) == ("viable", "0", "0")
