"""Makes the guest's initial file system: busybox, modules, our programs."""

from __future__ import annotations

import hashlib
import lzma
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.apt import Archive, run, unpack
from lab.cache import cache_root, locked, new_directory
from lab.cpio import Cpio
from lab.errors import LabError
from lab.kernels.known import Image
from lab.kernels.modules import CROSS, build_oracle

HERE = Path(__file__).parent
PROGRAMS = {
    "lab-ask": HERE / "oracle" / "ask.c",
    "lab-collect": HERE / "guest" / "collect.c",
    "lab-walk": HERE / "guest" / "walk.c",
}
SCRIPTS = ("init", "run", "commands")

# In the order in which the guest loads them: the IOMMU first, as its firmware
# description makes the kernel hold the other devices back, then the drivers.
BOOT_MODULES = (
    "virtio_mmio",
    "virtio_pci",
    "virtio_console",
    "virtio-iommu",
    "pci-stub",
    "vfio",
    "vfio_iommu_type1",
    "iommufd",
    "vfio-pci",
    "shpchp",
    "e1000e",
    "e1000",
    "igb",
    "igbvf",
    "xhci-pci",
    "ehci-pci",
    "uhci-hcd",
    "nvme",
    "snd-hda-intel",
    "ahci",
    "lpc_ich",
    "i2c-i801",
    "virtio_net",
    "virtio_blk",
    "virtio_scsi",
    "pci-testdev",
)
# Inserted only when a step asks for them.
OTHER_MODULES = (
    "uio_pci_generic",
    "9p",
    "9pnet_virtio",
    "overlay",
    "snd-intel-dspcfg",
    "sd_mod",
    "ext4",
    "crc32c_generic",
)


def prepare(image: Image, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the guest's initial file system for ``image``, made when needed.

    It holds everything but the list of modules to load, which depends on the
    machine: see ``overlay``.
    """
    oracle = build_oracle(image, say) if image.has_headers else None
    programs = _programs(image.kernel.architecture, say)
    digest = hashlib.sha256(str(oracle).encode() + str(programs).encode())
    digest.update(repr((BOOT_MODULES, OTHER_MODULES)).encode())
    for script in SCRIPTS:
        digest.update((HERE / "guest" / script).read_bytes())
    name = f"{image.kernel.name}-{image.release}-{digest.hexdigest()[:12]}"
    target = cache_root() / "initramfs" / name
    with locked(f"initramfs-{image.kernel.name}"):
        if not target.is_dir():
            say(f"packing the guest for kernel {image.kernel.name}")
            data = _pack(image, oracle, programs)
            with new_directory(target) as draft:
                (draft / "initramfs").write_bytes(data)
    return target / "initramfs"


def overlay(modules: Mapping[str, str]) -> bytes:
    """Return an archive with the machine's modules, in order, and their options."""
    archive = Cpio()
    lines = [f"{name} {options}".strip() for name, options in modules.items()]
    archive.add("lab", 0o040755)
    archive.add("lab/load", 0o100644, ("\n".join(lines) + "\n").encode())
    return archive.finish()


def firmware(tables: Mapping[str, bytes]) -> bytes:
    """Return an archive with firmware tables; it must come first."""
    if not tables:
        return b""
    archive = Cpio()
    for name, data in tables.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            archive.add("/".join(parts[:depth]), 0o040755)
        archive.add(name, 0o100644, data)
    return archive.finish()


def _pack(image: Image, oracle: Path | None, programs: Path) -> bytes:
    archive = Cpio()
    for directory in ("bin", "lab", "lab/ko", "proc", "sys", "dev", "tmp", "etc"):
        archive.add(directory, 0o040755)
    archive.add("bin/busybox", 0o100755, (programs / "busybox").read_bytes())
    for program in PROGRAMS:
        archive.add(f"lab/{program}", 0o100755, (programs / program).read_bytes())
    archive.add("init", 0o100755, (HERE / "guest" / "init").read_bytes())
    archive.add("lab/run", 0o100755, (HERE / "guest" / "run").read_bytes())
    archive.add("lab/commands", 0o100644, (HERE / "guest" / "commands").read_bytes())
    known = _dependencies(image)
    depends, files = list[str](), dict[str, Path]()
    for module in (*BOOT_MODULES, *OTHER_MODULES):
        order = known.get(_plain(module))
        if order is None:
            continue
        for path in order:
            files[_plain(path.name.split(".ko")[0])] = path
        needed = [_plain(path.name.split(".ko")[0]) for path in order[:-1]]
        depends.append(f"{_plain(module)}: {' '.join(needed)}")
    for name, path in files.items():
        archive.add(f"lab/ko/{name}.ko", 0o100644, _module_bytes(path))
    if oracle:
        archive.add("lab/ko/oracle.ko", 0o100644, oracle.read_bytes())
    archive.add("lab/depends", 0o100644, ("\n".join(depends) + "\n").encode())
    return archive.finish()


def _plain(module: str) -> str:
    """Return a module's name as the kernel writes it."""
    return module.replace("-", "_")


def boot_modules(image: Image, without: frozenset[str]) -> list[str]:
    """Return the modules that exist for ``image``, in order, less ``without``."""
    known = _dependencies(image)
    left_out = {_plain(name) for name in without}
    names = [_plain(name) for name in BOOT_MODULES]
    return [name for name in names if name in known and name not in left_out]


def _dependencies(image: Image) -> dict[str, list[Path]]:
    """Return for each module its files in load order, itself last."""
    found: dict[str, list[Path]] = {}
    for line in (image.modules / "modules.dep").read_text().splitlines():
        file, _, needs = line.partition(":")
        order = [image.modules / name for name in reversed(needs.split())]
        name = _plain(Path(file).name.split(".ko")[0])
        found[name] = [*order, image.modules / file]
    return found


def _module_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _programs(architecture: str, say: Callable[[str], None]) -> Path:
    """Return a directory with busybox and our programs, linked statically."""
    digest = hashlib.sha256()
    for source in PROGRAMS.values():
        digest.update(source.read_bytes())
    name = f"{architecture}-{digest.hexdigest()[:12]}"
    target = cache_root() / "programs" / name
    with locked(f"programs-{architecture}"):
        if target.is_dir():
            return target
        say(f"building the guest's programs for {architecture}")
        compiler = CROSS.get(architecture, "") + "gcc"
        with new_directory(target) as draft:
            for program, source in PROGRAMS.items():
                flags = ("-static", "-O2", "-Wall", "-Wextra", "-Werror")
                output = ("-o", str(draft / program), str(source))
                run((compiler, *flags, *output), seconds=120)
            _fetch_busybox(architecture, draft)
    return target


def _fetch_busybox(architecture: str, into: Path) -> None:
    archive = Archive(("trixie",), architecture)
    archive.refresh()
    archive.download(["busybox-static"], into / "packages")
    unpack((into / "packages").glob("*.deb"), into / "root")
    for place in ("bin/busybox", "usr/bin/busybox"):
        if (into / "root" / place).is_file():
            (into / "root" / place).rename(into / "busybox")
            break
    else:
        raise LabError("the package busybox-static holds no busybox")
    shutil.rmtree(into / "packages")
    shutil.rmtree(into / "root")
