"""Colours of groups: pale ones that black text is read on, and dark ones for white."""

from __future__ import annotations

__all__ = ["DARK_FILLS", "FILLS", "fill_of"]

# The first is of what is alone in its group, or in none.
FILLS = (
    "#ffffff",
    "#fde2c8",
    "#d3e5fb",
    "#dcefd3",
    "#f6d9ec",
    "#fff3b8",
    "#e0dcf7",
    "#cdeeee",
    "#ead9c6",
)
DARK_FILLS = (
    "#1c1f24",
    "#4a2f16",
    "#16324f",
    "#1f3d1a",
    "#4a1f3d",
    "#453c05",
    "#322b5c",
    "#0f4040",
    "#41311f",
)


def fill_of(hue: int) -> int:
    """Return the number of the colour of a shared group; they come round again."""
    return hue % (len(FILLS) - 1) + 1
