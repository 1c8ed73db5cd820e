"""Words about hosts that the table and the page have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from iommu_inspect.audit.fleet.counts import Counts
from iommu_inspect.audit.fleet.row import Change
from iommu_inspect.audit.fleet.tally import HOSTS, OWNERS, Brief, State, Tally
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.rules.finding import Severity

__all__ = [
    "Counted",
    "Device",
    "by_hosts",
    "change_words",
    "devices_of",
    "host_words",
    "rules_of",
    "state_word",
    "sums_of",
    "what_words",
]

_SUMS = ("blocked", "not read", "cannot be told", "ready")
_STATES = ("blocked", "not read", "cannot tell", "ready")
_UNSEEN = {
    "driver": "drivers",
    "kind": "kinds of drivers",
    "group": "groups",
    "listing": "lists of devices",
}
_CHANGES = {
    Change.SAME: "as last time",
    Change.CHANGED: "changed",
    Change.NEW: "new",
    Change.GONE: "gone",
    Change.UNTOLD: "cannot be compared",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """A key of `Counts` and its numbers."""

    key: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """Devices of one kind: how many hosts have them, how many there are, by owner."""

    ids: str
    hosts: int
    count: int
    owned: Mapping[Ownership, int]
    name: str


def state_word(state: State) -> str:
    """Return what a host came to, in a word or two."""
    return _STATES[HOSTS.index(state)]


def sums_of(tally: Tally) -> tuple[tuple[str, str, int], ...]:
    """Return what hosts came to: a word for sentences, one for a host, how many."""
    return tuple(zip(_SUMS, _STATES, tally.hosts, strict=True))


def host_words(tally: Tally) -> str:
    """Count hosts in a sentence without its end."""
    parts = [f"{count} {word}" for word, _, count in sums_of(tally) if count]
    return f"{_hosts(tally.count)}: {', '.join(parts)}"


def change_words(tally: Tally) -> str:
    """Count what hosts are to last time; empty without one."""
    parts = [
        f"{count} {_CHANGES[change]}"
        for change, count in zip(Change, tally.changes, strict=True)
        if count
    ]
    if not parts:
        return ""
    moved = [f"{count} {word}" for word, count in tally.moved]
    groups = f"; groups: {', '.join(moved)}" if moved else ""
    return f"Since last time: {', '.join(parts)}{groups}"


def what_words(brief: Brief, *, short: bool = False) -> str:
    """Say what is the matter with a host, and what changed.

    A reason can end in what to do, which is left out of a ``short`` one.
    """
    because = brief.because.partition("; ")[0] if short else brief.because
    return "; ".join((*_matter(brief, because), *_since(brief)))


def _matter(brief: Brief, because: str) -> Iterator[str]:
    if because:
        yield because
    found = [
        rule if count == 1 else f"{rule} ({count})"
        for rule, severity, count in brief.rules
        if severity is Severity.ERROR
    ]
    if found:
        yield ", ".join(found)
    elif brief.unseen:
        yield f"not shown: {', '.join(_UNSEEN.get(u, u) for u in brief.unseen)}"
    elif not brief.because and brief.rules:
        count = sum(number for _, _, number in brief.rules)
        yield f"{count} warning{'' if count == 1 else 's'}"


def _since(brief: Brief) -> Iterator[str]:
    if brief.change in (Change.NEW, Change.UNTOLD):
        yield _CHANGES[brief.change]
    if brief.changed:
        yield f"since last time: {', '.join(brief.changed)}"


def rules_of(tally: Tally) -> tuple[Counted, ...]:
    """Return rules with their hosts and findings: errors first, then the most hosts.

    A key is a rule and its severity, as the tally has it. Notes are left out.
    """
    ranks = [severity.value for severity in Severity]
    found = by_hosts(tally.rules)
    shown = [each for each in found if not each.key.endswith(" info")]
    return tuple(
        sorted(shown, key=lambda each: ranks.index(each.key.rpartition(" ")[2]))
    )


def by_hosts(counts: Counts) -> tuple[Counted, ...]:
    """Return what is counted, that with most in it first."""
    found = [Counted(key, numbers) for key, numbers in counts.kept.items()]
    return tuple(sorted(found, key=lambda each: (-_weight(each.numbers), each.key)))


def _weight(numbers: Sequence[int]) -> int:
    # Of kernels the hosts are the sum, of others the first number.
    return sum(numbers) if len(numbers) == len(HOSTS) else numbers[0]


def devices_of(tally: Tally, names: Mapping[str, str]) -> tuple[Device, ...]:
    """Return kinds of devices, those of most hosts first."""
    found = []
    for each in by_hosts(tally.devices):
        hosts, *owned = each.numbers
        owners = dict(zip(OWNERS, owned, strict=True))
        name = names.get(each.key, "")
        found.append(Device(each.key, hosts, sum(owned), owners, name))
    return tuple(found)


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"
