"""Makes ``docs/rules.md``, the index of the rules: ``python -m tools.rule_index``."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.finding import USER_SPACE, Purpose
from iommu_inspect.rules.registry import RULES

__all__ = ["render"]

_HEAD = """\
# Rules

Made from the registry by `make docs/rules.md`; do not edit.

Each rule has a page, which `iommu-inspect explain RULE` prints too: what it checks,
what kernels do, the messages to search for, the remedy. "For" says at which
`audit --for` the rule speaks; "user space" is `vfio`, `dpdk` and `one-per-group`.

| rule | what it finds | for |
|---|---|---|
"""
_PAGES = "../iommu_inspect/rules"


def render(rules: Iterable[Rule]) -> str:
    """Return the index, Markdown, in the registry's order."""
    return _HEAD + "".join(map(_row, rules))


def _row(rule: Rule) -> str:
    page = f"{_PAGES}/{rule.id.replace('-', '_')}.md"
    return f"| [{rule.id}]({page}) | {rule.about.summary} | {_purposes(rule)} |\n"


def _purposes(rule: Rule) -> str:
    if rule.about.purposes == frozenset(Purpose):
        return "all"
    if rule.about.purposes == USER_SPACE:
        return "user space"
    return ", ".join(p.value for p in Purpose if p in rule.about.purposes)


if __name__ == "__main__":
    print(render(RULES), end="")
