"""What managers of devices make of a group, and where its isolation is lost."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Acs, Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.plan.steps.making import Outcome, make_plan
from iommu_inspect.rules.finding import Certainty, Finding, Purpose, Severity
from iommu_inspect.verdict.outcome import Verdict

NEW = only(SINCE_6_6)
GPU, AUDIO, NIC = (0x10DE, 0x2204), (0x10DE, 0x1AEF), (0x8086, 0x1572)
UNTOLD = (Missing.ABSENT, Missing.ABSENT)
FIRST, SECOND, THIRD = "0000:01:00.0", "0000:01:00.1", "0000:02:00.0"
READY, BLOCKED, UNKNOWN = Verdict.READY, Verdict.BLOCKED, Verdict.UNKNOWN


def member(
    address: str,
    ids: tuple[Fact[int], Fact[int]],
    driver: Fact[str | None] = "vfio-pci",
) -> Device:
    return replace(device(address, driver), ids=PciIds(*ids, class_code=0x020000))


def judged(host: Machine, *words: str) -> Audit:
    targets = tuple(find_target(host, word) for word in words or (FIRST,))
    return audit(host, NEW, targets, purpose=Purpose.ONE_PER_GROUP)


def about_sharing(result: Audit) -> Finding:
    return next(f for f in result.findings if f.rule == "singleton-assumption")


# The group, what is asked for, the verdict, and how bad sharing is.
GROUPS = [
    ((member(FIRST, GPU), member(SECOND, AUDIO)), (), READY, Severity.INFO),
    ((member(FIRST, GPU), member(SECOND, AUDIO, None)), (), READY, Severity.INFO),
    ((member(FIRST, GPU), member(THIRD, NIC)), (), READY, Severity.WARNING),
    ((member(FIRST, NIC), member(SECOND, NIC)), (), BLOCKED, Severity.ERROR),
    ((member(FIRST, NIC), member(THIRD, NIC)), (), BLOCKED, Severity.ERROR),
    ((member(FIRST, NIC), member(SECOND, NIC, "i40e")), (), BLOCKED, Severity.ERROR),
    # Nobody offers what has no driver,
    ((member(FIRST, NIC), member(SECOND, NIC, None)), (), READY, Severity.INFO),
    # unless both are asked for.
    (
        (member(FIRST, NIC), member(SECOND, NIC, None)),
        (FIRST, SECOND),
        BLOCKED,
        Severity.ERROR,
    ),
    (
        (member(FIRST, GPU), member(SECOND, AUDIO)),
        (FIRST, SECOND),
        READY,
        Severity.INFO,
    ),
    # Two others that are alike are no harm to a third.
    (
        (member(FIRST, GPU), member(SECOND, NIC), member(THIRD, NIC)),
        (),
        READY,
        Severity.WARNING,
    ),
    (
        (member(FIRST, GPU), member(SECOND, NIC), member(THIRD, NIC)),
        ("group:1",),
        BLOCKED,
        Severity.ERROR,
    ),
    ((member(FIRST, NIC), member(SECOND, UNTOLD)), (), UNKNOWN, Severity.ERROR),
    ((member(FIRST, UNTOLD), member(SECOND, NIC)), (), UNKNOWN, Severity.ERROR),
]


@each("members, words, verdict, severity", GROUPS)
def test_two_of_one_resource_in_a_group_are_the_problem(
    members: tuple[Device, ...],
    words: tuple[str, ...],
    verdict: Verdict,
    severity: Severity,
) -> None:
    host = machine(group(*members))
    result = judged(host, *words)
    assert result.verdict is verdict, result.findings
    finding = about_sharing(result)
    assert finding.severity is severity
    if verdict is UNKNOWN:
        assert finding.certainty is Certainty.UNKNOWN
    targets = tuple(find_target(host, word) for word in words or (FIRST,))
    plan = make_plan(host, NEW, targets, purpose=Purpose.ONE_PER_GROUP)
    assert (plan.outcome is Outcome.PLANNED) is (verdict is READY)


def test_a_manager_may_not_know_a_variant_of_vfio_pci() -> None:
    host = machine(group(member(FIRST, NIC, "mlx5_vfio_pci")))
    (finding,) = (f for f in judged(host).findings if f.rule == "not-on-vfio")
    assert finding.severity is Severity.WARNING
    assert judged(host).verdict is READY


def port(address: str, acs: Acs | None, kind: PciExpType) -> Device:
    placed = PciPlacement(
        1, False, pcie_type=kind, physfn=None, virtfns=(), acs=acs, secondary_bus=1
    )
    return replace(device(address, "pcieport", bridge=True), pci=placed)


def function(
    address: str,
    acs: Acs | None,
    *,
    above: str = "0000:00:01.0",
    ids: tuple[Fact[int], Fact[int]] = NIC,
) -> Device:
    placed = PciPlacement(
        0, True, pcie_type=PciExpType.ENDPOINT, physfn=None, virtfns=(), acs=acs
    )
    path = f"sys/devices/pci0000:00/{above}/{address}"
    return replace(member(address, ids), path=path, pci=placed)


def below(root: Device, *functions: Device) -> Machine:
    top = replace(root, path=f"sys/devices/pci0000:00/{root.address}")
    return machine(group(top, *functions))


ISOLATING = Acs(0x1D, 0x1D)
ROOT = port("0000:00:01.0", None, PciExpType.ROOT_PORT)

LOSSES = [
    # The port has no ACS, the functions isolate: another slot parts them.
    (
        below(ROOT, function(FIRST, ISOLATING), function(SECOND, ISOLATING)),
        ("at 0000:00:01.0, a root port", "not in the card"),
        True,
    ),
    # The card does not isolate: no slot does.
    (
        below(ROOT, function(FIRST, None), function(SECOND, None)),
        ("of one card, which does not isolate them", "no other slot"),
        False,
    ),
    (
        below(ROOT, function(FIRST, ISOLATING), function("0000:01:01.0", ISOLATING)),
        ("at 0000:00:01.0, a root port", "a slot below a port that isolates"),
        True,
    ),
]


@each("host, said, slot", LOSSES)
def test_the_remedy_knows_where_isolation_is_lost(
    host: Machine, said: tuple[str, ...], slot: bool
) -> None:
    result = judged(host)
    finding = about_sharing(result)
    assert all(words in finding.remedy for words in said), finding.remedy
    assert ("another slot" in finding.step) is slot
    assert bool(finding.cures) is slot
    assert ("port of this host" in result.advice.because) is slot
