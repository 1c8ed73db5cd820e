"""What ``audit --baseline`` names: an earlier source, or the document of an audit."""

from __future__ import annotations

from collections.abc import Callable

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.baseline import Baseline, targets_then
from iommu_inspect.audit.baseline_document import is_document, parse_baseline
from iommu_inspect.cli.output import complain
from iommu_inspect.cli.session import rules_of
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.tree.opening import Text, open_source

__all__ = ["baseline_of"]


def baseline_of(
    file: str,
    machine: Machine,
    targets: tuple[Target, ...],
    semantics: str,
    purpose: Purpose,
    judge: Callable[..., Audit],
) -> Baseline:
    """Return the earlier audit of the same targets.

    Raises:
        BadRequestError: the file has an audit of something else.
        SourceError: it cannot be read.
    """
    opened = open_source(file)
    if isinstance(opened, Text) and is_document(opened.content):
        found = parse_baseline(opened.content, opened.label, purpose)
        _check(found, machine, targets)
        return found
    before = read_source(opened, processes=True)
    for note in before.notes:
        complain(f"note: {note}")
    rules = rules_of(before, semantics)
    then = targets_then(before, machine, targets)
    if targets and not then:  # nothing of it was there
        return Baseline(before.source.name, before, (), {}, rules)
    result = judge(before, rules, then)
    return Baseline.of(before.source.name, before, result, rules)


def _check(found: Baseline, machine: Machine, targets: tuple[Target, ...]) -> None:
    """An audit of other targets has nothing to say about these."""
    then = {t.identity for t in targets_then(found.machine, machine, targets)}
    asked = set(found.verdicts)
    if bool(targets) != bool(asked) or not then <= asked:
        about = ", ".join(sorted(map(str, asked))) or "a whole host"
        raise BadRequestError(
            f"{found.name} is an audit of {about}; a baseline has the same targets"
        )
