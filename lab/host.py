"""The host's root in a guest, read-only over 9p, so that its programs run there.

That takes one PCI function of its own.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from lab.cache import REPOSITORY
from lab.errors import LabError
from lab.guest import Guest
from lab.machines import Machine

__all__ = [
    "SECONDS",
    "mount_host",
    "mount_share",
    "shell",
    "with_host",
    "with_share",
]

# How long what runs in the guest may take.
SECONDS = 180.0


def with_host(machine: Machine) -> Machine:
    """Return the machine with the host's root as a file system to mount."""
    return replace(
        machine,
        qemu_arguments=(
            *machine.qemu_arguments,
            "-fsdev",
            # Remapped: /proc and /sys of the host have the same inode number.
            "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
            "-device",
            "virtio-9p-pci,fsdev=host,mount_tag=host,addr=1d.0",
        ),
    )


def with_share(machine: Machine, folder: Path) -> Machine:
    """Return the machine with ``folder``, to write to: another function."""
    return replace(
        machine,
        qemu_arguments=(
            *machine.qemu_arguments,
            "-fsdev",
            f"local,id=share,path={folder},security_model=none",
            "-device",
            "virtio-9p-pci,fsdev=share,mount_tag=share,addr=1c.0",
        ),
    )


def mount_share(guest: Guest) -> None:
    """Make the folder of ``with_share`` /host/mnt, which is /mnt in the chroot."""
    options = "trans=virtio,version=9p2000.L,msize=262144"
    shell(guest, f"mount -t 9p -o {options} share /host/mnt")


def mount_host(guest: Guest) -> None:
    """Make /host the host's root, with the guest's own /sys, /proc and /dev in it."""
    options = "trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose"
    for module in ("9pnet_virtio", "9p"):
        guest.command(f"load {module}")
    shell(guest, "mkdir -p /host")
    shell(guest, f"mount -t 9p -o {options} host /host")
    for name in ("proc", "sys", "dev"):
        shell(guest, f"mount -o bind /{name} /host/{name}")
    _open(guest)


def _open(guest: Guest) -> None:
    """Let an ordinary user reach what the tool needs below directories closed to him.

    A checkout or a Python below /root, say: what is needed is mounted again, over an
    empty directory in the place of the closed one. The host's /run and /tmp count as
    closed too: they are not the guest's.
    """
    needed = (Path(sys.base_prefix), Path(sys.prefix), REPOSITORY)
    closed: dict[Path, list[Path]] = {Path("/run"): [], Path("/tmp"): []}
    for path in needed:
        for above in reversed(path.parents):
            if above in closed or not above.stat().st_mode & 0o001:
                closed.setdefault(above, []).append(path)
                break
    for number, (above, paths) in enumerate(closed.items()):
        kept = {path: f"/kept/{number}/{index}" for index, path in enumerate(paths)}
        for path, place in kept.items():
            shell(guest, f"mkdir -p {place}")
            shell(guest, f"mount -o bind /host{path} {place}")
        shell(guest, f"mount -t tmpfs -o mode=755 tmpfs /host{above}")
        for path, place in kept.items():
            shell(guest, f"mkdir -p /host{path}")
            shell(guest, f"mount -o bind {place} /host{path}")


def shell(guest: Guest, script: str) -> None:
    """Run a script in the guest's shell.

    Raises:
        LabError: it failed.
    """
    answer = guest.command(f"shell {script}", SECONDS)
    if answer.status:
        raise LabError(f"in the guest, {script}: {' '.join(answer.lines)}")
