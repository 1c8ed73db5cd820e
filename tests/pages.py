"""HTML pages read by a parser that refuses what HTML does not allow."""

from __future__ import annotations

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import html5lib

__all__ = ["Page"]


class Page:
    """A page that was parsed without an error."""

    def __init__(self, text: str) -> None:
        self.text = text
        tree = html5lib.getTreeBuilder("etree")
        parser = html5lib.HTMLParser(tree, strict=True, namespaceHTMLElements=False)
        self.root: ET.Element = parser.parse(text)

    def all(self, tag: str) -> Iterator[ET.Element]:
        """Yield the elements of a name, in HTML or SVG."""
        for each in self.root.iter():
            if isinstance(each.tag, str) and each.tag.rpartition("}")[2] == tag:
                yield each

    def one(self, tag: str) -> ET.Element:
        (found,) = self.all(tag)
        return found

    def by_id(self, name: str) -> ET.Element:
        (found,) = (each for each in self.root.iter() if each.get("id") == name)
        return found

    @property
    def ids(self) -> list[str]:
        return [name for each in self.root.iter() if (name := each.get("id"))]

    @property
    def links(self) -> list[str]:
        return [each.get("href") or "" for each in self.all("a")]

    @property
    def policy(self) -> dict[str, str]:
        """The directives of the page's own content security policy."""
        metas = (m for m in self.all("meta") if m.get("http-equiv"))
        (content,) = (m.get("content") or "" for m in metas)
        parts = [part.strip().partition(" ") for part in content.split(";")]
        return {name: value for name, _, value in parts}

    def hashes(self, tag: str) -> list[str]:
        """The hashes of what stands between the tags, as a browser makes them."""
        inside = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", self.text, re.DOTALL)
        digests = (hashlib.sha256(each.encode()).digest() for each in inside)
        return [f"'sha256-{base64.b64encode(each).decode()}'" for each in digests]

    def words(self, of: ET.Element | None = None) -> str:
        """Return the text, with a space where a cell or a paragraph ends."""
        return " ".join("".join(_texts(self.root if of is None else of)).split())


def _texts(of: ET.Element) -> Iterator[str]:
    yield of.text or ""
    for each in of:
        yield from _texts(each)
        if each.tag in ("td", "th", "p", "li", "br", "dt", "dd", "caption"):
            yield " "
        yield each.tail or ""
