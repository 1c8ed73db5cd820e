"""What goes wrong with a source as a whole."""

from __future__ import annotations

__all__ = ["SourceError"]


class SourceError(Exception):
    """The source cannot be read at all, or cannot be trusted.

    The message is one line without a full stop that says what is wrong and, where
    there is one, what to do. The command line turns it into exit code 4.
    """
