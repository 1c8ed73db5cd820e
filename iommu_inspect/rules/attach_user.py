"""A device whose driver needs a group of one for itself."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.answers import OK, UNKNOWN
from iommu_inspect.kernel.citations import (
    PROPOSED_SINGLE_DRIVER,
    SINGLETON,
    SKETCHED_SINGLE_DRIVER,
)
from iommu_inspect.kernel.ownership.attach_users import AttachUser, attach_user
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="attach-user",
    summary="a driver that calls iommu_attach_device(), which needs a group of one",
    severity=Severity.WARNING,
    references=(SINGLETON, SKETCHED_SINGLE_DRIVER, PROPOSED_SINGLE_DRIVER),
    purposes=EVERY_PURPOSE,
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    for device in group.devices:
        user = attach_user(device, case.machine)
        if user is not None:
            yield _judge(case, group, device, user)


def _judge(case: Case, group: Group, device: Device, user: AttachUser) -> Finding:
    answer = case.inquiry.attach(device)
    proposed = _proposal(
        answer.result,
        case.sketched.attach(device).result,
        case.posted.attach(device).result,
    )
    unknown = answer.result == UNKNOWN
    works = answer.result == OK
    return case.finding(
        device,
        f"{shown(device.address)} is on {shown(str(device.driver))}: {user.caller} "
        f"calls iommu_attach_device() for it {user.when}. "
        f"{_outcome(answer.result, answer.because, user)} {proposed}",
        _remedy(group, works=works, unknown=unknown),
        others=case.neighbours(device),
        severity=Severity.INFO if works else None,
        certainty=Certainty.UNKNOWN if unknown else Certainty.KERNEL,
        references=(user.source, *ABOUT.references),
    )


def _outcome(result: str, because: str, user: AttachUser) -> str:
    if result == OK:
        return "It is alone in its group, so the kernel returns 0 as things are now."
    if result == UNKNOWN:
        return f"What the kernel returns cannot be told: {because}."
    return f"The kernel returns {result} ({because}), and {user.failure}."


def _proposal(result: str, sketched: str, posted: str) -> str:
    if sketched == posted == result:
        return f"Under the proposed rules the answer is {result} as well."
    return (
        "Under the proposed single-driver rule the answer is "
        f"{sketched} as it was sketched (2021-11-18), {posted} as it was posted "
        "(2022-01-06)."
    )


def _remedy(group: Group, *, works: bool, unknown: bool) -> str:
    if works:
        return (
            "Nothing to do. The group has to stay as it is while the domain is in use."
        )
    if unknown:
        return "Look at what is in its group and which kernel runs."
    if len(group.devices) > 1:
        return (
            "The device needs a group of its own: put it below another port, one that "
            "isolates it. iommu-inspect why says where isolation is lost."
        )
    return "See what holds the group."


RULE = Rule(ABOUT, check_group=_check)
