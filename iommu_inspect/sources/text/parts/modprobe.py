"""Reads lines of modprobe.d, as ``cat`` and ``grep -r`` print them."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.said import CUT, HostFacts, Line, Said

__all__ = ["ModprobeReader"]

_MODULE = r"[A-Za-z0-9][\w-]*"
_VALUE = r"(?:\"[^\"]*\"|[^\s\"])*"
_COMMANDS = re.compile(
    rf"options\s+{_MODULE}\s+[\w.-]+={_VALUE}(?:\s+[\w.-]+(?:={_VALUE})?)*"
    rf"|blacklist\s+{_MODULE}"
    rf"|softdep\s+{_MODULE}\s+(?:pre|post):(?:\s+(?:(?:pre|post):|{_MODULE}))*"
    rf"|install\s+{_MODULE}\s+(?:/\S+|modprobe\s|:|true\b|exit\b).*"
    rf"|alias\s+(?=\S*[*:-]|(?:eth|net|char|block)\S*\d)[^\s=]+\s+{_MODULE}"
)
# grep -r: "/etc/modprobe.d/vfio.conf:options ...", with -n the line's number.
_FILE = re.compile(r"(?P<file>[\w.+@/~-]*[\w+~-]):(?:\d{1,6}:)?(?=\s*[a-z#])")
_READ = re.compile(r"(?:\S*/)?modprobe\.d/[\w.+@-]+\.conf|(?:\S*/)?modprobe\.conf")
_HEADED = re.compile(
    r"(?:==> |# |cat |-{2,20} ?)?"
    r"(?P<file>(?:/\S{0,200})?modprobe\.d/[\w.+@*-]{1,200})(?: <==|:| -{2,20})?"
)
_MOST = 2000


@dataclass(slots=True)
class ModprobeReader:
    """Reads what modprobe.d holds; words of people that begin alike are none of it.

    A file that modprobe does not read (``vfio.conf.bak``) says nothing.
    """

    KIND: ClassVar[str] = "modprobe.d"

    _lines: list[tuple[int, str]] = field(default_factory=list)
    _ignored: bool = False
    _open: bool = False
    _begun: str = ""

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is one of modprobe.d, or names a file of it."""
        text, _ = _without_file(bare)
        return (
            _COMMANDS.fullmatch(text.rstrip(f"{CUT}\\ ")) is not None
            or _HEADED.fullmatch(bare) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of modprobe.d's."""
        bare = line.bare
        headed = _HEADED.fullmatch(bare)
        if headed:
            self._begun = ""
            self._open = True
            self._ignored = not headed["file"].endswith((".conf", "*"))
            return not line.prompt
        if line.prompt:
            self.close()
            return False
        text, file = _without_file(bare)
        if self._begun:
            text = f"{self._begun} {text.strip()}"
        elif self._open and text.startswith("#"):
            return True
        ignored = self._ignored if file is None else _READ.fullmatch(file) is None
        if text.endswith("\\"):
            # It goes on in the next line.
            self._begun = text[:-1].rstrip()
            return _COMMANDS.fullmatch(self._begun) is not None or self._open
        self._begun = ""
        if not _COMMANDS.fullmatch(text.rstrip(CUT)):
            return False
        self._open = True
        if not ignored and CUT not in text and len(self._lines) < _MOST:
            self._lines.append((line.number, text))
        return True

    def close(self) -> None:
        """Take note that something else follows: the next file is another."""
        self._ignored = self._open = False
        self._begun = ""

    def said(self) -> tuple[Said, ...]:
        """Return the lines, one after another."""
        return tuple(
            Said(number, None, host=HostFacts(modprobe=(text,)))
            for number, text in self._lines
        )


def _without_file(bare: str) -> tuple[str, str | None]:
    """Take the name of a file off that ``grep -r`` puts before a line."""
    prefix = _FILE.match(bare)
    if prefix is None or ("/" not in prefix["file"] and "." not in prefix["file"]):
        return bare, None
    return bare[prefix.end() :].strip(), prefix["file"]
