"""Which pages quote a message that somebody met: QEMU's, libvirt's, DPDK's, a log's.

A page quotes a message between backticks. What differs from host to host (addresses,
numbers, process ids, paths) is taken off both sides, and what is left is compared word
by word: a line of a log has more than the message, a person remembers less of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.rules.base import Rule

__all__ = ["Quote", "nearest", "quoted_messages", "quoting"]

_SPAN = re.compile(r"`([^`]+)`")
_FENCE = "```"
# What names a number by which the kernel refuses: "error -22", "[Errno 22]", "= -12".
_ERRNO = re.compile(r"(?:\berrno |\berror,? ?|\bret |= |\()-?(\d{1,3})\b(?![:.\d])")
_NUMBERED = re.compile(r"\bcode (\d+)\b")
_VFIO_NODE = re.compile(r"/dev/vfio\b[/\w]*")
_PATH = re.compile(r"(?<![\w.])/[\w./:+-]+")
_PLACES = re.compile(
    r"\b(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b"  # addresses
    r"|\b[0-9a-f]{4}:[0-9a-f]{4}\b"  # ids
    r"|\b0x[0-9a-f]+\b|<[^<>]*>"
)
# Newer kernels say it so, older ones "vfio-pci: probe of 0000:01:00.0 failed".
_PROBE = re.compile(r"\bprobe with driver (\S+) failed\b")
_WORD = re.compile(r"[a-z][a-z0-9'_+-]*[a-z0-9]|\berrno\d+\b")
# Words that every sentence has say little about which one it is.
_COMMON = frozenset(
    (
        *("an", "and", "are", "as", "at", "be", "by", "for", "from", "has", "have"),
        *("in", "is", "it", "not", "of", "on", "or", "that", "the", "this", "to"),
        *("was", "with"),
    )
)
# Errors that are one word: VfioNoIommuGroup, Code 43.
_NAME = re.compile(r"(?:[A-Z][a-z]+){3,}|[Cc]ode \d+")
_COMMON_WEIGHT = 0.2
_LEAST_WORDS = 3
# How much of a message has to be in a line, or of what a person remembers in a message.
_LEAST_OF_MESSAGE = 0.7
_LEAST_OF_LINE = 0.8
_LEAST_WEIGHT = 2.0
_LEAST_NEAR = 0.4
_MOST_NEAR = 3
_MOST_WORDS = 60
# Lines that a terminal or a mail has made of one; nobody folds a log by hand.
_MOST_FOLDED = 3
_SHORT = 100
_NO_MESSAGES = ("-", "<", "/")
_PROGRAMS = frozenset(
    ("dmesg", "driverctl", "echo", "iommu-inspect", "lspci", "modprobe", "options")
) | {"plan", "softdep", "virsh"}


@dataclass(frozen=True, slots=True)
class Quote:
    """A rule, the message on its page that was looked for, and how much was found."""

    rule: Rule
    message: str | None
    weight: float


def quoted_messages(page: str) -> tuple[str, ...]:
    """Return what a page quotes, as far as it is long enough to be a message."""
    spans = [
        " ".join(span.split())
        for paragraph in _paragraphs(page)
        for span in _SPAN.findall(paragraph)
    ]
    return tuple(dict.fromkeys(span for span in spans if _is_message(span)))


def quoting(pages: Mapping[str, str], rules: Iterable[Rule], text: str) -> list[Quote]:
    """Return the rules whose pages quote a message of a text, the best first.

    Args:
        pages: each rule's page by its id.
        rules: the rules, in the order in which equals are named.
        text: a message, or lines of a log.
    """
    return _ranked(pages, rules, _Messages.of(pages).found_in(text))


def nearest(pages: Mapping[str, str], rules: Iterable[Rule], text: str) -> list[Quote]:
    """Return the rules whose pages quote something like a text that none quotes."""
    return _ranked(pages, rules, _Messages.of(pages).near(text))[:_MOST_NEAR]


def _ranked(
    pages: Mapping[str, str], rules: Iterable[Rule], fits: Mapping[str, float]
) -> list[Quote]:
    found = []
    for rule in rules:
        texts = quoted_messages(pages[rule.id])
        best = max(texts, key=lambda text: fits.get(text, 0.0), default="")
        if best in fits:
            # Where several fit alike, the page that knows more messages is more often
            # the one: others name what seldom is the cause.
            found.append((Quote(rule, best, fits[best]), len(texts)))
    found.sort(key=lambda pair: (-pair[0].weight, -pair[1]))
    return [quote for quote, _ in found]


class _Messages:
    """All messages that pages quote, ready to be looked for in many lines."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._rows = {text: _words(text) for text in texts}
        self._weights = _weights(self._rows.values())
        self._whole = {
            text: sum(self._weights[word] for word in row)
            for text, row in self._rows.items()
        }
        # Of each word, the messages that have it and what it weighs in each.
        self._places: dict[str, dict[str, float]] = {}
        for text, row in self._rows.items():
            for word in row:
                places = self._places.setdefault(word, {})
                places[text] = places.get(text, 0.0) + self._weights[word]
        # A word that no message has says as much as one that a single message has.
        self._unknown = max(self._weights.values(), default=1.0)

    @classmethod
    def of(cls, pages: Mapping[str, str]) -> _Messages:
        """Return the messages of all pages."""
        return cls(text for page in pages.values() for text in quoted_messages(page))

    def near(self, text: str) -> dict[str, float]:
        """Return the messages that share some words with a line."""
        best: dict[str, float] = {}
        for line in self._lines(text):
            for message, weight in self._shared(line).items():
                share = weight / self._whole[message]
                if weight >= _LEAST_WEIGHT and share >= _LEAST_NEAR:
                    best[message] = max(best.get(message, 0.0), share)
        return best

    def found_in(self, text: str) -> dict[str, float]:
        """Return the messages of which enough is in one line, and how much that is."""
        best: dict[str, float] = {}
        for line in self._lines(text):
            for message, weight in self._fits(line):
                best[message] = max(best.get(message, 0.0), weight)
        return best

    def _lines(self, text: str) -> Iterable[tuple[str, ...]]:
        """Return the words of each line, each once; of a short text unfolded, too.

        A word that no message has is empty: such words are alike.
        """
        lines = text.splitlines() or [text]
        most = _MOST_FOLDED if len(lines) <= _SHORT else 1
        return dict.fromkeys(
            tuple(
                word if word in self._places or _numbers([word]) else ""
                for word in _words(" ".join(lines[start : start + many]))
            )
            for many in range(1, most + 1)
            for start in range(max(len(lines) - many, 0) + 1)
        )

    def _shared(self, line: tuple[str, ...]) -> dict[str, float]:
        shared: dict[str, float] = {}
        for word in dict.fromkeys(line):
            for message, weight in self._places.get(word, {}).items():
                shared[message] = shared.get(message, 0.0) + weight
        return shared

    def _fits(self, line: tuple[str, ...]) -> Iterator[tuple[str, float]]:
        shared = self._shared(line)
        if not shared:
            return
        given = sum(self._weights.get(word, self._unknown) for word in line)
        remembered = max(_LEAST_OF_LINE * given, _LEAST_WEIGHT)
        numbers = _numbers(line)
        for message, most in shared.items():
            least = min(_LEAST_OF_MESSAGE * self._whole[message], remembered)
            if most < least:
                continue
            row = self._rows[message]
            if numbers and (others := _numbers(row)) and not numbers & others:
                continue  # the same sentence with another error is another message
            common = round(_in_order(row, line, self._weights), 6)
            if common >= least:
                yield message, common


def _numbers(words: Iterable[str]) -> set[str]:
    return {word for word in words if word.startswith("errno")}


def _paragraphs(page: str) -> Iterator[str]:
    """Yield a page's prose, without headings and blocks of commands and output."""
    fenced = False
    lines: list[str] = []
    for line in [*page.splitlines(), ""]:
        if line.startswith(_FENCE):
            fenced = not fenced
        if fenced or not line or line.startswith((_FENCE, "#", "    ")):
            yield " ".join(lines)
            lines = []
        else:
            lines.append(line.strip())


def _is_message(span: str) -> bool:
    """Tell a message from a name, an option, a command or an element of XML."""
    if span.startswith(_NO_MESSAGES) or span.partition(" ")[0] in _PROGRAMS:
        return False
    if " " not in span or _NUMBERED.fullmatch(span.lower()):
        return _NAME.fullmatch(span) is not None
    return len(_words(span)) >= _LEAST_WORDS


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a message, without what differs from host to host."""
    low = text.lower().replace("\u2019", "'").replace("_", "-")
    low = _VFIO_NODE.sub(" devvfio ", low)
    low = _PATH.sub(" ", low)
    low = _PLACES.sub(" ", low)
    low = _PROBE.sub(r"\1 probe of failed", low)
    low = _NUMBERED.sub(r" code\1 ", low)
    low = _ERRNO.sub(r" error errno\1 ", low)
    found = [word.strip("'-+") for word in _WORD.findall(low)]
    return tuple(word for word in found if word)[:_MOST_WORDS]


def _weights(rows: Collection[Sequence[str]]) -> dict[str, float]:
    """Return how much each word tells: the fewer messages have it, the more."""
    counts = Counter(word for row in rows for word in set(row))
    return {
        word: _COMMON_WEIGHT if word in _COMMON else 1 + math.log(len(rows) / count) / 3
        for word, count in counts.items()
    }


def _in_order(
    first: Sequence[str], second: Sequence[str], weights: Mapping[str, float]
) -> float:
    """Return the weight of the heaviest words that both have in the same order."""
    row = [0.0] * (len(second) + 1)
    for word in first:
        before = 0.0
        for place, other in enumerate(second, 1):
            above = row[place]
            if word == other:
                row[place] = max(above, before + weights[word])
            else:
                row[place] = max(above, row[place - 1])
            before = above
    return row[-1]
