"""Takes off a text what the way to us added: quoting, markup, colours, odd spaces.

Mail programs quote and wrap, forums and chats mark up, terminals colour, browsers give
no-break spaces, Windows ends lines in its own way. None of it is said by the machine.
Nothing here says what a line means.
"""

from __future__ import annotations

import re
from dataclasses import replace

from iommu_inspect.sources.text.margins import without_margin
from iommu_inspect.sources.text.said import CUT, Line

__all__ = ["clean"]

_MAX_LINE = 4096
# Everything that ends a line somewhere.
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_SPACES = dict.fromkeys(
    [0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "
)
# Characters without a width, and the byte order mark.
_NOTHING: dict[int, str | None] = dict.fromkeys(
    [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF, 0x07, 0x00]
)
# Keyboards and word processors have other ones of these.
_ASCII = {
    **{0xFF01 + place: chr(0x21 + place) for place in range(0x5E)},
    **dict.fromkeys((0x2010, 0x2011, 0x2212), "-"),
    **dict.fromkeys((0x201C, 0x201D, 0x201E), '"'),
}
_PLAIN = str.maketrans({**_SPACES, **_NOTHING, **_ASCII})
# What Markdown has escaped. The tree of lspci -t has a "\-" of its own.
_ESCAPED = re.compile(r"\\(?=[\[\]()_*#<>`|])|(?<=\w)\\(?=[-.+!]\w)")
_COLOURS = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n]*(?:\x07|\x1b\\\\)|\x1b[@-Z\\\\^_]"
)
_OVERSTRIKE = re.compile("[^\n\x08]\x08")
_BREAKING_TAG = re.compile(r"<(?:br|p|li|tr|div|pre)(?:\s[^<>\n]{0,200})?\s*/?>", re.I)
_TAG = re.compile(
    r"</?(?:pre|code|p|br|div|span|b|i|u|strong|em|li|ul|ol|td|th|tr|table|tbody|thead"
    r"|font|a|details|summary|blockquote|samp|kbd|tt|small|h[1-6])"
    r"(?:\s[^<>\n]{0,200})?\s*/?>",
    re.I,
)
_FORUM_TAG = re.compile(
    r"\[/?(?:code|quote|b|i|u|s|spoiler|hide|color|colour|font|list|pre|url"
    r"|noparse|tt|mono|inline|icode)(?:=[^\]\n]{0,80})?\]",
    re.I,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-fA-F]{1,6}|[A-Za-z]{2,10});")
_QUOTE = re.compile(r"[ \t]{0,3}(?:>[ ]?)+")
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})[\w+-]*\s*")
_EMPHASIS = re.compile(r"\*\*|(?<!\w)__(?=\S)|(?<=\S)__(?!\w)")
_PROMPT = re.compile(
    r"\s*(?:\([\w.-]+\)\s*)?"
    r"(?:\[?[\w.+-]+@[\w.-]+[^$#%>\n]{0,80}[$#%>\u276f]|[\w.-]*[~/][\w./-]*\s?[$#%>\u276f]|[$#%\u276f])"
    r"\s*(?=(?:sudo\s|doas\s|su\s)?"
    r"(?:\S*/)?(?:lspci|find|ls|cat|dmesg|journalctl|for|shopt|readlink|virsh|driverctl"
    r"|dpdk-devbind|uname|grep|egrep|lsmod|modprobe|echo|bash|sh|while|lshw|tree|lsblk"
    r"|head|tail|pvesh|iommu-inspect|hostnamectl|lscpu|ip|\./)\b)"
)
# A prompt that shows who and where is one whatever is typed.
_WHO_AND_WHERE = re.compile(
    r"\s*(?:\([\w.-]+\)\s*)?(?:[\w.+-]+@[\w.-]+:[^$#%>\n]{0,80}|"
    r"\[[\w.+-]+@[\w.-]+ [^\]\n]{1,80}\])[$#%>](?:\s|$)"
)
# What `list --format paste` says of the groups above: lines that begin with "#".
_OUR_WORDS = re.compile(r"\s*# iommu-inspect \d[\w.+-]*, .*:\s*$")
_BULLET = re.compile(r"(\s*)[-*+\u2022\u00b7\u25e6\u25aa\u2023][ \t]+(?=\S)")
_CONTINUED = re.compile(r"(?:\.{3,}|…+)\s*$")
_WIDE = 78
"""From this width on a ``>`` at the end is a pager's mark that the line goes on."""


def clean(text: str) -> list[Line]:
    """Return the lines of a text as the programs printed them, without empty ones.

    Only where the text ends with an empty line the last one is empty too.

    Args:
        text: Whatever somebody pasted.
    """
    found: list[Line] = []
    gap = True
    ours = False
    for number, line, item in _numbered(text):
        ours = _OUR_WORDS.match(line) is not None or (
            ours and line.lstrip().startswith("#")
        )
        if ours:
            gap = True
            continue
        if _FENCE.fullmatch(line):
            gap = True
            continue
        bare = line.strip()
        if not bare:
            gap = True
            continue
        prompt = _PROMPT.match(line) or _WHO_AND_WHERE.match(line)
        found.append(
            Line(
                number=number,
                text=line.rstrip(),
                depth=_depth(line),
                prompt=prompt is not None,
                after_gap=gap,
                item=item,
            )
        )
        gap = False
    found = _single_spaced(found)
    if gap and found:
        found.append(Line(found[-1].number + 1, "", after_gap=True))
    return found


def _numbered(text: str) -> list[tuple[int, str, bool]]:
    whole = _plain(text)
    lines = whole.split("\n")
    ended = not lines[-1].strip()
    if ended:
        lines.pop()
    found: list[tuple[int, str, bool]] = []
    for number, line in enumerate(lines, start=1):
        # A tag that breaks a line makes several of one.
        for part in _BREAKING_TAG.sub("\n", line).split("\n"):
            found.append((number, *_bare_of_marks(part)))
    if not ended and found and found[-1][1].strip():
        number, last, item = found[-1]
        found[-1] = number, last if last.endswith(CUT) else last + CUT, item
    return found


def _plain(text: str) -> str:
    text = _unquoted_printable(_LINE_ENDS.sub("\n", text))
    text = _COLOURS.sub("", text)
    if "\x08" in text:
        text = _OVERSTRIKE.sub("", text)
    # No-break spaces that were taken for Latin-1 on the way.
    text = text.replace("\u00c2\u00a0", " ")
    if _ENTITY.search(text):
        from html import unescape

        text = _ENTITY.sub(lambda found: unescape(found[0]), text)
    return text.translate(_PLAIN)


def _unquoted_printable(text: str) -> str:
    """Undo the encoding of mails, where the text plainly is in it.

    There every "=" begins an escape, its own among them; lspci prints some that do not.
    """
    if "=3D" not in text or re.search("=(?!\n|[0-9A-F]{2})", text):
        return text
    from quopri import decodestring

    decoded = decodestring(text.encode("utf-8", "surrogateescape"))
    return decoded.decode("utf-8", "replace")


def _bare_of_marks(line: str) -> tuple[str, bool]:
    """Return a line without marks, and whether one of an item was before it."""
    line = line[:_MAX_LINE] + (CUT if len(line) > _MAX_LINE else "")
    quote = _QUOTE.match(line)
    if quote:
        line = line[quote.end() :]
    line = _FORUM_TAG.sub("", _TAG.sub("", line))
    if "\\" in line:
        line = _ESCAPED.sub("", line)
    line = _EMPHASIS.sub("", line)
    bullet = _BULLET.match(line)
    if bullet:
        line = bullet[1] + line[bullet.end() :]
    if not _FENCE.fullmatch(line):
        line = _without_ticks(line)
    if line.endswith(">") and len(line.expandtabs()) > _WIDE and "<" not in line:
        line = line[:-1] + CUT
    return without_margin(_CONTINUED.sub(CUT, line)), bullet is not None


def _without_ticks(line: str) -> str:
    """Take off the marks of code in a line: ```text```."""
    bare = line.lstrip(" \t")
    indent = line[: len(line) - len(bare)]
    return indent + bare.strip("`") if "`" in (bare[:1], bare[-1:]) else line


def _depth(line: str) -> int:
    wide = line.expandtabs(8)
    return len(wide) - len(wide.lstrip(" "))


def _single_spaced(lines: list[Line]) -> list[Line]:
    """Take out the gaps of a text that has one after each line."""
    if len(lines) < 6 or any(not line.after_gap for line in lines[1:]):
        return lines
    return [replace(line, after_gap=not index) for index, line in enumerate(lines)]
