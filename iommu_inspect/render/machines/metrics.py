"""An audit as metrics, for the textfile collector of Prometheus's node_exporter.

The format is Prometheus's own text, version 0.0.4: the collector refuses what has
timestamps, and its reader does not know OpenMetrics. How many series there are depends
on the rules and not on the host, but for ``iommu_inspect_error_group``, which has a
bound. Names and labels are a contract (docs/metrics.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from iommu_inspect.audit.tally import Tally
from iommu_inspect.model.fact import value_or
from iommu_inspect.render.escapes.metrics import label
from iommu_inspect.verdict.outcome import Verdict
from iommu_inspect.verdict.unseen import Fact, Unseen

if TYPE_CHECKING:  # the library is imported by who wants metrics
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["METRICS", "MOST_GROUPS", "metrics_text", "unread_metrics_text"]

MOST_GROUPS = 20
"""Of more groups with errors the rest is counted."""
_BEGINNING = "iommu_inspect_"
# What each is, and its labels.
METRICS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "info": (
        "What made these metrics, and of what; always 1.",
        ("version", "kernel", "rules", "purpose", "source"),
    ),
    "audit_timestamp_seconds": ("When the audit was made.", ()),
    "source_readable": ("Whether the host could be read: 1 or 0.", ()),
    "exit_code": ("What the audit ended with: 0, 1, 3, or 4 if unreadable.", ()),
    "verdict": ("1 for the verdict about the host or the targets.", ("verdict",)),
    "targets": ("Devices or groups asked for, by verdict.", ("verdict",)),
    "devices": ("Devices that were seen.", ()),
    "groups_known": ("Whether the source shows IOMMU groups: 1 or 0.", ()),
    "groups": ("IOMMU groups by who owns them.", ("ownership",)),
    "possible_groups": (
        "Groups of a whole host by when they can be handed over.",
        ("possible",),
    ),
    "ready_devices": (
        "Devices on a vfio driver whose group can be handed over now, by class.",
        ("class",),
    ),
    "findings": ("Findings by severity and certainty.", ("severity", "certainty")),
    "rule_findings": (
        "Findings of a rule; of rules that found nothing there is none.",
        ("rule", "severity", "certainty"),
    ),
    "ignored_findings": ("Findings that somebody decided to ignore.", ()),
    "baseline_findings": (
        "Findings that the baseline had as well (known), or alone (gone).",
        ("since",),
    ),
    "unseen": (
        "Devices of which the source lacks a fact that decides; 1 for listing.",
        ("fact",),
    ),
    "error_group": (
        "Groups with errors, the worst rule of each; always 1.",
        ("group", "device", "rule", "certainty"),
    ),
    "error_groups_left_out": ("Groups with errors beyond those that are named.", ()),
}
_Values = Iterable[tuple[tuple[str, ...], float]]


def metrics_text(tally: Tally, *, version: str, exit_code: int, now: float) -> str:
    """Return the metrics of an audit, without the last line's end.

    Args:
        tally: what there is to count.
        version: that of the program.
        exit_code: what the command ends with.
        now: when the audit was made, in seconds since 1970.
    """
    return _written({**_common(version, tally, exit_code, now), **_counted(tally)})


def unread_metrics_text(*, version: str, exit_code: int, now: float) -> str:
    """Return the metrics of an audit that could not read its source.

    There is no count among them, so that nothing looks as if it were in order.
    """
    return _written(_common(version, None, exit_code, now))


def _common(
    version: str, tally: Tally | None, exit_code: int, now: float
) -> dict[str, _Values]:
    about = ["", "", "", ""]
    verdict = Verdict.UNKNOWN
    if tally is not None:
        verdict = tally.result.verdict
        about = [
            value_or(tally.machine.kernel.release, ""),
            tally.semantics.label,
            tally.result.purpose.value,
            tally.machine.source.kind,
        ]
    return {
        "info": [((version, *about), 1)],
        "audit_timestamp_seconds": [((), now)],
        "source_readable": [((), tally is not None)],
        "exit_code": [((), exit_code)],
        "verdict": [((each.value,), each is verdict) for each in Verdict],
    }


def _counted(tally: Tally) -> dict[str, _Values]:
    result = tally.result
    found: dict[str, _Values] = {
        "targets": [
            ((each.value,), sum(one.verdict is each for one in result.targets))
            for each in Verdict
        ],
        "devices": [((), tally.devices)],
        "groups_known": [((), tally.ownership is not None)],
    }
    if tally.ownership is not None:
        found["groups"] = [((o.value,), n) for o, n in tally.ownership.items()]
    if tally.possible is not None and tally.ownership is not None:
        found["possible_groups"] = [((p.value,), n) for p, n in tally.possible.items()]
    if tally.ready is not None and tally.ownership is not None:
        found["ready_devices"] = [((name,), n) for name, n in tally.ready.items()]
    found["findings"] = [
        ((severity.value, certainty.value), n)
        for (severity, certainty), n in tally.findings.items()
    ]
    found["rule_findings"] = [
        ((rule, severity.value, certainty.value), n)
        for (rule, severity, certainty), n in tally.rules.items()
    ]
    found["ignored_findings"] = [((), len(result.ignored))]
    if result.since is not None:
        counts = {"known": result.since.known, "gone": result.since.gone}
        found["baseline_findings"] = [((s,), len(f)) for s, f in counts.items()]
    found["unseen"] = [((f.value,), _lacking(result.unseen, f)) for f in Fact]
    named = tally.troubles[:MOST_GROUPS]
    found["error_group"] = [
        (
            (
                each.group or "",
                each.device,
                each.worst.rule,
                each.worst.certainty.value,
            ),
            1,
        )
        for each in named
    ]
    found["error_groups_left_out"] = [((), len(tally.troubles) - len(named))]
    return found


def _lacking(unseen: Iterable[Unseen], fact: Fact) -> int:
    """Count the devices that lack a fact; of a list that is not whole there is one."""
    return sum(
        1 if fact is Fact.LISTING else len(each.devices)
        for each in unseen
        if each.fact is fact
    )


def _written(values: Mapping[str, _Values]) -> str:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector

    class Audited(Collector):
        def collect(self) -> Iterator[GaugeMetricFamily]:
            for name, (what, labels) in METRICS.items():
                if name in values:
                    family = GaugeMetricFamily(_BEGINNING + name, what, labels=labels)
                    for given, value in values[name]:
                        family.add_metric([*map(label, given)], float(value))
                    yield family

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Audited())
    return generate_latest(registry).decode().rstrip("\n")
