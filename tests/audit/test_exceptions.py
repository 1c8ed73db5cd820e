"""What is set aside, and what that must never change."""

from __future__ import annotations

import pytest
from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.audit.exceptions import Ignore, ignore_rule, parse_ignores
from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.rules.finding import Severity
from iommu_inspect.rules.registry import RULES
from iommu_inspect.verdict.outcome import Verdict

# A group on vfio that a driver of the host spoils, one that nothing isolates, and two
# strangers that share a group (a warning).
MIXED = group(
    device("0000:02:00.0", "vfio-pci", group="2"),
    device("0000:02:00.1", "ahci", group="2"),
    id="2",
)
NO_IOMMU = group(
    device("0000:03:00.0", "vfio-pci", group="3"), id="3", name="vfio-noiommu"
)
STRANGERS = group(
    device("0000:04:00.0", "vfio-pci", group="4"),
    device("0000:05:00.0", "vfio-pci", group="4"),
    id="4",
)
EVERYTHING = tuple(Ignore(rule.id, "a test") for rule in RULES)


def judged(
    host: Machine, *targets: str, ignores: tuple[Ignore, ...] = (), strict: bool = False
) -> Audit:
    found = tuple(find_target(host, text) for text in targets)
    return audit(host, only(SINCE_6_6), found, ignores=ignores, strict=strict)


@pytest.mark.parametrize("target", ["02:00.0", "group:2", "03:00.0", "group:3"])
def test_ignoring_never_makes_a_target_ready(target: str) -> None:
    host = machine(MIXED, NO_IOMMU)
    assert judged(host, target).verdict is Verdict.BLOCKED
    result = judged(host, target, ignores=EVERYTHING)
    assert result.verdict is Verdict.BLOCKED
    assert result.findings == ()
    assert result.ignored


def test_nor_what_cannot_be_told() -> None:
    """The group's regions were not captured: an error that is unknown."""
    from iommu_inspect.model.fact import Missing

    untold = group(device("0000:02:00.0", "vfio-pci"), regions=Missing.ABSENT)
    for ignores in ((), EVERYTHING):
        result = judged(machine(untold), "02:00.0", ignores=ignores)
        assert result.verdict is Verdict.UNKNOWN


def test_nothing_that_is_ignored_is_lost() -> None:
    host = machine(MIXED, NO_IOMMU, STRANGERS)
    without = judged(host)
    result = judged(host, ignores=(ignore_rule("mixed-ownership"),))
    aside = [ignored.finding for ignored in result.ignored]
    assert aside == [f for f in without.findings if f.rule == "mixed-ownership"]
    assert list(result.findings) == [f for f in without.findings if f not in aside]


def test_a_whole_host_is_cleared_of_what_is_ignored_and_a_target_is_not() -> None:
    """An error of ours alone: the kernel would say yes to every step."""
    host = machine(group(device("0000:01:00.0", "vfio-pci")))
    expected = (Expectation(PciAddress(0, 1, 0, 0), 0x10DE, 0x1E04),)
    target = (find_target(host, "01:00.0"),)
    for targets, ignores, verdict in [
        ((), (), Verdict.BLOCKED),
        ((), EVERYTHING, Verdict.READY),
        (target, (), Verdict.BLOCKED),
        (target, EVERYTHING, Verdict.BLOCKED),
    ]:
        result = audit(
            host, only(SINCE_6_6), targets, ignores=ignores, expectations=expected
        )
        assert result.verdict is verdict


def test_but_not_of_what_the_kernel_refuses() -> None:
    assert judged(machine(MIXED), ignores=EVERYTHING).verdict is Verdict.BLOCKED


def test_the_summary_counts_ignored_errors() -> None:
    host = machine(MIXED, NO_IOMMU)
    assert judged(host, ignores=EVERYTHING).summary == judged(host).summary


def test_an_ignored_warning_is_no_error_of_strict() -> None:
    host = machine(STRANGERS)
    assert judged(host, "04:00.0", "05:00.0", strict=True).verdict is Verdict.BLOCKED
    result = judged(host, "04:00.0", "05:00.0", strict=True, ignores=EVERYTHING)
    assert result.verdict is Verdict.READY
    assert {i.finding.severity for i in result.ignored} <= {
        Severity.WARNING,
        Severity.INFO,
    }
    strictly = judged(host, strict=True, ignores=EVERYTHING)
    assert [p.possible.value for p in strictly.summary] == ["now"]


@pytest.mark.parametrize(
    ("devices", "fits"),
    [
        ((), True),
        (("0000:02:00.1",), True),  # the one that it is about
        (("0000:02:00.0",), False),  # a neighbour
        (("8086:1234",), True),
        (("8086:1235",), False),
        (("0000:09:00.0", "8086:1234"), True),
    ],
)
def test_devices_limit_an_exception(devices: tuple[str, ...], fits: bool) -> None:
    ignore = Ignore("mixed-ownership", "a test", devices)
    result = judged(machine(MIXED), ignores=(ignore,))
    assert bool(result.ignored) is fits


def test_ids_that_cannot_be_read_fit_no_exception() -> None:
    from dataclasses import replace

    from iommu_inspect.model.device import PciIds
    from iommu_inspect.model.fact import Missing

    first, second = MIXED.devices
    nameless = replace(second, ids=PciIds(Missing.ABSENT, Missing.ABSENT))
    host = machine(replace(MIXED, devices=(first, nameless)))
    ignore = Ignore("mixed-ownership", "a test", ("8086:1234",))
    assert judged(host, ignores=(ignore,)).ignored == ()


def test_a_finding_about_the_host_fits_no_device() -> None:
    host = machine(iommus=(), firmware_tables=())
    ignore = Ignore("no-iommu", "a test", ("0000:02:00.0",))
    assert judged(host, ignores=(ignore,)).ignored == ()
    assert judged(host, ignores=(Ignore("no-iommu", "a test"),)).ignored


def test_a_file_says_which_why_and_for_what() -> None:
    text = """
        [[ignore]]
        rule = "acs-override"
        reason = "our own guests"

        [[ignore]]
        rule = "partial-group"
        reason = "ports of one card"
        devices = ["3b:00.0", "8086:157B", "platform:gpu"]
    """
    assert parse_ignores(text, "fleet.toml") == (
        Ignore("acs-override", "our own guests"),
        Ignore(
            "partial-group",
            "ports of one card",
            ("0000:3b:00.0", "8086:157b", "platform:gpu"),
        ),
    )
    assert parse_ignores("# nothing yet\n", "fleet.toml") == ()


RULE = 'rule = "no-iommu"\n'
REASON = 'reason = "because"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[ignore]]\n" + RULE, "number 1: reason is missing"),
        ("[[ignore]]\n" + RULE + 'reason = " "\n', "reason is to be text"),
        ("[[ignore]]\n" + RULE + "reason = 7\n", "reason is to be text"),
        ("[[ignore]]\n" + REASON, "number 1: rule is missing"),
        ('[[ignore]]\nrule = "no-iomu"\n' + REASON, "close matches: no-iommu"),
        ('[[ignore]]\nrule = "zzz"\n' + REASON, "explain"),
        ("[[ignore]]\n" + RULE + REASON + "device = []\n", "close matches: devices"),
        ("[[ignore]]\n" + RULE + REASON + "devices = []\n", "devices is to be a list"),
        ("[[ignore]]\n" + RULE + REASON + 'devices = "a"\n', "devices is to be a list"),
        ("[[ignore]]\n" + RULE + REASON + "devices = [7]\n", "addresses and"),
        ("[ignore]\n" + RULE + REASON, "[[ignore]]"),
        ("ignore = [7]\n", "number 1 is no table"),
        ("[[ignored]]\n" + RULE + REASON, "'ignored' is not known"),
        ("ignore = \n", "fleet.toml: "),
        ("ignore = " + "[" * 5000, "fleet.toml: "),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(BadRequestError) as error:
        parse_ignores(text, "fleet.toml")
    message = str(error.value)
    assert message.startswith("fleet.toml")
    assert words in message
    assert "\n" not in message


def test_a_rule_that_does_not_exist_cannot_be_ignored() -> None:
    with pytest.raises(BadRequestError, match="no rule 'mixed'"):
        ignore_rule("mixed")


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\v", "\f"])
def test_a_line_ends_where_one_of_toml_ends(separator: str) -> None:
    """What only Python takes for the end of a line hides no line that is too long."""
    text = f"# one\n# {separator.join('ab' * 3000)}\n"
    with pytest.raises(BadRequestError, match="line 2 is longer"):
        parse_ignores(text, "a.toml")
