"""Leaves out of what was read whatever no answer depends on.

Some files are long, and have much in them that is nobody's business: the kernel's type
information, the processor's description, the lists of modules, what processes have
open. Of those the lines that are read stay, and are read as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.host.processes import names_a_device
from iommu_inspect.sources.snapshot.capture import Capture, Entry, Link
from iommu_inspect.sources.sysfs.kernel import TELLING_NAMES

__all__ = ["reduced"]

_PROCESS = re.compile(r"proc/([0-9]+)(?:/(.*))?", re.DOTALL)
_CPU = re.compile(
    rb"(?:vendor_id|CPU implementer|flags|address sizes|bus clock|cpu\s*: POWER"
    rb"|isa\s*: rv)"
)
_CHIPS = re.compile(rb"\S*MSI\S*|IR-\S*|ITS-\S*|IO-APIC\S*|XT-PIC\S*|GICv2m\S*|MBI-\S*")
_FRAMEBUFFERS = (b"BOOTFB", b"efifb", b"vesafb", b"simplefb", b"simpledrm")
_OS_RELEASE = re.compile(rb"\s*(?:ID|ID_LIKE)=")


def reduced(capture: Capture) -> Capture:
    """Return what answers depend on."""
    capture = _without_processes(capture)
    entries: dict[str, Entry] = {}
    for path, entry in capture.entries.items():
        reduce = _reducer(path) if isinstance(entry, bytes) else None
        entries[path] = reduce(entry) if reduce and isinstance(entry, bytes) else entry
    return replace(capture, entries=entries)


def _reducer(path: str) -> Callable[[bytes], bytes] | None:
    name = path.rpartition("/")[2]
    if path.startswith(("lib/modules/", "usr/lib/modules/")):
        return {"modules.alias": _aliases, "modules.dep": _names}.get(name)
    if path.startswith("proc/driver/nvidia/"):
        return lambda content: _lines(content, re.compile(rb"Device Minor:"))
    return {
        "sys/kernel/btf/vmlinux": _type_information,
        "proc/cpuinfo": _processor,
        "proc/interrupts": _interrupts,
        "proc/iomem": _memory,
        "proc/modules": _first_words,
        "proc/self/limits": lambda c: _lines(c, re.compile(rb"Max locked memory ")),
        "etc/os-release": lambda content: _lines(content, _OS_RELEASE),
        "usr/lib/os-release": lambda content: _lines(content, _OS_RELEASE),
    }.get(path)


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _lines(content: bytes, wanted: re.Pattern[bytes]) -> bytes:
    return _joined(line for line in content.splitlines() if wanted.match(line))


def _type_information(content: bytes) -> bytes:
    names = (b"\0%b\0" % name.encode() for name in TELLING_NAMES)
    return b"\0" + b"".join(name for name in names if name in content)


def _processor(content: bytes) -> bytes:
    """Keep the first line of each kind: all processors have the same."""
    found: dict[bytes, bytes] = {}
    for line in content.splitlines():
        if _CPU.match(line):
            kind = line.partition(b":")[0].strip()
            kept = _flags(line) if kind == b"flags" else line
            found.setdefault(kind, kept)
    return _joined(found.values())


def _flags(line: bytes) -> bytes:
    words = line.partition(b":")[2].split()
    return b"flags : " + (b"hypervisor" if b"hypervisor" in words else b"")


def _interrupts(content: bytes) -> bytes:
    found = {word for word in content.split() if _CHIPS.fullmatch(word)}
    return _joined(sorted(found))


def _memory(content: bytes) -> bytes:
    """Keep each framebuffer with the function that it is nested in, without numbers."""
    kept: list[bytes] = []
    above: list[tuple[int, bytes]] = []
    for line in content.splitlines():
        depth = len(line) - len(line.lstrip(b" "))
        name = line.partition(b" : ")[2]
        above = [(d, n) for d, n in above if d < depth]
        if name in _FRAMEBUFFERS:
            chain = [
                n for _, n in above if PciAddress.parse(n.decode("ascii", "replace"))
            ]
            nested = [*chain[-1:], name]
            kept += [
                b"  " * level + b"0-0 : " + part for level, part in enumerate(nested)
            ]
        above.append((depth, name))
    return _joined(kept)


def _first_words(content: bytes) -> bytes:
    return _joined(sorted(w[0] for line in content.splitlines() if (w := line.split())))


def _aliases(content: bytes) -> bytes:
    return _lines(content, re.compile(rb"alias vfio_pci:"))


def _names(content: bytes) -> bytes:
    names = (line.partition(b":")[0] for line in content.splitlines())
    return _joined(name.rpartition(b"/")[2] + b":" for name in names if name.strip())


def _without_processes(capture: Capture) -> Capture:
    """Leave out processes that have no device open, but for what says that.

    The first process shows that there were any, and its mounts are read; the second
    that none were hidden. Of those that were refused the last is the one that is
    answered with.
    """
    numbers: set[int] = set()
    kept: set[int] = {1, 2}
    unseen: set[int] = set()
    for path, entry in capture.entries.items():
        match = _PROCESS.fullmatch(path)
        if match is None:
            continue
        numbers.add(int(match[1]))
        if isinstance(entry, Link) and entry.text.startswith("/dev/"):
            if names_a_device(entry.text.removeprefix("/dev/")):
                kept.add(int(match[1]))
        elif not (match[2] or "").startswith(("fd", "comm")) and match[2]:
            kept.add(int(match[1]))
    lost = dict(capture.refused)
    if not capture.whole:
        lost |= dict.fromkeys(capture.absent, Missing.ABSENT)
    for path in lost:
        match = _PROCESS.fullmatch(path)
        if match is not None and match[2] in (None, "fd"):
            numbers.add(int(match[1]))
            unseen.add(int(match[1]))
    kept |= {*sorted(unseen)[-1:], *sorted(numbers)[:1]}

    def stays(path: str) -> bool:
        match = _PROCESS.fullmatch(path)
        return match is None or int(match[1]) in kept

    def of_interest(path: str, entry: Entry) -> bool:
        if not stays(path):
            return False
        match = _PROCESS.fullmatch(path)
        if match is None or not isinstance(entry, Link):
            return True
        is_node = entry.text.startswith("/dev/")
        return not (match[2] or "").startswith("fd/") or (
            is_node and names_a_device(entry.text.removeprefix("/dev/"))
        )

    return replace(
        capture,
        entries={p: e for p, e in capture.entries.items() if of_interest(p, e)},
        refused={p: why for p, why in capture.refused.items() if stays(p)},
        absent=frozenset(filter(stays, capture.absent)),
        listed=frozenset(filter(stays, capture.listed)),
    )
