"""``python -m iommu_inspect``, and where the command begins."""

from __future__ import annotations

import os
import signal

__all__ = ["main"]


def main() -> None:
    """Run the program; what keeps it from starting is one line and an exit code."""
    # Not an exception: half of a short run is imports, which would swallow it or print
    # a traceback. What is half written is looked after where that is.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        from iommu_inspect.cli.start import start

        start()
    except (OSError, MemoryError, ImportError, SystemError) as error:
        text = f"iommu-inspect: cannot go on: {error or type(error).__name__}\n"
        os.write(2, text.encode("utf-8", "backslashreplace"))
        os._exit(4)


if __name__ == "__main__":
    main()
