"""Which names of modules somebody wrote down, and which of them nearly are vfio's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iommu_inspect.model.asked.near import distance
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.host.settings import (
    ModprobeConfig,
    ModprobeLine,
    Settings,
    Word,
)

__all__ = ["Mention", "meant", "mentions"]

# Those of drivers/vfio, drivers/iommu/iommufd and drivers/pci/pci-stub.c in v5.10 to
# v7.3, "_" for "-", and how they are mostly written.
_COMMON = {
    "pci_stub": "pci-stub",
    "vfio": "vfio",
    "vfio_iommu_type1": "vfio_iommu_type1",
    "vfio_pci": "vfio-pci",
    "vfio_pci_core": "vfio-pci-core",
    "vfio_platform": "vfio-platform",
    "vfio_virqfd": "vfio_virqfd",
}
# Others that exist, vfio's and near ones.
_OTHERS = frozenset(
    {"vfio_amba", "vfio_ap", "vfio_ccw", "vfio_cdx", "vfio_fsl_mc", "vfio_mdev"}
    | {"vfio_iommu_spapr_tce", "vfio_spapr_eeh", "vfio_platform_base"}
    | {"vfio_platform_amdxgbe", "vfio_platform_bcmflexrm"}
    | {
        "vfio_platform_calxedaxgmac",
        "virtio_vfio_pci",
        "iommufd",
        "virtio",
        "virtio_pci",
    }
)
_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
# Words of systemd and dracut whose values are lists of modules.
_LISTS = ("modules_load", "rd.modules_load", "rd.driver.pre", "rd.driver.post")
_LEAST, _SHORT = 4, 5


@dataclass(frozen=True, slots=True)
class Mention:
    """A module's name, as it was written, in a line of a file or a word.

    Neither ``line`` nor ``word`` is there where a list of modules has it; ``file`` is
    empty for the command line. ``text`` is what the name stands in.
    """

    name: str
    text: str
    file: str = ""
    number: int = 0
    line: ModprobeLine | None = None
    word: Word | None = None

    @property
    def key(self) -> str:
        """The name with "_" for "-"."""
        return self.name.replace("-", "_")


def meant(name: str) -> str | None:
    """Return the module of vfio's that a name nearly is, written as it mostly is.

    ``None``: it is one, or near none. Short names may have one mistake, others two.
    """
    key = name.replace("-", "_").lower()
    if key in _COMMON or key in _OTHERS or len(key) < _LEAST:
        return None
    near = sorted(
        (distance(key, right), right)
        for right in _COMMON
        if abs(len(key) - len(right)) <= 2
    )
    if not near:
        return None
    mistakes, right = near[0]
    return _COMMON[right] if mistakes <= (1 if len(right) <= _SHORT else 2) else None


def mentions(settings: Settings) -> Iterator[Mention]:
    """Yield every module that modprobe.d, the command line or a list names."""
    for line in value_or(settings.modprobe, ModprobeConfig()).lines:
        for name in _of_line(line):
            text = " ".join((line.command, *line.arguments))
            yield Mention(name, text, line.file, line.number, line=line)
    for word in value_or(settings.command_line, ()):
        for name in _of_word(word):
            yield Mention(name, word.text, word=word)
    for entry in settings.module_lists:
        yield Mention(entry.name, entry.text, entry.file, entry.number)


def _of_line(line: ModprobeLine) -> Iterator[str]:
    names: list[str] = []
    if line.command in ("options", "install", "softdep", "weakdep"):
        names += line.arguments[:1]
    if line.command in ("softdep", "weakdep"):
        names += [a for a in line.arguments[1:] if a not in ("pre:", "post:")]
    if line.command == "alias":
        names += line.arguments[1:2]
    return (name for name in names if _NAME.fullmatch(name))


def _of_word(word: Word) -> Iterator[str]:
    if word.key in _LISTS:
        names = (word.value or "").split(",")
    else:
        module, dot, _ = word.text.partition("=")[0].partition(".")
        names = [module] if dot else []
    return (name for name in names if _NAME.fullmatch(name))
