"""Make the list of ids that the package ships: ``python -m tools.pci_ids FILE``.

FILE is a ``pci.ids`` of https://pci-ids.ucw.cz (Debian: package pci.ids). What is kept
are vendors and their devices, without subsystems and classes; the result has the same
bytes for the same list. The list may be passed on under the BSD licence (3 clauses),
which stands at its top.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

_TARGET = Path(__file__).resolve().parents[1] / "iommu_inspect" / "pci.ids.gz"


def kept(text: str) -> str:
    """Return the head of the list, its vendors and devices."""
    lines: list[str] = []
    in_head = True
    for line in text.split("\n"):
        if line.startswith("C "):
            break
        is_comment = line.startswith(("#", "\t#"))
        in_head = in_head and (is_comment or not line.strip())
        unwanted = line.startswith("\t\t") or (is_comment and not in_head)
        if not unwanted and line.strip() not in ("", "#"):
            lines.append(line)
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the shipped list."""
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    text = Path(arguments[0]).read_text(encoding="utf-8")
    packed = gzip.compress(kept(text).encode(), compresslevel=9, mtime=0)
    _TARGET.write_bytes(packed)
    sys.stdout.write(f"{_TARGET.name}: {len(packed)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
