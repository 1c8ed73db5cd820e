"""Where ids are configured for vfio-pci and pci-stub, and which of it counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.host.dynamic_ids import DynamicId, parse_id, split_ids
from iommu_inspect.model.host.settings import (
    ModprobeConfig,
    ModprobeLine,
    ModuleState,
    Settings,
)
from iommu_inspect.model.text import shown
from iommu_inspect.settings.id_index import IdIndex

__all__ = [
    "COMMAND_LINE",
    "ID_DRIVERS",
    "IdSetting",
    "id_settings",
    "named_by",
    "place_of",
]

ID_DRIVERS = {"vfio_pci": "vfio-pci", "pci_stub": "pci-stub"}
"""The modules that have a parameter ``ids``, and their names on a command line."""
COMMAND_LINE = "on the kernel command line"


@dataclass(frozen=True)
class IdSetting:
    """One ``ids=`` for one of the drivers.

    ``reaches``: whether the driver gets to see it at all; modprobe.d does not reach a
    driver that is built in. ``in_force``: whether it is the one that counts, the last
    of those, since each ``ids=`` replaces the one before (``param_set_copystring()``).
    ``file`` is that of modprobe.d.
    """

    module: str
    where: str
    text: str
    value: str
    from_modprobe: bool
    reaches: bool = True
    in_force: bool = True
    file: str = ""

    @cached_property
    def entries(self) -> tuple[DynamicId, ...]:
        """The entries that the kernel understands, each once."""
        parsed = (parse_id(entry) for entry in split_ids(self.value))
        return tuple(dict.fromkeys(entry for entry in parsed if entry is not None))

    @cached_property
    def _ranks(self) -> dict[DynamicId, int]:
        return {entry: rank for rank, entry in enumerate(self.entries)}

    def rank(self, entry: DynamicId) -> int:
        """Return where among the entries one stands."""
        return self._ranks[entry]

    @cached_property
    def index(self) -> IdIndex:
        """The entries, to be found by what they name."""
        return IdIndex(self.entries)


def place_of(line: ModprobeLine) -> str:
    """Say where a line of modprobe.d is, with its preposition."""
    file = f"{shown(line.file)} " if line.file else ""
    return f"in {file}line {line.number}"


def id_settings(settings: Settings, module: str) -> tuple[IdSetting, ...]:
    """Return what is configured, in the order in which the driver sees it.

    modprobe reads modprobe.d first and the kernel command line after it
    (``kmod_config_new()`` in libkmod), and for a driver that is built in there is
    only the command line: so the last on the command line counts, or else the last
    in modprobe.d.
    """
    modprobe = value_or(settings.modprobe, ModprobeConfig())
    found = [
        IdSetting(
            module,
            place_of(line),
            word.text,
            word.value or "",
            from_modprobe=True,
            file=line.file,
        )
        for line in modprobe.about("options", module)
        for word in line.options
        if word.key == "ids"
    ]
    found += [
        IdSetting(module, COMMAND_LINE, w.text, w.value or "", from_modprobe=False)
        for w in value_or(settings.command_line, ())
        if w.key == f"{module}.ids"
    ]
    built_in = settings.module(module) is ModuleState.BUILT_IN
    found = [replace(s, reaches=not (built_in and s.from_modprobe)) for s in found]
    reaching = [s for s in found if s.reaches]
    last = reaching[-1] if reaching else None
    return tuple(replace(s, in_force=s is last) for s in found)


def named_by(
    setting: IdSetting, device: Device
) -> Iterator[tuple[DynamicId, bool | None]]:
    """Yield the entries that name a device, or may name it (``None``)."""
    yield from setting.index.naming(device)
