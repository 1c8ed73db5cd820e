"""The one place that writes to the terminal."""

from __future__ import annotations

import contextlib
import enum
import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from iommu_inspect.cli.exits import Exit
from iommu_inspect.model.text import printable, printable_lines

if TYPE_CHECKING:
    from iommu_inspect.render.layout import Style

__all__ = [
    "Color",
    "complain",
    "emit",
    "ending_in_order",
    "settle",
    "silence",
    "style",
    "write_lines",
]


class Color(enum.StrEnum):
    """When to colour what is printed."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "bold": 1}


def style(color: Color = Color.AUTO, *, printed: bool = True) -> Style:
    """Return the terminal's width, and colours where a person will see them.

    Output that is piped, or not ``printed`` but saved, is 80 columns wide, and its
    tables as wide as they are, unless COLUMNS says otherwise. With ``auto`` NO_COLOR
    and a dumb terminal have no colours.
    """
    import shutil

    from iommu_inspect.render.layout import ASCII_MARKS, Marks, Style

    on_terminal = printed and bool(sys.stdout) and sys.stdout.isatty()
    if printed or os.environ.get("COLUMNS"):
        width = shutil.get_terminal_size((80, 24)).columns
    else:
        width = 80
    coloured = color is Color.ALWAYS or (
        color is Color.AUTO
        and on_terminal
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    drawn = Marks()
    can_draw = _draws(drawn.more + drawn.member + drawn.last)
    return Style(
        width,
        _paint if coloured else Style().paint,
        cut=on_terminal or bool(os.environ.get("COLUMNS")),
        marks=drawn if can_draw else ASCII_MARKS,
    )


def _paint(text: str, colour: str) -> str:
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def _draws(characters: str) -> bool:
    """Say whether the output's encoding has the characters that lines are made of."""
    encoding = sys.stdout.encoding if sys.stdout else None
    try:
        characters.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


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


def write_lines(lines: Iterable[str]) -> None:
    """Print lines for a program that asked for them, as they are."""
    with contextlib.suppress(OSError):
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


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
    from iommu_inspect.cli.progress import erase

    erase()
    try:
        sys.stderr.write(f"iommu-inspect: {printable(message)}\n")
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)
