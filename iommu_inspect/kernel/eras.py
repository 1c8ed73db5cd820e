"""Whose rules apply: the kernel's behaviour by release, as far as it is known.

A source seldom says which rules its kernel has; it says a release number, and it
shows which files exist. Both narrow the range of *eras* whose rules may apply.
Where the eras of that range give different answers, the answer is unknown.
"""

from __future__ import annotations

import enum
from dataclasses import field, replace

from iommu_inspect.kernel.citations import (
    DEVICE_CLAIM,
    DMA_OWNER_INTERFACES,
    PROPOSED_SHARED,
    PROPOSED_SINGLE_DRIVER,
    REQUIRE_DIRECT,
    SINGLETON,
    SKETCHED_SINGLE_DRIVER,
    Citation,
)
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.kernel_release import carries_code_back, version_of

__all__ = [
    "ERAS",
    "PROPOSALS",
    "PROPOSED",
    "SHARED",
    "SKETCHED",
    "Bridges",
    "Era",
    "Proposal",
    "Semantics",
    "UnknownSemanticsError",
    "applicable",
    "has_since",
    "named",
    "version_within",
]


class UnknownSemanticsError(BadRequestError):
    """What was asked for is neither a kernel release nor a name of a rule set."""


class Proposal(enum.Enum):
    """What was proposed, from November 2021 to January 2022, for groups of several.

    ``SKETCHED``: iommu_attach_device() asks for one user of the DMA API in place of one
    device. ``SHARED``: a second call beside it, for drivers that share a domain.
    ``POSTED``: iommu_attach_device() for drivers that use no DMA API, and for groups
    of one.
    """

    SKETCHED = "sketched"
    SHARED = "shared"
    POSTED = "posted"


class Bridges(enum.Enum):
    """Which bridges VFIO passes over before v5.19 though they have a driver.

    ``ANY``, since v4.4 (commit 5f096b14d421, "vfio: Whitelist PCI bridges");
    ``PORTS``, those on pcieport, by its name, as read in v3.12; ``NONE``, as read in
    v3.6, where pci-stub alone was passed over. Which of the two is right between is not
    known (``UNTOLD``).
    """

    NONE = "none"
    UNTOLD = "untold"
    PORTS = "ports"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Era:
    """One set of rules; it holds from ``since`` (a release) to the next era.

    ``singleton_check``: ``iommu_attach_device()`` demands a group of one device.
    ``dma_owner``: drivers and VFIO claim the group's DMA ownership.
    ``device_claim``: ``iommu_device_claim_dma_owner()`` and iommufd exist.
    ``require_direct``: a device with a firmware 1:1 mapping refuses the claim.
    ``proposal``: the text of a proposal that was never merged.
    ``bridges``: those that vfio_dev_viable() passes over; of a kernel whose release is
    not told it is supposed to be no older than v4.4 in this. ``version`` is that of the
    release that was told or asked for, where there is one.
    """

    name: str
    since: tuple[int, int]
    origin: Citation | None
    singleton_check: bool = True
    dma_owner: bool = True
    device_claim: bool = True
    require_direct: bool = True
    proposal: Proposal | None = None
    bridges: Bridges = Bridges.ANY
    version: tuple[int, int] | None = field(default=None, compare=False)


ERAS: tuple[Era, ...] = (
    Era("before v4.2", (0, 0), None, False, False, False, False),
    Era("v4.2 to v5.18", (4, 2), SINGLETON, True, False, False, False),
    Era("v5.19 to v6.1", (5, 19), DMA_OWNER_INTERFACES, True, True, False, False),
    Era("v6.2 to v6.5", (6, 2), DEVICE_CLAIM, True, True, True, False),
    Era("since v6.6", (6, 6), REQUIRE_DIRECT),
)
PROPOSED = Era(
    "proposed-single-driver",
    (6, 6),
    PROPOSED_SINGLE_DRIVER,
    singleton_check=False,
    proposal=Proposal.POSTED,
)
SKETCHED = Era(
    "sketched-single-driver",
    (6, 6),
    SKETCHED_SINGLE_DRIVER,
    singleton_check=False,
    proposal=Proposal.SKETCHED,
)
SHARED = Era(
    "proposed-shared-attach", (6, 6), PROPOSED_SHARED, proposal=Proposal.SHARED
)
PROPOSALS = (PROPOSED, SKETCHED, SHARED)
"""Rules that no kernel has, by name."""

_FIRST_VFIO = (3, 6)
_BRIDGES = (
    ((0, 0), Bridges.NONE),
    ((3, 7), Bridges.UNTOLD),
    ((3, 12), Bridges.PORTS),
    ((4, 4), Bridges.ANY),
)
# What exists only since a release, and so proves that the rules are not older.
# Only things of the IOMMU and VFIO code itself: a distribution that takes one of
# these into an older kernel takes the code around it along.
_FEATURE_SINCE: dict[str, tuple[int, int]] = {
    "reserved-regions": (4, 11),
    "vfio-dev": (5, 19),
    "driver_managed_dma": (5, 19),
    "iommufd": (6, 2),
    "iommu_device_claim_dma_owner": (6, 2),
    "require_direct": (6, 6),
}
# Names in the kernel's own type information; where it could be read ("btf"), the lack
# of one proves that the rules are older.
_NAMES_SINCE = {
    "driver_managed_dma": (5, 19),
    "iommu_device_claim_dma_owner": (6, 2),
    "require_direct": (6, 6),
}


@dataclass(frozen=True, slots=True)
class Semantics:
    """The eras whose rules may apply, oldest first, and why these."""

    eras: tuple[Era, ...]
    label: str
    basis: str

    @property
    def certain(self) -> bool:
        """Say whether exactly one era is left."""
        return len(self.eras) == 1


def _era_index(version: tuple[int, int]) -> int:
    return max(i for i, era in enumerate(ERAS) if era.since <= version)


def version_within(release: str, era: Era) -> tuple[int, int] | None:
    """Return the version that an era is of, ``None`` where only the era is known.

    That is the one that was asked for, or the release's, if the era has its rules.
    """
    if era.version is not None:
        return era.version
    version = version_of(release)
    if version is None or ERAS[_era_index(version)].since != era.since:
        return None
    return version


def has_since(release: str, era: Era, since: tuple[int, int]) -> bool | None:
    """Say whether a kernel of an era has what came with a version.

    ``None`` is returned where only the era is known, or where the release's vendor may
    have carried it back.
    """
    version = version_within(release, era)
    if (version or era.since) >= since:
        return True
    carried = era.version is None and carries_code_back(release)
    return None if version is None or carried else False


def _from_release(release: str, version: tuple[int, int]) -> Semantics:
    first = _era_index(version)
    if carries_code_back(release):
        return Semantics(
            ERAS[first:],
            release,
            f"release {release}, whose vendor carries later IOMMU code back",
        )
    bridges = [passed_over for since, passed_over in _BRIDGES if since <= version]
    era = replace(ERAS[first], bridges=bridges[-1], version=version)
    return Semantics((era,), release, f"release {release}")


def named(name: str) -> Semantics:
    """Return the rules of a kernel release, or of one of ``PROPOSALS``.

    Raises:
        UnknownSemanticsError: ``name`` is neither.
    """
    for proposal in PROPOSALS:
        if name == proposal.name:
            return Semantics((proposal,), name, "a proposal, never merged")
    version = version_of(name)
    if version is None:
        raise UnknownSemanticsError(
            f"{name!r} is no kernel release such as 6.12, nor auto, nor a proposal: "
            f"{', '.join(each.name for each in PROPOSALS)}"
        )
    if version < _FIRST_VFIO:
        raise UnknownSemanticsError(f"{name!r}: VFIO came with release 3.6")
    return _from_release(name, version)


def applicable(kernel: Kernel) -> Semantics:
    """Return the rules of the kernel that a source describes.

    What was seen to exist raises the lower end of the range, whatever the release
    number says; the number closes the range unless its vendor carries code back.
    """
    floor, ceiling = _seen(kernel)
    release = kernel.release
    version = version_of(release) if known(release) else None
    if not known(release) or version is None:
        why = "the kernel release is not known"
        if floor > (0, 0):
            why += f", but what exists is not older than v{floor[0]}.{floor[1]}"
        return Semantics(_between(floor, ceiling), "unknown kernel", why)
    stated = _from_release(release, version)
    narrowed = _between(max(floor, version), ceiling)
    if stated.certain and _era_index(floor) > _era_index(version):
        # Newer code than the number says: the number is no upper end either.
        return Semantics(narrowed, release, f"{stated.basis}, with newer code")
    eras = tuple(era for era in stated.eras if era in narrowed)
    return Semantics(eras or stated.eras, release, stated.basis)


def _seen(kernel: Kernel) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """Return the release that the rules are not older than, and one they precede."""
    features = kernel.features
    floor = max((_FEATURE_SINCE.get(f, (0, 0)) for f in features), default=(0, 0))
    lacking = [v for name, v in _NAMES_SINCE.items() if name not in features]
    ceiling = min(lacking, default=None) if "btf" in features else None
    return floor, ceiling if ceiling is None or ceiling > floor else None


def _between(
    floor: tuple[int, int], ceiling: tuple[int, int] | None
) -> tuple[Era, ...]:
    first = _era_index(floor)
    return tuple(
        era
        for index, era in enumerate(ERAS)
        if index >= first and (ceiling is None or era.since < ceiling)
    )
