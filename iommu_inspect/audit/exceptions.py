"""Findings that somebody decided to live with: which, and why."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

from iommu_inspect.model.asked.usage import BadRequestError, close_matches
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.text import printable
from iommu_inspect.rules.finding import Finding
from iommu_inspect.rules.registry import RULES, find_rule

__all__ = [
    "Ignore",
    "Ignored",
    "check_rule",
    "ignore_rule",
    "parse_ignores",
    "set_aside",
]

_TABLE = "ignore"
_KEYS = ("rule", "reason", "devices")
# A list of 200 devices fits; of a longer key the library's time grows with the square.
_LONGEST_LINE = 4096
_IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ignore:
    """One decision: a rule, a reason, and the devices that it is limited to.

    ``devices`` holds addresses and ``vendor:device`` ids; without any the rule is
    ignored on the whole host. They mean the device that a finding is about, its first.
    """

    rule: str
    reason: str
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """A finding that is set aside, and the decision that says so."""

    finding: Finding
    by: Ignore


class _Index:
    """Decisions by their rules and devices; of several that fit, the first counts."""

    def __init__(self, ignores: tuple[Ignore, ...], machine: Machine) -> None:
        self._ignores = ignores
        self._machine = machine
        self._ranks: dict[tuple[str, str | None], int] = {}
        for rank, ignore in enumerate(ignores):
            for device in ignore.devices or (None,):
                self._ranks.setdefault((ignore.rule, device), rank)

    def fitting(self, finding: Finding) -> Ignore | None:
        """Return the decision about a finding, ``None`` without one."""
        names: list[str | None] = [None]
        if finding.devices:
            about = finding.devices[0]
            device = self._machine.device(about)
            names += [str(about), device.ids.pair if device else None]
        ranks = [
            self._ranks[finding.rule, name]
            for name in names
            if (finding.rule, name) in self._ranks
        ]
        return self._ignores[min(ranks)] if ranks else None


def set_aside(
    findings: Iterable[Finding], ignores: tuple[Ignore, ...], machine: Machine
) -> tuple[list[Finding], list[Ignored]]:
    """Part findings into those that stay and those that are ignored, in order."""
    if not ignores:
        return list(findings), []
    kept, ignored = [], []
    index = _Index(ignores, machine)
    for finding in findings:
        by = index.fitting(finding)
        if by is None:
            kept.append(finding)
        else:
            ignored.append(Ignored(finding, by))
    return kept, ignored


def ignore_rule(rule: str) -> Ignore:
    """Return what ``--ignore RULE`` means.

    Raises:
        BadRequestError: there is no such rule.
    """
    check_rule(rule, "--ignore")
    return Ignore(rule, "--ignore on the command line")


def parse_ignores(text: str, file: str) -> tuple[Ignore, ...]:
    """Read ``[[ignore]]`` tables (TOML); ``rule`` and ``reason`` are required.

    Raises:
        BadRequestError: the text is no TOML, or holds what nobody knows. The message
            names ``file`` and the line or the table.
    """
    # As TOML has lines: str.splitlines() knows more ends of them.
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _LONGEST_LINE:
            raise BadRequestError(
                f"{file}: line {number} is longer than {_LONGEST_LINE} characters"
            )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRequestError(f"{file}: {printable(str(error))}") from None
    except RecursionError:
        raise BadRequestError(f"{file}: it is nested too deeply") from None
    except ValueError:  # of a date, or of a number
        raise BadRequestError(f"{file}: it holds a number out of bounds") from None
    for key in document:
        if key != _TABLE:
            raise BadRequestError(
                f"{file}: {printable(key)!r} is not known; [[{_TABLE}]] is"
            )
    tables = document.get(_TABLE, [])
    if not isinstance(tables, list):
        raise BadRequestError(f"{file}: {_TABLE} is to be written [[{_TABLE}]]")
    return tuple(
        _ignore(table, f"{file}, [[{_TABLE}]] number {number}")
        for number, table in enumerate(tables, 1)
    )


def _ignore(table: object, here: str) -> Ignore:
    if not isinstance(table, dict):
        raise BadRequestError(f"{here} is no table")
    for key in table:
        if key not in _KEYS:
            near = close_matches(key, _KEYS) or f"; known are {', '.join(_KEYS)}"
            raise BadRequestError(f"{here}: {printable(key)!r} is not known{near}")
    rule = _text(table, "rule", here)
    reason = _text(table, "reason", here)
    check_rule(rule, here)
    return Ignore(rule, reason, _devices(table.get("devices"), here))


def _text(table: dict[str, object], key: str, here: str) -> str:
    value = table.get(key)
    if value is None:
        raise BadRequestError(f"{here}: {key} is missing")
    if not isinstance(value, str) or not value.strip():
        raise BadRequestError(f"{here}: {key} is to be text in quotes, not empty")
    return value


def _devices(value: object, here: str) -> tuple[str, ...]:
    """Write addresses in full and ids in lower case; other buses have names."""
    if value is None:
        return ()
    # Empty, the list would mean the whole host, which is not what it says.
    if not isinstance(value, list) or not value:
        raise BadRequestError(f"{here}: devices is to be a list, not empty")
    found = []
    for entry in value:
        if not isinstance(entry, str) or not entry.strip():
            raise BadRequestError(
                f"{here}: devices is to hold addresses and vendor:device ids in quotes"
            )
        address = PciAddress.parse(entry)
        ids = _IDS.fullmatch(entry)
        found.append(entry.lower() if ids else str(address or entry))
    return tuple(found)


def check_rule(rule: str, here: str) -> None:
    """Refuse a rule that nobody knows, and say which are like it.

    Raises:
        BadRequestError: there is no such rule. The message begins with ``here``.
    """
    if find_rule(rule) is None:
        near = close_matches(rule, (known.id for known in RULES))
        hint = near or "; 'iommu-inspect explain' lists them"
        raise BadRequestError(f"{here}: there is no rule {printable(rule)!r}{hint}")
