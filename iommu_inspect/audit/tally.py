"""What an audit comes to in numbers: for those who count hosts, and not read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.summary import Possible
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.classes import CLASSES, is_called
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.rules.no_iommu import has_iommu

__all__ = ["OTHER", "SPOKEN", "Tally", "Trouble", "tally_of"]

OTHER = "other"
"""What is of no class that people have a word for, or of an unknown one."""
SPOKEN = (*(name for name in CLASSES if name not in ("display", "bridge")), OTHER)
"""Each endpoint is of one of these: "display" is another word for "gpu"."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A group, or a device without one, that has errors: the worst of them.

    ``device`` is the one that this is about, empty where it speaks of the whole group.
    """

    group: str | None
    device: str
    worst: Finding


@dataclass(frozen=True, slots=True)
class Tally:
    """An audit, the machine that it is about, and what there is of what.

    Every key that is possible is there, with a 0 if need be. ``ownership`` is ``None``
    where the source shows no groups: none is not the same as none seen. ``possible``
    counts groups, and ``ready`` devices on a vfio driver whose group can be handed
    over now, by class; both are ``None`` where targets were asked for. ``iommu`` says
    whether there is an IOMMU, ``None`` where that is not told.
    """

    machine: Machine
    semantics: Semantics
    result: Audit
    iommu: bool | None
    devices: int
    findings: Mapping[tuple[Severity, Certainty], int]
    rules: Mapping[tuple[str, Severity, Certainty], int]
    troubles: tuple[Trouble, ...]
    ownership: Mapping[Ownership, int] | None
    possible: Mapping[Possible, int] | None = None
    ready: Mapping[str, int] | None = None


def tally_of(machine: Machine, semantics: Semantics, result: Audit) -> Tally:
    """Count what an audit of a machine found; with a baseline, what is new."""
    inquiry = Inquiry(machine, semantics)
    kinds = Counter((f.severity, f.certainty) for f in result.findings)
    rules = Counter((f.rule, f.severity, f.certainty) for f in result.findings)
    owners = Counter(map(inquiry.ownership, machine.groups))
    whole = not result.targets
    return Tally(
        machine,
        semantics,
        result,
        iommu=has_iommu(machine),
        devices=sum(1 for _ in machine.devices),
        findings={(s, c): kinds[s, c] for s in Severity for c in Certainty},
        rules=dict(rules),
        troubles=tuple(_troubles(result.findings)),
        ownership={o: owners[o] for o in Ownership} if machine.groups_known else None,
        possible=_possible(result) if whole else None,
        ready=_ready(result) if whole else None,
    )


def _troubles(findings: Iterable[Finding]) -> Iterable[Trouble]:
    """Yield what has errors, once each; findings come with the worst first."""
    seen = set()
    for finding in findings:
        about = finding.devices[0] if finding.devices else None
        key = finding.group if finding.group is not None else about
        if finding.severity is not Severity.ERROR or key is None or key in seen:
            continue
        seen.add(key)
        yield Trouble(finding.group, "" if about is None else about.name, finding)


def _possible(result: Audit) -> Mapping[Possible, int]:
    found = Counter(prospect.possible for prospect in result.summary)
    return {possible: found[possible] for possible in Possible}


def _ready(result: Audit) -> Mapping[str, int]:
    found = Counter(
        _class(device)
        for prospect in result.summary
        if prospect.possible is Possible.NOW
        for device in prospect.devices
        if has_vfio_driver(device) is True
    )
    return {name: found[name] for name in SPOKEN}


def _class(device: Device) -> str:
    code = device.ids.class_code
    if not known(code):
        return OTHER
    return next((n for n in SPOKEN[:-1] if is_called(code, n)), OTHER)
