"""What the rules that look at one case share, and what they do not."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, only
from shared import SYSFS

from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.registry import RULES
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.tree.opening import open_source


def _whole() -> Case:
    host = read_source(open_source(str(SYSFS / "half-a-group")))
    return Case(Inquiry(host, only(SINCE_6_6)))


def test_what_one_rule_finds_out_every_rule_has() -> None:
    whole = _whole()
    first, second = (whole.under(rule.about) for rule in RULES[:2])

    assert first.groups is second.groups is whole.groups
    assert first.about is not second.about


def test_a_case_about_another_target_does_not_have_what_the_first_found() -> None:
    whole = _whole()
    view = whole.under(RULES[0].about)
    assert len(view.groups) > 1

    target = find_target(whole.machine, "group:13")
    other = replace(view, targets=(target,))

    assert other.groups == (target.group,)
    assert other.under(RULES[0].about).groups == (target.group,)
