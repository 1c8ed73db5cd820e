"""What was proposed and never merged, by the texts of 2021-11-18 to 2022-01-06."""

from __future__ import annotations

from builders import device, group, machine, only
from examples import each

from iommu_inspect.kernel.eras import PROPOSED, SHARED, SKETCHED, Era
from iommu_inspect.kernel.ownership.comparison import compare
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Held

ONE, TWO = "0000:01:00.0", "0000:01:00.1"


def bound(first: object, *others: object) -> list[Device]:
    drivers = (first, *others)
    return [device(f"0000:01:00.{n}", d) for n, d in enumerate(drivers)]  # type: ignore[arg-type]


@each(
    "drivers, held, sketched, posted",
    [
        # One driver that uses the DMA API: that is what the sketch asks for.
        (["ixgbe", None], Held.FREE, "0", "-EBUSY"),
        (["ixgbe"], Held.FREE, "0", "0"),
        (["ixgbe", "e1000e"], Held.FREE, "-EBUSY", "-EBUSY"),
        # None uses it: that is what the posting asks of a group of several.
        (["pci-stub", None], Held.FREE, "-EBUSY", "0"),
        ([None], Held.FREE, "-EBUSY", "0"),
        (["ixgbe", Missing.DENIED], Held.FREE, "unknown", "-EBUSY"),
        (["pci-stub", Missing.DENIED], Held.FREE, "unknown", "unknown"),
        (["ixgbe"], Held.BY_USER, "-EBUSY", "-EBUSY"),
        # Another domain is attached: the posting tells that apart.
        (["ixgbe"], Held.BY_KERNEL_DOMAIN, "-EBUSY", "-EPERM"),
        (["pci-stub", None], Held.BY_KERNEL_DOMAIN, "-EBUSY", "-EPERM"),
    ],
)
def test_an_attach_is_answered_by_each_text(
    drivers: list[object], held: Held, sketched: str, posted: str
) -> None:
    host = machine(group(*bound(*drivers), held=held))
    for era, result in ((SKETCHED, sketched), (PROPOSED, posted)):
        answer = Inquiry(host, only(era)).attach(next(host.devices))
        assert answer.result == result
        if answer.rule == "proposed-single-driver":
            assert answer.references == (era.origin,)


@each("era", [SKETCHED, PROPOSED])
def test_after_an_attach_nobody_else_binds_and_nobody_claims(era: Era) -> None:
    host = machine(group(*bound("ixgbe" if era is SKETCHED else "pci-stub", None)))
    steps = [f"attach={ONE}", f"bind={TWO},e1000e", "claim=1"]
    found = simulate(host, only(era), [parse_step(step) for step in steps])
    assert [o.answer.result for o in found.outcomes][:2] == ["0", "-EBUSY"]
    held = found.after.groups[0]
    claim = Inquiry(found.after, only(era)).operation(
        held, "iommu_group_claim_dma_owner"
    )
    assert claim.result == "-EPERM"


@each(
    "held, result",
    [
        (Held.FREE, "-EPERM"),
        (Held.BY_KERNEL_DOMAIN, "-EPERM"),
        (Held.BY_USER, "-EBUSY"),
    ],
)
def test_the_shared_call_wants_private_ownership(held: Held, result: str) -> None:
    host = machine(group(*bound("ixgbe", None), held=held))
    inquiry = Inquiry(host, only(SHARED))
    assert inquiry.attach_shared(next(host.devices)).result == result
    # The old call counts devices as ever.
    assert inquiry.attach(next(host.devices)).result == "-EINVAL"


def test_the_shared_call_is_asked_for_where_its_text_is_compared() -> None:
    alone = device("0000:02:00.0", "e1000e", group=None)
    hidden = device("0000:03:00.0", "e1000e", group=Missing.DENIED)
    host = machine(group(*bound("ixgbe")), ungrouped=[alone, hidden])
    found = {
        str(c.target): [answer.result for answer in c.answers]
        for c in compare(host, [only(PROPOSED), only(SHARED)])
        if c.operation == "iommu_attach_device_shared"
    }
    assert found == {
        ONE: ["n/a", "-EPERM"],
        "0000:02:00.0": ["n/a", "-ENODEV"],
        "0000:03:00.0": ["unknown", "unknown"],
    }
    without = compare(host, [only(PROPOSED), only(SKETCHED)])
    assert not any(c.operation == "iommu_attach_device_shared" for c in without)
