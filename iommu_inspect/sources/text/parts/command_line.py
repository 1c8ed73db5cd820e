"""Reads the command line of the running kernel where a text has it by itself."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.said import CUT, HostFacts, Line, Said

__all__ = ["CommandLineReader"]

_ASKED = re.compile(
    r"(?:\S*[$#>%] ?)?(?:sudo )?(?:cat|head -1|less|more) (?P<file>/\S+)"
    r"(?:\s+(?P<rest>[^|&;>\s].*))?"
)
_RUNNING = "/proc/cmdline"
# What a boot loader is told for the next boot; and how grep names the file.
_NEXT = re.compile(
    r"(?:[\w.+@/-]{1,200}:)?(?:\d{1,6}:)?#?\s*(?:export )?GRUB_CMDLINE_\w+\s*\+?=.*"
)
_HEADED = re.compile(rf"(?:==> )?{_RUNNING}(?: <==|:)?")
# GRUB and the kernel's EFI stub put these before what they were told.
_FIRST = re.compile(r"(?:BOOT_IMAGE=|initrd=\\)")
_WORD = re.compile(r"[\w.,/\\:-]+(?:=\S*)?")
_QUOTED = re.compile(r"\"[^\"]*\"")


@dataclass(slots=True)
class CommandLineReader:
    """Reads what ``/proc/cmdline`` holds; not what the next boot will be given."""

    KIND: ClassVar[str] = "cmdline"

    _said: list[Said] = field(default_factory=list)
    _file: str | None = None

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line begins a command line, or the question for one."""
        asked = _ASKED.fullmatch(bare)
        return (
            bare.startswith("BOOT_IMAGE=")
            or _NEXT.match(bare) is not None
            or (asked is not None and asked["file"].endswith("cmdline"))
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        bare = line.bare
        asked = _ASKED.fullmatch(bare)
        if asked and asked["file"].endswith("cmdline"):
            self._file = asked["file"]
            if asked["rest"] and not line.prompt:
                self._answer(line, asked["rest"])
            return not line.prompt
        if line.prompt:
            self._file = None
            return False
        if _HEADED.fullmatch(bare):
            self._file = _RUNNING
            return True
        if _NEXT.match(bare):
            self._file = None
            return True
        if self._file is not None:
            return self._answer(line, bare)
        if _FIRST.match(bare) and " " in bare:
            return self._claim(line, bare)
        return False

    def close(self) -> None:
        """Take note that something else follows."""

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)

    def _answer(self, line: Line, text: str) -> bool:
        file, self._file = self._file, None
        if not _looks_like_one(text):
            return False
        return self._claim(line, text) if file == _RUNNING else True

    def _claim(self, line: Line, text: str) -> bool:
        """Say that this is the command line, if all of it is there."""
        if not _looks_like_one(text):
            return False
        if CUT not in text and " " in text.strip():
            facts = HostFacts(command_line=text.strip())
            self._said.append(Said(line.number, None, host=facts))
        return True


def _looks_like_one(text: str) -> bool:
    """Say whether each word can be an option, and some has a value."""
    words = _QUOTED.sub("", text.rstrip(CUT)).split()
    return (
        bool(words)
        and text.count('"') % 2 == 0
        and any("=" in word for word in words)
        and all(_WORD.match(word) for word in words)
        and "cat:" not in words
    )
