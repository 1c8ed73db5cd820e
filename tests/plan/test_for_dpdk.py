"""What DPDK wants of a device, as audit judges it and as plan brings it about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.kernel.ownership.uio import works_through
from iommu_inspect.model.asked.target import Target, find_target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.decision.moves import Decision
from iommu_inspect.plan.host.commands import commands
from iommu_inspect.plan.steps.making import Outcome, Plan, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text
from iommu_inspect.rules.finding import Certainty, Purpose, Severity
from iommu_inspect.verdict.outcome import Verdict

NEW = only(SINCE_6_6)
MELLANOX, MICROSOFT, INTEL = 0x15B3, 0x1414, 0x8086
FIRST, SECOND = "0000:4b:00.0", "0000:4b:00.1"
CONNECTX_5, CONNECTX_3, XL710 = (MELLANOX, 0x1017), (MELLANOX, 0x1003), (INTEL, 0x1583)
READY, BLOCKED, UNKNOWN = Verdict.READY, Verdict.BLOCKED, Verdict.UNKNOWN


def card(
    ids: tuple[Fact[int], Fact[int]],
    driver: Fact[str | None],
    address: str = FIRST,
    *,
    code: Fact[int] = 0x020000,
    **more: Any,
) -> Device:
    named = device(address, driver, **more)
    return replace(named, ids=PciIds(*ids, class_code=code))


def grouped(*devices: Device, type: str = "DMA-FQ", **more: Any) -> Machine:
    return machine(replace(group(*devices), type=type), **more)


def without_iommu(one: Device, **more: Any) -> Machine:
    return machine(ungrouped=[replace(one, group=None)], iommus=(), **more)


def made_up(one: Device, *, allowed: bool = True, loaded: bool = False) -> Machine:
    noiommu = Group(
        "0", (replace(one, group="0"),), "unknown", "vfio-noiommu", reserved_regions=()
    )
    vfio = VfioSettings(allowed, False, False, type1_loaded=loaded)
    return machine(noiommu, iommus=(), vfio=vfio)


def judged(host: Machine, *words: str) -> Audit:
    return audit(host, NEW, _found(host, words), purpose=Purpose.DPDK)


def planned(host: Machine, *words: str) -> Plan:
    return make_plan(host, NEW, _found(host, words), purpose=Purpose.DPDK)


def _found(host: Machine, words: tuple[str, ...]) -> tuple[Target, ...]:
    return tuple(find_target(host, word) for word in words or (FIRST,))


@each(
    "ids, driver, expected",
    [
        ((MELLANOX, 0x1002), "vfio-pci", "mlx4_core"),
        (CONNECTX_3, None, "mlx4_core"),
        ((MELLANOX, 0x1007), "uio_pci_generic", "mlx4_core"),
        ((MELLANOX, 0x1010), "vfio-pci", "mlx4_core"),
        ((MELLANOX, 0x1011), "vfio-pci", "mlx5_core"),
        (CONNECTX_5, "mlx5_vfio_pci", "mlx5_core"),
        ((MELLANOX, 0x101E), Missing.ABSENT, "mlx5_core"),
        ((MELLANOX, 0x1027), "vfio-pci", "mlx5_core"),
        ((MELLANOX, 0xA2D6), "vfio-pci", "mlx5_core"),
        ((MELLANOX, 0xC2D2), "vfio-pci", None),  # a bridge of BlueField's
        ((MICROSOFT, 0x00BA), "vfio-pci", "mana"),
        ((MICROSOFT, 0x00A9), "vfio-pci", None),
        (XL710, "i40e", None),
        ((Missing.ABSENT, Missing.ABSENT), "mlx5_core", "mlx5_core"),
        ((Missing.ABSENT, Missing.ABSENT), "vfio-pci", None),
    ],
)
def test_the_cards_that_dpdk_works_through_the_kernel_for(
    ids: tuple[Fact[int], Fact[int]], driver: Fact[str | None], expected: str | None
) -> None:
    assert works_through(card(ids, driver)) == expected


@dataclass(frozen=True)
class Wanted:
    """A host, what audit says of its first card, and where the plan moves it."""

    host: Machine
    verdict: Verdict
    becomes: str | None = None
    outcome: Outcome = Outcome.PLANNED
    load: tuple[str, ...] = ()
    rules: frozenset[str] = field(default_factory=frozenset)


HOSTS = {
    "a ConnectX on vfio-pci goes back to its driver": Wanted(
        grouped(card(CONNECTX_5, "vfio-pci")), BLOCKED, "mlx5_core", load=("mlx5_core",)
    ),
    "and one on a variant of it": Wanted(
        grouped(card(CONNECTX_5, "mlx5_vfio_pci")),
        BLOCKED,
        "mlx5_core",
        load=("mlx5_core",),
    ),
    "and one by UIO where no IOMMU translates": Wanted(
        grouped(card(CONNECTX_3, "igb_uio"), type="identity"),
        BLOCKED,
        "mlx4_core",
        load=("mlx4_core",),
    ),
    "and one without a driver": Wanted(
        grouped(card((MICROSOFT, 0xBA), None)), BLOCKED, "mana", load=("mana",)
    ),
    "its driver is there already": Wanted(
        grouped(
            card(CONNECTX_5, "vfio-pci"), card(CONNECTX_5, "mlx5_core", "0000:5b:00.0")
        ),
        BLOCKED,
        "mlx5_core",
    ),
    "in no-IOMMU mode too": Wanted(
        made_up(card(CONNECTX_5, "vfio-pci")),
        BLOCKED,
        "mlx5_core",
        load=("mlx5_core",),
    ),
    "and with type 1": Wanted(
        made_up(card(CONNECTX_5, "vfio-pci"), loaded=True),
        BLOCKED,
        "mlx5_core",
        load=("mlx5_core",),
    ),
    "without an IOMMU it is where it belongs": Wanted(
        without_iommu(card(CONNECTX_5, "mlx5_core")), READY
    ),
    "a ConnectX on its driver stays": Wanted(
        grouped(card(CONNECTX_5, "mlx5_core")), READY
    ),
    "interrupts that are not remapped do not matter to it": Wanted(
        grouped(card(CONNECTX_5, "mlx5_core"), remapping=InterruptRemapping.OFF), READY
    ),
    "nor what else is in the group": Wanted(
        grouped(card(CONNECTX_5, "mlx5_core"), card(XL710, "i40e", SECOND)), READY
    ),
    "nor that somebody else has the other port": Wanted(
        grouped(card(CONNECTX_5, "mlx5_core"), card(CONNECTX_5, "vfio-pci", SECOND)),
        READY,
    ),
    "a ConnectX whose driver is not told": Wanted(
        grouped(card(CONNECTX_5, Missing.ABSENT)), UNKNOWN, outcome=Outcome.UNKNOWN
    ),
    "a card on vfio-pci whose ids are not told": Wanted(
        grouped(card((Missing.ABSENT, Missing.ABSENT), "vfio-pci")),
        UNKNOWN,
        outcome=Outcome.UNKNOWN,
    ),
    "one of Mellanox's whose model is not told": Wanted(
        grouped(card((MELLANOX, Missing.ABSENT), "vfio-pci")),
        UNKNOWN,
        outcome=Outcome.UNKNOWN,
    ),
    "a drive whose ids are not told is no network card": Wanted(
        grouped(card((Missing.ABSENT, Missing.ABSENT), "vfio-pci", code=0x010802)),
        READY,
    ),
    "another card goes to vfio-pci": Wanted(
        grouped(card(XL710, "i40e")), BLOCKED, "vfio-pci", load=("vfio-pci",)
    ),
    "a drive as well": Wanted(
        grouped(card((0x144D, 0xA80A), "nvme", code=0x010802)),
        BLOCKED,
        "vfio-pci",
        load=("vfio-pci",),
    ),
    "UIO where no IOMMU translates stays": Wanted(
        grouped(card(XL710, "uio_pci_generic"), type="identity"), READY
    ),
    "UIO where one translates goes to vfio-pci": Wanted(
        grouped(card(XL710, "igb_uio")), BLOCKED, "vfio-pci", load=("vfio-pci",)
    ),
    "UIO where that is not told": Wanted(
        grouped(card(XL710, "igb_uio"), type="unknown"),
        UNKNOWN,
        outcome=Outcome.UNKNOWN,
        rules=frozenset({"uio-driver"}),
    ),
    "no IOMMU: UIO, with its warning": Wanted(
        without_iommu(card(XL710, "i40e")),
        BLOCKED,
        "uio_pci_generic",
        load=("uio_pci_generic",),
    ),
    "no IOMMU: by UIO already": Wanted(without_iommu(card(XL710, "igb_uio")), READY),
    "no IOMMU: a drive for SPDK": Wanted(
        without_iommu(card((0x144D, 0xA80A), "nvme", code=0x010802)),
        BLOCKED,
        "uio_pci_generic",
        load=("uio_pci_generic",),
    ),
    "no IOMMU: a virtual function has no interrupt line": Wanted(
        without_iommu(
            replace(
                card((INTEL, 0x154C), "iavf"),
                pci=PciPlacement(
                    0, False, physfn=device("0000:4a:00.0").id, virtfns=()
                ),
            )
        ),
        BLOCKED,
        outcome=Outcome.REFUSED,
        rules=frozenset({"no-iommu"}),
    ),
    "a no-IOMMU group needs no type 1": Wanted(made_up(card(XL710, "vfio-pci")), READY),
    "a no-IOMMU group that is not allowed any more": Wanted(
        made_up(card(XL710, "vfio-pci"), allowed=False),
        BLOCKED,
        outcome=Outcome.REFUSED,
        rules=frozenset({"no-iommu-mode"}),
    ),
}


@each("name", HOSTS)
def test_each_device_goes_where_dpdk_wants_it(name: str) -> None:
    wanted = HOSTS[name]
    result, plan = judged(wanted.host), planned(wanted.host)
    assert result.verdict is wanted.verdict, result.findings
    assert plan.outcome is wanted.outcome, plan.refusals
    assert wanted.rules <= {refusal.rule for refusal in plan.refusals}
    if wanted.outcome is not Outcome.PLANNED:
        assert not written(plan, NEW).there
        return
    moving = {m.device.address: m.becomes for m in plan.moves if m.changes}
    assert moving == ({FIRST: wanted.becomes} if wanted.becomes else {})
    assert plan.load == wanted.load
    assert result.advice.steps == commands(plan.there)
    assert plan.nothing_to_do is (wanted.verdict is READY)


def test_the_way_back_to_the_drivers_of_the_kernel_and_the_undo() -> None:
    host = grouped(card(CONNECTX_5, "vfio-pci"))
    plan = planned(host)
    device_, vfio = f"/sys/bus/pci/devices/{FIRST}", "/sys/bus/pci/drivers/vfio-pci"
    assert commands(plan.there) == (
        "modprobe mlx5_core",
        f"echo mlx5_core > {device_}/driver_override",
        f"echo {FIRST} > {vfio}/unbind",
        "echo 0000:4b:00.0 > /sys/bus/pci/drivers_probe",
    )
    # vfio-pci has no ids of its own: it takes a device back under an override only.
    assert commands(plan.back) == (
        f"echo {FIRST} > /sys/bus/pci/drivers/mlx5_core/unbind",
        f"echo vfio-pci > {device_}/driver_override",
        f"echo {FIRST} > {vfio}/bind",
        f"echo > {device_}/driver_override",
    )
    words = written(plan, NEW)
    assert words.boot is not None
    assert not words.boot.modprobe
    assert not words.boot.driverctl
    assert not words.qemu
    assert not words.libvirt
    text = plan_text(plan, words, NEW)
    assert "vfio-pci" not in text.partition("For every boot")[2].partition(":")[0]
    assert "QEMU" not in text


def test_without_an_iommu_the_plan_says_what_is_given_up() -> None:
    plan = planned(without_iommu(card(XL710, "i40e")))
    assert {"no-iommu", "uio-driver"} <= {warning.rule for warning in plan.warnings}
    words = written(plan, NEW)
    assert words.boot is not None
    assert words.boot.driverctl == (f"driverctl set-override {FIRST} uio_pci_generic",)
    assert "all memory" in " ".join(plan_text(plan, words, NEW).split())
    assert not any("vfio" in line for line in words.there)


def test_two_ways_in_one_group_exclude_each_other() -> None:
    host = grouped(card(CONNECTX_5, "mlx5_core"), card(XL710, "i40e", SECOND))
    plan = planned(host, FIRST, SECOND)
    assert plan.outcome is not Outcome.PLANNED
    assert judged(host, FIRST, SECOND).verdict is BLOCKED


def test_what_only_shares_the_group_goes_to_vfio_pci_whatever_card_it_is() -> None:
    host = grouped(card(XL710, "i40e"), card(CONNECTX_5, "mlx5_core", SECOND))
    plan = planned(host)
    moving = {m.device.address: m.becomes for m in plan.moves if m.changes}
    assert moving == {FIRST: "vfio-pci", SECOND: "vfio-pci"}


def test_a_whole_group_of_such_cards() -> None:
    on_it = grouped(card(CONNECTX_5, "mlx5_core"), card(CONNECTX_5, None, SECOND))
    assert judged(on_it, "group:1").verdict is READY
    assert planned(on_it, "group:1").nothing_to_do
    off_it = grouped(card(CONNECTX_5, "vfio-pci"), card(CONNECTX_5, None, SECOND))
    assert judged(off_it, "group:1").verdict is BLOCKED
    plan = planned(off_it, "group:1")
    assert [m.becomes for m in plan.moves if m.decision is Decision.MOVES] == [
        "mlx5_core"
    ]


def test_what_is_not_looked_at_is_a_warning_and_no_error() -> None:
    (finding,) = (
        f
        for f in judged(grouped(card(CONNECTX_5, "mlx5_core"))).findings
        if f.severity is not Severity.INFO
    )
    assert (finding.rule, finding.severity) == ("not-on-vfio", Severity.WARNING)
    assert "mlx5_core" in finding.message
    assert "rdma-core" in finding.message
    assert finding.certainty is Certainty.KERNEL


def test_the_undo_waits_for_programs_and_not_for_guests() -> None:
    host = machine(group(device("0000:01:00.0", "e1000e")))
    target = [find_target(host, "01:00.0")]
    for purpose, users in ((Purpose.DPDK, "programs"), (Purpose.VFIO, "guests")):
        script = written(make_plan(host, NEW, target, purpose=purpose), NEW).script
        assert f"# Shut the {users} down first" in str(script)
