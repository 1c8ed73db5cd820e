"""What a finding is known by, wherever a reader met it before.

Numbers of groups change with every boot, words with the names of drivers. What stays is
the rule, the device that it is about, and who is in its group.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from iommu_inspect.audit.known import Known
from iommu_inspect.audit.told_once import nameless
from iommu_inspect.model.machine import Machine

__all__ = ["fingerprints"]

_NUMBER = re.compile(r"\d+")


def fingerprints(findings: Iterable[Known], machine: Machine) -> list[str]:
    """Return one for each finding, in their order: 32 hexadecimal digits and a number.

    Findings that have all in common are counted, so that no two are the same.
    """
    seen: Counter[str] = Counter()
    found = []
    for finding in findings:
        digest = _digest(finding, machine)
        seen[digest] += 1
        found.append(f"{digest}:{seen[digest]}")
    return found


def _digest(finding: Known, machine: Machine) -> str:
    import hashlib

    group = machine.group(finding.group) if finding.group is not None else None
    members = sorted(str(d.id) for d in group.devices) if group is not None else []
    devices = [d for each in finding.devices if (d := machine.device(each)) is not None]
    (words,) = nameless([finding.message], devices, finding.group)
    about = [finding.rule, *map(str, finding.devices[:1]), "", *members, ""]
    text = "\0".join([*about, _NUMBER.sub("#", words)])
    data = text.encode("utf-8", "surrogateescape")
    return hashlib.sha256(data).hexdigest()[:32]
