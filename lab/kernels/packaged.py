"""Downloads a kernel of Debian.

A suite keeps a kernel's packages after a newer series has come, so each is looked for
by its series, and not by what the suite's newest kernel is.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.apt import Archive, run, unpack
from lab.cache import new_directory
from lab.errors import LabError, Unavailable
from lab.kernels.known import Kernel

__all__ = ["download", "newest"]


def download(kernel: Kernel) -> None:
    """Put image and modules, unpacked, into the cache.

    Raises:
        Unavailable: the suite does not hold the kernel, or cannot be reached.
        LabError: its packages are made otherwise than is known.
    """
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
