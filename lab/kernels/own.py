"""Builds a kernel from Debian's source, with what Debian's own kernels lack.

The configuration is small (``own.config``): what the lab's machines have, iommufd, a
node for each device and no-IOMMU mode. What building a module takes stays in the cache.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.apt import Archive, run
from lab.cache import cache_root, new_directory
from lab.errors import LabError
from lab.kernels.known import Kernel
from lab.kernels.toolchain import PROGRAMS, run_inside, unpack_root

__all__ = ["build", "configuration", "unmet"]

CONFIG = Path(__file__).with_name("own.config")
SECONDS = 3600
_BUILDING = (
    *("gcc", "libc6-dev", "flex", "bison", "bc", "gzip", "tar"),
    *("libelf-dev", "libssl-dev"),
)
# What a kernel of the series has to have, else it was built for nothing.
_WANTED = {
    "VFIO_NOIOMMU": (6, 1),
    "IOMMUFD": (6, 2),
    "VFIO_DEVICE_CDEV": (6, 6),
    # A machine's driver that is not there makes answers of its own.
    "SND_HDA_INTEL": (6, 1),
    # Without it the tables of the machines with reserved regions are passed over.
    "ACPI_TABLE_UPGRADE": (6, 1),
}
# What a module's build reads of the tree.
_KEPT = frozenset(
    (".config", "Kbuild", "Makefile", "Module.symvers", "arch", "include", "scripts")
) | {"tools"}
_TREE = "/build"


def configuration(kernel: Kernel) -> list[str]:
    """Return the lines of the kernel's configuration that are not the default."""
    lines = CONFIG.read_text(encoding="utf-8").splitlines()
    return [
        line
        for line in lines
        if line.startswith("CONFIG_") and _option(line) not in kernel.without
    ]


def unmet(kernel: Kernel, made: Iterable[str]) -> list[str]:
    """Return the options that were asked for and that ``made`` does not have.

    Raises:
        LabError: one of them is what the kernel is built for.
    """
    found = [_option(line) for line in set(configuration(kernel)) - set(made)]
    lacking = [name for name in found if kernel.number >= _WANTED.get(name, (99,))]
    if lacking:
        raise LabError(f"{kernel.name} would have no {', '.join(sorted(lacking))}")
    return sorted(found)


def _option(line: str) -> str:
    return line.partition("=")[0].removeprefix("CONFIG_")


def build(kernel: Kernel, say: Callable[[str], None] = lambda _: None) -> None:
    """Put image, modules and a tree for modules into the cache; some minutes.

    Raises:
        Unavailable: a package cannot be downloaded.
        LabError: the build fails, or lacks what it is made for.
    """
    started = time.monotonic()
    source = f"linux-source-{kernel.series}"
    say(f"downloading {source} and a compiler for {kernel.name}")
    archive = Archive(kernel.all_suites, kernel.architecture)
    archive.refresh()
    trees = cache_root() / "toolchains"
    with new_directory(trees / f"{kernel.name}-building") as root:
        archive.download([source], root / "packages")
        files = archive.download_closure([*_BUILDING, *PROGRAMS])
        sources = sorted((root / "packages").glob("*.deb"))
        unpack_root([*files, *sources], root)
        shutil.rmtree(root / "packages")
        words = ("tar", "-C", _TREE, "--strip-components=1", "-xJf")
        run_inside(root, (*words, f"/usr/src/{source}.tar.xz"), SECONDS)
        left_out = _configure(kernel, root)
        if left_out:
            say(f"{kernel.name} has no {', '.join(left_out)}")
        say(f"building {kernel.name}, which takes some minutes")
        _make(root, f"-j{os.cpu_count() or 1}", "bzImage", "modules")
        _make(root, "modules_install", "INSTALL_MOD_PATH=/tmp", "INSTALL_MOD_STRIP=1")
        tree = root / _TREE.lstrip("/")
        release = (tree / "include/config/kernel.release").read_text().strip()
        version = sources[0].name.split("_")[1].replace("%3a", ":")
        tree = _keep_tree(root, tree, release)
        with new_directory(kernel.directory) as draft:
            (tree / "arch/x86/boot/bzImage").rename(draft / "vmlinuz")
            (root / "tmp/lib").rename(draft / "lib")
            for link in ("build", "source"):
                (draft / "lib/modules" / release / link).unlink(missing_ok=True)
            run(("depmod", "-b", str(draft), release), seconds=300)
            facts = {"release": release, "version": version, "has_headers": True}
            (draft / "kernel.json").write_text(json.dumps(facts))
    (trees / f"{kernel.name}-building").rename(trees / f"{kernel.name}-{release}")
    say(f"built {kernel.name} in {(time.monotonic() - started) / 60:.0f} minutes")


def _configure(kernel: Kernel, root: Path) -> list[str]:
    tree = root / _TREE.lstrip("/")
    wanted = "".join(f"{line}\n" for line in configuration(kernel))
    (tree / "lab.config").write_text(wanted)
    _make(root, "allnoconfig", "KCONFIG_ALLCONFIG=lab.config")
    return unmet(kernel, (tree / ".config").read_text().splitlines())


def _make(root: Path, *words: str) -> None:
    run_inside(root, ("make", "-C", _TREE, "LOCALVERSION=-lab", *words), SECONDS)


def _keep_tree(root: Path, tree: Path, release: str) -> Path:
    """Leave what a module's build takes where headers of Debian would be."""
    for entry in tree.iterdir():
        if entry.name in _KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    for file in [*tree.rglob("*.o"), *(root / "usr/src").glob("linux-source-*")]:
        if not re.search(r"/(scripts|tools)/", str(file)):
            file.unlink()
    kept = tree.rename(root / "usr/src" / f"linux-headers-{release}")
    tree.mkdir()
    return kept
