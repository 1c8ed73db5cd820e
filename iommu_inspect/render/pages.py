"""A rule's page for the terminal: folded, without the marks of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from iommu_inspect.model.text import listed, printable
from iommu_inspect.render.layout import Style, table
from iommu_inspect.render.text import fold

if TYPE_CHECKING:  # a page is shown without any rule
    from iommu_inspect.rules._messages import Quote

__all__ = ["matches_text", "page_text", "parts"]

_FENCE = "```"
_HEADING = re.compile(r"#{1,6} +")
_ITEM = re.compile(r"( *)([-*]|\d+\.) +")
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_STRESS = re.compile(r"(?<![\w*])\*{1,2}(?=\S)([^*]+)(?<=\S)\*{1,2}(?![\w*])")
_CODE = "    "


def page_text(page: str, style: Style) -> str:
    """Lay out a page: prose is folded, what is to be copied stays as it is."""
    return "\n\n".join("\n".join(block) for block in _blocks(page, style))


def matches_text(quotes: Sequence[Quote], page: str, style: Style) -> str:
    """Lay out the page that quotes a message best, and name the others that do.

    Args:
        quotes: the rules whose pages quote it, the best first.
        page: the page of the first.
        style: how to print.
    """
    first, *others = quotes
    alike = [quote for quote in others if quote.weight == first.weight]
    head = f'The page {first.rule.id} quotes this: "{first.message}"'
    if alike:
        names = listed(quote.rule.id for quote in alike)
        head += f". It has more than one cause: see also {names}."
    blocks = [fold(head, style.width), page_text(page, style)]
    if others:
        about = {q.rule.id: q.rule.about.summary for q in alike}
        rows = [
            [q.rule.id, about.get(q.rule.id) or f'quotes "{q.message}"'] for q in others
        ]
        blocks += [
            table(["SEE ALSO", "ABOUT"], rows, style, paints={}),
            fold("(iommu-inspect explain RULE shows a page)", style.width),
        ]
    return "\n\n".join(blocks)


def _blocks(page: str, style: Style) -> Iterator[list[str]]:
    """Yield headings with what is below them, paragraphs, lists and blocks of code."""
    for kind, lines in parts(page):
        if kind == "title":
            yield [style.paint(printable(_HEADING.sub("", lines[0])), "cyan")]
        elif kind == "heading":
            name = _HEADING.sub("", lines[0]).upper()
            yield [style.paint(printable(name), "cyan")]
        elif kind == "code":
            yield _code(lines, style.width)
        elif kind == "list":
            yield list(_list(lines, style.width))
        else:
            yield [fold(_plain(" ".join(map(str.strip, lines))), style.width)]


def parts(page: str) -> Iterator[tuple[str, list[str]]]:
    """Cut a page at its empty lines, but for those inside of a block of code."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        start, line = at, lines[at]
        at += 1
        if not line.strip():
            continue
        if line.startswith(_FENCE):
            while at < len(lines) and not lines[at].startswith(_FENCE):
                at += 1
            yield "code", lines[start + 1 : at]
            at += 1
        elif line.startswith("#"):
            yield ("title" if line.startswith("# ") else "heading"), [line]
        elif line.startswith(_CODE):
            while at < len(lines) and (lines[at].startswith(_CODE) or not lines[at]):
                at += 1
            yield "code", [each[len(_CODE) :] for each in lines[start:at]]
        else:
            while at < len(lines) and lines[at] and not lines[at].startswith(_FENCE):
                at += 1
            kind = "list" if _ITEM.match(line) else "prose"
            yield kind, lines[start:at]


def _code(lines: list[str], width: int) -> list[str]:
    """Indent a block as far as its lines have room; never fold it."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    widest = max(map(len, lines), default=0)
    indent = " " * min(len(_CODE), max(width - widest, 0))
    return [(indent + printable(line)).rstrip() for line in lines]


def _list(lines: Iterable[str], width: int) -> Iterator[str]:
    items: list[tuple[str, list[str]]] = []
    for line in lines:
        match = _ITEM.match(line)
        if match is not None:
            items.append((match[0], [line[match.end() :]]))
        else:
            items[-1][1].append(line.strip())
    for mark, words in items:
        text = fold(_plain(" ".join(words)), width, mark, " " * len(mark))
        yield text


def _plain(text: str) -> str:
    """Take the marks off a paragraph; what is quoted and has spaces gets quotes."""
    parts = _SPAN.split(text)
    for number, part in enumerate(parts):
        if number % 2:
            parts[number] = _quoted(part)
        else:
            parts[number] = _STRESS.sub(r"\1", _LINK.sub(r"\1 (\2)", part))
    return "".join(parts)


def _quoted(span: str) -> str:
    if " " not in span:
        return span
    return f'"{span}"' if '"' not in span else f"'{span}'"
