"""A directory with a compiler and the few programs that a kernel's build calls.

It is unpacked from the packages of the kernel's own suite and used under chroot, in a
mount namespace of its own, so that nothing stays mounted on the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.apt import run, unpack

__all__ = ["PROGRAMS", "run_inside", "unpack_root"]

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


def unpack_root(packages: Iterable[Path], root: Path) -> None:
    """Unpack packages below ``root``, with the links that their scripts would make."""
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    unpack(packages, root)
    for name in ("proc", "build", "tmp", "dev"):
        (root / name).mkdir(exist_ok=True)
    for name, program in (("awk", "gawk"), ("sh", "dash")):
        link = root / "usr" / "bin" / name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(program)


def run_inside(root: Path, words: Iterable[str], seconds: float) -> str:
    """Run a program of ``root`` there, and return what it printed."""
    return run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
            *(f"--mount-proc={root}/proc", "chroot", str(root)),
            *("/usr/bin/env", "-i", _PATH, "LC_ALL=C", *words),
        ],
        seconds=seconds,
    )
