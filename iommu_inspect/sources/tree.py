"""The one place that touches the filesystem: the live host, a directory or a tar.

A capture comes from somebody else: its links are followed inside it and nowhere else,
and only plain files in it are opened. The live host is read by the same code; files
whose mere reading acts on a device, or waits for one, are never opened at all.
"""

# Raw descriptors are what gives O_NOFOLLOW and the second look at what was opened,
# and pathlib would cost more than the system calls do.
# ruff: noqa: PTH100, PTH115, PTH116, PTH118, PTH123, PTH208

from __future__ import annotations

import abc
import enum
import errno
import io
import os
import select
import signal
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from iommu_inspect.model.fact import Fact, Missing, map_fact
from iommu_inspect.model.machine import NodeAccess
from iommu_inspect.model.usage import BadRequestError
from iommu_inspect.sources.errors import SourceError

__all__ = [
    "MAX_FILE",
    "MAX_LARGE",
    "MAX_TEXT",
    "DirTree",
    "Kind",
    "Text",
    "Tree",
    "open_live",
    "open_path",
    "open_source",
    "read_option",
]

MAX_FILE = 64 << 10
"""Bytes of one file; a longer one is not read to its end, and is truncated."""
MAX_LARGE = 8 << 20
"""The same for `Tree.large_data`."""
MAX_TEXT = 16 << 20
"""Bytes of a text such as that of ``lspci``."""
MAX_OPTION = 1 << 20
"""The same for `read_option`, which refuses what is longer."""
MAX_LINKS = 40
"""Links on the way to one file, as in the kernel."""
MAX_STEPS = 1024
"""Parts of names on the way to one file, those in links included."""
MAX_PATH = 4096

NEVER_OPENED = frozenset(
    [
        "rom",
        "vpd",
        "remove",
        "rescan",
        "reset",
        "bind",
        "unbind",
        "new_id",
        "sriov_numvfs",
    ]
)
"""Files below sys/ whose reading acts on a device, can wait for one, or is of no use;
so are ``resource0`` and its like, and everything in dev/vfio."""

_GONE = frozenset(
    (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENODEV,
        errno.ENXIO,
        errno.ESTALE,
        errno.ENAMETOOLONG,
    )
)
_REFUSED = frozenset((errno.EACCES, errno.EPERM))
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# Nearly every file is shorter than this, and no larger buffer has to be prepared.
_FIRST_READ = 8192
# Nobody opens more; the limit itself can be a thousand million.
_MAX_DESCRIPTORS = 1 << 16
_EXPECTED = "a directory or a tar that holds sys/ is expected"
# Bytes that tell a text from an archive, and characters that a text may have beside
# printable ones.
_FIRST_BLOCK = 512
_IN_TEXTS = frozenset({*range(0x20, 0x7F), *range(0x80, 0x100), *b"\t\n\r\f\b\x1b"})


class Kind(enum.Enum):
    """What is at a path, links not followed."""

    FOLDER = enum.auto()
    FILE = enum.auto()
    LINK = enum.auto()
    OTHER = enum.auto()


class Tree(abc.ABC):
    """The files of one host, wherever they are.

    Paths are relative to the host's root and have no leading slash:
    ``sys/kernel/iommu_groups``. A tree remembers where directories are, not what is
    in them; after devices have moved, open another one.

    Attributes:
        live: Whether this is the running host, asked as such.
        hot: Whether a running kernel serves the files, so that reading them can wake
            a device or wait for one: ``--from /host`` in a container.
        label: What to call it in messages.
    """

    def __init__(self, label: str, *, live: bool = False) -> None:
        self.live = live
        self.hot = live
        self.label = label
        self._ignored: tuple[str, ...] = ()
        self._escapes: set[str] = set()
        self._folders: dict[str, str] = {"": ""}
        self._known: set[str] = set()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was ignored so far and why, a line each."""
        count = len(self._escapes)
        if not count:
            return self._ignored
        links = "1 link that leaves" if count == 1 else f"{count} links that leave"
        was = "was" if count == 1 else "were"
        return (*self._ignored, f"{links} the capture {was} not followed")

    def data(self, path: str) -> Fact[bytes]:
        """Return the content of a file.

        Raises:
            ValueError: The file is one of those that are never opened.
        """
        return self._data(path, MAX_FILE)

    def large_data(self, path: str) -> Fact[bytes]:
        """Return the content of a file that may be large, such as ``pci.ids``.

        A tar keeps nothing of such a file, which is truncated then.
        """
        return self._data(path, MAX_LARGE)

    def _data(self, path: str, limit: int) -> Fact[bytes]:
        if _forbidden(path):
            raise ValueError(f"{path} must never be opened")
        spot = self._spot(path)
        if isinstance(spot, Missing):
            return spot
        kind = self._kind(spot)
        if kind is Kind.LINK:
            spot = self._walk(spot)
            if isinstance(spot, Missing):
                return spot
            kind = self._kind(spot)
        if isinstance(kind, Missing):
            return kind
        # A link that leads to such a file is the capture's doing, not a mistake here.
        if kind is not Kind.FILE or _forbidden(spot):
            return Missing.UNREADABLE
        return self._content(spot, limit)

    def text(self, path: str) -> Fact[str]:
        """Return the content of a file as text, without the space at its end.

        Zero bytes at the end go too: tar fills sysfs files up with them.

        Raises:
            ValueError: The file is one of those that are never opened.
        """
        return map_fact(self.data(path), _text)

    def text_bounded(
        self,
        paths: Sequence[str],
        seconds: float = 1.0,  # noqa: ARG002 - a capture answers at once
    ) -> dict[str, Fact[str]]:
        """Return the texts of files that may take for ever to read on a live host.

        Kernels before 6.13 take the device's lock to show ``driver_override``, and
        whoever reads it behind a stuck probe cannot even be killed.

        Args:
            paths: The files, read one after the other.
            seconds: How long to wait for all of them; the rest is unreadable then.

        Raises:
            ValueError: One of the files is one of those that are never opened.
        """
        return {path: self.text(path) for path in paths}

    def names(self, path: str) -> Fact[tuple[str, ...]]:
        """Return the names in a directory, sorted."""
        folder = self._folder(path)
        if isinstance(folder, Missing):
            return folder
        return map_fact(self._names(folder), lambda names: tuple(sorted(names)))

    def target(self, path: str) -> Fact[str]:
        """Return where the link at a path leads, whether or not that exists."""
        spot = self._spot(path)
        if isinstance(spot, Missing):
            return spot
        kind = self._kind(spot)
        if isinstance(kind, Missing):
            return kind
        if kind is not Kind.LINK:
            return Missing.ABSENT
        return self._walk(spot, must_exist=False)

    def resolve(self, path: str) -> Fact[str]:
        """Return a path with every link on the way, and at its end, resolved."""
        return self._walk(path)

    def exists(self, path: str) -> bool:
        """Say whether something is at a path, links followed."""
        return not isinstance(self._walk(path), Missing)

    def node(self, path: str) -> Fact[NodeAccess]:  # noqa: ARG002
        """Return who may open a device node, which is not opened for that.

        A tar's owners are those of whoever made it, and say nothing.
        """
        return Missing.ABSENT

    @abc.abstractmethod
    def _kind(self, path: str) -> Fact[Kind]:
        """Say what is at a path without links on the way."""

    @abc.abstractmethod
    def _link(self, path: str) -> Fact[str]:
        """Return the text of a link."""

    @abc.abstractmethod
    def _content(self, path: str, limit: int) -> Fact[bytes]:
        """Return the content of a plain file, if it is within the limit."""

    @abc.abstractmethod
    def _names(self, path: str) -> Fact[Iterable[str]]:
        """Return the names in a directory, in any order."""

    def _folder(self, path: str) -> Fact[str]:
        """Return a directory's path without links."""
        known = self._folders.get(path)
        if known is not None:
            return known
        folder = self._walk(path)
        if isinstance(folder, Missing):
            return folder
        if folder and folder not in self._known:
            return Missing.ABSENT
        self._folders[path] = folder
        return folder

    def _spot(self, path: str) -> Fact[str]:
        """Return a path with the links on the way resolved, but not one at its end."""
        above, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            return self._walk(path)
        folder = self._folder(above)
        if isinstance(folder, Missing):
            return folder
        return f"{folder}/{name}" if folder else name

    def _walk(self, path: str, *, must_exist: bool = True) -> Fact[str]:
        """Resolve every link of a path, without ever leaving the root."""
        here, links, steps, via = "", 0, 0, path
        ahead = path.split("/")[::-1]
        while ahead:
            steps += 1
            if steps > MAX_STEPS or len(here) > MAX_PATH:
                return Missing.UNREADABLE
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not here:
                    self._escapes.add(via)
                    return Missing.UNREADABLE
                here = here.rpartition("/")[0]
                continue
            step = f"{here}/{part}" if here else part
            kind = Kind.FOLDER if step in self._known else self._kind(step)
            if kind is Kind.LINK:
                links, via = links + 1, step
                text = self._link(step)
                if links > MAX_LINKS:
                    return Missing.UNREADABLE
                if isinstance(text, Missing):
                    return text
                if text.startswith("/"):
                    here = ""
                ahead += text.split("/")[::-1]
                continue
            if kind is Kind.FOLDER:
                self._known.add(step)
            elif isinstance(kind, Missing):
                if must_exist or kind is not Missing.ABSENT:
                    return kind
            elif ahead and must_exist:
                return Missing.ABSENT
            here = step
        return here


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape").rstrip(" \t\r\n\0")


def _forbidden(path: str) -> bool:
    name = path.rpartition("/")[2]
    if name in NEVER_OPENED or (name[:8] == "resource" and name[8:9].isdigit()):
        return path.startswith("sys/")
    return path.startswith("dev/vfio")


class DirTree(Tree):
    """A directory that holds ``sys/``, or is one; the live host's is ``/``."""

    def __init__(
        self, root: str, label: str, *, live: bool = False, is_sys: bool = False
    ) -> None:
        super().__init__(label, live=live)
        self._root = root.rstrip("/") + "/"
        self._is_sys = is_sys
        self.hot = live or self._is_served()
        self._left_behind: list[int] = []

    def text_bounded(
        self, paths: Sequence[str], seconds: float = 1.0
    ) -> dict[str, Fact[str]]:
        """See `Tree.text_bounded`; a child process reads the live host's files."""
        for path in paths:
            if _forbidden(path):
                raise ValueError(f"{path} must never be opened")
        if not self.hot:
            return super().text_bounded(paths, seconds)
        self._left_behind = [pid for pid in self._left_behind if not _reaped(pid)]
        results, pid = _read_in_child(paths, self.text, seconds)
        if pid is not None:
            self._left_behind.append(pid)
        return {path: results.get(path, Missing.UNREADABLE) for path in paths}

    def node(self, path: str) -> Fact[NodeAccess]:
        """See `Tree.node`; absent if it is anything else than a character device."""
        real = self._real(path)
        if real is None:
            return Missing.ABSENT
        try:
            found = os.lstat(real)
        except (OSError, ValueError) as error:
            return _missing(error)
        if not stat.S_ISCHR(found.st_mode):
            return Missing.ABSENT
        return NodeAccess(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)

    def _is_served(self) -> bool:
        """Say whether sys/ is a sysfs: its directories have no size, others' do."""
        real = self._real("sys/kernel")
        try:
            return real is not None and os.stat(real).st_size == 0
        except OSError:
            return False

    def _real(self, path: str) -> str | None:
        """Return where a path is on this host, if it can be in this tree."""
        if not self._is_sys:
            return self._root + path
        if path == "sys" or path.startswith("sys/"):
            return self._root + path[4:]
        return None

    def _kind(self, path: str) -> Fact[Kind]:
        real = self._real(path)
        if real is None:
            return Missing.ABSENT if path else Kind.FOLDER
        try:
            mode = os.lstat(real).st_mode
        except (OSError, ValueError) as error:
            return _missing(error)
        if stat.S_ISREG(mode):
            return Kind.FILE
        if stat.S_ISDIR(mode):
            return Kind.FOLDER
        return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER

    def _link(self, path: str) -> Fact[str]:
        try:
            return os.readlink(self._real(path) or "")
        except (OSError, ValueError) as error:
            return _missing(error)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        real = self._real(path)
        if real is None:
            return ("sys",)
        try:
            return os.listdir(real)
        except (OSError, ValueError) as error:
            return _missing(error)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        try:
            descriptor = os.open(self._real(path) or "", _OPEN_FLAGS)
        except (OSError, ValueError) as error:
            return _missing(error)
        try:
            # It may have been replaced since it was looked at.
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Missing.UNREADABLE
            return _read_all(descriptor, limit)
        except OSError as error:
            return _missing(error)
        finally:
            os.close(descriptor)


def _missing(error: Exception) -> Missing:
    # A ValueError is about a name that no file can have, as is ENAMETOOLONG.
    number = error.errno if isinstance(error, OSError) else errno.ENAMETOOLONG
    if number in _GONE:
        return Missing.ABSENT
    return Missing.DENIED if number in _REFUSED else Missing.UNREADABLE


def _read_all(descriptor: int, limit: int) -> Fact[bytes]:
    """Read to the end: the size that sysfs states is not that of the content."""
    content = piece = os.read(descriptor, _FIRST_READ)
    parts = [content]
    left = limit - len(content)
    while piece and left >= 0:
        piece = os.read(descriptor, min(left + 1, MAX_FILE))
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts) if left >= 0 else Missing.TRUNCATED


# A result's frame: which path, which outcome, how many bytes of text follow.
_FRAME = struct.Struct("=IBI")
_OUTCOMES = (None, *Missing)


def _read_in_child(
    paths: Sequence[str], read: Callable[[str], Fact[str]], seconds: float
) -> tuple[dict[str, Fact[str]], int | None]:
    """Read in a child process that can be left behind.

    Returns:
        What was read in time, and the child where it did not end by itself.
    """
    ours, theirs = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(ours)
        os.close(theirs)
        return {}, None
    if not pid:
        _child(paths, read, theirs)
    # Not before: to fork a large process on a busy host takes its time.
    deadline = time.monotonic() + seconds
    os.close(theirs)
    try:
        received, ended = _receive(ours, deadline)
    finally:
        os.close(ours)
        os.kill(pid, signal.SIGKILL)
    gone = _reaped(pid)
    while ended and not gone and time.monotonic() < deadline:
        time.sleep(0.0005)
        gone = _reaped(pid)
    return _unpacked(received, paths), None if gone else pid


def _child(paths: Sequence[str], read: Callable[[str], Fact[str]], out: int) -> None:
    """Read the files and write the results down the pipe; never return."""
    try:
        # Nobody must wait for the end of an output that a stuck child holds open.
        os.closerange(0, out)
        os.closerange(out + 1, _MAX_DESCRIPTORS)
        for index, path in enumerate(paths):
            frame = _packed(index, read(path))
            while frame:
                frame = frame[os.write(out, frame) :]
    finally:
        os._exit(0)


def _packed(index: int, fact: Fact[str]) -> bytes:
    if isinstance(fact, Missing):
        return _FRAME.pack(index, _OUTCOMES.index(fact), 0)
    text = fact.encode("utf-8", "surrogateescape")
    return _FRAME.pack(index, 0, len(text)) + text


def _receive(pipe: int, deadline: float) -> tuple[bytes, bool]:
    """Return what came in time, and whether that was all."""
    received = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if not poll.poll(left * 1000):
            continue
        piece = os.read(pipe, MAX_FILE)
        if not piece:
            return bytes(received), True
        received += piece
    return bytes(received), False


def _unpacked(received: bytes, paths: Sequence[str]) -> dict[str, Fact[str]]:
    results: dict[str, Fact[str]] = {}
    at = 0
    while at + _FRAME.size <= len(received):
        index, outcome, size = _FRAME.unpack_from(received, at)
        at += _FRAME.size + size
        if at > len(received):
            break
        text = received[at - size : at].decode("utf-8", "surrogateescape")
        results[paths[index]] = _OUTCOMES[outcome] or text
    return results


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def open_live() -> Tree:
    """Return the running host."""
    return DirTree("/", "this host", live=True)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that somebody captured, and what to call it in messages."""

    content: str
    label: str


def open_path(source: str, stdin: BinaryIO | None = None) -> Tree:
    """Return the capture in a directory or a tar; see `open_source`.

    Raises:
        SourceError: There is none, or it cannot be read.
    """
    opened = open_source(source, stdin)
    if isinstance(opened, Text):
        raise SourceError(f"cannot read {opened.label}: it is a text; {_EXPECTED}")
    return opened


def open_source(source: str, stdin: BinaryIO | None = None) -> Tree | Text:
    """Return the capture in a directory or a tar, or a text.

    Args:
        source: Where it is, or ``-`` for a tar or a text on standard input.
        stdin: The standard input, if it is not that of the process.

    Raises:
        SourceError: There is none, or it cannot be read.
    """
    if source == "-":
        # A process can be started without any standard input.
        given = stdin or (sys.stdin.buffer if sys.stdin else None)
        if given is None:
            raise SourceError("cannot read standard input: it is closed")
        return _open_stream(given, "standard input")
    label = _printable(source)
    try:
        mode = os.stat(source).st_mode
        if stat.S_ISDIR(mode):
            return _open_folder(os.path.abspath(source), label)
        if not stat.S_ISREG(mode):
            hint = "; give a pipe as -" if stat.S_ISFIFO(mode) else ""
            raise SourceError(f"cannot read {label}: {_EXPECTED}{hint}")
        descriptor = os.open(source, _OPEN_FLAGS & ~os.O_NOFOLLOW)
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceError(f"cannot read {label}: {_EXPECTED}")
            return _open_stream(file, label)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {label}: {_reason(error)}") from None


class _Rewound(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            found, self._first = self._first + self._rest.read(), b""
            return found
        if self._first:
            found, self._first = self._first[:size], self._first[size:]
            return found
        return self._rest.read(size)


def _open_stream(file: BinaryIO, label: str) -> Tree | Text:
    """Tell a text from a tar by its first bytes."""
    try:
        first = b""
        while len(first) < _FIRST_BLOCK and (more := file.read(_FIRST_BLOCK)):
            first += more
        if not first or not _IN_TEXTS.issuperset(first):
            return _open_tar(cast("BinaryIO", _Rewound(first, file)), label)
        parts, left = [first], MAX_TEXT - len(first)
        while left >= 0 and (more := file.read(min(left + 1, 1 << 20))):
            parts.append(more)
            left -= len(more)
    except OSError as error:
        raise SourceError(f"cannot read {label}: {_reason(error)}") from None
    if left < 0:
        limit = MAX_TEXT >> 20
        raise SourceError(f"cannot read {label}: a text of more than {limit} MiB")
    return Text(b"".join(parts).decode("utf-8", "replace"), label)


def read_option(path: str, option: str) -> str:
    """Return the text of a file that a person wrote and named with ``option``.

    It may be a pipe, as shells make of ``<(command)``.

    Raises:
        BadRequestError: it cannot be read, is too long, or is no UTF-8.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_OPTION + 1)
        if len(content) > MAX_OPTION:
            raise ValueError(f"it is longer than {MAX_OPTION >> 20} MiB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        reason = "it is no UTF-8 text"
    except (OSError, ValueError) as error:
        reason = _reason(error)
    raise BadRequestError(f"cannot read {_printable(path)} of {option}: {reason}")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _reason(error: Exception) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text[:1].lower() + text[1:]


def _open_folder(root: str, label: str) -> Tree:
    tree = DirTree(root, label)
    inside = os.listdir(root)
    prefix, is_sys = _find_root(tree, inside, label)
    if not prefix and not is_sys:
        return tree
    return DirTree(os.path.join(root, prefix), label, is_sys=is_sys)


def _open_tar(file: BinaryIO, label: str) -> Tree:
    # Only here: a live host must not wait for modules that it does not need.
    from iommu_inspect.sources.tar import TarTree, UnreadableTarError, read_tar

    try:
        archive = read_tar(file)
    except UnreadableTarError as error:
        raise SourceError(f"cannot read {label}: {error}") from None
    top = archive.top
    prefix, is_sys = _find_root(TarTree(top, label), top, label)
    if is_sys:
        top = {"sys": top}
    elif isinstance(inner := top.get(prefix), dict):
        top = inner
    return TarTree(top, label, archive.notes)


def _find_root(tree: Tree, inside: Iterable[str], label: str) -> tuple[str, bool]:
    """Return the directory that holds sys/, and whether it is one itself instead."""

    def folder(path: str) -> bool:
        return tree._kind(path) is Kind.FOLDER

    if folder("sys"):
        return "", False
    if folder("devices") and (folder("bus") or folder("kernel/iommu_groups")):
        return "", True
    found = [name for name in inside if folder(f"{name}/sys")]
    if len(found) == 1:
        return found[0], False
    if found:
        raise SourceError(
            f"cannot read {label}: it holds {len(found)} captures; give one of them"
        )
    raise SourceError(f"cannot read {label}: there is no sys/ in it; {_EXPECTED}")
