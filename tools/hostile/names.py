"""Names that somebody may have made: each does something if a shell gets to read it.

What it does is call ``canary``, or write a file of that name, or make words of one.
"""

from __future__ import annotations

from random import Random

__all__ = ["CANARY", "NEW_LINE", "hostile"]

CANARY = "canary"
# Follows a newline: no line of output may begin with it.
NEW_LINE = "CANARYLINE"

_CALLS = (
    *("$(canary)", "`canary`", "${x:-$(canary)}", ";canary;", "|canary", "||canary"),
    *("&canary&", "&&canary", "\ncanary\n", "\r\ncanary\r\n", "\n;canary #"),
    ")\ncanary",
    *("';canary;'", '";canary;"', "'\"'\"';canary;'", "\\';canary;\\'", '"$(canary)"'),
    *("'$(canary)'", "'`canary`'", "$'\\ncanary\\n'", "\\\ncanary", "\\", "\\\\"),
    *(" canary", "\tcanary", "#\ncanary", "}\ncanary", "}; canary; {"),
    "\ndone\ncanary",
    *(">canary", "<canary", ">>canary", ">|canary", "2>canary", "<<canary\n"),
    "&>canary",
    *("$((canary))", "$(<canary)", "<(canary)", ">(canary)", "=canary", "=(canary)"),
    *("\\ncanary", "\\012canary", "\\0canary", "\\x0acanary", "\\ccanary", "\\e[31m"),
)
_WORDS = (
    *("-n", "-e", "--", "--help", "-rf", "-exec", "--eval=canary", "-", "+x"),
    *("*", "?", "[a-z]*", "{a,b}", "{1..3}", "~", "~root", "~+", "$HOME", "$IFS", "$0"),
    *("${IFS}", "$@", "$#", "$$", "!!", "!canary", "^a^b", "#", "# ", "%s", "%n"),
    "%(x)",
    *("a b", "a  b", " ", "\t", "\n", "..", ".", "../../x", "/", "//", "/etc/passwd"),
    *("'", '"', "''", '""', "`", "'''", "''${canary}", "${canary}", "\\'", '\\"'),
    *("a=b", "x=$(canary)", "if", "then", "}", "{", "(", ")", "[", "]]", "do", "esac"),
)
_TERMINAL = (
    *("\x1b[31m", "\x1b]0;canary\x07", "\x9b31m", "\x00", "\x7f", "\x08\x08", "\r"),
    *("\u202ecanary", "\u2066", "\u200f", "\u2028canary", "\u2029", "\x85canary"),
    *("\udcff", "\ud800", "\udce2\udc80\udcae", "\ue000", "\ufeff", "\u200b"),
    *(
        "é",
        "ß",
        "日本",
        "\u00a0",
        "\uff04(canary)",
        "\uff1bcanary",
        "\u2018canary\u2019",
    ),
    f"\n{NEW_LINE}",
    f"\u2028{NEW_LINE}",
)
_MARKUP = (
    *("]]>", "</x>", "<!--", "-->", "<canary/>", "&lt;", "&canary;", "'/><canary a='"),
    *('"/><canary a="', "<![CDATA[", "<?x ?>", "=cmd|' /C x'!A0", "@SUM(1)", "+1", "|"),
)
_CLEAN = (
    *("0000:01:00.0", "0000:01:00", "01:00.0", "vfio-pci", "vfio_pci", "e1000e", "pci"),
    *("/mnt/x", "/dev/sda", "/etc/modprobe.d/x.conf", "6.12.1", "10de:1e04", "1"),
    "dm-0",
    *("options", "softdep", "vfio-pci.ids=10de:1e04", "ids=10de:1e04", "none", "tank"),
    *("vfio_pci:v*d*sv*sd*bc*sc*i*", "platform", "dmar0", "flr", "DMA", "x.mount"),
)


def hostile(dice: Random) -> str:
    """Return one name: a clean beginning perhaps, and one to three things behind it."""
    kinds = (_CALLS, _CALLS, _CALLS, _WORDS, _TERMINAL, _MARKUP)
    parts = [
        dice.choice(dice.choice(kinds)) for _ in range(dice.choice((1, 1, 1, 2, 2, 3)))
    ]
    if dice.random() < 0.5:
        parts.insert(0, dice.choice(_CLEAN))
    if dice.random() < 0.2:
        parts.append(dice.choice(_CLEAN))
    return "".join(parts)
