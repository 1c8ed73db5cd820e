"""The kernels of the lab: which suites they come from, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.cache import cache_root
from lab.errors import LabError


@dataclass(frozen=True)
class Kernel:
    """One kernel series of one Debian suite.

    ``suites`` are searched in order; the first one decides. An ``own`` one is built
    from the suite's source with ``own.config``, less the options in ``without``.
    """

    name: str
    series: str
    architecture: str
    suites: tuple[str, ...]
    own: bool = False
    without: frozenset[str] = frozenset()

    @property
    def number(self) -> tuple[int, ...]:
        """Return ``6.12`` as ``(6, 12)``."""
        return tuple(map(int, self.series.split(".")))

    @property
    def all_suites(self) -> tuple[str, ...]:
        """Return its suites, and what backports build upon."""
        below = [s.removesuffix("-backports") for s in self.suites if "-" in s]
        return (*self.suites, *below)

    @property
    def directory(self) -> Path:
        """Where this kernel lies in the cache once it is fetched."""
        return cache_root() / "kernels" / f"{self.name}"


@dataclass(frozen=True)
class Image:
    """A fetched kernel: its release string, image file and modules.

    ``has_headers`` says whether a module can be built for it.
    """

    kernel: Kernel
    release: str
    version: str
    vmlinuz: Path
    modules: Path
    has_headers: bool = True


_SERIES = {
    "5.10": ("bullseye",),
    "6.1": ("bookworm",),
    "6.12": ("trixie",),
    "6.16": ("trixie-backports",),
    "6.17": ("trixie-backports",),
    "6.18": ("trixie-backports",),
    "7.2": ("trixie-backports",),
    "7.3": ("trixie-backports",),
}

KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        *(Kernel(name, name, "amd64", suites) for name, suites in _SERIES.items()),
        *(
            Kernel(f"{name}-arm64", name, "arm64", _SERIES[name])
            for name in ("6.12", "7.2", "7.3")
        ),
    )
}

_NO_GROUPS = frozenset({"VFIO_GROUP", "VFIO_CONTAINER"})
OWN_KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (
        *(
            Kernel(f"{name}-own", name, "amd64", _SERIES[name], own=True)
            for name in ("6.1", "6.12", "7.2", "7.3")
        ),
        Kernel(
            *("7.3-no-group", "7.3", "amd64", _SERIES["7.3"]),
            own=True,
            without=_NO_GROUPS,
        ),
    )
}
"""Of sources of Debian, with what its kernels are built without: iommufd, device nodes
and no-IOMMU mode. Each takes some minutes to build, so they are asked for by name."""


def find_kernel(name: str) -> Kernel:
    """Return the kernel called ``name``, or say which there are."""
    try:
        return (KERNELS | OWN_KERNELS)[name]
    except KeyError:
        known = ", ".join(KERNELS | OWN_KERNELS)
        raise LabError(f"unknown kernel '{name}'; known: {known}") from None
