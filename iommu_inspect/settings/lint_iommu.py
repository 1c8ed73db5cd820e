"""Options of the IOMMU drivers that the kernel does not know, or not on this host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from iommu_inspect.model.fact import Fact, known
from iommu_inspect.model.host.settings import Word
from iommu_inspect.model.text import listed, shown
from iommu_inspect.settings.ids import COMMAND_LINE
from iommu_inspect.settings.iommu_options import OPTIONS, unknown_options
from iommu_inspect.settings.maker import Maker
from iommu_inspect.settings.oddity import Fix, Oddity, write

__all__ = ["iommu_words"]

_X86 = {"amd_iommu": Maker.AMD, "intel_iommu": Maker.INTEL, "iommu": None}
_RELAX = "relax_rmrr"


def iommu_words(
    words: tuple[Word, ...], maker: Maker | None, relax_rmrr: Fact[bool]
) -> Iterator[Oddity]:
    """Yield words for the IOMMU that the kernel, or this maker's driver, ignores."""
    for word in words:
        if word.key not in OPTIONS or not word.value:
            continue
        if maker is Maker.ARM:
            yield _word_of_x86(word, words)
            continue
        others = _X86[word.key]
        if others is not None and maker is not None and others is not maker:
            yield _others_word(word, maker, words)
            continue
        if word.key == "iommu" and maker is None:
            continue  # other architectures have no such parameter, or another one
        unknown = unknown_options(word.key, word.value)
        if word.key == "intel_iommu" and _RELAX in unknown and relax_rmrr is not False:
            unknown = tuple(option for option in unknown if option != _RELAX)
            if not known(relax_rmrr):
                yield _perhaps_patched(word)
        if unknown:
            yield _unknown_option(word, unknown, maker)


def _word_of_x86(word: Word, words: tuple[Word, ...]) -> Oddity:
    """Arm's kernel has none of them; its pass-through has a word of its own.

    ``iommu.passthrough`` in drivers/iommu/iommu.c; ``iommu=`` is parsed below
    arch/x86 and arch/powerpc only.
    """
    given = any(w.key == "iommu.passthrough" for w in words)
    if word.key == "iommu" and "pt" in (word.value or "").split(",") and not given:
        fix = write(
            "Take it out. If pass-through for the host's own devices was meant",
            "iommu.passthrough=1",
        )
    else:
        fix = Fix("Take it out; an SMMU needs no parameter.")
    return _oddity(word, "x86 has that parameter, and Arm has none of that name", fix)


def _others_word(word: Word, maker: Maker, words: tuple[Word, ...]) -> Oddity:
    if maker is Maker.AMD:
        fix = Fix("Take it out; AMD's IOMMU needs no parameter.")
    elif any(w.key == "intel_iommu" for w in words):
        fix = Fix("Take it out.")
    else:
        fix = write(
            "Take it out. VT-d is turned on with this, where the kernel does not do "
            "so by itself",
            "intel_iommu=on",
        )
    others = Maker.INTEL if maker is Maker.AMD else Maker.AMD
    why = f"that is for IOMMUs of {others.value}, and this host is {maker.value}'s"
    return _oddity(word, why, fix)


def _perhaps_patched(word: Word) -> Oddity:
    why = (
        f"no kernel from kernel.org has {_RELAX}, kernels with a patch have (Proxmox's "
        "do); which of them this is cannot be told"
    )
    fix = Fix(
        "Look what the kernel log has of it: DMAR: Unknown option means that this "
        "kernel is without the patch."
    )
    return replace(_oddity(word, why, fix), sure=False)


def _oddity(word: Word, why: str, fix: Fix) -> Oddity:
    return Oddity(COMMAND_LINE, word.text, why, fix, about_iommu=True)


def _unknown_option(
    word: Word, unknown: tuple[str, ...], maker: Maker | None
) -> Oddity:
    names = listed(shown(option) for option in unknown)
    if word.key == "amd_iommu" and "on" in unknown:
        whose = "AMD's IOMMU" if maker is Maker.AMD else "an IOMMU of AMD's"
        fix = Fix(
            f"Take it out; where firmware offers {whose}, nothing has to turn it on."
        )
    elif "pt" in unknown:
        fix = write("If pass-through for the host's own devices was meant", "iommu=pt")
    elif word.key == "iommu" and "on" in unknown and maker is Maker.INTEL:
        fix = write("Take it out; VT-d is turned on with this", "intel_iommu=on")
    else:
        fix = Fix(
            f"Take it out, or look it up under {word.key}= in kernel-parameters.txt."
        )
    why = f"the kernel does not know {names} there and passes over it"
    return _oddity(word, why, fix)
