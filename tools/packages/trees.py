"""A folder with its links as one archive, the same bytes for the same files."""

from __future__ import annotations

import gzip
import tarfile
from io import BytesIO
from pathlib import Path

__all__ = ["packed"]


def packed(folder: Path) -> bytes:
    """Return a compressed tar of the folder, under its own name; links stay links."""
    plain = BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in (folder, *sorted(folder.rglob("*"))):
            entry = tarfile.TarInfo(path.relative_to(folder.parent).as_posix())
            data = b""
            if path.is_symlink():
                entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
            elif path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            else:
                data = path.read_bytes()
                entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
    # The day of the archive is not in it, nor its name.
    return gzip.compress(plain.getvalue(), mtime=0)
