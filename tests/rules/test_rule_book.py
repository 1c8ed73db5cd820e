"""Every rule has its page, its place in the registry, and its name everywhere."""

from __future__ import annotations

import importlib
import itertools
import re
from pathlib import Path

from builders import ALL_ERAS, BEFORE_5_19, device, group, machine, only
from examples import each
from running import call, document
from shared import SYSFS

import iommu_inspect.kernel
import iommu_inspect.rules
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.iommu import InterruptRemapping, IommuUnit
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.rules._pages import page
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.registry import RULES, find_rule

HEADINGS = [
    "## What it checks",
    "## Why it matters",
    "## What the kernel does",
    "## Example",
    "## Remedy",
]
FOLDER = Path(iommu_inspect.rules.__file__).parent
STEMS = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if not path.stem.startswith("_")
    and path.stem not in ("base", "case", "finding", "registry")
)
IDS = [rule.id for rule in RULES]


@each("stem", STEMS)
def test_every_module_with_a_rule_is_registered(stem: str) -> None:
    module = importlib.import_module(f"iommu_inspect.rules.{stem}")
    assert module.RULE in RULES
    assert module.RULE.id == stem.replace("_", "-")


def test_the_registry_holds_each_module_once() -> None:
    assert sorted(IDS) == [stem.replace("_", "-") for stem in STEMS]


@each("rule_id", IDS)
def test_ids_are_kebab_case_and_find_their_rule(rule_id: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z][a-z0-9]*)*", rule_id)
    found = find_rule(rule_id)
    assert found is not None
    assert found.id == rule_id
    assert found.about.summary
    assert not found.about.summary.endswith(".")


@each("rule", RULES)
def test_every_page_has_its_headings_in_order_and_something_below_each(
    rule: Rule,
) -> None:
    lines = page(rule).splitlines()
    assert lines[0] == f"# {rule.id}"
    assert [line for line in lines if line in HEADINGS] == HEADINGS
    for heading in HEADINGS:
        below = lines[lines.index(heading) + 1 :]
        section = itertools.takewhile(lambda line: not line.startswith("## "), below)
        assert any(line.strip() for line in section), heading


@each("rule", RULES)
def test_pages_name_only_rules_that_exist(rule: Rule) -> None:
    named = re.findall(
        r"(?:error|warning|info): ([a-z0-9-]+)$", page(rule), re.MULTILINE
    )
    named += re.findall(r"iommu-inspect explain ([a-z0-9-]+)", page(rule))
    assert set(named) <= set(IDS)


def test_there_is_no_page_without_a_rule() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == STEMS


def test_every_rule_that_an_answer_names_is_registered() -> None:
    """Read from the sources too: no set of machines is sure to reach every answer."""
    machines = [
        machine(
            group(
                device("0000:01:00.0", driver), device("0000:01:00.1", other), **more
            ),
            ungrouped=[device("0000:09:00.0", group=None)],
            remapping=remapping,
            iommus=(IommuUnit("dmar0"),),
            vfio=vfio,
        )
        for driver, other in [
            ("vfio-pci", None),
            ("vfio-pci", "ahci"),
            (None, None),
            ("vfio-pci", Missing.ABSENT),
        ]
        for more in ({}, {"name": "vfio-noiommu"}, {"regions": Missing.ABSENT})
        for remapping in (*InterruptRemapping, Missing.ABSENT)
        for vfio in (VfioSettings(type1_loaded=True), VfioSettings(type1_loaded=False))
    ]
    named = {
        prediction.answer.rule
        for m in machines
        for era in ALL_ERAS
        for prediction in Inquiry(m, only(era)).predictions()
    }
    assert len(named) >= 6
    kernel = Path(iommu_inspect.kernel.__file__).parent
    for file in kernel.glob("*.py"):
        text = file.read_text()
        named |= set(re.findall(r'(?:rule|_RULE)\b[^=\n]* = "([a-z0-9-]+)"', text))
        named |= set(re.findall(r'Answer\(\s*[^,()]+,\s*"([a-z-]+)"', text))
    assert named <= set(IDS)


@each("name", sorted(p.name for p in SYSFS.iterdir() if p.is_dir()))
def test_findings_and_answers_on_fixtures_name_registered_rules(name: str) -> None:
    for command, key in (("audit", "findings"), ("predict", "predictions")):
        found = document(command, "--from", SYSFS / name)[key]
        assert {entry["rule"] for entry in found} <= set(IDS)


def test_explain_lists_every_rule_once_and_shows_every_page() -> None:
    lines = call("explain").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == IDS
    for rule in RULES:
        shown = call("explain", rule.id).stdout
        assert shown.splitlines()[0] == rule.id
        assert [
            x for x in map(str.upper, _names()) if x not in shown.splitlines()
        ] == []
        (entry,) = document("explain", rule.id)["rules"]
        assert (entry["page"], entry["message"]) == (page(rule), None)


def _names() -> list[str]:
    return [heading.removeprefix("## ") for heading in HEADINGS]


def test_a_finding_cites_what_it_rests_on_where_the_kernel_decides() -> None:
    found = document("audit", "0000:05:01.0", "--from", SYSFS / "bridge-shpchp")
    bridge = next(f for f in found["findings"] if f["rule"] == "bridge-driver")
    assert any("driver_managed_dma" in cite for cite in bridge["references"])


def test_an_old_kernel_warns_of_a_crash_and_a_new_one_does_not() -> None:
    from iommu_inspect.audit.auditing import audit
    from iommu_inspect.model.asked.target import find_target

    host = machine(
        group(device("0000:01:00.0", "vfio-pci"), device("0000:01:00.1", "ahci"))
    )
    target = find_target(host, "01:00.0")
    for era in ALL_ERAS:
        result = audit(host, only(era), (target,))
        text = next(f.message for f in result.findings if f.rule == "mixed-ownership")
        assert ("crash the host" in text) is (era.since <= BEFORE_5_19.since)
