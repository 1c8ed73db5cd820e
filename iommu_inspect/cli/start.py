"""Where the command line begins: what needs no application is done without one."""

from __future__ import annotations

import sys

__all__ = ["start"]


def start() -> None:
    """Say the version, or run a command; typer is half of what the first would take."""
    if sys.argv[1:] == ["--version"]:
        from iommu_inspect import __version__
        from iommu_inspect.cli.output import emit

        emit(f"iommu-inspect {__version__}")
        return
    from iommu_inspect.cli.main import main

    main()
