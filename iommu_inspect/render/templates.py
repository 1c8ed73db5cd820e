"""Pages made of templates: every value is escaped, for a terminal as well.

A page loads nothing. Its content security policy lets only its own style and script
through, by their hashes, so that no name of a source can bring another.
"""

from __future__ import annotations

import base64
import hashlib
import pkgutil

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from iommu_inspect.model.text import printable

__all__ = ["Templates", "policy"]


class Templates:
    """The templates of a room: files of the package, below ``templates/``."""

    def __init__(self, room: str) -> None:
        self._room = room
        self.environment = Environment(
            loader=FunctionLoader(self.text),
            autoescape=True,
            finalize=_shown,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self.environment.filters["whole_lines"] = _whole_lines

    def text(self, name: str) -> str:
        """Return a file's text as it is.

        Raises:
            FileNotFoundError: the room has no such file.
        """
        content = pkgutil.get_data(self._room, f"templates/{name}")
        if content is None:
            raise FileNotFoundError(name)
        return content.decode("utf-8")


def policy(style: str, script: str) -> str:
    """Return the content security policy of a page with this style and script."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _whole_lines(text: str) -> Markup:
    """Return a text of several lines, which only what is laid out is."""
    return Markup("\n").join(map(printable, text.split("\n")))


def _shown(value: object) -> object:
    """Write what a terminal or a reader would obey as a terminal shows it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(value)
