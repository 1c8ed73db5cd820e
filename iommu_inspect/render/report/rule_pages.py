"""The rules' pages in HTML: the Markdown that they are written in, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from iommu_inspect.model.text import printable
from iommu_inspect.render.pages import parts

__all__ = ["page_html"]

_HEADING = re.compile(r"#{1,6} +")
_ITEM = re.compile(r" *(?:[-*]|(\d+)\.) +")
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_STRESS = re.compile(r"(?<![\w*])\*{1,2}(?=\S)([^*]+)(?<=\S)\*{1,2}(?![\w*])")
_URL = re.compile(r"https://[^\s<>\"'`()]*[^\s<>\"'`().,;:]")


def page_html(page: str) -> Markup:
    """Return a page without its title; its headings are of the fourth level."""
    return Markup("\n").join(_blocks(page))


def _blocks(page: str) -> Iterator[Markup]:
    for kind, lines in parts(page):
        if kind == "title":
            continue
        if kind == "heading":
            words = _HEADING.sub("", lines[0])
            yield Markup("<h4>{}</h4>").format(_inline(words))
        elif kind == "code":
            text = "\n".join(map(printable, lines)).rstrip()
            yield Markup("<pre><code>{}</code></pre>").format(text)
        elif kind == "list":
            yield _list(lines)
        else:
            yield Markup("<p>{}</p>").format(_inline(" ".join(map(str.strip, lines))))


def _list(lines: Sequence[str]) -> Markup:
    items: list[str] = []
    ordered = False
    for line in lines:
        match = _ITEM.match(line)
        if match is not None:
            ordered = ordered or match[1] is not None
            items.append(line[match.end() :])
        else:
            items[-1] += f" {line.strip()}"
    around = Markup("<ol>{}</ol>" if ordered else "<ul>{}</ul>")  # noqa: S704 (ours)
    inside = Markup("").join(
        Markup("<li>{}</li>").format(_inline(item)) for item in items
    )
    return around.format(inside)


def _inline(text: str) -> Markup:
    """Return a paragraph's text: code, links that lead out, and what is stressed."""
    found = Markup("")
    for number, part in enumerate(_SPAN.split(printable(text))):
        if number % 2:
            found += Markup("<code>{}</code>").format(part)
        else:
            found += _linked(part)
    return found


def _linked(text: str) -> Markup:
    found, at = Markup(""), 0
    for match in _LINK.finditer(text):
        found += _bare(text[at : match.start()])
        name, url = match[1], match[2]
        # A page of the repository is not beside this one.
        found += _out(url, name) if _URL.fullmatch(url) else _stressed(name)
        at = match.end()
    return found + _bare(text[at:])


def _bare(text: str) -> Markup:
    found, at = Markup(""), 0
    for match in _URL.finditer(text):
        found += _stressed(text[at : match.start()]) + _out(match[0], match[0])
        at = match.end()
    return found + _stressed(text[at:])


def _out(url: str, name: str) -> Markup:
    return Markup('<a href="{}" rel="noreferrer">{}</a>').format(url, name)


def _stressed(text: str) -> Markup:
    found, at = Markup(""), 0
    for match in _STRESS.finditer(text):
        found += escape(text[at : match.start()])
        found += Markup("<em>{}</em>").format(match[1])
        at = match.end()
    return found + escape(text[at:])
