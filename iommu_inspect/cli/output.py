"""The one place that writes to the terminal."""

from __future__ import annotations

import os
import shutil
import sys

import typer

from iommu_inspect.cli.exits import Exit
from iommu_inspect.model.text import printable, printable_lines
from iommu_inspect.render.layout import Style

__all__ = ["complain", "emit", "silence", "style"]


def style() -> Style:
    """Return the terminal's width, and colours where a person will see them.

    Output that is piped is 80 columns wide, unless COLUMNS says otherwise.
    """
    width = shutil.get_terminal_size((80, 24)).columns
    if sys.stdout and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return Style(width, lambda text, colour: typer.style(text, fg=colour))
    return Style(width)


def emit(text: str) -> None:
    """Print the result. A reader that goes away early (``| head``) is no error.

    Raises:
        typer.Exit: the result could not be written; that has been said.
    """
    if not sys.stdout:  # the program was started without any
        return
    try:
        sys.stdout.write(f"{_fit(text, sys.stdout.encoding)}\n")
        sys.stdout.flush()
    except OSError as error:
        silence()
        if not isinstance(error, BrokenPipeError):
            complain(f"cannot write the result: {error.strerror}")
            raise typer.Exit(Exit.INTERNAL) from None


def silence() -> None:
    """Keep the interpreter from complaining when it flushes once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(message: str) -> None:
    """Print one line for a person to standard error, whatever the message holds."""
    typer.echo(f"iommu-inspect: {printable(message)}", err=True)


def _fit(text: str, encoding: str | None) -> str:
    """Escape what a terminal would obey, and what the output's encoding has not."""
    text = printable_lines(text)
    if text.isascii():
        return text
    encoding = encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)
