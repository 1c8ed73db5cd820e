"""Where a function is, as somebody finds it who stands before the machine."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """The slots that a card sits in, what the board calls it, and its USB buses.

    ``slots`` are the names that firmware or a hot-plug driver gave, ``label`` is that
    of SMBIOS or ACPI ("Onboard LAN"). ``ports`` has for each bus of a USB controller
    its number of ports.
    """

    slots: tuple[str, ...] = ()
    label: str | None = None
    ports: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """Say it in a few words; nothing where nothing is known."""
        words = [f"slot {name}" for name in self.slots]
        if self.label is not None:
            words.append(self.label)
        words += [
            f"{bus}: {count} port{'' if count == 1 else 's'}"
            for bus, count in self.ports
        ]
        return ", ".join(words)
