"""Completes a capture's machine by what texts of the same machine say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.machine import read_texts

__all__ = ["completed"]

T = TypeVar("T")


def completed(machine: Machine, texts: Sequence[tuple[str, str]]) -> Machine:
    """Return the machine with what its capture does not hold and the texts do.

    What both tell is the capture's; where they contradict each other, a note says so.
    Devices that only a text names are left out: the capture would have them.

    Raises:
        SourceError: The texts are of no known kind, or of another machine.
    """
    said = read_texts(texts)
    label = f"{machine.source.name} and {said.source.name}"
    others = {device.id: device for device in said.devices}
    notes: list[str] = []
    unknown = [str(d) for d in others if d.pci and machine.device(d) is None]
    if unknown:
        notes.append(
            f"{len(unknown)} devices of the text are not in the capture, first: "
            f"{unknown[0]}"
        )
    joined: dict[Any, Device] = {}
    for device in machine.devices:
        other = others.get(device.id)
        joined[device.id] = (
            device if other is None else _filled(device, other, label, notes)
        )
    kernel = machine.kernel
    releases = kernel.release, said.kernel.release
    if all(map(known, releases)) and releases[0] != releases[1]:
        notes.append(
            f"the capture is of kernel {kernel.release}, the text of "
            f"{said.kernel.release}: the capture's counts"
        )
    kernel = replace(
        kernel,
        release=_first(kernel.release, said.kernel.release),
        command_line=_first(kernel.command_line, said.kernel.command_line),
    )
    groups, ungrouped = _regrouped(machine, joined, said)
    return replace(
        machine,
        source=replace(
            machine.source,
            kind="mixed",
            name=label,
            parts=(machine.source.kind, *said.source.parts),
        ),
        kernel=kernel,
        groups=groups,
        ungrouped=ungrouped,
        groups_known=machine.groups_known or said.groups_known,
        firmware_tables=_first(machine.firmware_tables, said.firmware_tables),
        processor=_first(machine.processor, said.processor),
        guest=_first(machine.guest, said.guest),
        interrupt_remapping=_first(
            machine.interrupt_remapping, said.interrupt_remapping
        ),
        settings=replace(
            machine.settings,
            command_line=_first(
                machine.settings.command_line, said.settings.command_line
            ),
            modprobe=_first(machine.settings.modprobe, said.settings.modprobe),
        ),
        notes=(*machine.notes, *said.notes, *notes),
    )


def _first(own: Fact[T], other: Fact[T]) -> Fact[T]:
    return own if known(own) or not known(other) else other


def _filled(device: Device, other: Device, label: str, notes: list[str]) -> Device:
    """Return a device with the facts of another source that it lacks.

    Raises:
        SourceError: They are not of one device.
    """
    own, theirs = device.ids.pair, other.ids.pair
    if own and theirs and own != theirs:
        raise SourceError(
            f"cannot read {label} as one machine: {device.address} is {own} in one and "
            f"{theirs} in the other"
        )
    for what in ("driver", "group"):
        mine, said = getattr(device, what), getattr(other, what)
        if known(mine) and known(said) and mine != said:
            notes.append(
                f"{device.address} has the {what} {mine} in the capture and {said} in "
                "the text: the capture's counts"
            )
    ids: dict[str, Any] = {
        field.name: _first(
            getattr(device.ids, field.name), getattr(other.ids, field.name)
        )
        for field in fields(PciIds)
    }
    pci: dict[str, Any] = {
        field.name: _first(
            getattr(device.pci, field.name), getattr(other.pci, field.name)
        )
        for field in fields(PciPlacement)
    }
    return replace(
        device,
        driver=_first(device.driver, other.driver),
        group=_first(device.group, other.group),
        ids=PciIds(**ids),
        pci=PciPlacement(**pci),
        name=device.name or other.name,
    )


def _regrouped(
    machine: Machine, joined: dict[Any, Device], said: Machine
) -> tuple[tuple[Group, ...], tuple[Device, ...]]:
    """Put the devices into their groups again; some of them have one now."""
    if machine.groups_known:
        groups = tuple(
            replace(group, devices=tuple(joined[d.id] for d in group.devices))
            for group in machine.groups
        )
        return groups, tuple(joined[d.id] for d in machine.ungrouped)
    members: dict[str, list[Device]] = defaultdict(list)
    rest: list[Device] = []
    for device in joined.values():
        if known(device.group) and device.group is not None:
            members[device.group].append(device)
        else:
            rest.append(device)
    untold = any(d.group is Missing.ABSENT for d in rest)
    whole = {group.id: group.whole for group in said.groups}
    groups = tuple(
        Group(
            id=group,
            devices=tuple(members[group]),
            whole=whole.get(group, False) and not untold,
        )
        for group in sorted(members, key=natural_key)
    )
    return groups, tuple(rest)
