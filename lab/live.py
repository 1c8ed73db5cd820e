"""Runs the tool in the guest, on its live /sys, and compares with what was captured.

That is the collector's capture, and the snapshot that the tool itself makes there.

The host's Python and its virtual environment run in the guest (see ``host.py``).
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.apt import run
from lab.cache import REPOSITORY
from lab.errors import LabError
from lab.guest import Guest, boot
from lab.host import SECONDS, mount_host, shell, with_host
from lab.kernels.known import Image
from lab.machines import Machine
from lab.steps import commands

__all__ = ["Difference", "differences", "questions", "run_live"]

COMMANDS = ("list", "audit", "predict")
READERS = ("root", "user")
_USER = "/usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups "
# On a live host the tool reads nothing that would wake a device; the collector does.
_AWAKE = "for file in /sys/bus/pci/devices/*/power/control; do echo on > $file; done"
# What says where the facts come from, and so differs.
_SOURCE = ("kind", "name")
# A snapshot that was made without root says so each time.
_SNAPSHOT = (*_SOURCE, "notes")
_MOST_PLANS = 3
# A running kernel that has no such class has no such devices, and its processes can
# be asked; of a capture nobody knows.
_UNTOLD = ".uses_missing."


@dataclass(frozen=True)
class Difference:
    """Where two documents that should be the same first differ."""

    place: str
    live: object
    captured: object

    def __str__(self) -> str:
        return f"{self.place}: live {self.live!r}, captured {self.captured!r}"


def run_live(
    machine: Machine, image: Image, say: Callable[[str], None]
) -> Iterator[tuple[str, Difference | None]]:
    """Yield, for each state, reader and command, how live and captured differ.

    Raises:
        LabError: the tool does not run in the guest.
    """
    with boot(with_host(machine), image, say) as guest:
        mount_host(guest)
        for number, moves in enumerate(machine.states):
            for command in commands(*moves):
                guest.do(command)
            shell(guest, _AWAKE)
            for reader in READERS:
                capture = guest.capture(user=reader == "user")
                for command in COMMANDS:
                    name = f"{machine.name} {image.kernel.name} state {number}"
                    found = differences(
                        _live(guest, reader, command), _captured(capture, command)
                    )
                    yield f"{name}: {command} as {reader}", next(found, None)
                snapshot = _snapshot(guest, reader)
                for words in questions(_captured(snapshot, "list")):
                    found = differences(
                        _live(guest, reader, *words),
                        _captured(snapshot, *words),
                        of_snapshot=True,
                    )
                    asked = f"{name}: {words[0]} of a snapshot as {reader}"
                    yield asked, next(found, None)


def questions(listed: Any) -> Iterator[tuple[str, ...]]:
    """Yield what is asked of a snapshot: each command, and devices of a ``list``."""
    for command in COMMANDS:
        yield (command,)
    groups = [group["devices"] for group in listed["groups"]]
    devices = [device["address"] for group in groups for device in group]
    if devices:
        yield ("why", *devices)
    for group in groups[-_MOST_PLANS:]:
        yield ("plan", group[-1]["address"])


def _live(guest: Guest, reader: str, *asked: str) -> Any:
    """Return the document that the tool prints in the guest."""
    lines = _run(guest, reader, _tool(*asked, "--format", "json"))
    try:
        return json.loads("\n".join(lines))
    except json.JSONDecodeError:
        raise _fault(guest) from None


def _snapshot(guest: Guest, reader: str) -> bytes:
    """Return the snapshot that the tool makes of the guest, with all names in it."""
    made = _tool("snapshot", "--redact", "none", "-")
    # base64 for the serial line, which takes texts.
    lines = _run(guest, reader, f"{made} | /usr/bin/gzip -9 | /usr/bin/base64 -w 1024")
    try:
        snapshot = base64.b64decode("".join(lines), validate=True)
    except binascii.Error:
        raise _fault(guest) from None
    if not snapshot:
        raise _fault(guest)
    return snapshot


def _tool(*words: str) -> str:
    return shlex.join([sys.executable, "-m", "iommu_inspect", *words])


def _run(guest: Guest, reader: str, command: str) -> list[str]:
    inner = f"cd {shlex.quote(str(REPOSITORY))} && {command}"
    prefix = _USER if reader == "user" else ""
    chroot = f"chroot /host {prefix}/bin/sh -c {shlex.quote(inner)}"
    # The protocol splits a line into words and the guest joins them again, so that
    # quotes survive.
    script = f"env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 {chroot} 2> /tmp/err"
    return list(guest.command(f"shell {script}", SECONDS).lines)


def _fault(guest: Guest) -> LabError:
    said = " ".join(guest.command("show /tmp/err").lines)
    return LabError(f"the tool does not run in the guest: {said[-500:]}")


def _captured(capture: bytes, *asked: str) -> Any:
    """Return the document that the tool prints for a capture, here."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(capture)
        file.flush()
        words = [sys.executable, "-m", "iommu_inspect", *asked, "--format", "json"]
        # What is blocked or cannot be told is an answer with a document too.
        words = [*words, "--from", file.name]
        return json.loads(run(words, seconds=60, answers=(0, 1, 3)))


def differences(
    live: object, captured: object, place: str = "", *, of_snapshot: bool = False
) -> Iterator[Difference]:
    """Yield where two documents differ, apart from where they come from.

    A snapshot knows all that the host knew, any other capture may not.
    """
    if isinstance(live, dict) and isinstance(captured, dict):
        for key in dict.fromkeys((*live, *captured)):
            if place == ".source" and key in (_SNAPSHOT if of_snapshot else _SOURCE):
                continue
            below = f"{place}.{key}"
            yield from differences(
                live.get(key), captured.get(key), below, of_snapshot=of_snapshot
            )
    elif isinstance(live, list) and isinstance(captured, list):
        if len(live) != len(captured):
            yield Difference(f"{place}: length", len(live), len(captured))
        for number, (mine, other) in enumerate(zip(live, captured, strict=False)):
            below = f"{place}[{number}]"
            yield from differences(mine, other, below, of_snapshot=of_snapshot)
    elif live != captured and (
        of_snapshot or not _only_live_knows(live, captured, place)
    ):
        yield Difference(place, live, captured)


def _only_live_knows(live: object, captured: object, place: str) -> bool:
    return place.startswith(_UNTOLD) and live is None and captured == "absent"
