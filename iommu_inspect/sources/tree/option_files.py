"""Reads the files that a person wrote and named with an option."""

# ruff: noqa: PTH116, PTH123

from __future__ import annotations

import io
import os
import select
import stat

from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.text import printable
from iommu_inspect.sources.tree.opening import acts_when_read

__all__ = ["MAX_OPTION", "read_option"]

MAX_OPTION = 1 << 20
"""Bytes of such a file; what is longer is refused."""

_PATIENCE = 2
"""Seconds until somebody has to have opened a pipe to write."""
# Neither a pipe that nobody writes to, nor a terminal, is waited for.
_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def read_option(path: str, option: str) -> str:
    """Return the text of a file that a person wrote and named with ``option``.

    It may be a pipe, as shells make of ``<(command)``.

    Raises:
        BadRequestError: it cannot be read, is too long, or is no UTF-8.
    """
    try:
        _check(path, os.stat(path))
        descriptor = os.open(path, _OPEN_FLAGS)
        with open(descriptor, "rb", buffering=0) as file:
            content = _read_option(descriptor, file)
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = "it is no UTF-8 text"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except ValueError as error:
        reason = str(error)
    raise BadRequestError(f"cannot read {printable(path)} of {option}: {reason}")


def _read_option(descriptor: int, file: io.RawIOBase) -> bytes:
    """Read a file or a pipe, which is open so that nothing waits without reason."""
    found = os.fstat(descriptor)
    _check("", found)  # it may be another one by now
    if stat.S_ISFIFO(found.st_mode):
        # Before somebody has opened it to write, to read says that it is at its end.
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll(_PATIENCE * 1000)
    content = b""
    while len(content) <= MAX_OPTION:
        more = file.read(MAX_OPTION + 1 - len(content))
        if more is None:  # somebody is going to write
            select.select([descriptor], [], [])
            continue
        if not more:
            break
        content += more
    if len(content) > MAX_OPTION:
        raise ValueError(f"it is longer than {MAX_OPTION >> 20} MiB")
    if stat.S_ISFIFO(found.st_mode) and not content:
        raise ValueError("nobody wrote anything into this pipe")
    return content


def _check(path: str, found: os.stat_result) -> None:
    """Refuse what acts when it is opened, and what waits for a person or a device."""
    is_plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    if path and is_plain and acts_when_read(path):
        raise ValueError("reading it acts on a device")
    if is_plain or stat.S_ISFIFO(found.st_mode):
        return
    if not os.path.samestat(found, os.stat(os.devnull)):
        raise ValueError("a file or a pipe is expected")
