"""The JSON of ``watch``: a document a line, each about one thing that happens."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

from iommu_inspect.audit.watching.changes import (
    DeviceChange,
    FindingChange,
    OwnerChange,
)
from iommu_inspect.audit.watching.following import Told
from iommu_inspect.audit.watching.state import Owner, State
from iommu_inspect.model.device import Device
from iommu_inspect.model.events import Action
from iommu_inspect.model.fact import value_or
from iommu_inspect.render.documents.common import without_surrogates
from iommu_inspect.rules.finding import Finding

__all__ = ["WatchLines"]


class WatchLines:
    """How things are said to programs: a line is a document of its own."""

    def begun(self, state: State, at: float) -> list[str]:
        """Return the first ``iommu-inspect/watch/1``: what is watched.

        Args:
            state: The host at the beginning.
            at: When that was, in seconds since 1970.
        """
        machine = state.machine
        document = {
            **_head("watching", at),
            "kernel": value_or(machine.kernel.release, None),
            "semantics": state.semantics.label,
            "groups": len(machine.groups),
            "devices": sum(1 for _ in machine.devices),
            "findings": len(state.findings),
        }
        return [_line(document)]

    def found(self, finding: Finding, at: float) -> list[str]:
        """Return the line about a finding that is there at the beginning."""
        return [_line(_finding(FindingChange(None, finding), at))]

    def told(self, told: Told, at: float) -> Iterator[str]:
        """Yield the lines of one burst, in order.

        Args:
            told: What it changed; its events have their own times.
            at: When the host was read after it, in seconds since 1970.
        """
        for is_so, word in ((told.lost, "lost"), (told.slept, "resumed")):
            if is_so:
                yield _line(_head(word, at))
        for each in told.changes:
            if isinstance(each, DeviceChange):
                yield _line(_device(each))
            elif isinstance(each, OwnerChange):
                yield _line(_owner(each, at))
            else:
                yield _line(_finding(each, at))


def _line(document: dict[str, Any]) -> str:
    return json.dumps(without_surrogates(document))


def _head(
    event: str,
    at: float,
    *,
    device: str | None = None,
    group: str | None = None,
    rule: str | None = None,
    before: str | None = None,
    after: str | None = None,
) -> dict[str, Any]:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return {
        "schema": "iommu-inspect/watch/1",
        "event": event,
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "subject": {"device": device, "group": group, "rule": rule},
        "before": before,
        "after": after,
    }


def _device(change: DeviceChange) -> dict[str, Any]:
    event, device = change.event, change.device
    sides: dict[str, str | None] = {}
    match event.action:
        case Action.BIND:
            sides = {"after": change.driver}
        case Action.UNBIND:
            sides = {"before": change.driver}
        case Action.ADD:
            sides = {"after": "present"}
        case Action.REMOVE:
            sides = {"before": "present"}
    return {
        **_head(
            event.action.value,
            event.at,
            device=event.device.name,
            group=change.group,
            **sides,
        ),
        "bus": str(event.device.bus),
        "ids": None if device is None else device.ids.pair,
        "name": None if device is None else device.name,
        "physical_function": None if change.physical is None else str(change.physical),
    }


def _owner(change: OwnerChange, at: float) -> dict[str, Any]:
    before, after = change.before, change.after
    return {
        **_head(
            "ownership",
            at,
            group=change.group,
            before=None if before is None else before.ownership.value,
            after=None if after is None else after.ownership.value,
        ),
        **_holders(after),
    }


def _holders(owner: Owner | None) -> dict[str, Any]:
    return {
        "user": [] if owner is None else [_on(device) for device in owner.user],
        "kernel": [] if owner is None else [_on(device) for device in owner.kernel],
    }


def _on(device: Device) -> dict[str, str | None]:
    return {"device": device.address, "driver": value_or(device.driver, None)}


def _finding(change: FindingChange, at: float) -> dict[str, Any]:
    finding = change.finding
    devices = [str(device) for device in finding.devices]
    return {
        **_head(
            "finding",
            at,
            device=devices[0] if devices else None,
            group=finding.group,
            rule=finding.rule,
            before=_how_bad(change.before),
            after=_how_bad(change.after),
        ),
        "devices": devices,
        "certainty": finding.certainty.value,
        "message": finding.message,
    }


def _how_bad(finding: Finding | None) -> str | None:
    return None if finding is None else finding.severity.value
