"""URLs as they are told: who may read what is behind one stays out of every result."""

from __future__ import annotations

import re

__all__ = ["shown"]

# "://user:password@host", and the signature of a link that was made for somebody.
_USER = re.compile(r"(?<=://)[^/\s?#'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?#]*)[?#](?:(?!::)[^\s'\"])*")


def shown(text: str) -> str:
    """Return a URL, or what somebody says of one, without users, keys and queries.

    Text without a URL is returned as it is.
    """
    return _QUERY.sub(r"\1", _USER.sub("", text))
