"""The kernel behind the facts, and what of its vfio modules changes an answer."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing

__all__ = ["NO_VFIO_GROUP", "VFIO_GROUP", "Kernel", "VfioSettings"]


@dataclass(frozen=True, slots=True)
class VfioSettings:
    """What of vfio's modules changes an answer.

    The parameters are absent when their module is not loaded. ``type1_loaded``
    is missing where the source shows no modules at all.
    """

    enable_unsafe_noiommu_mode: Fact[bool] = Missing.ABSENT
    type1_allow_unsafe_interrupts: Fact[bool] = Missing.ABSENT
    iommufd_allow_unsafe_interrupts: Fact[bool] = Missing.ABSENT
    type1_loaded: Fact[bool] = Missing.ABSENT
    disable_denylist: Fact[bool] = Missing.ABSENT
    enable_sriov: Fact[bool] = Missing.ABSENT


VFIO_GROUP, NO_VFIO_GROUP = "vfio-group", "no-vfio-group"
"""Among a kernel's features, where it was seen to be built with CONFIG_VFIO_GROUP, or
without it (v6.6)."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel behind the facts.

    ``features`` names what was seen to exist (``vfio-dev``, ``iommufd``,
    ``reserved-regions``, ...): presence counts before version numbers, because
    distributions backport. ``NO_VFIO_GROUP`` is what was seen not to exist.
    """

    release: Fact[str] = Missing.ABSENT
    command_line: Fact[str] = Missing.ABSENT
    features: frozenset[str] = frozenset()
