"""What hatchling adds to a wheel and to the source archive.

To the wheel: manual pages and what shells complete with, made from the same
declarations as `--help`, so that they cannot be stale. To the source archive: the
fixtures that are trees of sysfs, as one archive. They are full of links, absolute ones
among them, which installers refuse to unpack; ``make`` unpacks it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

__all__ = ["AddedFiles"]

_TREES = "tests/fixtures/sysfs"


class AddedFiles(BuildHookInterface[Any]):
    """Makes the files in a folder that is gone when the build ends."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what the target needs; an installation of a checkout needs none."""
        if version == "editable":
            return
        sys.path.insert(0, self.root)
        from tools.packages.shared import write_shared
        from tools.packages.trees import packed

        self._made = tempfile.TemporaryDirectory(prefix="iommu-inspect-build-")
        made = Path(self._made.name)
        if self.target_name == "wheel":
            build_data["shared_data"] |= write_shared(made / "share")
        elif (Path(self.root) / _TREES).is_dir():
            archive = made / "sysfs.tar.gz"
            archive.write_bytes(packed(Path(self.root) / _TREES))
            build_data["force_include"][str(archive)] = f"{_TREES}.tar.gz"

    def finalize(self, version: str, *_: object) -> None:
        """Remove what was made."""
        if version != "editable":
            self._made.cleanup()
