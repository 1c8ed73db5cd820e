"""The groups of a report: members, owner, why they share it, what can be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from iommu_inspect.audit.picture import Picture
from iommu_inspect.audit.report import Report
from iommu_inspect.audit.summary import Possible, Prospect
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.relations import Relations
from iommu_inspect.render.audits.prospects import WHEN
from iommu_inspect.render.devices import describe, driver_mark
from iommu_inspect.render.uses import use_line

__all__ = ["DeviceRow", "GroupRows", "anchors_of", "group_rows"]


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device of a group: its driver, what it is, what the host uses it for."""

    address: str
    driver: str
    what: str
    use: str


@dataclass(frozen=True, slots=True)
class GroupRows:
    """A group with its devices; of those without one ``id`` and ``anchor`` are empty.

    ``when`` says whether it can be handed over, and what comes first; it is empty
    where that was not asked. ``notes`` are sentences about the group.
    """

    id: str
    anchor: str
    owner: str
    devices: tuple[DeviceRow, ...]
    when: str
    steps: str
    notes: tuple[str, ...]


def anchors_of(report: Report) -> dict[str, str]:
    """Return the anchors of the groups' rows: an id may be anything, these are not."""
    groups = report.machine.groups
    return {group.id: f"group-{number}" for number, group in enumerate(groups)}


def group_rows(report: Report) -> tuple[GroupRows, ...]:
    """Return the groups in their order, then the devices without one."""
    return tuple(_rows(report))


def _rows(report: Report) -> Iterator[GroupRows]:
    machine, picture = report.machine, report.picture
    relations = Relations(machine)
    anchors = anchors_of(report)
    prospects = {p.group: p for p in report.result.summary if p.group is not None}

    def rows(device: Device) -> DeviceRow:
        return DeviceRow(
            device.address,
            driver_mark(device),
            describe(device),
            use_line(relations, device),
        )

    for group in machine.groups:
        when, steps = _prospect(prospects, group)
        yield GroupRows(
            group.id,
            anchors[group.id],
            picture.owners[group.id].value,
            tuple(map(rows, group.devices)),
            when,
            steps,
            tuple(_notes(picture, group)),
        )
    if machine.ungrouped:
        every = tuple(map(rows, machine.ungrouped))
        yield GroupRows("", "", "", every, "", "", ())


def _prospect(prospects: Mapping[str, Prospect], group: Group) -> tuple[str, str]:
    found = prospects.get(group.id)
    if found is None:
        return "", ""
    first = "; ".join(found.steps) or found.because
    return WHEN[found.possible], "" if found.possible is Possible.NOW else first


def _notes(picture: Picture, group: Group) -> Iterator[str]:
    found, growth = picture.losses[group.id], picture.growth[group.id]
    if not group.whole:
        yield "The source does not show all of its members."
    for place in found.places:
        yield f"Isolation is lost at {place.at.address}: {place.evidence}."
    if found.untold:
        yield "Why all of its members share it cannot be told."
    for way in growth.through:
        yield f"It can grow through {way.address}: {way.how}."
    if growth.can_grow is None:
        yield "Whether it can grow cannot be told."
