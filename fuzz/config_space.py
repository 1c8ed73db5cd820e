"""Fuzz the parser of configuration space: ``python -m fuzz.config_space``.

It must not raise, must end, and must not turn bytes that are cut off into "there is no
such capability": what the whole bytes show, a beginning of them may only leave open.
"""

from __future__ import annotations

import random
import sys

from fuzz.mutate import mutated
from fuzz.run import Target, chosen, main
from iommu_inspect.model.fact import known
from iommu_inspect.sources.sysfs.pci_config import ConfigSpace

__all__ = ["SAMPLES", "TARGET", "check", "make"]

READERS = (
    "acs",
    "buses_below",
    "enabled_vfs",
    "header_type",
    "hotplug_slot",
    "identity",
    "multifunction",
    "pcie_type",
    "secondary_bus",
    "sriov",
)
_LISTED = ("acs", "pcie_type", "sriov")


def _root_port() -> bytes:
    config = bytearray(4096)
    config[0:4] = b"\x36\x1b\x0c\x00"
    config[0x06], config[0x0E], config[0x34] = 0x10, 0x81, 0x40
    config[0x40:0x42] = b"\x01\x48"
    config[0x48:0x4C] = b"\x10\x00\x42\x01"
    config[0x100:0x104] = b"\x01\x00\x01\x14"
    config[0x140:0x148] = b"\x0d\x00\x01\x16\x1f\x00\x1d\x00"
    config[0x160:0x164] = b"\x10\x00\x01\x00"
    return bytes(config)


SAMPLES = (_root_port(), _root_port()[:256], _root_port()[:64], b"\xff" * 4096)


def make(dice: random.Random) -> bytes:
    """Return configuration space that something is wrong with."""
    return mutated(chosen(SAMPLES, dice), dice)


def check(config: bytes) -> None:
    """Raise if a reader raises, or takes what is cut off for absent."""
    found = ConfigSpace(config)
    for name in READERS:
        getattr(found, name)
    for size in (0, 4, 64, 256, len(config) // 2):
        beginning = ConfigSpace(config[:size])
        for name in _LISTED:
            whole = getattr(found, name)
            if not known(whole) or whole is None:
                continue
            if getattr(beginning, name) is None:
                raise AssertionError(f"{name}: none in {size} bytes")


TARGET = Target("config_space", make, check, by_lines=False)

if __name__ == "__main__":
    sys.exit(main(TARGET))
