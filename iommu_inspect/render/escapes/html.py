"""Text of a source in HTML, SVG and other XML."""

from __future__ import annotations

import html
import json
import re

from iommu_inspect.model.text import printable

__all__ = ["attribute", "script_data", "text"]

# What would end a script, or begin a comment in one; and the two characters that end a
# line in JavaScript and not in JSON.
_OF_SCRIPTS = re.compile("[<>&\u2028\u2029]")


def text(source: str) -> str:
    """Return text between tags.

    Control characters, and what else XML 1.0 has no place for (a lone surrogate,
    U+FFFE), are written as a terminal shows them.
    """
    return html.escape(printable(source), quote=True)


def attribute(source: str) -> str:
    """Return the value of an attribute with its quotes. It is no address of a link."""
    return f'"{text(source)}"'


def script_data(document: object) -> str:
    """Return JSON that may stand inside ``<script type="application/json">``."""
    return _OF_SCRIPTS.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(document, ensure_ascii=True)
    )
