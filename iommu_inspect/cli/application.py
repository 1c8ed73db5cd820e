"""The command line as its library knows it: help, completion, and what is wrong.

A wrong command line is one line on standard error that says what is wrong and where
what is right can be read, as every other failure.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer

from iommu_inspect import __version__
from iommu_inspect.cli.declared import Argument, Command, Parameter, parameters
from iommu_inspect.cli.exits import Exit
from iommu_inspect.model.asked.usage import BadRequestError

__all__ = ["build", "declared", "run"]

_NAME = "iommu-inspect"
# All that the library says of a wrong command line; it has no public name there.
_WrongUsage: Any = typer.BadParameter.__base__


def run(
    commands: Mapping[str, tuple[str, str]], wanted: str | None, words: list[str]
) -> None:
    """Run the program by the words that follow its name; without any, show the help.

    Raises:
        SystemExit: with the exit code.
        BadRequestError: the words are no command line.
    """
    application = build(commands, wanted)
    try:
        code = application(words or ["--help"], _NAME, standalone_mode=False)
    except _WrongUsage as error:
        raise BadRequestError(_said(error, wanted)) from None
    except typer.Abort:
        sys.exit(130)
    sys.exit((code or Exit.OK) if words else Exit.USAGE)


def build(
    commands: Mapping[str, tuple[str, str]], wanted: str | None = None
) -> typer.Typer:
    """Return the application with one command, or with all of them.

    Help needs all; running one command does not.
    """
    # No rich: it would be most of the start-up time, and plain text pastes better.
    app = typer.Typer(
        name=_NAME,
        add_completion=False,  # `completion` has scripts that know our words
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, (module, function) in commands.items():
        if wanted in (None, name):
            command: Command = getattr(import_module(module), function)
            first = " ".join((command.__doc__ or "").partition("\n\n")[0].split())
            app.command(name, short_help=first)(declared(command, command))
    app.callback()(_common)
    return app


def declared(command: Command, does: Command) -> Callable[..., None]:
    """Return what takes the command's parameters, as the library wants them declared.

    ``does`` is called with them; the command itself, but in tests.
    """

    def called(**given: object) -> None:
        does(**given)

    hints = {name: _hint(each) for name, each in parameters(command).items()}
    signature = inspect.signature(command)
    called.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[
            each.replace(annotation=hints[name])
            for name, each in signature.parameters.items()
        ]
    )
    called.__annotations__ = dict(hints)
    called.__doc__ = command.__doc__
    return called


def _hint(parameter: Parameter) -> object:
    declared = parameter.declared
    if isinstance(declared, Argument):
        info: object = typer.Argument(metavar=declared.metavar, help=declared.help)
    else:
        info = typer.Option(
            *parameter.names, metavar=declared.metavar, help=declared.help
        )
    return Annotated[parameter.annotation, info]


def _said(error: Any, wanted: str | None) -> str:  # noqa: ANN401 -- a type without a public name
    text = " ".join(str(error.format_message()).split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    if text.endswith("?"):  # Did you mean ...?
        return text
    where = " ".join(filter(None, (_NAME, wanted)))
    return f"{text}; '{where} --help' says what can be given"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"iommu-inspect {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Say what the kernel will answer when a device is handed to user space.

    Reads this host, or a capture of one, and changes nothing.
    """
