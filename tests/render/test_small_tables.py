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
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.render.audits.prospects import prospects_table
from iommu_inspect.render.audits.verdict import audit_text
from iommu_inspect.render.comparison import comparison_text
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.listing.columns import rows_of
from iommu_inspect.render.listing.table import list_text
from iommu_inspect.render.simulation import simulation_text
from iommu_inspect.render.uses import untold_text

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
        ((CARD,), "All 6 answers are the same under 6.1 and 6.12."),
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
    (_, row) = list_text(rows_of(owned, ())).splitlines()
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


def test_what_comes_after_an_unknown_step_is_said_to_rest_on_it() -> None:
    host = machine(CARD, vfio=VfioSettings())
    text = what_if(host, "claim=1", "release=1", "unbind=01:00.0")
    assert "claim=1         unknown" in text
    (said,) = [each for each in text.split("\n\n") if each.startswith("Whether")]
    assert said.startswith("Whether claim=1")
    assert said.endswith("changes nothing.")
    assert "Whether" not in what_if(host, "unbind=01:00.0")
    assert "Whether" not in what_if(host, "claim=1")


def test_what_the_host_uses_a_device_for_stands_below_it() -> None:
    one, two = MIXED.devices
    uses = (
        HostUse(UseKind.FILE_SYSTEM, ("/", "/a b"), ((str(two.path),),), "nvme0n1p2"),
        HostUse(UseKind.MEDIATED, ("83b8f4f2-" * 5,), ((str(two.path),),)),
        HostUse(UseKind.USB, ("a \x1b[2Jb",), ((str(one.path),),)),
    )
    host = machine(MIXED, ungrouped=(replace(one, group=None),), host=Host(uses, ()))
    owned = [Inquiry(host, NEW).owned(each) for each in host.groups]
    painted = Style(paint=lambda text, colour: f"<{colour}>{text}")
    for style in (PLAIN, painted):
        lines = list_text(
            rows_of(owned, host.ungrouped, Relations(host)), style
        ).splitlines()
        assert lines[2] == " " * 19 + "in use: usb: a \\x1b[2Jb"
        assert lines[3].split()[1] == two.address
        assert lines[4:6] == [
            " " * 19 + "in use: nvme0n1p2: /, /a b; mdev:",
            " " * 21 + "83b8f4f2-" * 5,
        ]
        assert lines[6].split()[:2] == ["-", "-"]


def test_a_use_of_a_device_whose_name_is_only_space_is_not_dropped() -> None:
    odd = device(" ", "igb")
    use = HostUse(UseKind.NETWORK, ("eth0",), ((str(odd.path),),))
    host = machine(group(odd), host=Host((use,), ()))
    owned = [Inquiry(host, NEW).owned(each) for each in host.groups]
    text = list_text(rows_of(owned, (), Relations(host)))
    assert text.endswith("  in use: eth0: network")


@each(
    "host, says",
    [
        (Host((), ()), ""),
        (
            Host(),
            "what is mounted, where the host swaps to and the routes are not in this "
            "source",
        ),
        (
            Host((), ((UseKind.FILE_SYSTEM, Missing.ABSENT),)),
            "what is mounted is not in this source",
        ),
        (
            Host((), ((UseKind.DEFAULT_ROUTE, Missing.DENIED),)),
            "the routes could not be read",
        ),
        (Host((), ((UseKind.USB, Missing.ABSENT),)), ""),
        (
            Host((HostUse(UseKind.DEFAULT_ROUTE, ("br0",), Missing.ABSENT),), ()),
            "which device the default route (br0) is on cannot be told",
        ),
    ],
)
def test_what_is_not_told_of_uses_is_said_once(host: Host, says: str) -> None:
    assert untold_text(machine(CARD, host=host)) == says


@each("width", [20, 40, 60])
def test_where_a_table_has_no_room_each_row_is_a_block(width: int) -> None:
    rows = [["7", "0000:01:00.0", "a reason of some words"], ["", "0000:01:00.1", "-"]]
    headers = ["GROUP", "A LONG HEADING THAT NEEDS ROOM", "BECAUSE"]
    text = table(headers, rows, Style(width), paints={})
    assert max(map(len, text.splitlines())) <= max(width, 44)
    if width == 60:
        assert text.startswith("GROUP")
    else:
        assert text.splitlines()[0] == "group: 7"
        words = " ".join(text.split())
        assert "because: a reason of some words" in words
        assert words.count("0000:01:00.") == 2
