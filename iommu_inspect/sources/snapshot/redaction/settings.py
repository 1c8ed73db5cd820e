"""Files of settings: modprobe.d and the lists of modules, line by line.

A line stays in its place, since findings name it. A comment says nothing that is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from iommu_inspect.model.host.module_names import meant
from iommu_inspect.sources.host.command_line import parse_words
from iommu_inspect.sources.host.modprobe import parse_modprobe
from iommu_inspect.sources.snapshot.redaction.command_line import REDACTED, harmless

__all__ = ["modprobe", "module_list", "shell_list"]

_OUR_MODULES = re.compile(
    r"vfio\w*|pci_stub|iommufd|kvm(?:_\w+)?|intel_iommu|amd_iommu"
)
_NOTHING = "#"
_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_PATTERN = re.compile(r"[\w*?\[\]:.,+-]+", re.ASCII)
_ID = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}[0-9a-f:,]*", re.IGNORECASE)
# However they are written: misspelt ones are found by what is written.
_IDS = re.compile(r"[0-9a-fx:,;. *~-]*", re.IGNORECASE)
_COMMANDS = ("alias", "blacklist", "softdep", "weakdep", "options", "install", "remove")
_IN_COMMANDS = re.compile(
    r"/?(?:usr/)?s?bin/(?:false|true|modprobe|sh)|false|true|modprobe|:"
    r"|--?[a-z-]+|\$CMDLINE_OPTS|&&|\|\||;|vfio[\w-]*|pci-stub"
)
_ASSIGNED = re.compile(r"\s*(?:MODULES|add_drivers|force_drivers|add_modules)\s*\+?=")


def modprobe(text: str) -> str:
    """Return a file of modprobe.d with what may be shown of each line."""
    shown: dict[int, str] = {}
    for line in parse_modprobe(text).lines:
        words = (line.command, *line.arguments)
        kept = " ".join(_line(*words))
        if kept != _NOTHING:
            shown[line.number] = kept
    last = max(shown, default=0)
    return "".join(f"{shown.get(number, _NOTHING)}\n" for number in range(1, last + 1))


def _line(command: str, *arguments: str) -> Iterator[str]:
    whole = " ".join((command, *arguments)).replace("-", "_")
    if command not in _COMMANDS:
        told = "vfio" in whole or "pci_stub" in whole or _ID.fullmatch(command)
        yield from (command, *arguments) if told else (_NOTHING,)
        return
    yield command
    module, *rest = arguments or ("",)
    if command == "options":
        yield _glued(module)
        ours = _is_ours(module)
        for word in parse_words(" ".join(rest)):
            yield _option(word.text, ours=ours)
        return
    yield module if _PATTERN.fullmatch(module) else REDACTED
    allowed = _IN_COMMANDS if command in ("install", "remove") else _PATTERN
    for each in rest:
        yield each if allowed.fullmatch(each) or each == module else REDACTED


def _is_ours(module: str) -> bool:
    key = re.split(r"[=.]", module)[0].replace("-", "_")
    return _OUR_MODULES.fullmatch(key) is not None or meant(key) is not None


def _glued(module: str) -> str:
    """Return a module; some write its options behind it without a space."""
    name, equals, value = module.partition("=")
    if not _PATTERN.fullmatch(name):
        return REDACTED
    return module if not equals or harmless(value) else f"{name}={REDACTED}"


def _option(text: str, *, ours: bool) -> str:
    name, equals, value = text.partition("=")
    if not _PATTERN.fullmatch(name):
        return REDACTED
    ids = ours and "id" in name and _IDS.fullmatch(value) is not None
    if not equals or ids or harmless(value):
        return f'{name}{equals}"{value}"' if " " in value else text
    return f"{name}={REDACTED}"


def _by_line(text: str, show: Callable[[str], str]) -> str:
    return "".join(f"{show(line.strip()) or _NOTHING}\n" for line in text.splitlines())


def module_list(text: str) -> str:
    """Return a file that has a module a line, with options behind it."""

    def show(line: str) -> str:
        name, *options = line.split() or ("",)
        if not _NAME.fullmatch(name):
            return ""
        return " ".join((name, *(_option(o, ours=_is_ours(name)) for o in options)))

    return _by_line(text, show)


def shell_list(text: str) -> str:
    """Return a file of a shell's assignments: those of modules stay."""

    def show(line: str) -> str:
        if not _ASSIGNED.match(line):
            return ""
        before, equals, behind = line.partition("=")
        return before + equals + re.sub(r"#.*|[^\w\s()\"'-]", "", behind).rstrip()

    return _by_line(text, show)
