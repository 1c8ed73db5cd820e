"""What ``why`` says of each device on the way up, and of each neighbour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import device, group
from examples import each
from running import call, document
from shared import SYSFS

from iommu_inspect.kernel.grouping.growth import Growth, Way
from iommu_inspect.kernel.grouping.making.recompute import Agreement
from iommu_inspect.kernel.grouping.telling.sharing import Hop, Reason, Sharing
from iommu_inspect.model.device import Acs, Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.render.layout import Style
from iommu_inspect.render.why import why_text

WIDE = Style(1000)
NAMED = "0000:01:00.1 (Ethernet controller)"
CARD, AUDIO = device("0000:01:00.0"), device("0000:01:00.1")


def hop(isolates: bool | None, needs_acs: bool | None, **pci: Any) -> Hop:
    placed = replace(CARD, pci=PciPlacement(**{"header_type": 0, **pci}))
    return Hop(placed, isolates, loses=False, needs_acs=needs_acs, off=None)


def explained(
    *path: Hop,
    reasons: tuple[Reason, ...] = (),
    members: tuple[Device, ...] = (CARD, AUDIO),
    recomputed: Agreement | None = None,
    suspects: tuple[str, ...] = (),
) -> Sharing:
    agreed = recomputed or Agreement(True, "")
    return Sharing(CARD, group(*members), path, reasons, agreed, suspects)


@each(
    "found, kind, isolates, acs",
    [
        (
            hop(True, False, acs=None, pcie_type=0),
            "endpoint",
            "yes",
            "no ACS, none needed",
        ),
        (
            hop(True, True, acs=None, pcie_type=4),
            "root port",
            "yes",
            "no ACS, kernel's quirk",
        ),
        (
            hop(False, True, acs=None, pcie_type=6),
            "switch downstream port",
            "NO",
            "no ACS",
        ),
        (hop(None, None, acs=None, pcie_type=14), "type 14", "?", "no ACS"),
        (hop(None, None), "?", "?", "cannot be seen"),
        (hop(None, None, header_type=1), "bridge", "?", "cannot be seen"),
        (
            hop(False, True, acs=None, pcie_type=None),
            "conventional device",
            "NO",
            "no ACS",
        ),
        (
            hop(True, False, acs=Acs(0x1D, 0), pcie_type=0),
            "endpoint",
            "yes",
            "none needed",
        ),
        (
            hop(False, True, acs=Acs(0x15, 0x11), pcie_type=4),
            "root port",
            "NO",
            "SV on, RR OFF, CR -, UF on",
        ),
        (
            hop(True, True, acs=Acs(0x1D, 0x1D), pcie_type=4),
            "root port",
            "yes",
            "SV on, RR on, CR on, UF on",
        ),
    ],
)
def test_each_device_on_the_way_up_says_what_it_is_and_whether_it_isolates(
    found: Hop, kind: str, isolates: str, acs: str
) -> None:
    text = why_text([(explained(found), None)], style=WIDE)
    (row,) = [
        line for line in text.splitlines() if line.startswith(CARD.address + "  ")
    ]
    cells = [cell for cell in row.split("  ") if cell]
    assert [cell.strip() for cell in cells] == [CARD.address, kind, isolates, acs]
    # The controls are explained where some are shown.
    controls = "The kernel requires SV, RR, CR and UF" in text
    assert controls is isinstance(found.device.pci.acs, Acs | None)


@each(
    "neighbour, evidence, line",
    [
        (AUDIO, "one slot", f"{NAMED}: one slot"),
        (AUDIO, "0000:01:00.1 is beside it", f"{NAMED}: it is beside it"),
        (AUDIO, "0000:01:00.10 is too", f"{NAMED}: 0000:01:00.10 is too"),
        (replace(AUDIO, ids=PciIds()), "one slot", "0000:01:00.1: one slot"),
        (device("gpu", bus="platform"), "gpu is behind it", "gpu: it is behind it"),
    ],
)
def test_a_neighbour_is_named_once_with_what_it_is_and_why(
    neighbour: Device, evidence: str, line: str
) -> None:
    reason = Reason(neighbour, "multifunction", None, evidence)
    text = why_text([(explained(reasons=(reason,)), None)], style=WIDE)
    assert text.endswith(f"\n\nWhy the others are in it:\n  {line} [multifunction]")


@each(
    "agreement, suspects, says",
    [
        (Agreement(True, ""), (), []),
        (Agreement(None, "no root"), (), ["Not checked against isolation: no root."]),
        (
            Agreement(False, "it has 2"),
            (),
            [
                "The kernel's group is not the one that isolation gives now "
                "(it has 2). The kernel's counts."
            ],
        ),
        (
            Agreement(False, "it has 2"),
            ("a quirk",),
            [
                "The kernel's group is not the one that isolation gives now "
                "(it has 2). The kernel's counts.",
                "What may explain it:",
                "  - a quirk.",
            ],
        ),
    ],
)
def test_a_group_that_isolation_does_not_give_is_said_to_be_one(
    agreement: Agreement, suspects: tuple[str, ...], says: list[str]
) -> None:
    found = explained(recomputed=agreement, suspects=suspects)
    text = why_text([(found, None)], style=WIDE)
    assert text.split("\n\n")[1:] == (["\n".join(says)] if says else [])


@each(
    "grows, members, says",
    [
        (Growth((), ()), (CARD,), "No way is seen"),
        (
            Growth((), (Way("x", "y"),)),
            (CARD,),
            "cannot be told:\n  x: y",
        ),
        (Growth((Way("x", "y"),), ()), (CARD,), "returns -EINVAL"),
        (Growth((Way("x", "y"),), ()), (CARD, AUDIO), "can grow:\n  x: y"),
    ],
)
def test_how_a_group_can_grow_is_said_with_what_comes_of_it(
    grows: Growth, members: tuple[Device, ...], says: str
) -> None:
    text = why_text([(explained(members=members), grows)], style=WIDE)
    assert says in text
    assert ("-EINVAL" in text) is (grows.can_grow is True and len(members) == 1)
    assert ("A claimed group takes" in text) is (grows.can_grow is True)


def test_a_device_whose_group_is_not_told_is_not_said_to_have_none() -> None:
    for told, says in (
        (None, "0000:01:00.0 has no IOMMU group."),
        (Missing.ABSENT, "The source does not tell which IOMMU group 0000:01:00.0 is"),
    ):
        alone = replace(CARD, group=told)
        found = Sharing(alone, None, (), (), Agreement(None, ""))
        assert why_text([(found, None)], style=WIDE).startswith(says)


def test_the_document_of_a_device_without_a_group_has_no_ways_to_grow() -> None:
    source = SYSFS / "platform-members"
    found = document("why", "0001:01:00.0", "--from", source)
    assert found["group"] is None
    assert found["growth"] == {"can_grow": "unknown", "through": [], "untold": []}


def test_a_member_on_no_pci_bus_has_no_way_up_to_show() -> None:
    text = call("why", "axi:gpu", "--from", SYSFS / "platform-members").stdout
    assert text.startswith("axi:gpu is in group 1, with 1 other device.")
    assert "DEVICE, THEN UP" not in text
