"""Reads a document that was written on a host: of ``audit``, or of ``list``.

It holds less than a source. A verdict is taken from it only as it was asked for: of the
whole host, for the same purpose, under the same rules. What it cannot show is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from iommu_inspect.audit.baseline_document import AUDIT, baseline_in, machine_in
from iommu_inspect.audit.exceptions import Ignore
from iommu_inspect.audit.fleet.side import Asked, Side
from iommu_inspect.audit.known import Known
from iommu_inspect.audit.summary import Possible
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import printable
from iommu_inspect.rules.finding import Certainty, Severity
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.verdict.outcome import Verdict, worst
from iommu_inspect.verdict.unseen import Fact

__all__ = ["side_in"]

_LIST = "iommu-inspect/list/1"
# A text that is counted by, or kept of each host: names of releases are shorter.
_LONGEST = 200


def side_in(text: str, name: str, asked: Asked) -> Side:
    """Return the host that a document is about.

    Raises:
        SourceError: it is none, not whole, or for another purpose.
    """
    try:
        document = json.loads(text.lstrip("\ufeff"))
        schema = document["schema"]
        if schema == AUDIT:
            return _of_audit(document, name, asked)
        if schema == _LIST:
            return _of_list(document, name)
    except BadRequestError as error:
        raise SourceError(str(error)) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise SourceError(
            f"cannot read {name}: it is no whole document of audit or list"
        ) from None
    raise SourceError(
        f"cannot read {name}: of documents those of audit and list are read, and this "
        f"is {printable(str(schema))[:60]}"
    )


def _of_audit(document: dict[str, Any], name: str, asked: Asked) -> Side:
    baseline = baseline_in(document, name, asked.purpose)
    shown = Verdict(document["verdict"])
    # All that the audit judged stand first; what it had ignored is behind them.
    ignored = len(document["ignored"])
    number = len(document["findings"])
    known = (*baseline.found[:number], *baseline.found[number + ignored :])
    # Not what its own findings come to: what else stood in the way still does.
    unseen = tuple(Fact(each["fact"]).value for each in document["unseen"])
    apart = [Verdict.UNKNOWN] if unseen else []
    if shown is not _of(known) and _of(known) is not Verdict.BLOCKED:
        apart.append(shown)
    kept, aside = _set_aside(known, asked.ignores, baseline.machine)
    owners = _owners(document["devices"])
    possible = {
        str(each["group"]): Possible(each["possible"])
        for each in document["summary"]
        if each["group"] is not None
    }
    if shown is Verdict.BLOCKED and _of(kept) is Verdict.READY:
        apart += _kernels(baseline.machine, owners, possible)
    if asked.strict:
        kept = tuple(map(_strictly, kept))
    because = _because(document, asked)
    if because:
        apart.append(Verdict.UNKNOWN)
    return Side(
        _grouped(baseline.machine),
        "audit",
        _text(document["source"]["kernel"]),
        _text(document["semantics"]),
        worst((_of(kept), *apart)),
        kept,
        ignored + aside,
        unseen,
        owners,
        possible,
        because,
        whole=not because,
    )


def _kernels(
    machine: Machine, owners: dict[str, Ownership], possible: dict[str, Possible]
) -> Iterable[Verdict]:
    """Say whether the kernel may refuse something without what is ignored.

    It is asked about the groups that user space has something of.
    """
    for group in machine.groups:
        own = owners.get(group.id) in (Ownership.NONE, Ownership.KERNEL)
        if not own and possible.get(group.id) is not Possible.NOW:
            return (Verdict.UNKNOWN,)
    return ()


def _grouped(machine: Machine) -> Machine:
    """A document without any group does not say whether the host had some."""
    return replace(machine, groups_known=bool(machine.groups))


def _because(document: dict[str, Any], asked: Asked) -> str:
    """Say why an audit has no verdict about what is asked."""
    if document["targets"]:
        return "it is an audit of some devices, not of the whole host"
    if asked.semantics not in ("auto", document["semantics"]):
        used = printable(str(document["semantics"]))[:60]
        return f"it was judged by the rules of {used}"
    return ""


def _of_list(document: dict[str, Any], name: str) -> Side:
    groups = document["groups"]
    devices = [d for group in groups for d in group["devices"]]
    return Side(
        _grouped(machine_in([*devices, *document["ungrouped"]], name)),
        "list",
        _text(document["source"]["kernel"]),
        _text(document["semantics"]),
        Verdict.UNKNOWN,
        owners={str(g["id"]): Ownership(g["ownership"]) for g in groups},
        because="it is a document of list, which has no verdict",
        whole=False,
    )


def _owners(devices: Iterable[dict[str, Any]]) -> dict[str, Ownership]:
    """Return the groups' owners, which documents have that are new enough."""
    return {
        str(device["group"]): Ownership(device["ownership"])
        for device in devices
        if device.get("group") is not None and device.get("ownership") is not None
    }


def _set_aside(
    found: Iterable[Known], ignores: tuple[Ignore, ...], machine: Machine
) -> tuple[tuple[Known, ...], int]:
    """Take away what is ignored, as `exceptions.set_aside` does with findings."""
    kept, aside = [], 0
    for known in found:
        names: set[str | None] = {None}
        if known.devices:
            device = machine.device(known.devices[0])
            names |= {str(known.devices[0]), device.ids.pair if device else None}
        if any(
            each.rule == known.rule and names & set(each.devices or (None,))
            for each in ignores
        ):
            aside += 1
        else:
            kept.append(known)
    return tuple(kept), aside


def _strictly(known: Known) -> Known:
    if known.severity is Severity.WARNING:
        return replace(known, severity=Severity.ERROR)
    return known


def _of(found: Iterable[Known]) -> Verdict:
    """Return what findings come to, as `outcome.of_findings`."""
    errors = [each for each in found if each.severity is Severity.ERROR]
    if any(error.certainty is not Certainty.UNKNOWN for error in errors):
        return Verdict.BLOCKED
    return Verdict.UNKNOWN if errors else Verdict.READY


def _text(value: object) -> str | None:
    """Return a text or nothing.

    Raises:
        ValueError: it is something else.
    """
    if value is not None and not isinstance(value, str):
        raise ValueError
    return value and value[:_LONGEST]
