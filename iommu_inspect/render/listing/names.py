"""What a device is called where there is little room."""

from __future__ import annotations

import re

from iommu_inspect.model.device import Device
from iommu_inspect.render.devices import kind_name

__all__ = ["brief_kind", "brief_name", "brief_vendor"]

# What says of a company's name only what kind of company it is.
_LEGAL = frozenset(
    [
        *("ag", "bv", "co", "company", "corp", "corporation", "electronics", "gmbh"),
        *("inc", "incorporated", "international", "limited", "llc", "ltd", "nv", "pte"),
        *("sa", "semiconductor", "semiconductors", "systems", "technologies"),
        "technology",
    ]
)
_IN_BRACKETS = re.compile(r"\[([^]]+)\]$")


def brief_kind(device: Device) -> str:
    """Return what kind of device it is without the word that all of them have."""
    kind = kind_name(device)
    for word in (" controller", " device"):
        if device.is_pci and kind.endswith(word):
            return kind.removesuffix(word)
    return kind


def brief_vendor(name: str) -> str:
    """Return how people call a vendor: "NVIDIA" for "NVIDIA Corporation".

    "Advanced Micro Devices, Inc. [AMD/ATI]" says so itself.
    """
    called = _IN_BRACKETS.search(name)
    if called is not None:
        return called[1]
    words = name.split()
    while len(words) > 1 and _is_legal(words[-1]):
        words.pop()
    return " ".join(words).rstrip(",")


def brief_name(device: Device) -> str:
    """Return vendor and name of a device, as far as somebody knows them."""
    vendor, name = device.vendor_name, device.name
    if not vendor and name:
        vendor, name = _parted(name)
    return " ".join(filter(None, (vendor and brief_vendor(vendor), name)))


def _parted(name: str) -> tuple[str, str]:
    """Part a name that the vendor's is in front of, as lspci shows it.

    "Advanced Micro Devices, Inc. [AMD/ATI] Navi 21": up to the last word that only
    companies have.
    """
    words = name.split(" ")
    ends = [place for place, word in enumerate(words, 1) if _is_legal(word)]
    end = ends[-1] if ends and ends[0] > 1 else 0
    if 0 < end < len(words) and _IN_BRACKETS.fullmatch(words[end]):
        end += 1
    return " ".join(words[:end]), " ".join(words[end:])


def _is_legal(word: str) -> bool:
    return word.strip(".,()").lower() in _LEGAL
