"""Hosts for tests of fleets: captures that ship with the tests, and a document."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from documents import validator
from running import call
from shared import FIXTURES, SYSFS

KERNELS = FIXTURES / "kernels"
READY = KERNELS / "6.12-reference-2.tar.gz"
BLOCKED = KERNELS / "6.12-two-functions-1.tar.gz"


def fleet(folder: Path) -> Path:
    """Make a directory with a few hosts, in racks: 2 blocked, 2 ready, 1 to no end."""
    for rack in ("rack-a", "rack-b"):
        (folder / rack).mkdir(parents=True)
    shutil.copy(READY, folder / "rack-a" / "host2.tar.gz")
    shutil.copy(BLOCKED, folder / "rack-a" / "host10.tar.gz")
    shutil.copytree(SYSFS / "half-a-group", folder / "rack-b" / "host1", symlinks=True)
    audited = call("audit", "--from", READY, "--format", "json").stdout
    (folder / "rack-b" / "host3.json").write_text(audited)
    (folder / "notes.txt").write_text("the new hosts are in rack b\n")
    return folder


def lines(*words: str | Path) -> list[dict[str, Any]]:
    """Return the documents that fleet prints, each one valid.

    Hosts are read in this process, as where no other can be made: what tests reach of
    the program is measured here.
    """
    with mock.patch.object(os, "fork", _no_more):
        return [*_valid(call("fleet", *words, "--format", "jsonl").stdout)]


def _no_more() -> int:
    raise OSError(errno.EAGAIN, "no more processes")


def _valid(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        found: dict[str, Any] = json.loads(line)
        validator("fleet").validate(found)
        yield found
