"""The emulated machines: how one is described, and which ones the lab boots."""

from __future__ import annotations

from lab.errors import LabError
from lab.machines.amd64 import AMD64
from lab.machines.arm64 import ARM64
from lab.machines.model import Device, Iommu, Machine, parse_device, port

__all__ = [
    "MACHINES",
    "Device",
    "Iommu",
    "Machine",
    "find_machine",
    "parse_device",
    "port",
]

MACHINES: dict[str, Machine] = {machine.name: machine for machine in AMD64 + ARM64}


def find_machine(name: str) -> Machine:
    """Return the machine called ``name``, or say which there are."""
    try:
        return MACHINES[name]
    except KeyError:
        known = ", ".join(MACHINES)
        raise LabError(f"unknown machine '{name}'; known: {known}") from None
