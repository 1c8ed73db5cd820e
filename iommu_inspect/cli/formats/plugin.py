"""Failures of a check: a line on standard output, and the state that says UNKNOWN.

Who runs plugins reads nothing else: our own codes for a wrong command line (2) and for
a source that cannot be read (4) would be CRITICAL, or none at all.
"""

from __future__ import annotations

from iommu_inspect.cli.output import emit
from iommu_inspect.render.machines.nagios import State, unknown_line

__all__ = ["end_as_plugin"]


def end_as_plugin(message: str) -> None:
    """Say why the check could not be made.

    Raises:
        SystemExit: always, with the code of UNKNOWN.
    """
    emit(unknown_line(message))
    raise SystemExit(int(State.UNKNOWN))
