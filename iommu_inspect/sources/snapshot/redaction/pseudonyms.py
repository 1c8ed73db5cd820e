"""What stands for a name: the same for the same name, and never for two.

A stand-in has a shape of its own, and stands for itself: what was scrubbed once is not
changed by scrubbing it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

__all__ = ["Pseudonyms"]

_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])",
    re.IGNORECASE,
)
_MAC = re.compile(
    r"(?<![0-9a-f:-])[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}"
    r"(?![0-9a-f]|[:-][0-9a-f])",
    re.IGNORECASE,
)
_OUR_UUID = re.compile(r"00000000-0000-[04]000-[08]000-0{4}[0-9a-f]{8}")
_OUR_MAC = re.compile(r"02:00:00:00:[0-9a-f]{2}:[0-9a-f]{2}|00(?::00){5}")
_OURS = re.compile(r"(?:dir|host|id|name|net|user)-[0-9]+", re.ASCII)
_SHAPES = (_OUR_UUID, _OUR_MAC, _OURS)


class Pseudonyms:
    """The stand-ins of one snapshot, made as names come.

    ``texts`` are those in which stand-ins may be already, which no name gets then.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._taken = {
            match[0]
            for text in texts
            for shape in _SHAPES
            for match in shape.finditer(text)
        }
        self._given: dict[tuple[str, str], str] = {}
        self._last: dict[str, int] = {}

    def of(self, kind: str, name: str) -> str:
        """Return what stands for a name of one kind: ``dir-3``."""
        if _OURS.fullmatch(name):
            return name
        return self._stand_in(kind, name, lambda number: f"{kind}-{number}")

    @staticmethod
    def is_uuid(text: str) -> bool:
        """Say whether a text is a UUID and nothing else."""
        return _UUID.fullmatch(text) is not None

    def swept(self, text: str) -> str:
        """Replace each UUID and MAC address in a text, wherever it stands."""
        return _MAC.sub(self._mac, _UUID.sub(self._uuid, text))

    def _uuid(self, match: re.Match[str]) -> str:
        found = match[0].lower()
        if _OUR_UUID.fullmatch(found):
            return match[0]
        return self._stand_in(
            "UUID", found, lambda n: f"00000000-0000-4000-8000-{n:012x}"
        )

    def _mac(self, match: re.Match[str]) -> str:
        found = match[0].lower().replace("-", ":")
        if _OUR_MAC.fullmatch(found):
            return match[0]
        return self._stand_in(
            "MAC", found, lambda n: f"02:00:00:00:{n >> 8 & 0xFF:02x}:{n & 0xFF:02x}"
        )

    def _stand_in(self, kind: str, name: str, shape: Callable[[int], str]) -> str:
        known = self._given.get((kind, name))
        if known is not None:
            return known
        number = self._last.get(kind, 0) + 1
        while (found := shape(number)) in self._taken:
            number += 1
        self._last[kind] = number
        self._taken.add(found)
        self._given[kind, name] = found
        return found
