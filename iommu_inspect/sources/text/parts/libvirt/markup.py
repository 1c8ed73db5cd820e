"""Takes XML apart, line by line, without what makes it dangerous.

Entities are never expanded and declarations never followed: a text with them is refused
as a whole. Nothing here knows what an element means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Markup", "Token"]

_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][\w.-]*)"
    r"(?P<attributes>(?:\s+[\w:.-]+\s*=\s*(?:'[^'<]*'|\"[^\"<]*\"))*)\s*(?P<empty>/?)>"
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)\s*=\s*(?:'([^'<]*)'|\"([^\"<]*)\")")
_SKIPPED = re.compile(r"<\?[^>]*\?>|<!--(?:(?!-->).)*-->")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos);")
_MOST_OPEN = 8192


@dataclass(frozen=True, slots=True)
class Token:
    """A tag that opens or closes an element, or the text between two tags."""

    kind: str
    """``open``, ``close`` or ``text``."""
    text: str
    """The element's name, or the text."""
    attributes: tuple[tuple[str, str], ...] = ()

    def attribute(self, name: str) -> str | None:
        """Return an attribute's value."""
        return next((value for key, value in self.attributes if key == name), None)


@dataclass(slots=True)
class Markup:
    """A stream of lines; a tag may be spread over several. ``broken`` ends it."""

    broken: bool = False
    _open: str = field(default="")

    def feed(self, line: str) -> Iterator[Token]:
        """Yield what a line has; nothing once something cannot be read."""
        if self.broken:
            return
        text = f"{self._open} {line}" if self._open else line
        self._open = ""
        at = 0
        while at < len(text):
            start = text.find("<", at)
            if start < 0:
                yield from _text(text[at:])
                return
            yield from _text(text[at:start])
            skipped = _SKIPPED.match(text, start)
            if skipped:
                at = skipped.end()
                continue
            tag = _TAG.match(text, start)
            if tag is None:
                self._hold(text[start:])
                return
            at = tag.end()
            yield from _tokens(tag)

    def _hold(self, rest: str) -> None:
        """Keep the beginning of a tag for the next line, if it can be one."""
        comment = rest.startswith("<!--")
        declared = rest.startswith("<!") and not comment
        if declared or (">" in rest and not comment) or len(rest) > _MOST_OPEN:
            self.broken = True
        else:
            self._open = rest


def _tokens(tag: re.Match[str]) -> Iterator[Token]:
    name = tag["name"]
    if tag["close"]:
        yield Token("close", name)
        return
    attributes = tuple(
        (key, _plain(single or double))
        for key, single, double in _ATTRIBUTE.findall(tag["attributes"])
    )
    yield Token("open", name, attributes)
    if tag["empty"]:
        yield Token("close", name)


def _text(text: str) -> Iterator[Token]:
    if text.strip():
        yield Token("text", _plain(text.strip()))


def _plain(text: str) -> str:
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], text)
