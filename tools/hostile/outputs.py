"""Everything that the program prints of a machine, sorted by who is to read it."""

from __future__ import annotations

import contextlib
import html
import json
import re
import tempfile
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from iommu_inspect.cli import session
from iommu_inspect.model.machine import Machine
from tools.hostile.names import CANARY, NEW_LINE, hostile
from tools.net.casting import answer

__all__ = ["Collected", "collect"]

# The formats that are for one tool, all of whose output is to be copied.
_SHEETS = ("driverctl", "proxmox", "dpdk", "spdk")
# How a line in the text for people begins that is to be copied.
_TYPED = re.compile(
    r" {4,}((?:sudo |\[ ! -e |PCI_ALLOWED=)?(?:echo|modprobe|driverctl|umount|swapoff"
    r"|cat|grep|ls|readlink|dmesg|lspci|findmnt|swapon|zpool|ip route|find /|fuser|qm"
    r"|iommu-inspect) .*)"
)


@dataclass(slots=True)
class Collected:
    """What a shell is to read: lines, whole scripts, files of modprobe.d, NixOS lines.

    Each is kept once, with the seed of the machine that it was first printed of.
    ``faults`` are what is wrong with the text itself.
    """

    commands: dict[str, int] = field(default_factory=dict)
    scripts: dict[str, int] = field(default_factory=dict)
    modprobe: dict[tuple[str, ...], int] = field(default_factory=dict)
    settings: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    outputs: int = 0
    planned: int = 0

    def add(self, other: Collected) -> None:
        """Take in what another one has."""
        self.commands = other.commands | self.commands
        self.scripts = other.scripts | self.scripts
        self.modprobe = other.modprobe | self.modprobe
        self.settings = other.settings | self.settings
        self.faults += other.faults
        self.outputs += other.outputs
        self.planned += other.planned


def collect(machine: Machine, seed: int) -> Collected:
    """Ask every command about a machine, and about some of its groups and devices."""
    found = Collected()
    with mock.patch.object(session, "load", lambda *_, **__: machine):
        for request in _requests(machine, Random(seed)):
            code, out, err = answer(*request)
            found.outputs += 1
            for fault in _of_text(out, err, code):
                found.faults.append(f"seed {seed}: {' '.join(request)!r}: {fault}")
            _sort(found, request, out, seed)
        _, document, _ = answer("audit", "--format", "json")
    with tempfile.TemporaryDirectory() as folder:
        for request in _of_fleet(Path(folder), document, Random(seed)):
            code, out, err = answer(*request)
            found.outputs += 1
            for fault in (*_of_text(out, err, code), *_of_lines(request, out)):
                found.faults.append(f"seed {seed}: {' '.join(request)!r}: {fault}")
    return found


def _of_fleet(folder: Path, document: str, dice: Random) -> Iterator[Sequence[str]]:
    """Yield requests about a host whose file, and whose document, have such names."""
    for text in (document, "nothing about a host"):
        name = hostile(dice).replace("/", "_").replace("\0", "_")[:60]
        with contextlib.suppress(OSError, UnicodeEncodeError):  # no name for a file
            (folder / f"a{name}").write_text(text, encoding="utf-8")
    if any(folder.iterdir()):
        for form in ("table", "html", "metrics", "jsonl"):
            yield ("fleet", "--workers", "1", "--format", form, str(folder))
        yield ("fleet", "--against", str(folder), "--workers", "1", str(folder))


def _of_lines(request: Sequence[str], out: str) -> Iterator[str]:
    """Say which line is no document, or holds what a page would obey."""
    form = _form(request)
    if form == "jsonl":
        for line in out.splitlines():
            if not line.isascii() or not isinstance(json.loads(line), dict):
                yield f"a line is no document: {line!r}"
    if form == "html" and (out.count("<script") != 1 or "<canary" in out):
        yield "a name brings something into the page"


def _requests(machine: Machine, dice: Random) -> Iterator[Sequence[str]]:
    yield ("list",)
    yield ("list", "--predict-groups", "--format", "json")
    yield ("list", "--format", "paste")
    yield ("list", "--columns", "group,address,driver,name,uses,slot,numa,iommu")
    yield ("predict",)
    for form in ("table", "json"):
        yield ("audit", "--notes", "--verbose", "--format", form)
    for form in ("tree", "svg", "dot", "mermaid"):
        yield ("graph", "--format", form)
    yield ("report", "--notes")
    groups = [f"group:{g.id}" for g in machine.groups if g.devices]
    devices = [d.address for d in machine.devices]
    targets = groups if dice.random() < 0.5 else devices
    if targets:
        yield from _about(dice.choice(targets), dice.choice(("vfio", "vfio", "dpdk")))


def _about(target: str, purpose: str) -> Iterator[Sequence[str]]:
    accept = ("--accept", "host-loss", "--accept", "interrupt-remapping")
    for form in ("table", "json"):
        words = ("--for", purpose, "--format", form, "--", target)
        yield ("audit", "--notes", "--verbose", *words)
        yield ("plan", "--all-systems", *accept, *words)
    yield ("plan", "--for", purpose, "--format", "json", "--", target)
    yield ("audit", "--for", "attach", "--format", "json", "--", target)
    for form in ("shell", "libvirt", "qemu", *_SHEETS):
        yield ("plan", *accept, "--format", form, "--", target)
    if not target.startswith("group:"):
        yield ("why", "--", target)
        yield ("why", "--format", "json", "--", target)
        yield ("whatif", f"bind={target},vfio-pci")
    yield ("report", "--notes", "--", target)


# A line break of any kind, as the program writes it: \x0a, \u2028.
_ESCAPED = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4})$")


def _of_text(out: str, err: str, code: int) -> Iterator[str]:
    """Say what a terminal would obey, and what began a line that is a name's."""
    if code not in (0, 1, 2, 3, 4):
        yield f"exit code {code}: {err}"
    for text in (out, err):
        for character in set(text) - {"\n"}:
            category = unicodedata.category(character)
            if category[0] == "C" or category in ("Zl", "Zp"):
                yield f"a terminal gets {character!r}"
        for before, line in pairwise(["", *text.splitlines()]):
            # Where the line break was escaped, a table may break the line behind it.
            wrapped = _ESCAPED.search(before.rstrip()) is not None
            if line.lstrip().startswith(NEW_LINE) and not wrapped:
                yield f"a name begins a line: {line!r}"
    for line in err.splitlines():
        if not line.startswith("iommu-inspect: "):
            yield f"a line of its own on standard error: {line!r}"


def _sort(found: Collected, request: Sequence[str], out: str, seed: int) -> None:
    form = _form(request)
    if form == "json" and out:
        if not out.isascii():
            found.faults.append(f"seed {seed}: {request}: JSON is not ASCII")
        _of_document(found, json.loads(out), seed)
    elif form == "shell":
        found.scripts.setdefault(out, seed)
    elif form in _SHEETS:
        for line in out.splitlines():
            found.commands.setdefault(_as_command(line), seed)
    elif form == "qemu" and out.strip():
        lines = [x for x in out.splitlines() if not x.startswith("#")]
        found.scripts.setdefault("qemu " + "\n".join(lines).lstrip(), seed)
    elif form == "libvirt":
        for fault in _of_xml(out):
            found.faults.append(f"seed {seed}: {request}: {fault}")
    elif request[0] == "report":
        for line in _of_page(out):
            if typed := _TYPED.fullmatch(f"    {line}"):
                found.commands.setdefault(typed[1], seed)
    else:
        for line in out.splitlines():
            if typed := _TYPED.fullmatch(line):
                found.commands.setdefault(typed[1], seed)


def _form(request: Sequence[str]) -> str:
    words = list(request)
    return words[words.index("--format") + 1] if "--format" in words else "table"


_KERNEL_WORD = re.compile(r"[a-z_.-]+=[A-Za-z0-9_.,:=-]+")
# A command in a comment: for later, or to be undone with.
_COMMENTED = re.compile(
    r"# ((?:\[ ! -e|driverctl|dpdk-devbind\.py|echo|modprobe|PCI_ALLOWED=).*)"
)


def _as_command(line: str) -> str:
    """Make a command of what is only the arguments of one, or a line of a file."""
    if commented := _COMMENTED.fullmatch(line):
        line = commented[1]
    if line.startswith("-") or _KERNEL_WORD.fullmatch(line):
        return f"arguments {line}"
    if re.match(r"hostpci\d+: ", line):
        return f"arguments '{line}'" if "'" not in line else line
    return line


_COMMANDS = frozenset(
    {"now", "undo", "driverctl", "driverctl_undo", "supposed", "commands", "look"}
    | {"steps", "lines", "then"}
)


def _of_document(found: Collected, document: Any, seed: int) -> None:
    found.planned += bool(document.get("now"))
    for key, value in _leaves(document):
        if value and key in _COMMANDS:
            found.commands.setdefault(_as_command(value), seed)
    if document.get("script"):
        found.scripts.setdefault(document["script"], seed)
    boot = document.get("boot")
    if boot:
        found.modprobe.setdefault(tuple(boot["modprobe"]["lines"]), seed)
    for where in ("initramfs", "command_line"):
        for place in (boot or {}).get(where, ()):
            for line in place["lines"]:
                found.settings.setdefault(f"{place['title']}: {line}", seed)


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts of lists of commands; what is data or prose is left out."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in ("modprobe", "script", "findings", "cures", "summary"):
                continue
            if name in ("proxmox", "dpdk", "spdk", "driverctl_saved"):
                continue  # read as they are printed
            if name in ("initramfs", "command_line"):
                for place in item or ():
                    yield from _leaves(place["commands"], "commands")
                continue
            if name == "supposed" and isinstance(item, str):
                continue
            yield from _leaves(item, name)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and "step" in item:
                continue  # what was simulated
            yield from _leaves(item, key)


def _of_page(page: str) -> Iterator[str]:
    """Yield the lines of a report's advice that are there to be copied."""
    advice = page.partition('<section id="verdict"')[2].partition("</section>")[0]
    for code in re.findall(r"<pre><code>(.*?)</code></pre>", advice, re.DOTALL):
        yield from html.unescape(code).splitlines()


def _of_xml(text: str) -> Iterator[str]:
    try:
        root = ET.fromstring(f"<devices>{text}</devices>")
    except ET.ParseError as error:
        yield f"no XML: {error}"
        return
    known = {"devices", "hostdev", "source", "address"}
    if {each.tag for each in root.iter()} - known or CANARY in text:
        yield "an element of a name in the XML"
