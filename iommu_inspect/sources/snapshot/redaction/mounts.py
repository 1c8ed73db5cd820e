"""Mounts and swap areas: where they are and on what, under other names."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iommu_inspect.sources.host.mounts import Mount
from iommu_inspect.sources.host.mounts import mountinfo as parsed_mountinfo
from iommu_inspect.sources.host.mounts import mounts as parsed_mounts
from iommu_inspect.sources.host.mounts import swaps as parsed_swaps
from iommu_inspect.sources.snapshot.redaction.names import Names

__all__ = ["mountinfo", "mounts", "swaps"]

_HEAD = "Filename Type Size Used Priority"
_SHARED = ("9p", "virtiofs")


def mountinfo(text: str, names: Names, address: Callable[[str], str]) -> str:
    """Return ``/proc/PID/mountinfo`` with what is read of it."""
    return _written(
        f"0 0 {mount.number} / {point} rw - {mount.type} {source} {options}"
        for mount, point, source, options in _shown(
            parsed_mountinfo(text), names, address
        )
    )


def mounts(text: str, names: Names, address: Callable[[str], str]) -> str:
    """Return ``/proc/mounts`` with what is read of it."""
    return _written(
        f"{source} {point} {mount.type} {options} 0 0"
        for mount, point, source, options in _shown(parsed_mounts(text), names, address)
    )


def _shown(
    found: Iterable[Mount], names: Names, address: Callable[[str], str]
) -> Iterable[tuple[Mount, str, str, str]]:
    for mount in found:
        words = (
            names.folder(mount.point),
            _source(mount, names),
            _options(mount, names, address),
        )
        point, source, options = map(_escaped, words)
        yield mount, point, source, options


def _source(mount: Mount, names: Names) -> str:
    source = mount.source
    if mount.type == "bcachefs":
        return ":".join(_device(part, names) for part in source.split(":"))
    if source.startswith("/dev/"):
        return _device(source, names)
    if mount.type == "zfs" or mount.type in _SHARED:
        return names.label(source.partition("/")[0])
    # Of others no command reads it: "tmpfs", or a server and what it exports.
    return "none"


def _device(path: str, names: Names) -> str:
    return names.device_file(path) if path.startswith("/dev/") else "none"


def _options(mount: Mount, names: Names, address: Callable[[str], str]) -> str:
    shown = ["rw"]
    for option in mount.options.split(","):
        key, equals, value = option.partition("=")
        if key == "addr" and equals:
            shown.append(f"addr={address(value)}")
        elif mount.type == "overlay" and key in ("lowerdir", "upperdir"):
            folders = ":".join(names.folder(folder) for folder in value.split(":"))
            shown.append(f"{key}={folders}")
    return ",".join(shown)


def swaps(text: str, names: Names) -> str:
    """Return ``/proc/swaps``: the areas and whether each is a device."""
    lines = ["\t".join(_HEAD.split())] if text.strip() else []
    for name, is_device in parsed_swaps(text):
        shown = names.device_file(name) if is_device else names.folder(name)
        kind = "partition" if is_device else "file"
        lines.append(f"{_escaped(shown)}\t{kind}\t0\t0\t0")
    return _written(lines)


def _written(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    for character in "\\ \t\n":
        text = text.replace(character, f"\\{ord(character):03o}")
    return text
