"""Builds the oracle module for each kernel with the compiler of its own suite."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from lab.apt import Archive
from lab.cache import cache_root, locked, new_directory
from lab.errors import LabError
from lab.kernels.known import Image
from lab.kernels.toolchain import PROGRAMS, run_inside, unpack_root

SOURCES = Path(__file__).parents[1] / "oracle"
BUILD_SECONDS = 600
CROSS = {"arm64": "aarch64-linux-gnu-"}


def build_oracle(image: Image, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the oracle module for ``image``, built at most once per source."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.glob("*")):
        if source.name in ("oracle.c", "Kbuild"):
            digest.update(source.read_bytes())
    name = f"{image.kernel.name}-{image.release}-{digest.hexdigest()[:12]}"
    built = cache_root() / "oracle" / name
    with locked(f"toolchain-{image.kernel.name}"):
        if not (built / "oracle.ko").is_file():
            toolchain = _toolchain(image, say)
            say(f"building the oracle module for {image.kernel.name}")
            with new_directory(built) as draft:
                _build(image, toolchain, draft)
    return built / "oracle.ko"


def _toolchain(image: Image, say: Callable[[str], None]) -> Path:
    kernel = image.kernel
    target = cache_root() / "toolchains" / f"{kernel.name}-{image.release}"
    if target.is_dir():
        return target
    say(f"downloading headers and compiler for {kernel.name}")
    archive = Archive(image.kernel.all_suites, "amd64", _foreign(image))
    archive.refresh()
    headers = f"linux-headers-{image.release}"
    with new_directory(target) as draft:
        if kernel.architecture in CROSS:
            headers += f":{kernel.architecture}"
            archive.download([headers], draft / "packages")
            wanted = _cross_packages(archive.describe(headers), kernel.architecture)
        else:
            wanted = [headers]
        files = archive.download_closure([*wanted, *PROGRAMS])
        files += (draft / "packages").glob("*.deb")
        unpack_root(files, draft)
    return target


def _cross_packages(record: str, architecture: str) -> list[str]:
    """Return what headers of another architecture need on this one.

    ``record`` is the record of the headers package.  The package itself would
    bring a compiler that does not run here, so only its parts are named.
    """
    found = re.search(r"\bgcc-\d+", record)
    parts = re.findall(r"\blinux-(?:headers-\S+-common|kbuild-[^\s,]+)", record)
    if not found or not parts:
        raise LabError(f"cannot read the needs of the {architecture} headers")
    compiler = f"{found.group()}-{CROSS[architecture].replace('_', '-').strip('-')}"
    return [compiler, *parts]


def _foreign(image: Image) -> tuple[str, ...]:
    return ("arm64",) if image.kernel.architecture == "arm64" else ()


def _build(image: Image, toolchain: Path, into: Path) -> None:
    work = toolchain / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name in ("oracle.c", "Kbuild"):
        shutil.copy(SOURCES / name, work / name)
    headers = f"/usr/src/linux-headers-{image.release}"
    make = ["make", "-C", headers, "M=/build", "modules"]
    architecture = image.kernel.architecture
    if architecture in CROSS:
        make += [f"ARCH={architecture}", f"CROSS_COMPILE={CROSS[architecture]}"]
    run_inside(toolchain, make, BUILD_SECONDS)
    module = work / "oracle.ko"
    if not module.is_file():
        raise LabError(f"the build for {image.kernel.name} made no oracle.ko")
    shutil.copy(module, into / "oracle.ko")
