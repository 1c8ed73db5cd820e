"""The kernels of the lab: which suites they come from, and how to get them.

A suite of Debian keeps a kernel's packages after a newer series has come, so each is
looked for by its series, and not by what the suite's newest kernel is.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.apt import Archive, run, unpack
from lab.cache import cache_root, locked, new_directory
from lab.errors import LabError, Unavailable


@dataclass(frozen=True)
class Kernel:
    """One kernel series of one Debian suite.

    ``suites`` are searched in order; the first one decides.
    """

    name: str
    series: str
    architecture: str
    suites: tuple[str, ...]

    @property
    def number(self) -> tuple[int, ...]:
        """Return ``6.12`` as ``(6, 12)``."""
        return tuple(map(int, self.series.split(".")))

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


def find_kernel(name: str) -> Kernel:
    """Return the kernel called ``name``, or say which there are."""
    try:
        return KERNELS[name]
    except KeyError:
        known = ", ".join(KERNELS)
        raise LabError(f"unknown kernel '{name}'; known: {known}") from None


def fetch(kernel: Kernel, say: Callable[[str], None] = lambda _: None) -> Image:
    """Return ``kernel`` from the cache, downloading it the first time."""
    with locked(f"kernel-{kernel.name}"):
        if not (kernel.directory / "kernel.json").is_file():
            say(f"downloading kernel {kernel.name} from {kernel.suites[0]}")
            _download(kernel)
    return _load(kernel)


def _load(kernel: Kernel) -> Image:
    facts = json.loads((kernel.directory / "kernel.json").read_text())
    release = str(facts["release"])
    return Image(
        kernel=kernel,
        release=release,
        version=str(facts["version"]),
        vmlinuz=kernel.directory / "vmlinuz",
        modules=kernel.directory / "lib" / "modules" / release,
        has_headers=bool(facts.get("has_headers", True)),
    )


def _download(kernel: Kernel) -> None:
    archive = Archive(kernel.suites, kernel.architecture)
    archive.refresh()
    packages = archive.kernel_packages(newest(kernel, archive.names("linux-image")))
    with new_directory(kernel.directory) as draft:
        archive.download(packages, draft / "packages")
        files = sorted((draft / "packages").glob("*.deb"))
        root = draft / "root"
        unpack(files, root)
        release = _settle(root, draft)
        if not release.startswith(f"{kernel.series}."):
            raise LabError(
                f"{kernel.suites[0]} now holds {release}, not {kernel.series}"
            )
        shutil.rmtree(draft / "packages")
        shutil.rmtree(root)
        run(("depmod", "-b", str(draft), release), seconds=300)
        facts = {
            "release": release,
            "version": _package_version(files),
            "has_headers": f"linux-headers-{release}" in archive.names("linux-headers"),
        }
        (draft / "kernel.json").write_text(json.dumps(facts))


def newest(kernel: Kernel, names: Iterable[str]) -> str:
    """Return the package of the newest kernel of the series, of no special flavour.

    Raises:
        Unavailable: none of these packages is one.
    """
    series = re.escape(kernel.series)
    pattern = re.compile(
        rf"linux-image-({series}\.[\d.-]*(?:\+deb[\d.]+)?)-{kernel.architecture}"
    )
    found = list(filter(None, map(pattern.fullmatch, names)))
    if not found:
        raise Unavailable(f"{kernel.suites[0]} holds no kernel {kernel.series}")
    order = {each[0]: [int(n) for n in re.findall(r"\d+", each[1])] for each in found}
    return max(order, key=order.__getitem__)


def _settle(root: Path, into: Path) -> str:
    """Move image and modules from where packages put them; return the release.

    Before 7.0 the image lies in ``boot``, later beside the modules, and the
    modules moved from ``lib`` to ``usr/lib``.
    """
    images = [*root.glob("boot/vmlinuz-*"), *root.glob("usr/lib/modules/*/vmlinuz")]
    places = [*root.glob("lib/modules/*"), *root.glob("usr/lib/modules/*")]
    places = [place for place in places if (place / "kernel").is_dir()]
    if len(images) != 1 or len(places) != 1:
        raise LabError("the downloaded packages do not hold exactly one kernel")
    images[0].rename(into / "vmlinuz")
    (into / "lib" / "modules").mkdir(parents=True)
    places[0].rename(into / "lib" / "modules" / places[0].name)
    return places[0].name


def _package_version(files: list[Path]) -> str:
    for file in files:
        if file.name.startswith(("linux-image-", "linux-binary-")):
            return file.name.split("_")[1].replace("%3a", ":")
    return ""
