"""The one command that would show what a pasted text does not."""

from __future__ import annotations

from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.machine import Machine

__all__ = ["what_to_ask_for"]

_ALL = "sudo lspci -vvvnnk"
_GROUPS = "find /sys/kernel/iommu_groups -type l"


def what_to_ask_for(machine: Machine) -> str | None:
    """Say what texts of a machine lack, and which command shows it.

    ``None`` where they lack nothing of groups, drivers, ids and isolation, and for
    sources that are no texts.
    """
    functions = [device for device in machine.devices if device.is_pci]
    if not machine.source.parts or not functions:
        return None
    lacking = []
    if not machine.groups_known:
        lacking.append("groups")
    if not any(known(device.driver) for device in functions):
        lacking.append("drivers")
    if not any(known(device.ids.vendor) for device in functions):
        lacking.append("ids")
    if not any(known(device.pci.acs) for device in functions):
        by_root = any(device.pci.acs is Missing.DENIED for device in functions)
        lacking.append("isolation, which only root sees" if by_root else "isolation")
    if not lacking:
        return None
    command = _GROUPS if lacking == ["groups"] else _ALL
    return f"to have {_listed(lacking)} too, send the output of: {command}"


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
