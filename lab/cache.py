"""The cache directory, and how a directory gets into it whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

REPOSITORY = Path(__file__).resolve().parent.parent


def cache_root() -> Path:
    """Return the cache directory, ``$IOMMU_LAB_CACHE`` or ``.lab-cache``."""
    named = os.environ.get("IOMMU_LAB_CACHE")
    return Path(named) if named else REPOSITORY / ".lab-cache"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock that other lab processes with the same cache respect."""
    locks = cache_root() / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        handle = (locks / name).open("w")
    except OSError as error:
        raise LabError(f"cannot use the cache {cache_root()}: {error}") from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def new_directory(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes ``target`` if the block succeeds.

    After an exception nothing is left, and an older ``target`` is untouched.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise LabError(f"cannot write to {target.parent}: {error}") from error
    try:
        yield draft
        draft.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    except OSError as error:
        raise LabError(f"cannot make {target}: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
