"""Reads the kernel's log, boot by boot."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import known
from iommu_inspect.sources.text.parts.log.boot import Boot
from iommu_inspect.sources.text.parts.log.devices import read_event
from iommu_inspect.sources.text.parts.log.host import (
    CommandLine,
    model_of,
    read_host,
)
from iommu_inspect.sources.text.parts.log.stamps import Message, message
from iommu_inspect.sources.text.said import Line, Said

__all__ = ["LogReader"]

# How messages begin where nothing before them shows that they are a log's.
_BEGINNING = re.compile(
    r"(?!(?:device|group|slot|address|bdf|dev|gpu) )[a-z0-9][\w.+-]* "
    r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7](?::\w+)?: +\S"
    r"|[a-z0-9][\w.+-]* (?=\S*[.:])[\w.,@+-]+(?::[\w.,@+-]+)*: "
    r"(?:Adding to|Removing from) iommu group "
    r"|(?:iommu|iommu_group_add_device): Adding device \S"
    r"|(?:DMAR|DMAR-IR|AMD-Vi|PCI-DMA|Intel-IOMMU|dmar|iommu|x2apic|smpboot"
    r"|vfio_pci|pci_bus \S+): \S"
    r"|IOMMU: (?:Setting|Prepare) "
    r"|ACPI: (?:DMAR|IVRS|IORT|VIOT|Reserving|IORT:) "
    r"|Linux version \d\S* \(|(?:Kernel c|C)ommand line: \S|DMI: \S.*, BIOS "
    r"|Hardware name: \S|(?:OF: fdt: ?)?Machine model: \S|Hypervisor detected: "
    r"|Booting Linux on physical CPU |PCI host bridge to bus "
    r"|VFIO - User Level meta-driver"
    r"|Enabled IRQ remapping in |Failed to enable irq remapping"
)
# pci_register_host_bridge() (drivers/pci/probe.c): the driver and its device, if that
# is what the bus hangs from.
_ROOT = re.compile(
    r"(?:[\w.+-]+ (?P<above>\S+): )?PCI host bridge to bus "
    r"(?P<bus>[0-9a-f]{4,8}:[0-9a-f]{2})"
)


@dataclass(slots=True)
class LogReader:
    """Reads what dmesg, journalctl or syslog print of the kernel's log."""

    KIND: ClassVar[str] = "dmesg"

    _boots: list[Boot] = field(default_factory=lambda: [Boot()])

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line has a log's time, or begins as messages do."""
        return _BEGINNING.match(bare) is not None or message(bare).marked

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of a log's."""
        if line.prompt:
            return False
        found = message(line.bare)
        if not found.marked and not _BEGINNING.match(found.text):
            return False
        self._read(line.number, found)
        return True

    def close(self) -> None:
        """Take note that something else follows; what comes later may be a new log."""

    def said(self) -> tuple[Said, ...]:
        """Return what the boots say that the text has."""
        return tuple(said for boot in self._boots for said in boot.said())

    def _read(self, number: int, found: Message) -> None:
        host = read_host(found.text, marked=found.marked)
        if isinstance(host, CommandLine):
            self._boots[-1].command_lines.append((number, host))
        elif host is not None:
            if known(host.release):
                self._boots.append(Boot())
            self._boots[-1].host.append((number, host))
        boot = self._boots[-1]
        boot.pass_by(found.moment)
        if host is not None:
            return
        root = _ROOT.fullmatch(found.text)
        if root:
            boot.roots.append((number, root["bus"], root["above"]))
            return
        model = model_of(found.text)
        if model is not None:
            boot.models.append((number, model))
            return
        event = read_event(found.text, marked=found.marked)
        if event is not None:
            boot.events.setdefault(event[0], []).append((number, event[1]))
