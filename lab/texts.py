"""What a guest's pasted text says, held against what a capture of the same guest says.

The text is that of ``lspci -vvvnnkxxxx`` and the log, made in the guest as root.
Groups, drivers, owners, ``why`` and the plan have to be the same; a text may leave open
what it cannot carry (`CANNOT_CARRY`), and never says something better.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.cache import REPOSITORY
from lab.guest import Guest, boot
from lab.host import SECONDS
from lab.kernels.known import Image
from lab.machines import Machine
from lab.plan_going import prepare_guest
from lab.steps import commands
from lab.userland import LSPCI, userland

__all__ = ["CANNOT_CARRY", "compared", "run_texts"]

CANNOT_CARRY = {
    "uses": "mounts, swap, routes and processes: the host's own uses of its devices",
    "regions": "the reserved regions of groups, but for those that the log names",
    "modules": "which modules are loaded, and their parameters",
    "interrupts": "the names of interrupt chips, but for what the log says",
    "power": "power states, reset methods, driver_override, node permissions",
    "units": "which IOMMU units there are",
}
_COMMANDS = {"lspci.txt": f"{LSPCI} -vvvnnkxxxx 2> /dev/null", "dmesg.txt": "dmesg"}
_BETTER = {"blocked": 0, "unknown": 1, "ready": 2}


def run_texts(
    machine: Machine,
    image: Image,
    say: Callable[[str], None],
    keep: Path | None = None,
) -> Iterator[tuple[str, str | None]]:
    """Yield each thing that was compared, and how text and capture differ, if they do.

    With ``keep`` the texts and captures stay there, compressed.

    Raises:
        LabError: the text cannot be made in the guest.
    """
    with boot(machine, image, say, userland(say)) as guest:
        prepare_guest(guest)
        for number, moves in enumerate(machine.states):
            for command in commands(*moves):
                guest.do(command)
            name = f"{machine.name} {image.kernel.name} state {number}"
            with tempfile.TemporaryDirectory() as folder:
                sources = _written(Path(folder), guest)
                if keep is not None:
                    place = keep / f"{image.kernel.name}-{machine.name}-{number}"
                    _kept(place, *sources)
                for what, difference in compared(*sources):
                    yield f"{name}: {what}", difference


def _written(folder: Path, guest: Guest) -> tuple[list[Path], list[Path]]:
    capture = folder / "capture.tar.gz"
    capture.write_bytes(guest.capture())
    texts = []
    for name, command in _COMMANDS.items():
        lines = guest.command(f"shell {command}", SECONDS).lines
        texts.append(folder / name)
        texts[-1].write_text("".join(f"{line}\n" for line in lines) + "\n")
    return [capture], texts


def _kept(place: Path, captures: list[Path], texts: list[Path]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for capture in captures:
        (place / capture.name).write_bytes(capture.read_bytes())
    for text in texts:
        packed = gzip.compress(text.read_bytes(), mtime=0)
        (place / f"{text.name}.gz").write_bytes(packed)


def compared(
    captures: list[Path],
    texts: list[Path],
    ask: Callable[..., Any] | None = None,
    every: int = 1,
) -> Iterator[tuple[str, str | None]]:
    """Yield what is compared of two sources of one host, and how they differ.

    Args:
        captures: What knows all.
        texts: What may leave something open.
        ask: Returns the document of a command about sources; the program's, mostly.
        every: Ask about one device of so many.
    """
    ask = ask or _document
    whole, told = ask(captures, "list"), ask(texts, "list")
    groups, known = _groups(whole), _groups(told)
    yield "groups and members", None if groups == known else f"{groups} {known}"
    owners, said = _owners(whole), _owners(told)
    for group, owner in owners.items():
        mine = said.get(group)
        same = mine in (owner, "unknown")
        yield f"owner of group {group}", None if same else f"{owner}, text {mine}"
    drivers, others = _drivers(whole), _drivers(told)
    for device, driver in drivers.items():
        mine = others.get(device, "absent")
        same = mine == driver or (driver is None and mine is None)
        yield f"driver of {device}", None if same else f"{driver}, text {mine}"
    for device in list(drivers)[::every]:
        for words, differ in _ASKED.items():
            both = [ask(sources, words, device) for sources in (captures, texts)]
            yield f"{words} {device}", differ(*both)


def _document(sources: list[Path], *words: str) -> Any:
    options = [word for source in sources for word in ("--from", str(source))]
    ended = subprocess.run(
        [sys.executable, "-m", "iommu_inspect", *words, "--format", "json", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return json.loads(ended.stdout)


def _groups(document: Any) -> dict[str, list[str]]:
    return {
        group["id"]: sorted(device["address"] for device in group["devices"])
        for group in document["groups"]
    }


def _owners(document: Any) -> dict[str, str]:
    return {group["id"]: group["ownership"] for group in document["groups"]}


def _drivers(document: Any) -> dict[str, str | None]:
    listed = [device for group in document["groups"] for device in group["devices"]]
    return {device["address"]: device["driver"] for device in listed}


def _why(whole: Any, told: Any) -> str | None:
    reasons, said = _reasons(whole), _reasons(told)
    odd = {d: (m, said.get(d)) for d, m in reasons.items() if said.get(d) != m}
    agrees = whole["recomputed"]["agrees"], told["recomputed"]["agrees"]
    if odd or agrees[0] != agrees[1]:
        return f"{odd or 'reasons are the same'}, agrees {agrees}"
    grows = whole["growth"]["can_grow"], told["growth"]["can_grow"]
    return None if grows[1] in (grows[0], "unknown") else f"can grow {grows}"


def _reasons(explained: Any) -> dict[str, str]:
    return {reason["with"]: reason["mechanism"] for reason in explained["reasons"]}


def _audit(whole: Any, told: Any) -> str | None:
    one, other = whole["verdict"], told["verdict"]
    if other in (one, "unknown") and _BETTER[other] <= max(_BETTER[one], 1):
        return None
    return f"{one}, text {other}"


def _plan(whole: Any, told: Any) -> str | None:
    """Compare where the members of the group go, where both have a plan."""
    one, other = (_moves(document) for document in (whole, told))
    if not other or one == other:
        return None
    return f"{one}, text {other}" if one else f"no plan, text {other}"


def _moves(document: Any) -> dict[str, str]:
    if document["refusals"]:
        return {}
    return {
        move["address"]: str(move["becomes"])
        for move in document["members"]
        if move["decision"] in ("moves", "released")
    }


_ASKED: dict[str, Callable[[Any, Any], str | None]] = {
    "why": _why,
    "audit": _audit,
    "plan": _plan,
}
