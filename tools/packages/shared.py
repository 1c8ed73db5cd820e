"""What lies below ``share/``: manual pages, and what three shells complete with.

    python -m tools.packages.shared FOLDER

writes all of it below the folder, with the paths that it has below ``/usr`` of Debian,
whose zsh looks elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from iommu_inspect.cli.completion.scripts import SCRIPTS
from tools.man import pages

__all__ = ["shared", "write_shared"]

# Where each shell looks for the command's name.
_COMPLETES = {
    "bash": "share/bash-completion/completions/iommu-inspect",
    "zsh": "share/zsh/site-functions/_iommu-inspect",
    "fish": "share/fish/vendor_completions.d/iommu-inspect.fish",
}


def shared(*, debian: bool = False) -> Iterator[tuple[str, str]]:
    """Yield each file's path below the prefix, and its text."""
    for name, text in pages():
        yield f"share/man/man1/{name}", text
    for shell, path in _COMPLETES.items():
        place = "vendor-completions" if debian else "site-functions"
        yield path.replace("site-functions", place), SCRIPTS[shell] + "\n"


def write_shared(folder: Path, *, debian: bool = False) -> dict[str, str]:
    """Write all below a folder; return the path of each file there and as installed."""
    written = {}
    for path, text in shared(debian=debian):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o644)
        written[str(target)] = path
    return written


if __name__ == "__main__":
    write_shared(Path(sys.argv[1]), debian=True)
