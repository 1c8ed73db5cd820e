"""What the lab needs of the host, and what it does where that is missing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping

from lab.errors import LabError, Unavailable
from lab.guest import QEMU
from lab.initramfs import prepare
from lab.kernels.fetching import fetch
from lab.kernels.known import Image, Kernel
from lab.kernels.modules import CROSS
from lab.machines import Machine
from lab.qemu import newer_qemu
from lab.userland import userland

__all__ = ["check_programs", "images", "is_ci", "programs_for"]

# Each program, and the Debian package that brings it.
_PROGRAMS = {
    "apt-get": "apt",
    "chroot": "coreutils",
    "depmod": "kmod",
    "dpkg": "dpkg",
    "gcc": "gcc libc6-dev",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
_QEMU_PACKAGES = {"amd64": "qemu-system-x86", "arm64": "qemu-system-arm"}


def is_ci(environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether nobody is there who would read that the lab was skipped."""
    return environment.get("CI", "") not in ("", "0", "false")


def check_programs(
    architectures: Iterable[str],
    find: Callable[[str], str | None] = shutil.which,
    user: Callable[[], int] = os.geteuid,
) -> None:
    """Check that the host has what guests of these architectures take.

    Raises:
        Unavailable: something is missing; the text names the packages.
    """
    needed = dict(_PROGRAMS)
    for architecture in architectures:
        needed[QEMU[architecture]] = _QEMU_PACKAGES[architecture]
        if architecture in CROSS:
            compiler = f"{CROSS[architecture]}gcc"
            needed[compiler] = f"gcc-aarch64-linux-gnu libc6-dev-{architecture}-cross"
    missing = [program for program in needed if not find(program)]
    if missing:
        packages = " ".join(sorted({needed[program] for program in missing}))
        raise Unavailable(
            f"{', '.join(missing)} not found; as root: apt-get install {packages}"
        )
    if user() != 0:
        raise Unavailable("unpacking compilers and chroot need root")


def images(kernels: Iterable[Kernel], say: Callable[[str], None]) -> dict[str, Image]:
    """Return the kernels' images, fetched and packed where they were not yet.

    Raises:
        Unavailable: a program is missing or a package cannot be downloaded.
    """
    wanted = list(kernels)
    check_programs(sorted({kernel.architecture for kernel in wanted}))
    found = {}
    for kernel in wanted:
        try:
            found[kernel.name] = fetch(kernel, say)
            prepare(found[kernel.name], say)
        except Unavailable as error:
            raise Unavailable(f"kernel {kernel.name}: {error}") from error
        except LabError as error:
            raise LabError(f"kernel {kernel.name}: {error}") from error
    return found


def programs_for(
    machines: Iterable[Machine], say: Callable[[str], None], *, plans: bool = False
) -> None:
    """Fetch what is needed beside kernels, so that a boot does not fail for it.

    Raises:
        Unavailable: a package cannot be downloaded.
    """
    if any(machine.newer_qemu for machine in machines):
        newer_qemu(say)
    if plans:
        userland(say)
