"""The command line: commands, and what errors look like."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from iommu_inspect import __version__
from iommu_inspect.cli.audit import audit_targets
from iommu_inspect.cli.explain import explain_rule
from iommu_inspect.cli.list import list_groups
from iommu_inspect.cli.predict import predict_answers

__all__ = ["app", "main"]

# No rich: it would be most of the start-up time, and plain text pastes better.
app = typer.Typer(
    name="iommu-inspect",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("list")(list_groups)
app.command("audit")(audit_targets)
app.command("predict")(predict_answers)
app.command("explain")(explain_rule)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"iommu-inspect {__version__}")
        raise typer.Exit


@app.callback()
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


def main() -> None:
    """Run the program; every expected failure is one line and an exit code."""
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain
    from iommu_inspect.kernel.semantics import UnknownSemanticsError
    from iommu_inspect.model.target import UnknownTargetError
    from iommu_inspect.render.text import printable
    from iommu_inspect.sources.errors import SourceError

    try:
        app()
    except SourceError as error:
        complain(printable(str(error)))
        sys.exit(Exit.SOURCE)
    except (UnknownTargetError, UnknownSemanticsError) as error:
        complain(printable(str(error)))
        sys.exit(Exit.USAGE)
    except Exception as error:
        if os.environ.get("IOMMU_INSPECT_DEBUG"):
            raise
        complain(
            f"internal error ({type(error).__name__}: {printable(str(error))}); please "
            "report it with the output of IOMMU_INSPECT_DEBUG=1"
        )
        sys.exit(Exit.INTERNAL)
