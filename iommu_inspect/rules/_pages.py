"""The rules' pages: each lies beside its rule, with the same stem."""

from __future__ import annotations

import pkgutil
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # to show a page asks for no rule
    from iommu_inspect.rules.base import Rule

__all__ = ["page", "page_named"]

_ID = re.compile(r"[a-z][a-z0-9-]*")


def page(rule: Rule) -> str:
    """Return a rule's page, Markdown."""
    return page_named(rule.id) or ""


def page_named(rule_id: str) -> str | None:
    """Return the page of the rule of this id, ``None`` if there is none."""
    if not _ID.fullmatch(rule_id):
        return None
    try:
        content = pkgutil.get_data(__package__, f"{rule_id.replace('-', '_')}.md")
    except OSError:
        return None
    return None if content is None else content.decode("utf-8")
