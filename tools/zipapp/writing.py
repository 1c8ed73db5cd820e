"""A zip archive that is the same bytes whenever and wherever it is written.

Or its files in a folder, where a package manager packs them.
"""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

__all__ = ["packed", "unpack", "write"]

SHEBANG = b"#!/usr/bin/env python3\n"
_FIRST_DAY = 315532800  # 1980: zip knows no earlier one


def packed(files: Mapping[str, bytes], epoch: int = _FIRST_DAY) -> bytes:
    """Return files as an archive that can be run.

    All are dated ``epoch``, in seconds since 1970, UTC.
    """
    moment = time.gmtime(max(epoch, _FIRST_DAY))[:6]
    into = BytesIO()
    into.write(SHEBANG)
    with zipfile.ZipFile(into, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whatever writes it
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
    return into.getvalue()


def write(target: Path, files: Mapping[str, bytes]) -> None:
    """Write the archive in place of what is there, so that it can be run."""
    data = packed(files, int(os.environ.get("SOURCE_DATE_EPOCH", _FIRST_DAY)))
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{target.name}.new")
    new.write_bytes(data)
    new.chmod(0o755)
    new.replace(target)


def unpack(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a folder that Python can run as it runs the archive.

    The licences are left to the package that the folder is for.
    """
    for name, data in files.items():
        if not name.startswith("licenses/"):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o644)
    first = folder / "__main__.py"
    first.write_bytes(b"#!/usr/bin/python3\n" + first.read_bytes())
    first.chmod(0o755)
