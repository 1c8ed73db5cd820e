"""The page: sections from templates, a style and a script that the page vouches for.

It loads nothing. Its content security policy lets only this style and this script
through, by their hashes, so that no name of a source can bring another.
"""

from __future__ import annotations

from markupsafe import Markup

from iommu_inspect.audit.report import Report
from iommu_inspect.render.differences.text import diff_text
from iommu_inspect.render.graph.building import scene_of
from iommu_inspect.render.graph.folding import folded_for
from iommu_inspect.render.graph.svg import scene_svg
from iommu_inspect.render.graph.svg_style import style_sheet
from iommu_inspect.render.layout import Style
from iommu_inspect.render.report.findings import (
    gone_rows,
    ignored_rows,
    known_rows,
    rows,
    rules_of,
)
from iommu_inspect.render.report.groups import anchors_of, group_rows
from iommu_inspect.render.report.head import head_of
from iommu_inspect.render.report.rule_pages import page_html
from iommu_inspect.render.report.trial import trial_of
from iommu_inspect.render.templates import Templates, policy
from iommu_inspect.rules._pages import page_named
from iommu_inspect.rules.finding import Severity

__all__ = ["report_page"]

_DIFF_WIDTH = 100


def report_page(report: Report, *, notes: bool = False) -> str:
    """Return the whole page, without a newline at its end.

    Args:
        report: What was found out.
        notes: Show findings of severity info too.
    """
    result = report.result
    anchors = anchors_of(report)
    found = rows(result, anchors, notes=notes)
    known = known_rows(result, report.machine, anchors, notes=notes)
    gone = gone_rows(result)
    infos = sum(each.severity is Severity.INFO for each in result.findings)
    asked = [device for each in result.targets for device in each.target.devices]
    scene = folded_for(scene_of(report.picture, asked))
    templates = Templates(__package__)
    sheet = f"{templates.text('page.css')}\n{style_sheet()}"
    style = Markup(sheet)  # noqa: S704 (our own)
    script = Markup(templates.text("page.js"))  # noqa: S704 (our own)
    template = templates.environment.get_template("page.html")
    return template.render(
        title=f"IOMMU report: {report.machine.source.name}",
        policy=policy(style, script),
        style=style,
        script=script,
        head=head_of(report),
        picture=Markup(scene_svg(scene, inline=True)),  # noqa: S704 (escaped there)
        findings=found,
        kinds=tuple(dict.fromkeys(row.kind for row in found)),
        hidden_notes=0 if notes else infos,
        since=result.since,
        known=known,
        gone=gone,
        ignored=ignored_rows(result),
        groups=group_rows(report),
        trial=trial_of(report.tried, anchors) if report.tried else None,
        differences=(
            diff_text(report.differences, Style(_DIFF_WIDTH))
            if report.differences
            else ""
        ),
        pages=_pages(rules_of((*found, *known))),
    ).rstrip("\n")


def _pages(rules: tuple[str, ...]) -> tuple[tuple[str, Markup], ...]:
    return tuple((rule, page_html(page_named(rule) or "")) for rule in rules)
