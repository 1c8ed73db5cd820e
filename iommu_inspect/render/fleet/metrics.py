"""What many hosts come to, as Prometheus reads it (text-based exposition format 0.0.4).

Each metric has as many time series as there are words of ours, and a few for names that
sources have; what is past that bound is in one called ``other``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from iommu_inspect.audit.differences.regrouping import Kind
from iommu_inspect.audit.fleet.row import Change
from iommu_inspect.audit.fleet.tally import OWNERS, Tally
from iommu_inspect.audit.summary import Possible
from iommu_inspect.model.text import printable
from iommu_inspect.render.escapes.metrics import help_line, sample
from iommu_inspect.render.fleet.words import by_hosts

__all__ = ["MOST_KERNELS", "MOST_RULES", "fleet_metrics"]

MOST_KERNELS, MOST_RULES = 50, 200
_PREFIX = "iommu_inspect_fleet_"
_VERDICTS = ("blocked", "unread", "unknown", "ready")
_OTHER = "other"

_Sample = tuple[Mapping[str, str], int]


def fleet_metrics(tally: Tally) -> str:
    """Return all metrics, without a newline at the end."""
    return "\n".join(
        (
            *_metric(
                "hosts",
                "Hosts by what they came to; unread are those that could not be read.",
                _named("verdict", _VERDICTS, tally.hosts),
            ),
            *_since(tally),
            *_metric(
                "groups",
                "IOMMU groups by who owns them.",
                _named("ownership", [o.value for o in OWNERS], tally.groups),
            ),
            *_metric(
                "possible_groups",
                "IOMMU groups with endpoints, by when they could be handed over.",
                _possible(tally),
            ),
            *_metric(
                "devices",
                "PCI devices by who owns their group; of a kind that is known.",
                _named("ownership", [o.value for o in OWNERS], _devices(tally)),
            ),
            *_metric(
                "rule_hosts",
                "Hosts on which a rule found something.",
                _rules(tally, 0),
            ),
            *_metric(
                "rule_findings", "What a rule found, on all hosts.", _rules(tally, 1)
            ),
            *_metric(
                "kernel_hosts", "Hosts by the release of their kernel.", _kernels(tally)
            ),
        )
    )


def _since(tally: Tally) -> Iterator[str]:
    """Yield what changed; nothing where there is no last time."""
    if not any(tally.changes):
        return
    yield from _metric(
        "hosts_changed",
        "Hosts by what they are to last time (--against).",
        _named("change", [c.value for c in Change], tally.changes),
    )
    moved = dict(tally.moved)
    yield from _metric(
        "groups_changed",
        "IOMMU groups that are others than last time, by what became of them.",
        [({"kind": kind.value}, moved.get(kind.value, 0)) for kind in Kind],
    )


def _metric(name: str, about: str, samples: Iterable[_Sample]) -> Iterator[str]:
    name = f"{_PREFIX}{name}"
    yield help_line(name, about)
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        yield sample(name, labels, value)


def _named(
    label: str, names: Sequence[str], numbers: Sequence[int]
) -> Iterator[_Sample]:
    for name, number in zip(names, numbers, strict=True):
        yield {label: name}, number


def _possible(tally: Tally) -> Iterator[_Sample]:
    found = dict(tally.possible)
    for each in Possible:
        yield {"possible": each.value}, found.get(each.value, 0)


def _devices(tally: Tally) -> Sequence[int]:
    return (*tally.devices.total()[1:], *(0 for _ in OWNERS))[: len(OWNERS)]


def _rules(tally: Tally, place: int) -> Iterator[_Sample]:
    found = sorted(by_hosts(tally.rules)[:MOST_RULES], key=lambda each: each.key)
    for each in found:
        rule, _, severity = each.key.rpartition(" ")
        yield {"rule": rule, "severity": severity}, each.numbers[place]
    # Hosts of several rules are not to be added: one may be among those of each.
    total = tally.rules.total()
    left = total[place] - sum(e.numbers[place] for e in found) if total else 0
    if left and place == 1:
        yield {"rule": _OTHER, "severity": _OTHER}, left


def _kernels(tally: Tally) -> Iterator[_Sample]:
    """Yield hosts by kernel; names that look the same on a screen are one."""
    found = Counter[str]()
    for each in by_hosts(tally.kernels)[:MOST_KERNELS]:
        found[printable(each.key)] += sum(each.numbers)
    if left := sum(tally.kernels.total()) - found.total():
        found[_OTHER] += left
    for kernel, count in sorted(found.items()):
        yield {"kernel": kernel}, count
