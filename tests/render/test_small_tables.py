"""Tables and sentences of what is there but empty, and of what nobody explains."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import audit
from iommu_inspect.audit.changes import effects
from iommu_inspect.audit.summary import Possible, Prospect
from iommu_inspect.kernel.eras import named
from iommu_inspect.kernel.ownership.comparison import compare
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.target import find_target
from iommu_inspect.render.comparison import comparison_text
from iommu_inspect.render.devices import device_table
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.prospects import prospects_table
from iommu_inspect.render.simulation import simulation_text
from iommu_inspect.render.verdict import audit_text

NEW = only(SINCE_6_6)
CARD = group(device("0000:01:00.0", "vfio-pci"))
MIXED = group(
    device("0000:02:00.0", "vfio-pci", group="2"),
    device("0000:02:00.1", "ahci", group="2"),
    id="2",
)


@each(
    "groups, says",
    [
        ((), "There are no IOMMU groups here to ask about."),
        ((CARD,), "All 5 answers are the same under 6.1 and 6.12."),
    ],
)
def test_a_comparison_without_a_difference_is_one_sentence(
    groups: tuple[object, ...], says: str
) -> None:
    rules = [named("6.1"), named("6.12")]
    host = machine(*groups)  # type: ignore[arg-type]
    text = comparison_text(compare(host, rules), rules, PLAIN)
    assert text.split("\n\n")[0] == says


def test_a_group_that_lost_its_last_device_is_listed_as_empty() -> None:
    inquiry = Inquiry(machine(group(id="7")), NEW)
    owned = [inquiry.owned(each) for each in inquiry.machine.groups]
    (_, row) = device_table(owned, ()).splitlines()
    assert row.split(maxsplit=2)[0] == "7"
    assert row.endswith("(no devices)")


@each(
    "prospects, rows",
    [
        ((), []),
        (
            (Prospect("1", CARD.devices, Possible.NOW),),
            ["now   1      0000:01:00.0  Ethernet controller [8086:1234]"],
        ),
        (
            (
                Prospect("2", MIXED.devices, Possible.AFTER, ("one", "two")),
                Prospect(None, CARD.devices, Possible.NEVER, because="three"),
            ),
            [
                "after  2      0000:02:00.0  Ethernet controller [8086:1234]",
                "              0000:02:00.1  Ethernet controller [8086:1234]",
                "                            all: one; two",
                "never  -      0000:01:00.0  Ethernet controller [8086:1234]: three",
            ],
        ),
    ],
)
def test_prospects_are_a_row_a_device_with_what_comes_first_said_once(
    prospects: tuple[Prospect, ...], rows: list[str]
) -> None:
    assert prospects_table(prospects, PLAIN).splitlines()[1:] == rows


def test_a_refusal_that_no_rule_explains_has_the_kernels_own_reason() -> None:
    host = machine(CARD, MIXED)
    found = tuple(find_target(host, text) for text in ("01:00.0", "02:00.0"))
    silent = replace(audit(host, NEW, found), findings=())
    assert (
        "0000:02:00.0 cannot be handed to user space now: 0000:02:00.1 is bound to "
        "ahci.\n"
    ) in audit_text(silent, style=Style(1000))
    # Where not even the kernel gives one, none is made up.
    mute = tuple(replace(verdict, answers=()) for verdict in silent.targets)
    text = audit_text(replace(silent, targets=mute), style=Style(1000))
    assert "0000:02:00.0 cannot be handed to user space now.\n" in text


def what_if(host: Machine, *steps: str) -> str:
    simulation = simulate(host, NEW, [parse_step(step) for step in steps])
    return simulation_text(effects(host, simulation, NEW))


@each(
    "steps, row",
    [
        (("claim=1",), "1 user user, claimed 0000:01:00.0 (vfio-pci)"),
        (("unbind=01:00.0",), "1 user none 0000:01:00.0 (-)"),
        (
            ("unbind=01:00.0", "attach=01:00.0"),
            "1 user none, attached 0000:01:00.0 (-)",
        ),
        (("unplug=01:00.0",), "1 user -"),
    ],
)
def test_a_group_that_changed_is_shown_before_and_after(
    steps: tuple[str, ...], row: str
) -> None:
    rows = [
        " ".join(line.split()) for line in what_if(machine(CARD), *steps).split("\n")
    ]
    assert row in rows


def test_a_step_that_changes_nothing_is_said_to_change_nothing() -> None:
    text = what_if(machine(CARD), "attach=01:00.0", "detach=01:00.0")
    assert text.split("\n\n")[1:] == ["No group changes hands."]
