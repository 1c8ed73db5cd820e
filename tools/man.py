"""Writes the manual pages: one of the program, and one of each command.

    python -m tools.man FOLDER

What is in them is what `--help` says, from the same declarations, in mdoc(7).
`make man` writes them below ``dist/man``.
"""

from __future__ import annotations

import enum
import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from iommu_inspect import __version__
from iommu_inspect.cli.declared import Command, Parameter, parameters
from iommu_inspect.cli.main import COMMANDS
from tools.release.changelog import sections

__all__ = ["main", "pages"]

_CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"
# Of what is not released; who shows the page puts the day there.
_NO_DAY = "$Mdocdate$"
_EXIT_CODES = re.compile(r"(?=\b\d )")
_SAID_BY_ROFF = re.compile(r"^([.'])", re.MULTILINE)


def main(folder: str) -> None:
    """Write all pages into a folder."""
    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    for name, page in pages():
        (into / name).write_text(page)


def pages() -> Iterator[tuple[str, str]]:
    """Yield each page's file name and its text."""
    commands = {
        name: getattr(import_module(module), function)
        for name, (module, function) in COMMANDS.items()
    }
    yield "iommu-inspect.1", "\n".join(_of_program(commands)) + "\n"
    for name, command in commands.items():
        yield f"iommu-inspect-{name}.1", "\n".join(_of_command(name, command)) + "\n"


def _of_program(commands: dict[str, Command]) -> Iterator[str]:
    yield from _head("iommu-inspect", "what the kernel answers who takes a device")
    yield from (".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar options", ".Nm")
    yield from (".Fl Fl version", ".Sh DESCRIPTION")
    yield from _text(
        "Say what the kernel will answer when a device is handed to user space, and "
        "what to do about it. Reads this host, or a capture of one, and changes "
        "nothing."
    )
    yield from (".Pp", "The commands are:", ".Bl -tag -width Ds")
    for name, command in commands.items():
        yield f".It Nm {name}"
        yield from _text(_paragraphs(command)[0])
        yield f"See iommu-inspect-{name}(1)."
    yield ".El"
    yield from (".Sh ENVIRONMENT", ".Bl -tag -width Ds")
    yield from (".It Ev COLUMNS", "How wide the output is, if it is piped.")
    yield from (".It Ev NO_COLOR", "If it is set, nothing is coloured.")
    yield from (".It Ev IOMMU_INSPECT_DEBUG", "If it is set, an internal error is")
    yield from ("shown with all that is known of it.", ".El")
    yield from (".Sh EXIT STATUS", ".Bl -tag -width Ds", ".It 0", "All is well.")
    yield from (".It 1", "Blocked, or different.", ".It 2", "Wrong usage.")
    yield from (".It 3", "It cannot be told.", ".It 4", "The source is unreadable.")
    yield from (".El", ".Sh SEE ALSO")
    yield " ,\n".join(f".Xr iommu-inspect-{name} 1" for name in sorted(commands))


def _of_command(name: str, command: Command) -> Iterator[str]:
    first, *more = _paragraphs(command)
    yield from _head(f"iommu-inspect-{name}", first.rstrip("."))
    takes = parameters(command).values()
    arguments = [each for each in takes if not each.names]
    options = [each for each in takes if each.names]
    yield from (".Sh SYNOPSIS", ".Nm iommu-inspect", f".Cm {name}", ".Op Ar options")
    for each in arguments:
        yield f".Ar {_escaped(each.declared.metavar or each.name)}"
    yield ".Sh DESCRIPTION"
    yield from _text(first)
    ends = [text for text in more if text.startswith("Exit code: ")]
    for text in more:
        if text not in ends:
            yield ".Pp"
            yield from _text(text)
    yield from (".Bl -tag -width Ds",)
    for each in arguments:
        yield f".It Ar {_escaped(each.declared.metavar or each.name)}"
        yield from _text(each.declared.help)
    for each in options:
        yield f".It {_option(each)}"
        yield from _text(each.declared.help + _default(each))
    yield from (".It Fl h , Fl Fl help", "Show the help.", ".El")
    for text in ends:
        yield from (".Sh EXIT STATUS", ".Bl -tag -width Ds")
        for part in _EXIT_CODES.split(text.removeprefix("Exit code: ").rstrip(".")):
            code, _, meaning = part.strip().rstrip(",").partition(" ")
            if meaning:
                yield f".It {code}"
                yield from _text(meaning[:1].upper() + meaning[1:] + ".")
        yield ".El"
    yield from (".Sh SEE ALSO", ".Xr iommu-inspect 1")


def _head(title: str, about: str) -> Iterator[str]:
    yield f'.\\" Made by tools/man.py for version {__version__}.'
    yield from (f".Dd {_day()}", f".Dt {title.upper()} 1")
    yield from (f".Os iommu-inspect {__version__}", ".Sh NAME")
    yield f".Nm {title}"
    yield f".Nd {_escaped(about[:1].lower() + about[1:])}"


def _day() -> str:
    """Return the day of this version's release, as mdoc has it."""
    for each in sections(_CHANGELOG.read_text()):
        if each.version == __version__ and each.day:
            return f"{each.day:%B} {each.day.day}, {each.day.year}"
    return _NO_DAY


def _paragraphs(command: Command) -> list[str]:
    text = inspect.cleandoc(command.__doc__ or "")
    return [" ".join(each.split()) for each in text.split("\n\n")]


def _option(parameter: Parameter) -> str:
    names = " , ".join(
        f"Fl Fl {name[2:]}" if name.startswith("--") else f"Fl {name[1:]}"
        for name in parameter.names
    )
    if parameter.type is bool:
        return names
    words = parameter.declared.metavar
    if words is None and issubclass(parameter.type, enum.Enum):
        words = "|".join(str(each.value) for each in parameter.type)
    return f"{names} Ar {_escaped(words or 'value')}"


def _default(parameter: Parameter) -> str:
    if parameter.default in (None, False):
        return ""
    return f" Without it: {parameter.default}."


def _text(text: str) -> Iterator[str]:
    """Yield a paragraph, a sentence a line, as mdoc wants it."""
    for sentence in re.split(r"(?<=[.:;]) (?=[A-Z0-9])", text):
        yield _SAID_BY_ROFF.sub(r"\\&\1", _escaped(sentence))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


if __name__ == "__main__":
    main(*sys.argv[1:])
