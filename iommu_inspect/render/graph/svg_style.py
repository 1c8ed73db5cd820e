"""How the SVG looks, by day and by night: each colour has a second sign beside it.

A group of several devices has a colour and its id as text; the owner of a group has an
outline of its own stroke, and a word.
"""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.render.graph.palette import DARK_FILLS, FILLS

__all__ = ["DAY", "NIGHT", "patterns", "sign_of", "style_sheet"]

# Text, faint text, lines, what is lost, the background, and owners' outlines.
DAY = {
    "ink": "#1a1a1a",
    "faint": "#595959",
    "line": "#767676",
    "lost": "#a3001c",
    "paper": "#ffffff",
    "kernel": "#1a1a1a",
    "user": "#1b6e2d",
    "conflict": "#a3001c",
    "unknown": "#7a4d00",
}
NIGHT = {
    "ink": "#ececec",
    "faint": "#b8b8b8",
    "line": "#8f8f8f",
    "lost": "#ffb0a8",
    "paper": "#14161a",
    "kernel": "#ececec",
    "user": "#7fdc8f",
    "conflict": "#ffb0a8",
    "unknown": "#ffcf7a",
}
# Some that show an SVG know no variables: each rule has its colour in it.
_RULES = """\
.ii text{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:12px;\
white-space:pre}
.ii .name{font-weight:bold}
.ii text.lost{font-weight:bold}
.ii .edge{fill:none;stroke-width:1.5}
.ii .edge.coming{stroke-dasharray:4 3}
.ii .edge.lost{stroke-width:4}
.ii .box{stroke-width:1}
.ii .box.root{fill:none;stroke:none}
.ii .box.coming{fill:none;stroke-dasharray:6 4}
.ii .box.kernel{stroke-width:1.5}
.ii .box.user{stroke-width:3}
.ii .box.conflict{stroke-width:3;stroke-dasharray:12 4}
.ii .box.unknown{stroke-width:1.5;stroke-dasharray:2 3}
.ii .box.asked{stroke-width:4}
.ii .sign{stroke-width:1;fill:none}"""


def style_sheet() -> str:
    """Return the rules for everything with the class ``ii``, without its element.

    What is printed is printed as by day.
    """
    night = "\n".join(_coloured(NIGHT, DARK_FILLS))
    return "\n".join(
        [
            _RULES,
            *_coloured(DAY, FILLS),
            f"@media screen and (prefers-color-scheme:dark){{\n{night}\n}}",
        ]
    )


def _coloured(colours: dict[str, str], fills: tuple[str, ...]) -> Iterator[str]:
    yield f".ii text{{fill:{colours['ink']}}}"
    yield f".ii .faint{{fill:{colours['faint']}}}"
    yield f".ii text.lost{{fill:{colours['lost']}}}"
    yield f".ii .paper{{fill:{colours['paper']}}}"
    yield f".ii .edge,.ii .box{{stroke:{colours['line']}}}"
    yield f".ii .edge.lost{{stroke:{colours['lost']}}}"
    yield f".ii .sign{{stroke:{colours['ink']}}}"
    for owner in ("kernel", "user", "conflict", "unknown"):
        yield f".ii .box.{owner}{{stroke:{colours[owner]}}}"
    yield from (f".ii .g{number}{{fill:{fill}}}" for number, fill in enumerate(fills))


# What tells groups apart without colours, beside their ids: drawn on a small field.
_SIGNS = (
    "M0 6L6 0",
    "M0 0L6 6",
    "M3 0V6",
    "M0 3H6",
    "M0 3H6M3 0V6",
    "M0 0L6 6M0 6L6 0",
    "M1 3H2M4 3H5",
)


def patterns(prefix: str) -> str:
    """Return the patterns of groups, whose ids begin with the prefix."""
    return "".join(
        f'<pattern id="{prefix}-s{number}" width="6" height="6" '
        f'patternUnits="userSpaceOnUse"><path class="sign" d="{path}"/></pattern>'
        for number, path in enumerate(_SIGNS)
    )


def sign_of(prefix: str, hue: int) -> str:
    """Return the address of the pattern of a shared group; they come round again."""
    return f"url(#{prefix}-s{hue % len(_SIGNS)})"
