"""Fuzz the readers of sysfs and of the host: ``python -m fuzz.machines``.

The fixtures' trees are damaged: contents, links, names, files that are missing, that
are somewhere else, or that nobody has captured. Then commands are run on them.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path

from fuzz.asking import check, commands
from fuzz.cases import file, folder, link, parsed, written
from fuzz.mutate import mutated
from fuzz.run import Target, main
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tar import TarTree

__all__ = ["TARGET", "make"]

_FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
_MAX_SAMPLE = 400_000
_VALUES = (
    *(b"", b"\n", b"0\n", b"1\n", b"-1\n", b"0x", b"0x\n", b"0x8086\n", b"N\n", b"Y\n"),
    *(b"0xffffffffffffffffffff\n", b"9" * 5000, b" 7 ", b"\0" * 64, b"(null)\n"),
    *(b"\xff\xfe\n", b"\x1b[31m\n", "\u202e\u0661\u00b2\n".encode(), b"a b\tc\n" * 9),
    *(b"1e400", b"nan", b"0b1", b"1_0", b"+1", b"\xef\xbb\xbf1\n", b"%s%n{0}$(id)`id`"),
)
_TARGETS = ("", "/", ".", "..", "../" * 30, "x", "../../vfio-pci", "/sys/devices/x/y")
_NAMES = (
    "0000:01:00.0",
    "0000:ff:1f.7",
    "10000:00:00.0",
    "x",
    "0",
    "1" * 300,
    "\u0661",
)
_PLACES = (
    "proc/cmdline",
    "proc/swaps",
    "proc/cpuinfo",
    "proc/interrupts",
    "proc/iomem",
    "proc/modules",
    "proc/mounts",
    "proc/1/mountinfo",
    "proc/self/mountinfo",
    "proc/self/limits",
    "proc/net/route",
    "proc/net/ipv6_route",
    "proc/mdstat",
    "proc/sys/kernel/osrelease",
    "proc/xen/capabilities",
    "etc/crypttab",
    "etc/fstab",
    "etc/os-release",
    "etc/modules",
    "etc/default/grub",
    "etc/modprobe.d/x.conf",
    "etc/mkinitcpio.conf",
    "lib/modules/6.12.0/modules.alias",
    "lib/modules/6.12.0/modules.builtin",
    "lib/modules/6.12.0/modules.dep",
    "sys/firmware/acpi/tables/IORT",
    "sys/firmware/acpi/tables/DMAR",
    "sys/kernel/btf/vmlinux",
    "sys/hypervisor/type",
    "sys/class/dmi/id/sys_vendor",
    "sys/class/tty/console/active",
    "sys/module/vfio_pci/parameters/ids",
    "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
)


@cache
def _samples() -> tuple[tuple[str, ...], ...]:
    sources = [*_FIXTURES.glob("sysfs/*/"), *_FIXTURES.glob("kernels/*.tar.gz")]
    found = [tuple(written(open_path(str(path)))) for path in sorted(sources)]
    return tuple(each for each in found if sum(map(len, each)) < _MAX_SAMPLE)


@cache
def _contents() -> dict[str, tuple[str, ...]]:
    """Return what files of each name hold anywhere, as the lines have it."""
    found: dict[str, dict[str, None]] = {}
    for sample in _samples():
        for line in sample:
            path, is_file, content = line.partition(" = ")
            if is_file:
                found.setdefault(path.rpartition("/")[2], {})[content] = None
    return {name: tuple(contents) for name, contents in found.items()}


class _Asked(TarTree):
    """A tree that keeps what was asked for and is not there."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.missed: dict[str, None] = {}

    def _entry(self, path: str) -> object:  # type: ignore[override]
        entry = super()._entry(path)
        if entry is None and "\n" not in path:
            self.missed[path] = None
        return entry


@cache
def _missed(number: int) -> tuple[str, ...]:
    """Return the paths that the readers looked for in vain in a sample."""
    from iommu_inspect.sources.capture import read_source

    top = parsed("\n".join(_samples()[number]).encode("utf-8", "surrogateescape"))
    tree = _Asked(top.trees["A"], "A")
    read_source(tree, processes=True)
    return (*tree.missed, *_PLACES)


def _value(path: str, dice: random.Random) -> bytes:
    name = path.rpartition("/")[2]
    known = _contents().get(name)
    match dice.randrange(4):
        case 0:
            return dice.choice(_VALUES)
        case 1:
            other = dice.choice(list(_contents()))
            return _bytes(dice.choice(_contents()[other]))
        case 2 if known:
            return mutated(_bytes(dice.choice(known)), dice, _VALUES)
        case _:
            return _bytes(dice.choice(known)) if known else dice.choice(_VALUES)


def _bytes(content: str) -> bytes:
    from codecs import escape_decode

    return bytes(escape_decode(content.encode())[0])


def _path(line: str) -> str:
    return line.partition(" = ")[0].partition(" -> ")[0].rstrip("/")


def _damaged(lines: list[str], missed: tuple[str, ...], dice: random.Random) -> None:
    at = dice.randrange(len(lines))
    path = _path(lines[at])
    match dice.randrange(9):
        case 0 | 1:
            lines[at] = file(path, _value(path, dice))
        case 2:
            gone = dice.choice((path, path.rpartition("/")[0] or path))
            kept = [line for line in lines if not line.startswith((f"{gone}/", gone))]
            lines[:] = kept or lines
        case 3:
            other = _path(dice.choice(lines))
            target = dice.choice((*_TARGETS, f"/{other}", f"/{path}", other))
            lines[at] = link(path, target)
        case 4 | 5:
            there = dice.choice(missed)
            kind = dice.randrange(8)
            if kind:
                lines.append(file(there, _value(there, dice)))
            else:
                lines.append(dice.choice((folder(there), link(there, f"/{path}"))))
        case 6:
            above, _, name = path.rpartition("/")
            new = f"{above}/{dice.choice((*_NAMES, name + 'x'))}"
            same = [line for line in lines if line.startswith(path)]
            lines.extend(line.replace(path, new, 1) for line in same[:200])
        case 7:
            names = [
                _path(line).rpartition("/")[2]
                for line in (lines[at], dice.choice(lines))
            ]
            if all(names):
                lines[:] = [line.replace(names[0], names[1]) for line in lines]
        case _:
            lines.append(file(f"{path}/{dice.choice(_NAMES)}", dice.choice(_VALUES)))


def make(dice: random.Random) -> bytes:
    """Return a host that something is wrong with, and commands."""
    number = dice.randrange(len(_samples()))
    lines = list(_samples()[number])
    for _ in range(dice.choice((1, 1, 2, 3, 5, 8))):
        _damaged(lines, _missed(number), dice)
    case = parsed("\n".join(lines).encode("utf-8", "surrogateescape"))
    asked = commands(case, dice, 5)
    second = list(dice.sample(lines, min(len(lines), 5)))
    _damaged(second, _missed(number), dice)
    text = _text(dice)
    whole = "\n".join([*asked, *lines, "@ B", *second, "@ T", text])
    return whole.encode("utf-8", "surrogateescape")


def _text(dice: random.Random) -> str:
    from fuzz import pastes

    return pastes.make(dice)[:20_000].decode("utf-8", "replace")


TARGET = Target("machines", make, check)

if __name__ == "__main__":
    sys.exit(main(TARGET))
