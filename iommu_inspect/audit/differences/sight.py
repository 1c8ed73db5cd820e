"""Whether a source that does not show a device would have shown it."""

from __future__ import annotations

from collections.abc import Callable

from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine

__all__ = ["would_show"]

_FILES = ("live", "tree", "snapshot")
_OF_GROUPS = {"dmesg", "links", "listing", "nodedev"}


def would_show(machine: Machine) -> Callable[[bool], bool]:
    """Return what says whether a source shows all devices, with a group or without.

    Files are taken to be whole. A text can be cut out of a longer one: it is whole if
    it has the first function of a host, which hardly anybody asks for. What lists
    groups shows no device without one.
    """
    files = machine.source.kind in _FILES
    pci = [a for d in machine.devices if (a := d.pci_address) is not None]
    whole = (
        files or not pci or any((a.bus, a.slot, a.function) == (0, 0, 0) for a in pci)
    )
    only_groups = machine.groups_known and (
        _OF_GROUPS.issuperset(machine.source.parts or (machine.source.kind,))
        or not any(known(d.ids.vendor) for d in machine.devices)
    )
    return lambda has_group: whole and (has_group or not only_groups)
