"""The seam that all reading goes through: what a tree of files answers.

A capture comes from somebody else: its links are followed inside it and nowhere else,
and only plain files in it are opened. The live host is read by the same code; files
whose mere reading acts on a device, or waits for one, are never opened at all.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Iterable, Sequence

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.group import NodeAccess

__all__ = [
    "MAX_FILE",
    "MAX_LARGE",
    "MAX_PART",
    "NEVER_OPENED",
    "Inside",
    "Kind",
    "Tree",
    "is_forbidden",
    "text_of",
]

MAX_FILE = 64 << 10
"""Bytes of one file; a longer one is not read to its end, and is truncated."""
MAX_LARGE = 8 << 20
"""The same for `Tree.large_data`."""
MAX_LINKS = 40
"""Links on the way to one file, as in the kernel."""
MAX_STEPS = 1024
"""Parts of names on the way to one file, those in links included."""
MAX_PATH = 4096
MAX_PART = 255
"""Characters of one name on the way (NAME_MAX): no file has a longer one."""

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


class Kind(enum.Enum):
    """What is at a path, links not followed."""

    FOLDER = enum.auto()
    FILE = enum.auto()
    LINK = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class Inside:
    """What is asked for in a directory.

    Attributes:
        files: What will be read.
        links: The links that will be followed; ``virtfn*`` are all that begin so.
        lists: What will be listed, by its way from there: "" is the directory itself.
            All links in the others will be followed.
    """

    files: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


class Tree(abc.ABC):
    """The files of one host, wherever they are.

    Paths are relative to the host's root and have no leading slash:
    ``sys/kernel/iommu_groups``. A tree remembers where directories are and what they
    list, not what is in files; after devices have moved, let it ``forget``.

    Attributes:
        live: Whether this is the running host, asked as such.
        hot: Whether a running kernel serves the files, so that reading them can wake
            a device or wait for one: ``--from /host`` in a container.
        looks_ahead: Whether it does what it is told with `look_ahead`, so that it pays
            to ask for little, and for all at once.
        whole: Whether what is not there is not on the host either: the running host,
            or a snapshot of one. Of any other capture it may not have been copied.
        kind: The word for it in documents.
        label: What to call it in messages.
    """

    def __init__(self, label: str, *, live: bool = False) -> None:
        self.live = live
        self.hot = live
        self.looks_ahead = False
        self.whole = live
        self.kind = "live" if live else "tree"
        self.label = label
        self._ignored: tuple[str, ...] = ()
        self._escapes: set[str] = set()
        self._folders: dict[str, str] = {"": ""}
        self._known: set[str] = set()
        self._lists: dict[str, Fact[tuple[str, ...]]] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was ignored so far and why, a line each."""
        count = len(self._escapes)
        if not count:
            return self._ignored
        links = "1 link that leaves" if count == 1 else f"{count} links that leave"
        was = "was" if count == 1 else "were"
        return (*self._ignored, f"{links} the capture {was} not followed")

    def forget(self) -> None:
        """Look for directories and list them anew: devices have moved."""
        self._folders = {"": ""}
        self._known = set()
        self._lists = {}

    def data(self, path: str) -> Fact[bytes]:
        """Return the content of a file.

        Raises:
            ValueError: The file is one of those that are never opened.
        """
        return self._data(path, MAX_FILE)

    def large_data(self, path: str) -> Fact[bytes]:
        """Return the content of a file that may be large, such as ``pci.ids``.

        A longer one is truncated.
        """
        return self._data(path, MAX_LARGE)

    def _data(self, path: str, limit: int) -> Fact[bytes]:
        if is_forbidden(path):
            raise ValueError(f"{path} must never be opened")
        spot = self._spot(path)
        if not known(spot):
            return spot
        kind = self._kind(spot)
        if kind is Kind.LINK:
            spot = self._walk(spot)
            if not known(spot):
                return spot
            kind = self._kind(spot)
        if not known(kind):
            return kind
        # A link that leads to such a file is the capture's doing, not a mistake here.
        if kind is not Kind.FILE or is_forbidden(spot):
            return Missing.UNREADABLE
        return self._content(spot, limit)

    def read_ahead(self, paths: Iterable[str]) -> None:  # noqa: B027 - most need it not
        """Learn which files will be asked for, to read them at once.

        Those that must never be opened are left out.
        """

    def read_configs(self, paths: Iterable[str]) -> None:  # noqa: B027
        """Learn which configuration spaces will be asked for, to read them at once.

        Of a running host that is only what tells something (`config_pieces`).
        """

    def look_ahead(self, folders: Iterable[str], inside: Inside) -> None:  # noqa: B027
        """Learn which directories will be looked into, to do that at once.

        Args:
            folders: The directories, links resolved.
            inside: What will be asked for in each.

        Raises:
            ValueError: One of the files is one of those that are never opened.
        """

    def begin_to_look(  # noqa: B027 - most need it not
        self, folders: Iterable[str], inside: Inside
    ) -> None:
        """Begin with what `look_ahead` will be asked for, in these very words."""

    def text(self, path: str) -> Fact[str]:
        """Return the content of a file as text, without the space at its end.

        Zero bytes at the end go too: tar fills sysfs files up with them.

        Raises:
            ValueError: The file is one of those that are never opened.
        """
        return map_fact(self.data(path), text_of)

    def whole_lines(self, path: str) -> Fact[str]:
        """Return the text of a file of lines, each of which the kernel ends.

        One that was cut off reads like another: ``6.1`` of ``6.12.0``. It is truncated.

        Raises:
            ValueError: The file is one of those that are never opened.
        """
        content = map_fact(self.data(path), lambda data: data.rstrip(b"\0"))
        if known(content) and content and not content.endswith(b"\n"):
            return Missing.TRUNCATED
        return map_fact(content, text_of)

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
        """Return the names in a directory, sorted.

        Each is listed once: two listings of one reading could contradict each other.
        """
        listed = self._lists.get(path)
        if listed is None:
            folder = self._folder(path)
            listed = map_fact(
                folder if not known(folder) else self._names(folder),
                lambda names: tuple(sorted(names)),
            )
            self._lists[path] = listed
        return listed

    def target(self, path: str) -> Fact[str]:
        """Return where the link at a path leads, whether or not that exists."""
        spot = self._spot(path)
        if not known(spot):
            return spot
        kind = self._kind(spot)
        if not known(kind):
            return kind
        if kind is not Kind.LINK:
            return Missing.ABSENT
        return self._walk(spot, must_exist=False)

    def link_name(self, path: str) -> Fact[str]:
        """Return the last name of where a link leads; unreadable, if to the root."""
        leads = map_fact(self.target(path), lambda target: target.rpartition("/")[2])
        return Missing.UNREADABLE if leads == "" else leads

    def link_text(self, path: str) -> Fact[str]:
        """Return the text of the link at a path, as it stands.

        It is a name for people and tables: what /proc/PID/fd links to need not be a
        file (``socket:[1234]``), and nothing is followed.
        """
        spot = self._spot(path)
        return self._link(spot) if known(spot) else spot

    def resolve(self, path: str) -> Fact[str]:
        """Return a path with every link on the way, and at its end, resolved."""
        return self._walk(path)

    def exists(self, path: str) -> bool:
        """Say whether something is seen at a path, links followed.

        Where that nothing is there would decide something, ask `has`.
        """
        return known(self._walk(path))

    def has(self, path: str) -> Fact[bool]:
        """Say whether something is at a path, or why that cannot be told."""
        found = self._walk(path)
        if known(found):
            return True
        return False if found is Missing.ABSENT else found

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
        walked = self._folders.get(path)
        if walked is not None:
            return walked
        folder = self._walk(path)
        if not known(folder):
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
        if _is_no_name(name):
            return Missing.UNREADABLE
        folder = self._folder(above)
        if not known(folder):
            return folder
        return f"{folder}/{name}" if folder else name

    def _walk(self, path: str, *, must_exist: bool = True) -> Fact[str]:
        """Resolve every link of a path, without ever leaving the root."""
        links, steps, via = 0, 0, path
        here, ahead = self._way(path)
        while ahead:
            steps += 1
            if steps > MAX_STEPS or len(here) > MAX_PATH:
                return Missing.UNREADABLE
            part = ahead.pop()
            if part in ("", "."):
                continue
            if _is_no_name(part):
                return Missing.UNREADABLE
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
                if not known(text):
                    return text
                if text.startswith("/"):
                    here = ""
                ahead += text.split("/")[::-1]
                continue
            if kind is Kind.FOLDER:
                self._known.add(step)
            elif not known(kind):
                if must_exist or kind is not Missing.ABSENT:
                    return kind
            elif ahead and must_exist:
                return Missing.ABSENT
            here = step
        return here

    def _way(self, path: str) -> tuple[str, list[str]]:
        """Return where to begin, as far as the way is known, and what is left of it."""
        above, _, name = path.rpartition("/")
        if above in self._known:
            return above, [name]
        folder = self._folders.get(above)
        return (folder, [name]) if folder else ("", path.split("/")[::-1])


def _is_no_name(part: str) -> bool:
    """Say whether no file can have a name: that it was not found says nothing."""
    return len(part) > MAX_PART or "\0" in part


def text_of(content: bytes) -> str:
    """Return a file's content as text, without what is put at its end."""
    return content.decode("utf-8", "surrogateescape").rstrip(" \t\r\n\0")


def is_forbidden(path: str) -> bool:
    """Say whether a file must not even be opened, wherever it is read from."""
    name = path.rpartition("/")[2]
    if name in NEVER_OPENED or (name[:8] == "resource" and name[8:9].isdigit()):
        return path.startswith("sys/")
    return path.startswith("dev/vfio")
