"""The files that the tool writes: under another name first, whole or not at all."""

# ruff: noqa: PTH104, PTH108, PTH112, PTH118, PTH120, PTH123

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from iommu_inspect.model.asked.usage import BadRequestError

__all__ = ["check_writable", "is_root", "save"]

_NEVER = ("/sys", "/proc", "/dev")


def is_root() -> bool:
    """Say whether this process is root's."""
    return os.geteuid() == 0


def check_writable(path: str) -> None:
    """Look whether a file can be written, before anything takes time.

    Raises:
        BadRequestError: It cannot; the message says why.
    """
    if "\0" in path or not path:
        raise BadRequestError("a file's name is expected, or - for standard output")
    folder = os.path.realpath(os.path.dirname(path) or ".")
    for root in _NEVER:
        if f"{folder}/".startswith(f"{root}/"):
            raise BadRequestError(f"nothing is ever written below {root}")
    if not os.path.isdir(folder):
        raise BadRequestError(f"cannot write {path}: there is no directory {folder}")
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise BadRequestError(f"cannot write {path}: it is a directory")
    if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise BadRequestError(f"cannot write {path}: it is no plain file; give -")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadRequestError(f"cannot write {path}: no permission to write there")


def save(path: str, pieces: Iterable[bytes]) -> None:
    """Write a file under another name and rename it, so that it is whole or old.

    An older file of that name is replaced; where the name is a link, the link is.

    Raises:
        OSError: It could not be written; nothing of it is left.
    """
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(unfinished, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(descriptor)
        os.rename(unfinished, path)
    except BaseException:  # Ctrl-C too
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise
    with contextlib.suppress(OSError):
        _sync_folder(folder or ".")


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
