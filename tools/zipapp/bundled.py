"""The libraries that travel with the program: pinned, fetched, and looked at.

``bundled.lock`` is a requirements file of pip's, with a version and the SHA-256 of one
wheel each. The wheels lie in ``dist/wheels``; what lies there with the right hash is
not fetched again.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOCK", "PLATFORM", "FetchError", "Pin", "pins", "wheels"]

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).with_name("bundled.lock")
_KEPT = ROOT / "dist/wheels"
_PIN = re.compile(r"([a-z0-9-]+)==([^ ]+) --hash=sha256:([0-9a-f]{64})")
# One wheel, wherever it is asked for. That of markupsafe is the only one of a platform;
# its compiled part is left out, and the rest of it is the same for all.
PLATFORM = (
    *("--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"),
    *("--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64"),
)


class FetchError(Exception):
    """A wheel of the lock could not be had."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A library, its version, and the hash of its wheel."""

    name: str
    version: str
    sha256: str


def pins(lock: Path = LOCK) -> tuple[Pin, ...]:
    """Return what a lock names, in its order.

    Raises:
        ValueError: if a line is no pin.
    """
    found = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            read = _PIN.fullmatch(line)
            if not read:
                raise ValueError(f"{lock.name}: no version with a hash: {line}")
            found.append(Pin(*read.groups()))
    return tuple(found)


def wheels(kept: Path = _KEPT) -> dict[Pin, Path]:
    """Return the wheel of each pin; what is missing is fetched with pip.

    Raises:
        FetchError: if a wheel cannot be had, or none has the hash.
    """
    wanted = pins()
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / ".lock").open("w") as guard:
        # Tests run beside each other, and pip writes each wheel in place.
        fcntl.flock(guard, fcntl.LOCK_EX)
        found = _present(wanted, kept)
        if len(found) < len(wanted):
            _fetch(kept)
            found = _present(wanted, kept)
    missing = [each.name for each in wanted if each not in found]
    if missing:
        raise FetchError(f"pip fetched no wheel of {', '.join(missing)}")
    return found


def _present(wanted: tuple[Pin, ...], kept: Path) -> dict[Pin, Path]:
    by_hash = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path
        for path in sorted(kept.glob("*.whl"))
    }
    return {each: by_hash[each.sha256] for each in wanted if each.sha256 in by_hash}


def _fetch(kept: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--disable-pip-version-check", "--require-hashes", *PLATFORM),
            *("--dest", str(kept), "--requirement", str(LOCK)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise FetchError(f"the libraries cannot be fetched: {last}")
