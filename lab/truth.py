"""What a guest's kernel answered, in the words of the tool."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from iommu_inspect.kernel.answers import BLOCKS, NOT_APPLICABLE
from lab.errors import LabError
from lab.guest import Answer, Guest
from lab.steps import Step, Verb

__all__ = ["Truth", "answer_of", "ask", "result_of", "vfio_answers"]

_VFIO = {
    "VFIO_GROUP_SET_CONTAINER": "set_container",
    "VFIO_SET_IOMMU": "set_iommu",
}
_NODE = {
    "VFIO_DEVICE_BIND_IOMMUFD": "bind",
    "VFIO_DEVICE_ATTACH_IOMMUFD_PT": "attach",
}
_SET_IOMMUFD = "VFIO_GROUP_SET_CONTAINER(iommufd)"
_BY_IOMMUFD = "VFIO_GROUP_GET_DEVICE_FD(iommufd)"
# The module's own answer: it keeps nothing for this device, and called nobody.
_NOTHING_KEPT = f"-{errno.ENOENT}"


def result_of(value: str) -> str:
    """Return ``-EPERM`` for ``-1``, ``n/a`` for ``na``, ``0`` for ``0``.

    Raises:
        LabError: the question was one to a module that is not there.
    """
    if value == BLOCKS:
        return BLOCKS
    if value == "na":
        return "n/a"
    if value == "nomodule":
        raise LabError("the guest's module is not loaded")
    number = int(value)
    return "0" if number == 0 else f"-{errno.errorcode[-number]}"


@dataclass
class Truth:
    """One state of a guest: groups, drivers, and the answer to every question.

    ``answers`` has the tool's operation and target as its key. ``claimed`` is what
    ``iommu_group_dma_owner_claimed()`` says, by group, where the kernel has it.
    ``not_asked`` counts the questions to the module that the guest does not have.
    """

    groups: dict[str, frozenset[str]] = field(default_factory=dict)
    ungrouped: frozenset[str] = frozenset()
    drivers: dict[str, str | None] = field(default_factory=dict)
    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    claimed: dict[str, bool] = field(default_factory=dict)
    not_asked: int = 0

    def group_of(self, device: str) -> str | None:
        """Return the number of a device's group."""
        return next(
            (g for g, members in self.groups.items() if device in members), None
        )


def ask(guest: Guest, *, module: bool = True) -> Truth:
    """Ask a guest everything; it is as it was afterwards.

    Without the ``module`` its questions are left out, and counted: whether a device
    takes a domain, and whether a group can be, and has been, claimed.
    """
    truth = Truth()
    _read_groups(truth, guest.command("groups"))
    truth.answers.update(vfio_answers(guest.command("ask_all", 120).facts()))
    if module:
        _read_oracle(truth, guest.command("oracle_all", 120).facts())
    else:
        truth.not_asked = len(truth.drivers) + 2 * len(truth.groups)
    return truth


def _read_groups(truth: Truth, answer: Answer) -> None:
    ungrouped = set()
    for line in answer.lines:
        words = line.split()
        if words[:1] == ["GROUP"]:
            members = [word.partition("=") for word in words[4:]]
            truth.groups[words[1]] = frozenset(name for name, _, _ in members)
        elif words[:1] == ["UNGROUPED"]:
            members = [words[1].partition("=")]
            ungrouped.add(members[0][0])
        else:
            raise LabError(f"the guest printed no group: {line!r}")
        truth.drivers.update((name, driver or None) for name, _, driver in members)
    truth.ungrouped = frozenset(ungrouped)


def vfio_answers(facts: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], str]:
    """Return what VFIO said, by operation and what it was asked of.

    ``facts`` are the ``TRUTH`` lines of groups, of their devices and of the nodes that
    devices have of their own.
    """
    answers = dict[tuple[str, str], str]()
    for fact in facts:
        if fact["kind"] == "iommufd":
            answers.update(_of_node(fact))
        if fact["kind"] == "device_fd":
            answers["VFIO_GROUP_GET_DEVICE_FD", fact["dev"]] = result_of(fact["ret"])
        if fact["kind"] == "device_fd_by_iommufd":
            answers[_BY_IOMMUFD, fact["dev"]] = result_of(fact["ret"])
        if fact["kind"] == "by_iommufd":
            group = fact["group"].removeprefix("noiommu-")
            answers[_SET_IOMMUFD, group] = result_of(fact["set_container"])
        if fact["kind"] != "viable":
            continue
        # The node of a no-IOMMU group is called otherwise than the group.
        group = fact["group"].removeprefix("noiommu-")
        opened = result_of(fact["open"])
        if opened != "0":
            for operation in ("VFIO_GROUP_GET_STATUS", *_VFIO):
                answers[operation, group] = opened
            continue
        viable = "viable" if fact["viable"] == "1" else "not-viable"
        answers["VFIO_GROUP_GET_STATUS", group] = viable
        for operation, key in _VFIO.items():
            answers[operation, group] = result_of(fact[key])
    return answers


def _of_node(fact: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield what a device's own node answers."""
    if fact["iommufd"] != "0" or fact["ioas"] not in ("0", "na"):
        raise LabError(f"/dev/iommu cannot be used: {fact}")
    opened = result_of(fact["open"])
    for operation, key in _NODE.items():
        said = opened if opened != "0" else result_of(fact[key])
        yield (operation, fact["dev"]), said


def _read_oracle(truth: Truth, facts: Iterable[Mapping[str, str]]) -> None:
    for fact in facts:
        device, value = fact["dev"], fact["ret"]
        group = truth.group_of(device)
        match fact["kind"]:
            case "try-attach":
                truth.answers["iommu_attach_device", device] = result_of(value)
            case "try-claim" if group is not None:
                key = ("iommu_group_claim_dma_owner", group)
                found = result_of(value)
                if truth.answers.setdefault(key, found) != found:
                    raise LabError(f"members of group {group} answer differently")
            case "claimed" if group is not None and value != "na":
                truth.claimed[group] = value == "1"


def answer_of(step: Step, answer: Answer) -> str | None:
    """Return what the kernel answered to a step, ``None`` if it does not say.

    A claim that is not held says which call refused it.
    """
    facts = answer.facts()
    match step.verb:
        case Verb.HOTPLUG:
            return "0"
        case Verb.CLAIM:
            if any(fact["kind"] == "held" for fact in facts):
                return "0"
            asked = ("open", "set_container", "set_iommu")
            said = (fact.get(call, "0") for fact in facts for call in asked)
            return next((result_of(v) for v in said if v not in ("0", "na")), None)
        case Verb.OPEN:
            if any(fact["kind"] == "held" for fact in facts):
                return "0"
            said = (fact.get(call, "0") for fact in facts for call in ("open", "bind"))
            return next((result_of(v) for v in said if v not in ("0", "na")), None)
        case Verb.RELEASE | Verb.CLOSE:
            return "0" if any(fact.get("done") == "1" for fact in facts) else None
    said = (fact["ret"] for fact in reversed(facts) if "ret" in fact)
    value = next(said, None)
    if step.verb is Verb.DETACH and value == _NOTHING_KEPT:
        return NOT_APPLICABLE
    return None if value is None else result_of(value)
