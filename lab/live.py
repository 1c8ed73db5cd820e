"""Runs the tool in the guest, on its live /sys, and compares with captures.

The host's Python and its virtual environment run in the guest (see ``host.py``).
"""

from __future__ import annotations

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
from lab.kernels import Image
from lab.machines import Machine
from lab.steps import commands

__all__ = ["Difference", "differences", "run_live"]

COMMANDS = ("list", "audit", "predict")
READERS = ("root", "user")
_USER = "/usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups "
# On a live host the tool reads nothing that would wake a device; the collector does.
_AWAKE = "for file in /sys/bus/pci/devices/*/power/control; do echo on > $file; done"
# What says where the facts come from, and so differs.
_SOURCE = ("kind", "name")
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
                        _live(guest, command, reader), _captured(command, capture)
                    )
                    yield f"{name}: {command} as {reader}", next(found, None)


def _live(guest: Guest, command: str, reader: str) -> Any:
    """Return the document that the tool prints in the guest."""
    words = [sys.executable, "-m", "iommu_inspect", command, "--format", "json"]
    inner = f"cd {shlex.quote(str(REPOSITORY))} && exec {shlex.join(words)}"
    prefix = _USER if reader == "user" else ""
    chroot = f"chroot /host {prefix}/bin/sh -c {shlex.quote(inner)}"
    # The protocol splits a line into words and the guest joins them again, so that
    # quotes survive.
    script = f"env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 {chroot} 2> /tmp/err"
    answer = guest.command(f"shell {script}", SECONDS)
    try:
        return json.loads("\n".join(answer.lines))
    except json.JSONDecodeError:
        said = " ".join(guest.command("show /tmp/err").lines)
        raise LabError(f"the tool does not run in the guest: {said[-500:]}") from None


def _captured(command: str, capture: bytes) -> Any:
    """Return the document that the tool prints for a capture, here."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(capture)
        file.flush()
        words = [sys.executable, "-m", "iommu_inspect", command, "--format", "json"]
        # What is blocked or cannot be told is an answer with a document too.
        words = [*words, "--from", file.name]
        return json.loads(run(words, seconds=60, answers=(0, 1, 3)))


def differences(
    live: object, captured: object, place: str = ""
) -> Iterator[Difference]:
    """Yield where two documents differ, apart from where they come from."""
    if isinstance(live, dict) and isinstance(captured, dict):
        for key in dict.fromkeys((*live, *captured)):
            if place == ".source" and key in _SOURCE:
                continue
            below = f"{place}.{key}"
            yield from differences(live.get(key), captured.get(key), below)
    elif isinstance(live, list) and isinstance(captured, list):
        if len(live) != len(captured):
            yield Difference(f"{place}: length", len(live), len(captured))
        for number, (mine, other) in enumerate(zip(live, captured, strict=False)):
            yield from differences(mine, other, f"{place}[{number}]")
    elif live != captured and not _only_live_knows(live, captured, place):
        yield Difference(place, live, captured)


def _only_live_knows(live: object, captured: object, place: str) -> bool:
    return place.startswith(_UNTOLD) and live is None and captured == "absent"
