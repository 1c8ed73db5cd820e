"""What is said alike of many devices is one block, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from big_host import big_host
from builders import SINCE_6_6, device, group, machine, only
from counting import calls

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.audit.summary import alike
from iommu_inspect.audit.told_once import Told
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.asked.target import Target, find_target
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.render.audits.verdict import audit_text
from iommu_inspect.render.layout import Style
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.expectation import RULE


def judged(host: Machine, *targets: str) -> Audit:
    return audit(host, only(SINCE_6_6), tuple(find_target(host, t) for t in targets))


def of_rule(result: Audit, rule: str) -> list[Told]:
    return [told for told in result.told if told.finding.rule == rule]


SHARED = machine(
    group(
        device("0000:01:00.0", "vfio-pci"),
        device("0000:01:00.1", "xhci_hcd"),
        device("0000:01:00.2", "ahci"),
        device("0000:02:00.0", "nvme"),
    )
)


def test_neighbours_that_keep_a_group_are_one_block() -> None:
    result = judged(SHARED, "01:00.0")
    (told,) = of_rule(result, "mixed-ownership")
    assert told.same == ("0000:01:00.2 (ahci)", "0000:02:00.0 (nvme)")
    text = audit_text(result, Style(1000))
    assert text.count("error: mixed-ownership") == 1
    assert "The same of 0000:01:00.2 (ahci) and 0000:02:00.0 (nvme).\n" in text


def test_verbose_shows_each_by_itself_and_json_has_them_all() -> None:
    result = judged(SHARED, "01:00.0")
    text = audit_text(result, verbose=True)
    assert text.count("error: mixed-ownership") == 3
    assert "The same of" not in text
    assert sum(f.rule == "mixed-ownership" for f in result.findings) == 3


def test_groups_are_put_together_and_counted() -> None:
    hosts = [
        group(
            device(f"0000:0{n}:00.0", "vfio-pci", group=f"{n}"),
            device(f"0000:0{n}:00.1", driver, group=f"{n}"),
            id=f"{n}",
        )
        for n, driver in enumerate(("ahci", "nvme", "ixgbe"), 1)
    ]
    (told,) = of_rule(judged(machine(*hosts)), "mixed-ownership")
    assert told.groups == ("1", "2", "3")
    assert "error: mixed-ownership  3 groups\n" in audit_text(judged(machine(*hosts)))


def test_what_is_certain_is_never_told_with_what_cannot_be_told() -> None:
    host = machine(
        group(
            device("0000:01:00.0", "vfio-pci"),
            device("0000:01:00.1", Missing.DENIED),
            device("0000:01:00.2", "ahci"),
        )
    )
    told = of_rule(judged(host, "01:00.0"), "mixed-ownership")
    assert [each.same for each in told] == [(), ()]
    text = audit_text(judged(host, "01:00.0"))
    assert "\nerror: mixed-ownership  group 1\n" in text
    assert "\ncannot tell: mixed-ownership  group 1\n" in text
    # The cause first; what may be there as well comes after it.
    assert text.index("error: ") < text.index("cannot tell: ")


def test_words_that_differ_in_more_than_names_stay_apart() -> None:
    """Two neighbours and one are not the same to somebody who reads of a group."""
    three = group(*(device(f"0000:03:00.{f}", "ahci", group="3") for f in range(3)))
    two = group(*(device(f"0000:02:00.{f}", "ahci", group="2") for f in range(2)))
    host = machine(replace(two, id="2"), replace(three, id="3"))
    told = of_rule(judged(host, "02:00.0", "03:00.0"), "singleton-assumption")
    assert [each.same for each in told] == [(), ()]


def test_a_host_of_five_thousand_functions_fits_200_lines() -> None:
    host = big_host(5000, 1000)
    result = judged(host)
    texts = [audit_text(result, summary=summary) for summary in (False, True)]
    for text in texts:
        assert len(text.splitlines()) <= 200
        assert "mixed-ownership  1000 groups" in text


@pytest.mark.no_cover
def test_doubling_a_host_doubles_the_calls() -> None:
    def spent(functions: int) -> int:
        host = big_host(functions, functions // 5)
        return calls(lambda: judged(host))

    spent(200)  # imports
    assert spent(1000) < 2.3 * spent(500)


def test_verbose_shows_all_of_a_large_host() -> None:
    result = judged(big_host(200, 40))
    text = audit_text(result, verbose=True, summary=True)
    blocked = [f for f in result.findings if f.rule == "mixed-ownership"]
    assert text.count("error: mixed-ownership") == len(blocked)
    for prospect in result.summary:
        for each_device in prospect.devices:
            assert each_device.address in text


@pytest.mark.no_cover
def test_what_stands_before_one_large_group_is_told_in_time() -> None:
    def spent(members: int) -> int:
        untold = [
            device(f"0000:{k >> 5:02x}:{k >> 3 & 3:02x}.{k & 7}", Missing.ABSENT)
            for k in range(members)
        ]
        found = judged(machine(replace(group(*untold), whole=False))).summary
        assert len(found) == 1
        assert len(found[0].steps) > members
        return calls(lambda: alike(found))

    spent(20)
    assert spent(800) < 2.3 * spent(400)


@pytest.mark.no_cover
def test_expectations_are_not_gone_through_for_each_group() -> None:
    count = 300
    host = machine(*(group(device(f"0000:{k:02x}:00.0", None)) for k in range(3)))
    expected = tuple(
        Expectation(PciAddress(1, k >> 5, k & 31, 0), 0x8086, k) for k in range(count)
    )
    case = Case(Inquiry(host, only(SINCE_6_6)), expectations=expected)
    targets = [find_target(host, f"0000:0{k}:00.0") for k in range(3)]

    def judge(target: Target) -> int:
        asked = replace(case, targets=(target,))
        return calls(lambda: list(RULE.run(asked)))

    assert judge(targets[0]) > count  # the first looks at all of them
    assert judge(targets[1]) < count
