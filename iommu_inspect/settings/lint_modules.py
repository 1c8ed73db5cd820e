"""Names that no module has, where one of vfio's was meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from iommu_inspect.model.fact import known
from iommu_inspect.model.host.dynamic_ids import DynamicId
from iommu_inspect.model.host.module_names import Mention, meant, mentions
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.text import shown
from iommu_inspect.settings.ids import COMMAND_LINE, place_of
from iommu_inspect.settings.oddity import Fix, Oddity, entries_of, is_plain

__all__ = ["misnamed_modules"]

# Folded into vfio in v6.2.
_FOLDED = "vfio_virqfd"


def misnamed_modules(settings: Settings) -> Iterator[Oddity]:
    """Yield lines and words that name a module which there is not."""
    for mention in mentions(settings):
        exists = settings.has_module(mention.key)
        if exists is True:
            continue
        if mention.key == _FOLDED:
            if exists is False:
                yield _folded(mention)
            continue
        right = meant(mention.name)
        if right is not None:
            yield _misnamed(mention, right, sure=known(exists))


def _folded(mention: Mention) -> Oddity:
    return Oddity(
        where=_place(mention),
        text=mention.text,
        why=(
            f"this kernel has no module {mention.name}: vfio does its work since v6.2; "
            "what makes the initramfs may stop over it"
        ),
        fix=Fix(f"Take {mention.name} out; vfio is enough."),
    )


def _misnamed(mention: Mention, right: str, *, sure: bool) -> Oddity:
    name = shown(mention.name)
    has = "this kernel has no module" if sure else "no module of vfio is called"
    line = mention.text.replace(mention.name, right)
    fix = Fix(f"Write {right} there.")
    if is_plain(line):
        fix = Fix(f"Write {right} there:", line, mention.file)
    odd = Oddity(
        where=_place(mention),
        text=mention.text,
        why=f"{has} {name}; {right} was meant, it seems",
        fix=fix,
    )
    if right not in ("vfio-pci", "pci-stub"):
        return odd
    return replace(odd, lost=_ids(mention), driver=right)


def _ids(mention: Mention) -> tuple[DynamicId, ...]:
    """Return the ids that the driver does not get by this mention."""
    if mention.word is not None and mention.word.key == f"{mention.key}.ids":
        return entries_of(mention.word.value or "")
    if mention.line is None or mention.line.command != "options":
        return ()
    values = [w.value or "" for w in mention.line.options if w.key == "ids"]
    return tuple(entry for value in values for entry in entries_of(value))


def _place(mention: Mention) -> str:
    if mention.line is not None:
        return place_of(mention.line)
    if mention.file:
        return f"in {shown(mention.file)} line {mention.number}"
    return COMMAND_LINE
