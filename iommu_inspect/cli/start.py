"""Where the command line begins: what needs no application is done without one."""

from __future__ import annotations

import os
import sys

__all__ = ["start"]


def start() -> None:
    """Say the version, offer words to a shell, or run a command.

    The application is half of what the first would take.
    """
    if sys.argv[1:] == ["--version"]:
        from iommu_inspect import __version__
        from iommu_inspect.cli.output import emit

        emit(f"iommu-inspect {__version__}")
        return
    if "_IOMMU_INSPECT_COMPLETE" in os.environ:
        from iommu_inspect.cli.completion.offering import print_offers

        print_offers(sys.argv[1:])
        return
    from iommu_inspect.cli.main import main

    main()
