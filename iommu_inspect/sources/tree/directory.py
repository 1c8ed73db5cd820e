"""A directory as a tree: the live host, or a capture that was unpacked.

What a running kernel serves may never answer, so a child reads it (`bounded.py`):

- every file's content. That of sysfs and proc is made while it is read, by functions of
  the kernel and of drivers. Among those that this tool reads some take the device's
  lock (``driver_override``, before 6.13), call the bus and the driver (``uevent``:
  ``dev_uevent()``), wait for a bridge to wake up and for a reset to end (``config``:
  ``pci_config_pm_runtime_get()``, ``pci_wait_cfg()``), or take a mutex: of the group
  (``type``: ``iommu_group_show_type()``), of device-mapper
  (``dm_copy_name_and_uuid()``), of a module's parameters (``param_attr_show()``), of
  consoles (``show_cons_active()``), of swap (``swap_start()``), of modules and of
  mounts (``m_start()`` both). ``uuid`` below ``sys/hypervisor`` can ask xenstored,
  and what drivers from elsewhere do (``proc/driver/nvidia``) nobody knows. Which
  others wait differs by release, so none is taken for one that cannot;
- whatever is outside of sys/, proc/ and dev/: on the way to a file of ``etc``, ``usr``,
  ``boot`` or ``home`` a network's file system or an automounter may be, and then even
  to ask whether it is there waits for a server.

Names and links of sysfs and proc are looked at here: ``kernfs`` gives its semaphore up
before it waits for a driver (``kernfs_drain()``), and what a process has open is listed
without its locks (``proc_readfd_common()``). The functions are those of 6.12.
"""

# Raw descriptors are what gives O_NOFOLLOW and the second look at what was opened,
# and pathlib would cost more than the system calls do.
# ruff: noqa: PTH115, PTH116, PTH208

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.sources.tree.bounded import PATIENCE, Reader, Request
from iommu_inspect.sources.tree.config_pieces import read_pieces
from iommu_inspect.sources.tree.failures import missing_of
from iommu_inspect.sources.tree.looking import Eyes, looked, questions, seen
from iommu_inspect.sources.tree.tree import (
    MAX_FILE,
    MAX_PART,
    Inside,
    Kind,
    Tree,
    is_forbidden,
    text_of,
)

__all__ = ["IDS", "REMEMBERED", "DirTree"]

_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# Nearly every file is shorter than this, and no larger buffer has to be prepared.
_FIRST_READ = 8192
# Where names and links do not wait for anybody.
_PROMPT = frozenset(("", "sys", "proc", "dev"))
# A server may take its time, and a disk that slept.
_PATIENCE_WITH_DISKS = 3.0
IDS = ("vendor", "device", "subsystem_vendor", "subsystem_device", "class")
"""What ``uevent`` tells of a PCI function, too."""
REMEMBERED = (
    *IDS,
    "revision",
    "power_state",
    "boot_vga",
    "numa_node",
    "removable",
    "reset_method",
)
"""What a device remembers of itself: shown without a look at the device, in whatever
state that is. It is read here where no child can be made."""
_DIRECTORIES = re.compile(
    r"sys/(?:devices/.+|kernel/iommu_groups/[0-9]+|bus/[^/]+(?:/drivers/[^/]+)?"
    r"|module/[^/]+)"
)

T = TypeVar("T")


class DirTree(Tree):
    """A directory that holds ``sys/``, or is one; the live host's is ``/``."""

    def __init__(
        self, root: str, label: str, *, live: bool = False, is_sys: bool = False
    ) -> None:
        super().__init__(label, live=live)
        self._root = root.rstrip("/") + "/"
        self._is_sys = is_sys
        self.hot = self.looks_ahead = live or self._is_served()
        self._reader = Reader()
        # Whether this is the child, which does what it is asked for.
        self._asked = False
        # What was read before it is asked for: the content of files, ``None`` for a
        # link; the text of links. Each is given out once.
        self._ahead: dict[str, Fact[bytes] | None] = {}
        self._texts: dict[str, Fact[str]] = {}
        # Whether what links lead to is a directory of sysfs; many lead to one driver.
        self._plain: dict[str, bool] = {}
        # What was asked for and not waited for.
        self._begun: list[Request] = []
        # What was to be opened, and is a link.
        self._links: set[str] = set()

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Tree.notes`; that not all could be read in a child is one."""
        said = super().notes
        if self._reader.failure:
            said += (
                "no process could be started to read what may never answer "
                f"({self._reader.failure}): much is unreadable",
            )
        if self._reader.spent:
            said += ("too many files never answer: the rest is not read",)
        return said

    def forget(self) -> None:
        """See `Tree.forget`; what was read ahead is of the time before."""
        super().forget()
        self._reader.rest()
        self._ahead.clear()
        self._texts.clear()
        self._begun = []
        self._plain.clear()
        self._links.clear()

    def text_bounded(
        self, paths: Sequence[str], seconds: float = 1.0
    ) -> dict[str, Fact[str]]:
        """See `Tree.text_bounded`; the live host's are asked for at once."""
        for path in paths:
            if is_forbidden(path):
                raise ValueError(f"{path} must never be opened")
        if not self.hot:
            return super().text_bounded(paths, seconds)
        spots = {path: self._spot(path) for path in paths}
        asked = {path: spot for path, spot in spots.items() if known(spot)}
        requests = [("content", spot, MAX_FILE) for spot in asked.values()]
        found = self._reader.ask(self._answer, requests, seconds=seconds)
        texts: dict[str, Fact[str]] = {
            path: spot for path, spot in spots.items() if not known(spot)
        }
        for path, content in zip(asked, found, strict=True):
            texts[path] = map_fact(_as(bytes, content), text_of)
        return texts

    def target(self, path: str) -> Fact[str]:
        """See `Tree.target`; a link of sysfs leads to what is no link itself.

        ``kernfs_get_target_path()`` writes the way between two directories.
        """
        if path in self._texts:
            spot: Fact[str] = path
            text = self._texts.pop(path)
        elif self._is_sysfs(path):
            spot = self._spot(path)
            text = self._link(spot) if known(spot) else spot
        else:
            return super().target(path)
        if not known(spot) or not known(text):
            return text
        plain = self._joined(spot.rpartition("/")[0], text)
        return super().target(path) if plain is None else plain

    def _joined(self, folder: str, text: str) -> str | None:
        """Return where a link of sysfs leads; ``None`` if others could be on the way.

        The directories of sysfs are those of devices, groups, drivers, buses and
        modules; what is below others (``class``, ``bus/pci/devices``) are links.
        """
        up = 0
        while text.startswith("../", 3 * up):
            up += 1
        parts = folder.split("/")
        # To what is beside it, or further up than there is, no link of sysfs leads.
        if not 0 < up <= len(parts):
            return None
        path = "/".join((*parts[:-up], text[3 * up :]))
        plain = self._plain.get(path)
        if plain is None:
            plain = self._plain[path] = _is_plain_directory(path)
        return path if plain else None

    def read_ahead(self, paths: Iterable[str]) -> None:
        """See `Tree.read_ahead`; all are asked for at once."""
        if not self.hot or self._asked:
            return
        spots = [
            spot
            for path in paths
            if known(spot := self._spot(path)) and not is_forbidden(spot)
        ]
        self._take(spots)

    def read_configs(self, paths: Iterable[str]) -> None:
        """See `Tree.read_configs`; all are asked for at once."""
        if self.hot and not self._asked:
            spots = [spot for path in paths if known(spot := self._spot(path))]
            self._take(spots, what="config")

    def look_ahead(self, folders: Iterable[str], inside: Inside) -> None:
        """See `Tree.look_ahead`; a child does it, one directory after the other."""
        if not self.hot or self._asked:
            return
        asked = questions(folders, inside)
        if asked == self._begun:
            found = self._reader.finish()
        else:
            found = self._reader.ask(self._answer, asked)
        self._begun = []
        for (_, folder, _), answer in zip(asked, found, strict=True):
            inside_of = seen(folder, answer)
            if inside_of is not None:
                self._known.update(inside_of.lists)
                self._lists.update(inside_of.lists)
                self._ahead.update(inside_of.contents)
                self._texts.update(inside_of.texts)

    def begin_to_look(self, folders: Iterable[str], inside: Inside) -> None:
        """See `Tree.begin_to_look`: the child does it while this process goes on."""
        if self.hot and not self._asked:
            self._begun = questions(folders, inside)
            self._reader.begin(self._answer, self._begun)

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
        if self._may_wait(path):
            return map_fact(self._ask("kind", path, str), Kind.__getitem__)
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
        if self._may_wait(path):
            return self._ask("link", path, str)
        try:
            return os.readlink(self._real(path) or "")
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == errno.EINVAL:
                return Missing.ABSENT  # what is there is no link
            return _missing(error)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        if self._may_wait(path):
            return self._ask("names", path, list)
        real = self._real(path)
        if real is None:
            return ("sys",)
        try:
            return os.listdir(real)
        except (OSError, ValueError) as error:
            return _missing(error)

    def _data(self, path: str, limit: int) -> Fact[bytes]:
        if isinstance(self._ahead.get(path), bytes | Missing):
            return cast("Fact[bytes]", self._ahead.pop(path))
        if not self._is_sysfs(path):
            return super()._data(path, limit)
        if is_forbidden(path):
            raise ValueError(f"{path} must never be opened")
        spot = self._spot(path)
        if not known(spot):
            return spot
        if is_forbidden(spot):
            return Missing.UNREADABLE
        # Whoever opens it sees what it is: no look at it comes first.
        content = self._content(spot, limit)
        return super()._data(path, limit) if spot in self._links else content

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        content = self._opened(path, limit)
        if content is None:
            self._links.add(path)
            return Missing.UNREADABLE
        return content

    def _opened(self, path: str, limit: int) -> Fact[bytes] | None:
        """Return the content of a file, ``None`` of a link."""
        if not self.hot or self._asked:
            return self._read(path, limit)
        if path not in self._ahead:
            self._take((path,), limit)
        return self._ahead.pop(path)

    def _take(
        self, paths: Iterable[str], limit: int = MAX_FILE, what: str = "content"
    ) -> None:
        """Have the child read files, and keep what is in them until it is asked for."""
        wanted = [path for path in paths if path not in self._ahead]
        if not wanted:
            return
        requests = [(what, path, limit) for path in wanted]
        found = self._reader.ask(self._answer, requests, patience=_patience(wanted[0]))
        for path, content in zip(wanted, found, strict=True):
            if self._reader.failure and path.rpartition("/")[2] in REMEMBERED:
                self._ahead[path] = self._read(path, limit)
            else:
                self._ahead[path] = None if content is None else _as(bytes, content)

    def _is_sysfs(self, path: str) -> bool:
        return self.hot and not self._asked and path.startswith("sys/")

    def _read(self, path: str, limit: int) -> Fact[bytes] | None:
        """Read a file here and now; ``None`` is returned for a link."""
        in_one = self.hot and path.startswith("sys/")
        return self._by_descriptor(path, partial(_read_all, limit=limit, in_one=in_one))

    def _read_config(self, path: str) -> Fact[bytes] | None:
        """Read what tells something of a configuration space."""
        return self._by_descriptor(
            path, lambda opened: read_pieces(partial(os.pread, opened))
        )

    def _by_descriptor(
        self, path: str, read: Callable[[int], Fact[bytes]]
    ) -> Fact[bytes] | None:
        try:
            descriptor = os.open(self._real(path) or "", _OPEN_FLAGS)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno == errno.ELOOP:
                return None
            return _missing(error)
        try:
            # It may have been replaced since it was looked at; sysfs has no others.
            if not (self.hot and path.startswith("sys/")) and not stat.S_ISREG(
                os.fstat(descriptor).st_mode
            ):
                return Missing.UNREADABLE
            return read(descriptor)
        except OSError as error:
            return _missing(error)
        finally:
            os.close(descriptor)

    def _may_wait(self, path: str) -> bool:
        """Say whether even to look at a path can take for ever."""
        if not self.hot or self._asked:
            return False
        return path.partition("/")[0] not in _PROMPT

    def _ask(self, what: str, path: str, kind: type[T]) -> Fact[T]:
        request = (what, path, 0)
        found = self._reader.ask(self._answer, [request], patience=_patience(path))
        return _as(kind, found[0])

    def _answer(  # pragma: no cover - the child ends with os._exit, unmeasured
        self,
        what: str,
        path: str,
        more: Any,  # noqa: ANN401 - a limit, or the names in a directory
    ) -> object:
        """Do what was asked for; this runs in the child."""
        self._asked = True
        match what:
            case "look":
                eyes = Eyes(
                    self._names, self._link, lambda file: self._read(file, MAX_FILE)
                )
                return looked(eyes, path, *more)
            case "kind":
                return map_fact(self._kind(path), lambda kind: kind.name)
            case "link":
                return self._link(path)
            case "names":
                return map_fact(self._names(path), list)
            case "config":
                return self._read_config(path)
        return self._read(path, more)


def _is_plain_directory(path: str) -> bool:
    odd = any(
        part in ("", ".", "..") or len(part) > MAX_PART or "\0" in part
        for part in path.split("/")
    )
    return not odd and _DIRECTORIES.fullmatch(path) is not None


def _patience(path: str) -> float:
    prompt = path.partition("/")[0] in _PROMPT
    return PATIENCE if prompt else _PATIENCE_WITH_DISKS


def _as(kind: type[T], answer: object) -> Fact[T]:
    if isinstance(answer, kind | Missing):
        return answer
    return Missing.UNREADABLE


def _missing(error: Exception) -> Missing:
    # A ValueError is about a name that no file can have.
    return missing_of(error.errno if isinstance(error, OSError) else None)


def _read_all(descriptor: int, limit: int, *, in_one: bool) -> Fact[bytes]:
    """Read to the end: the size that sysfs states is not that of the content.

    A file of sysfs gives all it has ``in_one``, up to what it was asked for: a page of
    text, or a whole configuration space.
    """
    content = piece = os.read(descriptor, _FIRST_READ)
    if in_one and len(content) < _FIRST_READ:
        return content if len(content) <= limit else Missing.TRUNCATED
    parts = [content]
    left = limit - len(content)
    while piece and left >= 0:
        piece = os.read(descriptor, min(left + 1, MAX_FILE))
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts) if left >= 0 else Missing.TRUNCATED
