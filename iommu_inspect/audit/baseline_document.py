"""Reads a document of ``audit`` that was written earlier, to hold a new one against."""

from __future__ import annotations

import json
import re
from typing import Any

from iommu_inspect.audit.baseline import Baseline
from iommu_inspect.audit.known import Known
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.rules.finding import Certainty, Purpose, Severity
from iommu_inspect.sources.bounds import check_devices
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["AUDIT", "baseline_in", "is_document", "machine_in", "parse_baseline"]

AUDIT = "iommu-inspect/audit/1"
"""The schema of the documents of audit."""
# The ids of rules, of this version and of others.
_RULE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def is_document(text: str) -> bool:
    """Say whether a text is JSON, and not what a person pasted."""
    return text.lstrip("\ufeff \t\r\n").startswith("{")


def parse_baseline(text: str, name: str, purpose: Purpose) -> Baseline:
    """Read a document of ``audit``.

    Raises:
        BadRequestError: It is none, or about another purpose.
    """
    try:
        document = json.loads(text.lstrip("\ufeff"))
        if document["schema"] != AUDIT:
            raise BadRequestError(
                f"{name}: a baseline is the JSON of audit, or a source; this is neither"
            )
        return baseline_in(document, name, purpose)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise BadRequestError(f"{name}: no whole document of audit") from None


def baseline_in(document: dict[str, Any], name: str, purpose: Purpose) -> Baseline:
    """Return what a document of ``audit`` holds.

    Raises:
        BadRequestError: It is about another purpose.
        ValueError, LookupError, TypeError, AttributeError: It is not whole.
    """
    if document["purpose"] != purpose.value:
        raise BadRequestError(
            f"{name} is an audit for {document['purpose']}, not for {purpose.value}"
        )
    machine = machine_in(document["devices"], name)
    there = {device.address: device.id for device in machine.devices}
    found = [*document["findings"], *document["ignored"]]
    found += (document.get("baseline") or {}).get("known", [])
    return Baseline(
        name,
        machine,
        tuple(_known(each, there) for each in found),
        dict(_verdict(each, there) for each in document["targets"]),
    )


def machine_in(fields: list[dict[str, Any]], name: str) -> Machine:
    """Return the devices of a document with what they are known by, in their groups.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: They are not whole.
    """
    check_devices(len(fields), name)
    devices = {device.id: device for device in map(_device, fields)}
    groups: dict[str, list[Device]] = {}
    alone = []
    for device in devices.values():
        group = device.group
        if isinstance(group, str):
            groups.setdefault(group, []).append(device)
        else:
            alone.append(device)
    return Machine(
        Source("tree", name),
        groups=tuple(Group(key, tuple(found)) for key, found in groups.items()),
        ungrouped=tuple(alone),
    )


def _device(fields: dict[str, Any]) -> Device:
    def number(key: str) -> Fact[int]:
        value = fields.get(key)
        return Missing.ABSENT if value is None else int(value, 16)

    path, group, driver = (fields.get(k) for k in ("path", "group", "driver"))
    return Device(
        _id(fields["address"], fields.get("bus")),
        path=Missing.ABSENT if path is None else str(path),
        driver=None if driver is None else _name(driver),
        group=None if group is None else _name(group),
        ids=PciIds(
            number("vendor"),
            number("device"),
            number("subsystem_vendor"),
            number("subsystem_device"),
            number("class"),
        ),
    )


def _id(address: object, bus: object) -> DeviceId:
    name = _name(address)
    if bus is not None:
        return DeviceId(name, _name(bus))
    pci = PciAddress.parse(name)
    return DeviceId.of_pci(pci) if pci else DeviceId(name, Missing.ABSENT)


def _name(value: object) -> str:
    """Return what names something: what audit writes is never empty.

    Raises:
        ValueError: it is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _rule(value: object) -> str:
    rule = _name(value)
    if _RULE.fullmatch(rule) is None:
        raise ValueError
    return rule


def _known(fields: dict[str, Any], there: dict[str, DeviceId]) -> Known:
    group = fields["group"]
    return Known(
        _rule(fields["rule"]),
        Severity(fields["severity"]),
        Certainty(fields["certainty"]),
        None if group is None else _name(group),
        tuple(there.get(each) or _id(each, None) for each in fields["devices"]),
        _name(fields["message"]),
    )


def _verdict(
    fields: dict[str, Any], there: dict[str, DeviceId]
) -> tuple[DeviceId | str, Verdict]:
    address = fields["address"]
    verdict = Verdict(fields["verdict"])
    if address is None:
        return _name(fields["group"]), verdict
    return there.get(address) or _id(address, None), verdict
