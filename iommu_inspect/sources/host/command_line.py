"""The words of the kernel command line, as the kernel takes them apart."""

from __future__ import annotations

from iommu_inspect.model.host.settings import Word

__all__ = ["parse_command_line", "parse_words"]

_SPACE = " \t\n\r\v\f"


def parse_command_line(text: str) -> tuple[Word, ...]:
    """Return the words that are the kernel's; what is behind ``--`` is for init.

    Source: ``parse_args()`` in kernel/params.c, ``next_arg()`` in lib/cmdline.c.
    """
    words = parse_words(text)
    ends = (i for i, word in enumerate(words) if word.text == "--")
    return words[: next(ends, len(words))]


def parse_words(text: str) -> tuple[Word, ...]:
    """Take apart what ``next_arg()`` would: double quotes keep spaces together.

    Nothing else quotes: a single quote and a backslash are plain characters. This is
    also how the kernel reads the options that modprobe hands to a module.
    """
    words = []
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
            continue
        end, quoted = at, False
        while end < len(text) and (quoted or text[end] not in _SPACE):
            quoted ^= text[end] == '"'
            end += 1
        words.append(_word(text[at:end]))
        at = end
    return tuple(words)


def _word(raw: str) -> Word:
    whole = raw
    if raw.startswith('"'):
        whole = raw[1:].removesuffix('"')
    name, equals, value = whole.partition("=")
    # A word that begins with "=" has no name; the kernel takes it whole.
    if not equals or not name:
        return Word(whole, _key(whole))
    if value.startswith('"'):
        value = value[1:].removesuffix('"')
    return Word(f"{name}={value}", _key(name), value)


def _key(name: str) -> str:
    return name.replace("-", "_")
