"""The words of the kernel command line: what may pass, and what stands for the rest."""

from __future__ import annotations

import re

from iommu_inspect.model.host.module_names import meant
from iommu_inspect.model.host.settings import Word
from iommu_inspect.sources.host.command_line import parse_words
from iommu_inspect.sources.snapshot.redaction.names import Names
from iommu_inspect.sources.snapshot.redaction.secrets import Words

__all__ = ["REDACTED", "command_line", "harmless"]

REDACTED = "redacted"

# What these words say is about hardware and drivers, whatever it is.
_ABOUT_HARDWARE = re.compile(
    r"(?:.*(?:vfio|iommu|intremap|hugepage|acs_override).*|pci(?:e_.*|_stub.*)?"
    r"|kvm(?:_\w+)?(?:\..*)?|console|video|vga|efifb|nomodeset|earlycon"
    r"|(?:rd\.)?(?:modprobe\.|module_)?blacklist|(?:rd\.)?modules_load"
    r"|rd\.driver\.\w+|initcall_blacklist|isolcpus|nohz_full|rcu_nocbs|mitigations)",
    re.IGNORECASE | re.ASCII,
)
_PLACES = re.compile(
    r"root|resume|boot|zfs|cryptdevice|cryptroot|dm_mod\..*|(?:rd\.)?(?:luks|lvm|md)\..*"
)
_KEY = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_BARE = frozenset(
    (
        *("debug", "nofail", "nointremap", "nomodeset", "noresume", "nosplash"),
        *("nosmp", "nox2apic", "quiet", "rhgb", "ro", "rw", "single", "splash"),
        *("vt.handoff", "nvidia", "noibrs", "nopti", "nokaslr", "verbose"),
        *("x2apic", "ostree"),
    )
)
_WORDS = (
    "auto|y|n|yes|no|on|off|true|false|force|enable|enabled|disable|disabled|pt|nopt|all"
    "|none|performance|passive|active|strict|lazy|never|always|madvise"
)
_TOKEN = re.compile(
    rf"(?:{_WORDS}|0x[0-9a-f]{{1,16}}|-?[0-9]{{1,5}}[kmgt]?|[0-9]{{1,4}}-[0-9]{{1,4}}"
    r"|[0-9a-f]{4})",
    re.IGNORECASE | re.ASCII,
)
_ADDRESS = re.compile(
    r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.IGNORECASE
)


def harmless(value: str) -> bool:
    """Say whether a value is a number, a switch, or a list of ids or addresses."""
    return all(
        _ADDRESS.fullmatch(part)
        or all(_TOKEN.fullmatch(token) for token in part.split(":"))
        for part in value.split(",")
        if part
    )


def command_line(text: str, names: Names, words: Words, *, strict: bool) -> str:
    """Return a command line with the words that may be shown."""
    shown = []
    for word in parse_words(text):
        if word.text == "--":  # what follows is for init
            break
        kept = _shown(word, names, strict=strict)
        if kept:
            # Quotes belong to what is between them, and nothing else quotes.
            safe = words.without(kept)
            key, equals, value = safe.partition("=")
            shown.append(f'{key}{equals}"{value}"' if " " in value else safe)
    return " ".join(shown) + "\n"


def _shown(word: Word, names: Names, *, strict: bool) -> str:
    key, value = word.text.partition("=")[0], word.value
    if not _KEY.fullmatch(key):
        return ""
    if key == "BOOT_IMAGE":
        return "BOOT_IMAGE=/vmlinuz"
    if key == "initrd":
        backslash = "\\" in (value or "")
        return "initrd=\\initrd.img" if backslash else "initrd=/initrd.img"
    if key == "ostree":
        return "ostree=/ostree"
    about = _ABOUT_HARDWARE.fullmatch(key) or meant(key.partition(".")[0])
    if about is not None:
        return word.text if value is None or _is_plain(value) else f"{key}={REDACTED}"
    if value is None:
        return key if key in _BARE else ""
    if _PLACES.fullmatch(key):
        return f"{key}={_place(value, names)}"
    if harmless(value):
        return word.text
    return "" if strict else f"{key}={REDACTED}"


def _is_plain(value: str) -> bool:
    return '"' not in value


def _place(value: str, names: Names) -> str:
    """Say where something is, for other names: UUID=..., /dev/mapper/..., volumes."""
    parts = re.split(r"([:=])", value)
    return "".join(
        part
        if part in ("", ":", "=", "UUID", "PARTUUID", "LABEL", "PARTLABEL", "ZFS")
        else names.device_file(part)
        if part.startswith("/dev/")
        else names.label(part)
        for part in parts
    )
