"""The command line: commands, and what errors look like."""

from __future__ import annotations

import gc

# Start-up is most of the run time of a program like this one, and a tenth of that
# would be the collector walking over modules that stay anyway.
gc.disable()

import errno  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from importlib import import_module  # noqa: E402
from typing import NoReturn  # noqa: E402

__all__ = ["COMMANDS", "main"]

# Each command's module and function. Only the one asked for is imported.
COMMANDS = {
    "list": ("iommu_inspect.cli.commands.list", "list_groups"),
    "audit": ("iommu_inspect.cli.commands.audit", "audit_targets"),
    "predict": ("iommu_inspect.cli.commands.predict", "predict_answers"),
    "whatif": ("iommu_inspect.cli.commands.whatif", "what_if"),
    "why": ("iommu_inspect.cli.commands.why", "explain_group"),
    "graph": ("iommu_inspect.cli.commands.graph", "draw_machine"),
    "plan": ("iommu_inspect.cli.commands.plan", "plan_devices"),
    "report": ("iommu_inspect.cli.commands.report", "report_host"),
    "fleet": ("iommu_inspect.cli.commands.fleet", "audit_fleet"),
    "diff": ("iommu_inspect.cli.commands.diff", "diff_sources"),
    "watch": ("iommu_inspect.cli.commands.watch", "watch_host"),
    "snapshot": ("iommu_inspect.cli.commands.snapshot", "take_snapshot"),
    "explain": ("iommu_inspect.cli.commands.explain", "explain_rule"),
    "completion": ("iommu_inspect.cli.commands.completion", "print_script"),
}
# What the system can run out of, which is no fault of the program.
_SHORT_OF = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


def run(argv: Sequence[str]) -> None:
    """Run the command that the words ask for, or say what is wrong with them.

    Raises:
        SystemExit: at the end, with the exit code.
    """
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.reading import read_call

    wanted = argv[1] if len(argv) > 1 and argv[1] in COMMANDS else None
    if wanted is not None:
        module, function = COMMANDS[wanted]
        command = getattr(import_module(module), function)
        given = read_call(command, argv[2:])
        if given is not None:
            command(**given)
            sys.exit(Exit.OK)
    from iommu_inspect.cli.application import run as ask

    ask(COMMANDS, wanted, list(argv[1:]))


def main() -> None:
    """Run the program; every expected failure is one line and an exit code."""
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import settle
    from iommu_inspect.model.asked.usage import BadRequestError
    from iommu_inspect.sources.errors import SourceError

    settle()
    try:
        run(sys.argv)
    except SourceError as error:
        _end(str(error), Exit.SOURCE)
    except BadRequestError as error:
        _end(str(error), Exit.USAGE)
    except MemoryError:
        _end("there is not enough memory for this", Exit.SOURCE)
    except (ImportError, SystemError):
        raise  # a lack of memory in the middle of an import: __main__ says it
    except SystemExit as end:
        # What the library makes of a reader of the help that went away early.
        if isinstance(end.__context__, BrokenPipeError):
            sys.exit(Exit.OK)
        raise
    except Exception as error:
        code = _of_the_system(error) if isinstance(error, OSError) else None
        if code is not None:
            sys.exit(code)
        if os.environ.get("IOMMU_INSPECT_DEBUG"):
            raise
        _end(
            f"internal error ({type(error).__name__}: {error}); please "
            "report it with the output of IOMMU_INSPECT_DEBUG=1",
            Exit.INTERNAL,
        )


def _end(message: str, code: int) -> NoReturn:
    """Say in a line what went wrong, and end; a plugin has a way of its own."""
    from iommu_inspect.cli.output import complain

    complain(message)
    if _is_plugin(sys.argv):
        from iommu_inspect.cli.formats.plugin import end_as_plugin

        end_as_plugin(message)
    sys.exit(code)


def _is_plugin(argv: Sequence[str]) -> bool:
    """Say whether the words ask for an audit as Nagios and the like run it."""
    from itertools import pairwise

    words = "--format=nagios" in argv or ("--format", "nagios") in pairwise(argv)
    return words and argv[1] == "audit"


def _of_the_system(error: OSError) -> int | None:
    """Return the exit code where the system could not do its part, after a line."""
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, silence

    usage = getattr(error.__context__, "exit_code", None)
    if isinstance(usage, int):  # a wrong command line, and nowhere to say so
        silence(sys.stderr)
        return usage
    if error.errno in _SHORT_OF:
        _end(f"cannot go on: {error.strerror}", Exit.SOURCE)
    if error.errno == errno.ENOSPC:
        silence(sys.stdout)
        complain(f"cannot write the result: {error.strerror}")
        return Exit.INTERNAL
    return None
