"""What is measured: an input of any size, and the commands that read it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Capture", "Commands", "Input", "Make", "placed"]

Commands = list[list[str]]
Make = Callable[[int, Path], Commands]

ROOT = "sys/devices/pci0000:00"


@dataclass(frozen=True)
class Input:
    """One input that a stranger controls.

    ``make`` writes one of size ``n`` to a folder and returns the commands that read it.
    ``size`` is what it is measured at, ``few`` what it is counted at in the tests.
    """

    name: str
    make: Make
    size: int
    few: int


def placed(n: int) -> str:
    """Return the n-th address of a host that has as many functions as one likes.

    Each bus has 32, so that a small host has full ones too: functions of a bus are
    compared with each other, of which there are 256 at most.
    """
    domain, rest = divmod(n, 248 * 32)
    bus, function = divmod(rest, 32)
    return f"{domain:04x}:{bus + 1:02x}:{function >> 3:02x}.{function & 7}"


class Capture:
    """A tar of ``sys/``, ``proc/`` and ``etc/``, made of a host that never was."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | None] = {}
        self.links: dict[str, str] = {}
        self.file("proc/sys/kernel/osrelease", "6.12.1\n")
        self.file("proc/cmdline", "quiet intel_iommu=on\n")
        self.file("proc/1/mountinfo", "1 0 0:1 / / rw - tmpfs tmpfs rw\n")
        self.folder("sys/class/iommu/dmar0")
        self.folder("sys/bus/pci/drivers")
        self.folder("sys/module/vfio_pci")

    def file(self, path: str, content: str | bytes) -> None:
        """Add a file."""
        self.files[path] = content if isinstance(content, bytes) else content.encode()

    def folder(self, path: str) -> None:
        """Add an empty directory."""
        self.files[path] = None

    def link(self, path: str, target: str) -> None:
        """Add a link to a path below the root."""
        self.links[path] = f"/{target}"

    def function(
        self,
        address: str,
        group: str | None,
        above: str = ROOT,
        driver: str | None = "e1000e",
        code: str = "0x020000",
        device: str = "0x10d3",
    ) -> str:
        """Add a PCI function, and return where it is."""
        at = f"{above}/{address}"
        for name, value in (
            ("vendor", "0x8086"),
            ("device", device),
            ("class", code),
            ("power_state", "D0"),
        ):
            self.file(f"{at}/{name}", f"{value}\n")
        self.link(f"{at}/subsystem", "sys/bus/pci")
        self.link(f"sys/bus/pci/devices/{address}", at)
        if driver:
            self.link(f"{at}/driver", f"sys/bus/pci/drivers/{driver}")
        if group is not None:
            self.link(f"{at}/iommu_group", f"sys/kernel/iommu_groups/{group}")
            self.link(f"sys/kernel/iommu_groups/{group}/devices/{address}", at)
            self.file(f"sys/kernel/iommu_groups/{group}/type", "DMA\n")
        return at

    def functions(self, count: int, members: int = 1, **more: str) -> list[str]:
        """Add so many functions, in groups of so many; return their addresses."""
        addresses = [placed(n) for n in range(count)]
        for n, address in enumerate(addresses):
            self.function(address, str(n // members), **more)
        return addresses

    def write(self, path: Path) -> str:
        """Write the tar, and return its name."""
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
            for info, content in self._members():
                tar.addfile(info, io.BytesIO(content) if content else None)
        return str(path)

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
        for name, content in self.files.items():
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(content)
            yield info, content
        for name, target in self.links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            yield info, None
