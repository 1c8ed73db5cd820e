"""Runs commands inside this process on sources that are not files.

Whatever the source, a command ends with one of its exit codes, prints nothing that a
terminal would act on, and prints JSON that its schema allows.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from typing import TypeAlias
from unittest import mock

import jsonschema

from fuzz.cases import Case, parsed
from iommu_inspect.cli import baseline, session
from iommu_inspect.cli import main as program
from iommu_inspect.kernel.steps.step import DOMAIN_TYPES
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.capture import read_sources
from iommu_inspect.sources.tree import opening, option_files
from iommu_inspect.sources.tree.opening import Text
from iommu_inspect.sources.tree.tar import TarTree
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Reader", "ask", "check", "commands"]

_ENVIRONMENT = {"COLUMNS": "80", "IOMMU_INSPECT_DEBUG": "1"}
_CODES = range(5)
_PURPOSES = ("vfio", "dpdk", "attach", "one-per-group")
_PLANS = (
    *("table", "shell", "json", "libvirt", "qemu", "proxmox", "driverctl", "dpdk"),
    "spdk",
)
_DRAWN = ("tree", "svg", "dot", "mermaid")
_RELEASES = ("auto", "auto", "4.9", "5.10", "6.12", "7.3", "proposed-single-driver")
_LARGE = 400_000

Opener: TypeAlias = Callable[[str], Tree | Text]


class Reader:
    """Reads each source once, for all commands that ask about it."""

    def __init__(self, opened: Opener) -> None:
        self.opened = cache(opened)
        self._read = cache(self._reading)

    def read(
        self,
        sources: Sequence[Tree | Text],
        *,
        processes: bool,
        brief: bool,  # noqa: ARG002 - it makes a difference to a running host only
    ) -> Machine:
        """Return what `read_sources` does."""
        return self._read(tuple(sources), processes)

    @staticmethod
    def _reading(sources: tuple[Tree | Text, ...], processes: bool) -> Machine:
        return read_sources(sources, processes=processes)


def ask(words: Sequence[str], reader: Reader) -> tuple[int, str]:
    """Run one command; return its exit code and what it printed."""
    opened = reader.opened
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))

    def open_source(name: str, _: object = None) -> Tree | Text:
        return opened(name)

    def read_option(name: str, _: str) -> str:
        found = opened(name)
        return found.content if isinstance(found, Text) else ""

    def empty() -> Tree:
        return TarTree({"sys": {}}, "this host")

    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["iommu-inspect", *words]),
        mock.patch.dict(os.environ, _ENVIRONMENT),
        mock.patch.object(session, "read_sources", reader.read),
        mock.patch.object(session, "open_source", open_source),
        mock.patch.object(session, "open_live", empty),
        mock.patch.object(baseline, "open_source", open_source),
        mock.patch.object(opening, "open_source", open_source),
        mock.patch.object(opening, "open_live", empty),
        mock.patch.object(option_files, "read_option", read_option),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            program.main()
        except SystemExit as end:
            code = end.code or 0
    if code not in _CODES:
        raise AssertionError(f"exit code: {code}")
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.buffer.seek(0)
        texts.append(stream.buffer.read())
    if words[0] == "snapshot":
        return int(str(code)), ""
    for text in texts:
        _printed(text.decode())
    if "json" in words and texts[0]:
        _document(words[0], texts[0].decode())
    return int(str(code)), texts[0].decode()


def _printed(text: str) -> None:
    for line in text.split("\n"):
        if not line.isprintable():
            raise AssertionError(f"not for a terminal: {line!r}")


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    file = resources.files("iommu_inspect").joinpath(f"schemas/{name}-1.json")
    return jsonschema.Draft202012Validator(json.loads(file.read_text()))


def _document(command: str, text: str) -> None:
    document = json.loads(text)
    name = document["schema"].split("/")[1]
    if name not in (command, "comparison"):
        raise AssertionError(f"schema: {name} of {command}")
    if len(text) > _LARGE:
        return
    error = next(_validator(name).iter_errors(document), None)
    if error is not None:
        raise AssertionError(f"invalid {name} at {list(error.path)[-1:]}: {error}")


def check(data: bytes) -> None:
    """Run the commands of a case."""
    case = parsed(data)
    reader = Reader(case.opened)
    for words in case.commands:
        if words:
            ask(words, reader)


def commands(case: Case, dice: random.Random, count: int) -> list[str]:
    """Return lines of commands about what is in a case."""
    groups = _below(case, "sys/kernel/iommu_groups")
    devices = [d for bus in ("pci", "platform") for d in _below(case, f"sys/bus/{bus}")]
    targets = [*devices, *devices, *(f"group:{group}" for group in groups)]
    targets += ["vfio", "01:00", "eth0", "10de:1e04"]
    return [f"$ {_command(dice, targets, devices, groups)}" for _ in range(count)]


def _below(case: Case, path: str) -> list[str]:
    entry: object = case.trees["A"]
    for part in (*path.split("/"), *(["devices"] if "bus" in path else [])):
        entry = entry.get(part) if isinstance(entry, dict) else None
    return list(entry) if isinstance(entry, dict) else []


def _command(
    dice: random.Random, targets: list[str], devices: list[str], groups: list[str]
) -> str:
    one, more = dice.choice(targets), dice.choice(targets)
    json_ = dice.choice(("", "", " --format json"))
    rules = f" --semantics {dice.choice(_RELEASES)}"
    purpose = f" --for {dice.choice(_PURPOSES)}"
    source = " --from A" + " --from T" * (not dice.randrange(6))
    match dice.randrange(16):
        case 0 | 1:
            extra = dice.choice(("", " --summary", " --notes -v", " --strict"))
            return f"audit{purpose}{rules}{extra}{json_}{source}"
        case 2 | 3:
            return f"audit {_q(one)} {_q(more)}{purpose}{rules}{json_}{source}"
        case 4 | 5 | 6:
            extra = dice.choice(("", " --all-systems", " --accept host-loss"))
            form = dice.choice(_PLANS)
            return f"plan {_q(one)}{purpose}{extra} --format {form}{rules}{source}"
        case 7:
            return f"why {_q(one)} {_q(more)}{json_}{source}"
        case 8:
            compare = dice.choice((rules, " --compare 5.10,6.12"))
            return f"predict{compare}{json_}{source}"
        case 9:
            steps = " ".join(_step(dice, devices, groups) for _ in range(3))
            return f"whatif {steps}{rules}{json_}{source}"
        case 10:
            return f"diff A B{purpose}{json_}"
        case 11:
            extra = dice.choice((" --predict-groups", " --predict-groups", ""))
            return f"list{extra}{json_}{source}"
        case 12:
            level = dice.choice(("none", "default", "strict"))
            return f"snapshot - --redact {level} --from A"
        case 13:
            form = dice.choice(_DRAWN)
            target = dice.choice(("", "", f" {_q(one)}"))
            return f"graph{target} --format {form}{rules}{source}"
        case 14:
            extra = dice.choice((f" {_q(one)}", " --notes", " --baseline B"))
            return f"report{extra}{purpose}{rules}{source}"
        case _:
            return f"audit --baseline B{purpose}{json_}{source}"


def _step(dice: random.Random, devices: list[str], groups: list[str]) -> str:
    device = dice.choice(devices or ["00:00.0"])
    driver = dice.choice(("vfio-pci", "nvidia", "pcieport", "e1000e", "pci-stub"))
    group = dice.choice(groups or ["1"])
    words = {
        "bind": f"{device},{driver}",
        "unbind": device,
        "override": dice.choice((device, f"{device},{driver}")),
        "probe": device,
        "rebind": f"{device},{driver}",
        "claim": group,
        "release": group,
        "attach": device,
        "detach": device,
        "sriov": f"{device},{dice.choice((0, 1, 2, 7, 65536))}",
        "hotplug": device + dice.choice(("", ",0302", ",0200,igb")),
        "unplug": device,
        "new_id": f"{driver},{dice.choice((device, '8086:10d3'))}",
        "remove_id": f"{driver},{dice.choice((device, '8086:10d3'))}",
        "type": f"{group},{dice.choice(DOMAIN_TYPES)}",
        "load": dice.choice(("vfio_pci", "vfio_iommu_type1", driver)),
        "unload": dice.choice(("vfio_pci", "vfio_iommu_type1", driver)),
        "parameter": "vfio_iommu_type1.allow_unsafe_interrupts,Y",
    }
    verb = dice.choice(list(words))
    return _q(f"{verb}={words[verb]}")


def _q(word: str) -> str:
    import shlex

    return shlex.quote(word.replace("\n", "_"))
