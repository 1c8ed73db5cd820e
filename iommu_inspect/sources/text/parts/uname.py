"""Reads which kernel runs, where a text has it beside something else.

``uname -a`` and the greeting of a Debian shell print a line that no other program does
(the fields of uname(2), coreutils' uname.c); what ``uname -r`` prints is a release by
what was asked only. hostnamectl and programs that show off a desktop name it behind
"Kernel".
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.said import HostFacts, Line, Said

__all__ = ["UnameReader"]

# A release with its three numbers: "Kernel: 6.8" may be what somebody remembers.
_RELEASE = r"\d{1,3}\.\d{1,3}\.\d{1,3}[\w.+~-]{0,80}"
_ALL = re.compile(rf"Linux [\w.-]{{1,255}} (?P<release>{_RELEASE}) #\d\S* .*")
_NAMED = re.compile(
    rf"Kernel(?: Version)?: (?:Linux )?(?P<release>{_RELEASE})"
    r"(?: (?:\(64-bit\)|arch: |x86_64|aarch64).*)?"
)
_ASKED = re.compile(r"(?:\S*[$#>%] ?)?uname (?:-r|-sr|--kernel-release)")
_ANSWER = re.compile(rf"(?:Linux )?(?P<release>{_RELEASE})")


@dataclass(slots=True)
class UnameReader:
    """Takes lines that name the kernel that runs."""

    KIND: ClassVar[str] = "uname"

    _said: list[Said] = field(default_factory=list)
    _asked: bool = False

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line names a kernel, or asks for its name."""
        return bare.startswith(("Linux ", "Kernel")) and (
            _ALL.fullmatch(bare) is not None or _NAMED.fullmatch(bare) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        bare = line.bare
        if _ASKED.fullmatch(bare):
            self._asked = True
            return not line.prompt
        asked, self._asked = self._asked, False
        if line.prompt:
            return False
        found = _ALL.fullmatch(bare) or _NAMED.fullmatch(bare)
        if found is None and asked:
            found = _ANSWER.fullmatch(bare)
        if found is None:
            return False
        facts = HostFacts(release=found["release"])
        self._said.append(Said(line.number, None, host=facts))
        return True

    def close(self) -> None:
        """Take note that something else follows."""
        self._asked = False

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)
