"""Sees what must never be done, wherever it is done: an audit hook for every test.

What it sees is written to a file, not raised: the code under test could catch it, and
much is done in children. `conftest.py` fails the test that left something there, and
`sitecustomize.py` watches the program where a test runs it as a process.

It is imported before the program, so it imports nothing that the program does not.
"""

from __future__ import annotations

import os
import sys
from types import FrameType

__all__ = ["PACKAGE", "RECORD", "taken", "watch"]

RECORD = "IOMMU_INSPECT_WATCHED"
"""The environment variable that names the file to which is written what was seen."""

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
PACKAGE = f"{_ROOT}/iommu_inspect/"
"""Where the files of the package are; so a frame of it is told."""

_KERNELS = ("/sys/", "/proc/", "/dev/")
# What may be written to: nothing keeps it.
_NO_FILES = ("/dev/null", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events of the os module that change what a path names, and which arguments that are:
# where a symbolic link leads is only a text.
_CHANGES = {
    "os.rename": (0, 1),
    "os.link": (0, 1),
    "os.symlink": (1,),
    "os.remove": (0,),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.utime": (0,),
    "os.setxattr": (0,),
    "os.removexattr": (0,),
}
_PROGRAMS = ("os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")
_NETWORK = ("/cli/fleet/cluster.py", "/sources/tree/many/remote.py")
_ACTING = ("rom", "vpd", "sriov_numvfs")


def watch(record: str) -> None:
    """Write to a file, from now on, what is done and must not be."""
    busy = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal busy
        if busy or not (event == "open" or "." in event or event == "import"):
            return
        busy = True
        try:
            wrong = _wrong(event, arguments)
            if wrong:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                file = os.open(record, flags, 0o600)
                os.write(file, f"{wrong}\n".encode("utf-8", "backslashreplace"))
                os.close(file)
        finally:
            busy = False

    sys.addaudithook(hook)


def taken(record: str) -> list[str]:
    """Return what was seen, and forget it."""
    try:
        with open(record, encoding="utf-8") as file:  # noqa: PTH123
            lines = file.read().splitlines()
        os.unlink(record)  # noqa: PTH108
    except FileNotFoundError:
        return []
    return lines


def _wrong(event: str, arguments: tuple[object, ...]) -> str:
    if event == "open":
        return _opened(*arguments[:3])
    if event in _CHANGES:
        paths = [_absolute(arguments[n]) for n in _CHANGES[event]]
        if any(path.startswith(_KERNELS) for path in paths):
            return f"{event} {' '.join(paths)}"
    if event in _PROGRAMS and _by_package():
        return f"{event} {arguments[0]!r}"
    if event.startswith("socket.") and _by_package() and not _by_network():
        return event
    is_ctypes = event == "import" and arguments[0] == "ctypes"
    if is_ctypes and _by_package() and not (_by("/pyudev/") or _by_network()):
        return "import ctypes"
    return ""


def _opened(name: object, mode: object, flags: object) -> str:
    path = _absolute(name)
    writes = isinstance(flags, int) and flags & _WRITING
    if writes and path.startswith(_KERNELS) and not path.startswith(_NO_FILES):
        return f"open {path} to write"
    if path.startswith("/dev/vfio/"):
        return f"open {path}"
    _, below, last = path.rpartition("/")
    acts = last in _ACTING or (last[:8] == "resource" and last[8:9].isdigit())
    if acts and "/sys/" in path and below and _by_package():
        return f"open {path}"
    return ""


def _absolute(name: object) -> str:
    if not isinstance(name, str | bytes | os.PathLike):
        return ""  # a descriptor, which was opened before
    return os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(name)))  # noqa: PTH109, PTH118


def _by_package() -> bool:
    return _by(PACKAGE)


def _by_network() -> bool:
    """Say whether it is for a cluster or a URL that somebody named."""
    return any(map(_by, _NETWORK))


def _by(part: str) -> bool:
    """Say whether a function from such a file is among those that led here.

    Tests and the lab run programs and make files of such names themselves.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if part in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False
