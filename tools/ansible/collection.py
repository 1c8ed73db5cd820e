"""Lays the collection out as Ansible wants to find it, with the tool in it.

    python -m tools.ansible.collection FOLDER

``files/iommu-inspect.pyz`` in it is the program as one file, which ``make zipapp`` has
made before.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

__all__ = ["NAME", "TOOL", "laid_out"]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "ansible"
NAME = "iommu_inspect.host"
TOOL = ROOT / "dist" / "iommu-inspect.pyz"


def laid_out(into: Path) -> Path:
    """Put the collection below ``into``, anew, and return its folder."""
    folder = into / "ansible_collections" / NAME.replace(".", "/")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "files").mkdir()
    shutil.copy(TOOL, folder / "files")
    return folder


if __name__ == "__main__":
    print(laid_out(Path(sys.argv[1])))
