"""Options of the IOMMU drivers that the kernel does not know, or not on this host."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.settings import Word
from iommu_inspect.model.text import listed, shown
from iommu_inspect.settings.ids import COMMAND_LINE
from iommu_inspect.settings.iommu_options import OPTIONS, unknown_options
from iommu_inspect.settings.oddity import Fix, Oddity, write

__all__ = ["iommu_words"]

_VENDORS = {"amd_iommu": "amd", "intel_iommu": "intel"}


def iommu_words(words: tuple[Word, ...], maker: str | None) -> Iterator[Oddity]:
    """Yield words for the IOMMU that the kernel, or this maker's driver, ignores."""
    for word in words:
        if word.key not in OPTIONS or not word.value:
            continue
        others = _VENDORS.get(word.key)
        if others is not None and maker is not None and others != maker:
            yield _others_word(word, maker, words)
            continue
        if word.key == "iommu" and maker is None:
            continue  # other architectures have no such parameter, or another one
        unknown = unknown_options(word.key, word.value)
        if unknown:
            yield _unknown_option(word, unknown)


def _others_word(word: Word, maker: str, words: tuple[Word, ...]) -> Oddity:
    if maker == "amd":
        fix = Fix("Take it out; AMD-Vi needs no parameter.")
    elif any(w.key == "intel_iommu" for w in words):
        fix = Fix("Take it out.")
    else:
        fix = write(
            "Take it out. VT-d is turned on with this, where the kernel does not do "
            "so by itself",
            "intel_iommu=on",
        )
    mine, others = ("AMD", "Intel") if maker == "amd" else ("Intel", "AMD")
    why = f"that is for IOMMUs of {others}, and this host has one of {mine}"
    return _oddity(word, why, fix)


def _oddity(word: Word, why: str, fix: Fix) -> Oddity:
    return Oddity(COMMAND_LINE, word.text, why, fix, about_iommu=True)


def _unknown_option(word: Word, unknown: tuple[str, ...]) -> Oddity:
    names = listed(shown(option) for option in unknown)
    if word.key == "amd_iommu" and "on" in unknown:
        fix = Fix("Take it out; AMD-Vi is on unless something turns it off.")
    elif "pt" in unknown:
        fix = write("If pass-through for the host's own devices was meant", "iommu=pt")
    elif word.key == "iommu" and "on" in unknown:
        fix = write("Take it out; VT-d is turned on with this", "intel_iommu=on")
    else:
        fix = Fix(
            f"Take it out, or look it up under {word.key}= in kernel-parameters.txt."
        )
    why = f"the kernel does not know {names} there and passes over it"
    return _oddity(word, why, fix)
