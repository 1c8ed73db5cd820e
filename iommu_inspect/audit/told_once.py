"""What is said alike of different devices is told once: findings, prospects."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules._cures import WriteLine
from iommu_inspect.rules.finding import Finding

__all__ = ["Told", "nameless", "told_once"]

_ADDRESS = re.compile(r"\b[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")
_IDS = re.compile(r"\b[0-9a-f]{4}:[0-9a-f]{4}\b")
# Up to its last letter; a run of dots is looked at once, from where it begins.
_WORD = re.compile(r"(?<![.:])(?:[.:]*+[^\s,;().:]++)++")
# What stands for a name; no text of a finding holds one, as all of it is printable.
_DEVICE, _DRIVER, _GROUP = "\x00", "\x01", "\x02"
_ONE = rf"{_DEVICE}(?: \([^(){_DEVICE}]*\))?"
_LIST = re.compile(rf"{_ONE}(?:, {_ONE})* and {_ONE}")


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, and those that say the same: of which devices, in which groups.

    ``same`` names what each of the others is about: a device with its driver, or its
    group. ``groups`` are the ids of all of them, in their order.
    """

    finding: Finding
    same: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def told_once(findings: Iterable[Finding], machine: Machine) -> tuple[Told, ...]:
    """Put together what one rule says alike, in the order of the first of each.

    Alike are findings of one severity and certainty whose words and cures differ only
    in the names of devices, drivers and groups.
    """
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        alike.setdefault(_shape(finding, machine), []).append(finding)
    return tuple(_told(each, machine) for each in alike.values())


def _told(findings: list[Finding], machine: Machine) -> Told:
    first, *others = findings
    groups = (f.group for f in findings if f.group is not None)
    labels = dict.fromkeys(_label(other, machine) for other in others)
    labels.pop(_label(first, machine), None)
    return Told(first, tuple(labels), tuple(dict.fromkeys(groups)))


def _label(finding: Finding, machine: Machine) -> str:
    """Name what a finding is about, as its message does."""
    about = str(finding.devices[0]) if finding.devices else ""
    words = {match[0] for match in _WORD.finditer(finding.message)}
    of_group = about not in words or finding.message.startswith("Group ")
    if finding.group is not None and of_group:
        return f"group {finding.group}"
    driver = _driver(machine, finding.devices[0]) if finding.devices else None
    return f"{about} ({driver})" if driver and driver in words else about


def _shape(finding: Finding, machine: Machine) -> tuple[object, ...]:
    drivers = (_driver(machine, each) for each in finding.devices)
    names = _Names(map(str, finding.devices), drivers, finding.group)
    lines = (cure.line for cure in finding.cures if isinstance(cure, WriteLine))
    return (
        finding.rule,
        finding.severity,
        finding.certainty,
        names.taken_from(finding.message),
        names.taken_from(finding.remedy),
        tuple(lines),
    )


def nameless(
    texts: Iterable[str], devices: Iterable[Device], group: str | None
) -> tuple[str, ...]:
    """Return texts with marks for the names of devices, their drivers and group."""
    found = tuple(devices)
    drivers = (value_or(device.driver, None) for device in found)
    names = _Names((d.address for d in found), drivers, group)
    return tuple(map(names.taken_from, texts))


def _driver(machine: Machine, name: DeviceId) -> str | None:
    device = machine.device(name)
    return None if device is None else value_or(device.driver, None)


class _Names:
    """What stands for names in texts, and puts marks in their place."""

    def __init__(
        self,
        devices: Iterable[str],
        drivers: Iterable[str | None],
        group: str | None,
    ) -> None:
        self._marks = {driver: _DRIVER for driver in drivers if driver}
        self._marks |= dict.fromkeys(devices, _DEVICE)
        self._group = group
        self._before = ""

    def taken_from(self, text: str) -> str:
        """Return the text without the names; a list is one mark, however long."""
        self._before = ""
        return _LIST.sub(_DEVICE * 2, _WORD.sub(self._mark, text))

    def _mark(self, match: re.Match[str]) -> str:
        word, before = match[0], self._before
        self._before = word
        if word == self._group and before in ("group", "Group"):
            return _GROUP
        found = self._marks.get(word)
        return found or _IDS.sub(_DEVICE, _ADDRESS.sub(_DEVICE, word))
