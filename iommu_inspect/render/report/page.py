"""The page: sections from templates, a style and a script that the page vouches for.

It loads nothing. Its content security policy lets only this style and this script
through, by their hashes, so that no name of a source can bring another.
"""

from __future__ import annotations

import base64
import hashlib
import pkgutil

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from iommu_inspect.audit.report import Report
from iommu_inspect.model.text import printable
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
    style = Markup(f"{_text('page.css')}\n{style_sheet()}")  # noqa: S704 (our own)
    script = Markup(_text("page.js"))  # noqa: S704 (our own)
    template = _environment().get_template("page.html")
    return template.render(
        title=f"IOMMU report: {report.machine.source.name}",
        policy=_policy(style, script),
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


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _environment() -> Environment:
    """Return the templates; every value in them is escaped, for a terminal as well."""
    found = Environment(
        loader=FunctionLoader(_text),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["whole_lines"] = _whole_lines
    return found


def _whole_lines(text: str) -> Markup:
    """Return a text of several lines, which only what is laid out is."""
    return Markup("\n").join(map(printable, text.split("\n")))


def _shown(value: object) -> object:
    """Write what a terminal or a reader would obey as a terminal shows it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(value)


def _text(name: str) -> str:
    content = pkgutil.get_data(__package__, f"templates/{name}")
    if content is None:
        raise FileNotFoundError(name)
    return content.decode("utf-8")
