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
# lspci without -nn: "Advanced Micro Devices, Inc. [AMD/ATI] Navi 21".
_BEFORE_NAME = re.compile(r"^[^][]*\b(?:Inc|Ltd|Corp)\.? \[([^][]+)\] (?=.)")


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
    while len(words) > 1 and words[-1].strip(".,()").lower() in _LEGAL:
        words.pop()
    return " ".join(words).rstrip(",")


def brief_name(device: Device) -> str:
    """Return vendor and name of a device, as far as somebody knows them."""
    vendor = brief_vendor(device.vendor_name) if device.vendor_name else None
    name = _BEFORE_NAME.sub(r"\1 ", device.name) if device.name else None
    return " ".join(word for word in (vendor, name) if word)
