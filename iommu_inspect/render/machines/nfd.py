"""A host's audit as a feature file of Kubernetes' Node Feature Discovery.

``<namespace>/<name>=<value>`` in lines, and one that says until when they hold (NFD's
customization guide, "Local feature source"). A value of a label has 63 characters at
most, letters, digits, ``-``, ``_`` and ``.``, and begins and ends with a letter or a
digit. Every line is one of a fixed number; nothing in them comes from a name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping

from iommu_inspect.audit.tally import Tally
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["HOLDS", "nfd_text", "unread_nfd_text"]

HOLDS = 3600
"""For how many seconds a file holds: a node whose audit stopped loses its labels."""
# Other namespaces below kubernetes.io are refused by nfd-master.
_NAMESPACE = "feature.node.kubernetes.io"
_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_NO_VALUE = re.compile(r"[^A-Za-z0-9._-]+")


def nfd_text(tally: Tally, *, now: float) -> str:
    """Return the features of a host, or of the targets that were asked for.

    A count that is not known has no line: a rule that asks for more than a number is
    then not fulfilled. What is true, false or unknown has one of these words.
    """
    return _written(dict(_features(tally)), now)


def unread_nfd_text(*, now: float) -> str:
    """Return the features of a host that could not be read."""
    return _written({"verdict": Verdict.UNKNOWN.value}, now)


def _features(tally: Tally) -> Iterator[tuple[str, str]]:
    yield "verdict", tally.result.verdict.value
    yield "iommu", _word(tally.iommu)
    yield "conflict", _word(_conflict(tally.ownership))
    yield "kernel-rules", _value("_".join(e.name for e in tally.semantics.eras))
    if tally.ownership is None:
        return
    for owner, count in tally.ownership.items():
        yield f"groups.{owner.value}", str(count)
    if tally.possible is not None:
        for possible, count in tally.possible.items():
            yield f"possible.{possible.value}", str(count)
    if tally.ready is not None:
        for name, count in tally.ready.items():
            yield f"ready.{name}", str(count)


def _conflict(ownership: Mapping[Ownership, int] | None) -> bool | None:
    if ownership is None:
        return None
    if ownership[Ownership.CONFLICT]:
        return True
    return None if ownership[Ownership.UNKNOWN] else False


def _word(told: bool | None) -> str:
    return "unknown" if told is None else str(told).lower()


def _value(text: str) -> str:
    """Return text as a label's value; "unknown" where that cannot be said in one.

    What is too long is not cut: half of a list names fewer than there may be.
    """
    value = _NO_VALUE.sub("-", text).strip("._-")
    return value if _VALUE.fullmatch(value) else "unknown"


def _written(features: Mapping[str, str], now: float) -> str:
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + HOLDS))
    lines = [f"# +expiry-time={until}"]
    lines += [
        f"{_NAMESPACE}/iommu-inspect.{name}={value}" for name, value in features.items()
    ]
    return "\n".join(lines)
