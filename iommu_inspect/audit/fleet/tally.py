"""What many hosts come to: sums, and the hosts that need a look, of bounded size.

A tally of one host, of a part of them and of all is the same kind of thing. Merging is
associative and commutative, so that parts may be counted anywhere, in any order.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import field

from iommu_inspect.audit.fleet.counts import Counts, merged_counts
from iommu_inspect.audit.fleet.row import Change, Row
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.text import natural_key
from iommu_inspect.rules.finding import Severity
from iommu_inspect.verdict.outcome import Verdict

__all__ = [
    "HOSTS",
    "MOST_DEVICES",
    "MOST_HOSTS",
    "MOST_KERNELS",
    "MOST_RULES",
    "OWNERS",
    "Brief",
    "State",
    "Tally",
    "merged",
    "tally_of",
]

MOST_RULES, MOST_KERNELS, MOST_DEVICES = 1024, 4096, 16_384
MOST_HOSTS = 2000
_MOST_NAMED = 6
# An id of a rule that a document names; ours are shorter.
_LONGEST = 100

OWNERS = tuple(Ownership)
"""The order of the numbers that are by owner."""
State = tuple[Verdict, bool]
"""A verdict, and whether the host was read at all."""
HOSTS: tuple[State, ...] = (
    (Verdict.BLOCKED, True),
    (Verdict.UNKNOWN, False),
    (Verdict.UNKNOWN, True),
    (Verdict.READY, True),
)
"""What a host can come to, the worst first; the order of numbers of hosts."""


@dataclass(frozen=True, slots=True)
class Brief:
    """A host in a line. ``rules`` are those with errors or warnings, and how many."""

    host: str
    path: str
    verdict: Verdict
    read: bool
    because: str
    kernel: str | None
    unseen: tuple[str, ...]
    rules: tuple[tuple[str, Severity, int], ...]
    groups: int
    change: Change | None
    changed: tuple[str, ...]

    @property
    def rank(self) -> tuple[object, ...]:
        """Its place among others: the worst first, and changed before unchanged."""
        quiet = self.change in (None, Change.SAME)
        order = (HOSTS.index((self.verdict, self.read)), quiet, natural_key(self.host))
        return (*order, self.host, self.path)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over hosts.

    ``hosts`` go by what they came to (`HOSTS`), ``changes`` by what they are to last
    time, ``groups`` and ``possible`` are groups by owner and prospect. Of a rule, as
    ``rule severity``, are counted hosts and findings; of a kernel hosts by `HOSTS`; of
    a device, by its ids, hosts, and devices by owner. ``worst`` are the first hosts.
    """

    hosts: tuple[int, ...] = (0,) * len(HOSTS)
    changes: tuple[int, ...] = (0,) * len(Change)
    groups: tuple[int, ...] = (0,) * len(OWNERS)
    possible: tuple[tuple[str, int], ...] = ()
    moved: tuple[tuple[str, int], ...] = ()
    rules: Counts = field(default_factory=lambda: Counts(MOST_RULES))
    kernels: Counts = field(default_factory=lambda: Counts(MOST_KERNELS))
    devices: Counts = field(default_factory=lambda: Counts(MOST_DEVICES))
    worst: tuple[Brief, ...] = ()

    @property
    def count(self) -> int:
        """How many hosts there are."""
        return sum(self.hosts)


def tally_of(row: Row) -> Tally:
    """Return what one host comes to."""
    rules: dict[str, list[int]] = {}
    for finding in row.findings:
        one = rules.setdefault(
            f"{finding.rule[:_LONGEST]} {finding.severity.value}", [1, 0]
        )
        one[1] += 1
    devices: dict[str, list[int]] = {}
    for held in row.devices:
        if held.ids is not None:
            one = devices.setdefault(held.ids, [1] + [0] * len(OWNERS))
            one[1 + OWNERS.index(held.ownership)] += 1
    state = _one_of(HOSTS, (row.verdict, row.read))
    kernels = {row.kernel or "": state} if row.read else {}
    possible = Counter(g.possible.value for g in row.groups if g.possible is not None)
    changes = row.changes
    moved = Counter(m.kind.value for m in changes.groups) if changes else Counter[str]()
    owners = Counter(group.ownership for group in row.groups)
    return Tally(
        state,
        _one_of(tuple(Change), changes.change) if changes else (0,) * len(Change),
        tuple(owners[each] for each in OWNERS),
        tuple(sorted(possible.items())),
        tuple(sorted(moved.items())),
        merged_counts([_counts(rules, MOST_RULES)], MOST_RULES),
        Counts(MOST_KERNELS, kernels),
        merged_counts([_counts(devices, MOST_DEVICES)], MOST_DEVICES),
        (_brief(row),),
    )


def merged(parts: Sequence[Tally]) -> Tally:
    """Add up, in any order and by any steps; of none it is the empty one."""
    return Tally(
        _sums(part.hosts for part in (Tally(), *parts)),
        _sums(part.changes for part in (Tally(), *parts)),
        _sums(part.groups for part in (Tally(), *parts)),
        _by_word(part.possible for part in parts),
        _by_word(part.moved for part in parts),
        merged_counts((part.rules for part in parts), MOST_RULES),
        merged_counts((part.kernels for part in parts), MOST_KERNELS),
        merged_counts((part.devices for part in parts), MOST_DEVICES),
        _first(brief for part in parts for brief in part.worst),
    )


def _first(briefs: Iterable[Brief]) -> tuple[Brief, ...]:
    return tuple(heapq.nsmallest(MOST_HOSTS, briefs, key=lambda brief: brief.rank))


def _counts(found: dict[str, list[int]], most: int) -> Counts:
    return Counts(most, {key: tuple(numbers) for key, numbers in found.items()})


def _one_of(places: Sequence[object], place: object) -> tuple[int, ...]:
    return tuple(int(each == place) for each in places)


def _sums(parts: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*parts, strict=True)))


def _by_word(
    parts: Iterable[tuple[tuple[str, int], ...]],
) -> tuple[tuple[str, int], ...]:
    sums = Counter[str]()
    for part in parts:
        sums.update(dict(part))
    return tuple(sorted(sums.items()))


def _brief(row: Row) -> Brief:
    counted = Counter(
        (finding.severity, finding.rule)
        for finding in row.findings
        if finding.severity is not Severity.INFO
    )
    ranks = list(Severity)
    order = sorted(counted, key=lambda key: (ranks.index(key[0]), key[1]))
    changes = row.changes
    return Brief(
        row.host,
        row.path,
        row.verdict,
        row.read,
        row.because,
        row.kernel,
        row.unseen,
        tuple(
            (rule[:_LONGEST], s, counted[s, rule]) for s, rule in order[:_MOST_NAMED]
        ),
        len(row.groups),
        changes.change if changes else None,
        tuple(_changed(row)),
    )


def _ids(groups: Sequence[str]) -> str:
    more = "..." if len(groups) > _MOST_NAMED else ""
    return "+".join(group[:_LONGEST] for group in groups[:_MOST_NAMED]) + more


def _changed(row: Row) -> Iterable[str]:
    """Say in a few words what changed."""
    changes = row.changes
    if changes is None:
        return
    if changes.verdict is not None and changes.verdict is not row.verdict:
        yield f"was {changes.verdict.value}"
    for each in changes.groups[:_MOST_NAMED]:
        then, now = _ids(each.before), _ids(each.after)
        yield f"groups {then} -> {now} ({each.kind.value})"
    for devices, words in (
        (changes.ungrouped, "without a group"),
        (changes.grouped, "in a group now"),
        (changes.added, "new"),
        (changes.removed, "gone"),
    ):
        if devices:
            count = len(devices)
            yield f"{count} {'device' if count == 1 else 'devices'} {words}"
    for rules, word in ((changes.rules, "new"), (changes.cured, "gone")):
        if rules:
            yield f"{word}: {', '.join(r[:_LONGEST] for r in rules[:_MOST_NAMED])}"
