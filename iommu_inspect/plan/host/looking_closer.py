"""The one command that shows what a source did not, of the way up from a device."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.plan import shell

__all__ = ["Look", "again_as_root", "look"]

_BY_ROOT = (Unseen.ACS, Unseen.KIND, Unseen.BYTES, Unseen.PLACE)
_BY_LSPCI = (*_BY_ROOT, Unseen.IDS, Unseen.FUNCTIONS)


@dataclass(frozen=True, slots=True)
class Look:
    """A command that changes nothing, and whether only root sees what it shows."""

    line: str
    as_root: bool


def look(doubts: Iterable[Doubt]) -> Look | None:
    """Return the command that shows what was not seen, ``None`` if none does.

    Where several functions are meant it is about the whole host.
    """
    asked = tuple(doubts)
    whats = {doubt.what for doubt in asked}
    if whats & set(_BY_LSPCI):
        here = [doubt for doubt in asked if doubt.what in _BY_LSPCI]
        return _lspci({d.what for d in here}, {d.device.id for d in here})
    if Unseen.LOG in whats:
        return Look("dmesg | grep 'ACS workaround'", as_root=True)
    if Unseen.OPTIONS in whats:
        return Look("cat /proc/cmdline", as_root=False)
    return None


def _lspci(whats: set[Unseen], devices: set[DeviceId]) -> Look:
    by_root = bool(whats & set(_BY_ROOT))
    options = "-vvvnn" if by_root else "-nn" if Unseen.IDS in whats else "-"
    if Unseen.BYTES in whats:
        options += "xxxx"
    elif Unseen.FUNCTIONS in whats:
        options += "x"
    line = f"lspci {options}"
    if len(devices) == 1 and Unseen.PLACE not in whats:
        # Without a name that lspci could be given it shows the whole host.
        with suppress(shell.UnwritableError):
            line += f" -s {shell.device(*devices)}"
    return Look(line, by_root)


def again_as_root(command: str, devices: Iterable[Device] = ()) -> str:
    """Return the line that asks this program again as root, on the host itself.

    One of a device with a name that no command is written with asks for none.
    """
    with suppress(shell.UnwritableError):
        return f"sudo {shell.asking(command, map(shell.device, devices))}"
    return f"sudo iommu-inspect {command} DEVICE"
