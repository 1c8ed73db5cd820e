"""Builds the oracle module for each kernel with the compiler of its own suite.

The compiler, the headers and the few programs that a kernel build calls are
unpacked into a directory of the cache; the build runs there under chroot, in a
mount namespace of its own, so that nothing stays mounted on the host.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from lab.apt import Archive, run, unpack
from lab.cache import cache_root, locked, new_directory
from lab.errors import LabError
from lab.kernels import Image

SOURCES = Path(__file__).parent / "oracle"
BUILD_SECONDS = 600
PROGRAMS = (
    "bash",
    "binutils",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "gawk",
    "grep",
    "kmod",
    "make",
    "perl-base",
    "sed",
    "xz-utils",
)
_PATH = "PATH=/usr/bin:/usr/sbin:/bin:/sbin"
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
    archive = Archive(_suites(image), "amd64", _foreign(image))
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
        for name in ("bin", "sbin", "lib", "lib64"):
            (draft / "usr" / name).mkdir(parents=True)
            (draft / name).symlink_to(f"usr/{name}")
        unpack(files, draft)
        for name in ("proc", "build", "tmp", "dev"):
            (draft / name).mkdir(exist_ok=True)
        _link_alternatives(draft)
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


def _suites(image: Image) -> tuple[str, ...]:
    extra = [
        suite.removesuffix("-backports")
        for suite in image.kernel.suites
        if suite.endswith("-backports")
    ]
    return (*image.kernel.suites, *extra)


def _foreign(image: Image) -> tuple[str, ...]:
    return ("arm64",) if image.kernel.architecture == "arm64" else ()


def _link_alternatives(root: Path) -> None:
    """Make the links that maintainer scripts would have made."""
    for name, program in (("awk", "gawk"), ("sh", "dash")):
        link = root / "usr" / "bin" / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(program)


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
    run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *(f"--mount-proc={toolchain}/proc", "chroot", str(toolchain)),
            *("/usr/bin/env", "-i", _PATH, "LC_ALL=C", *make),
        ],
        seconds=BUILD_SECONDS,
    )
    module = work / "oracle.ko"
    if not module.is_file():
        raise LabError(f"the build for {image.kernel.name} made no oracle.ko")
    shutil.copy(module, into / "oracle.ko")
