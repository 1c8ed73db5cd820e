"""The one place that writes to the terminal."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from iommu_inspect.cli.exits import Exit
from iommu_inspect.model.text import printable, printable_lines

if TYPE_CHECKING:
    from iommu_inspect.render.layout import Style

__all__ = ["complain", "emit", "ending_in_order", "settle", "silence", "style"]


def style() -> Style:
    """Return the terminal's width, and colours where a person will see them.

    Output that is piped is 80 columns wide, unless COLUMNS says otherwise.
    """
    import shutil

    from iommu_inspect.render.layout import Style

    width = shutil.get_terminal_size((80, 24)).columns
    if sys.stdout and sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        import typer

        return Style(width, lambda text, colour: typer.style(text, fg=colour))
    return Style(width)


def settle() -> None:
    """Let every name through; one that the output's encoding lacks is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let who is asked to end, as by Ctrl-C, undo first what is half done."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)


def emit(text: str) -> bool:
    """Print the result. A reader that goes away early (``| head``) is no error.

    Returns:
        Whether more can be printed: the reader has not gone away.

    Raises:
        SystemExit: the result could not be written; that has been said.
    """
    if not sys.stdout:  # the program was started without any
        return True
    try:
        sys.stdout.write(f"{printable_lines(text)}\n")
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            complain(f"cannot write the result: {error.strerror}")
            sys.exit(Exit.INTERNAL)
        return False
    return True


def silence(stream: TextIO) -> None:
    """Keep the interpreter from complaining when it flushes once more at exit."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def complain(message: str) -> None:
    """Print one line for a person to standard error; nobody need be there to read."""
    if not sys.stderr:
        return
    try:
        sys.stderr.write(f"iommu-inspect: {printable(message)}\n")
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)
