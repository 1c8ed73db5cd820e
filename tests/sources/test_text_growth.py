"""Readers of text take lines that anybody made: none of them may cost much."""

from __future__ import annotations

import time
from collections.abc import Callable

from examples import each

from iommu_inspect.sources.text.parts.command_line import CommandLineReader
from iommu_inspect.sources.text.parts.devbind import DevbindReader
from iommu_inspect.sources.text.parts.driverctl import DriverctlReader
from iommu_inspect.sources.text.parts.iommu_tree import IommuTreeReader
from iommu_inspect.sources.text.parts.libvirt.tree import NodeTreeReader
from iommu_inspect.sources.text.parts.libvirt.xml import NodeXmlReader
from iommu_inspect.sources.text.parts.log.reader import LogReader
from iommu_inspect.sources.text.parts.lshw import LshwReader
from iommu_inspect.sources.text.parts.modprobe import ModprobeReader
from iommu_inspect.sources.text.said import Line, Reader

LONG = 4000
BEGINNINGS = (
    "",
    "[    1.234567] ",
    "options a b=",
    "options a b=1 ",
    "softdep a pre: ",
    "alias ",
    "install a /b ",
    "/etc/modprobe.d/",
    "cat /proc/cmdline ",
    "BOOT_IMAGE=a ",
    "GRUB_CMDLINE_",
    "Linux version 6 (",
    "Kernel command line: a=",
    "DMI: ",
    "CPU0: Intel ",
    "a 0000:00:00.0: ",
    "a b.",
    "iommu: Adding device ",
    "pci@0000:00:00.0 ",
    "*-a",
    "configuration: ",
    "0000:00:00.0 ",
    "0000:00:00.0 'a",
    "0000:00:00.0 a (",
    "Group Device: 0000:00:00.0 - ",
    "<device>",
    "<device><a ",
    "<device><!--",
    "<device><a b='",
    "  +- pci_",
)
FILLINGS = (
    *("a", ".", "/", ":", " ", "=", "-", "0", "1] ", '"', "' ", "a=", "a ", "<"),
    *("(", "[", "a.b:", "| ", "\\", "driver=", ", BIOS", "&amp", "<a>", "'="),
)


@each(
    "make",
    [
        *(LogReader, NodeTreeReader, NodeXmlReader, CommandLineReader, DevbindReader),
        *(DriverctlReader, LshwReader, ModprobeReader, IommuTreeReader),
    ],
)
def test_no_line_costs_much(make: Callable[[], Reader]) -> None:
    for beginning in BEGINNINGS:
        for filling in FILLINGS:
            text = (beginning + filling * LONG)[:LONG]
            reader = make()
            started = time.process_time()
            for number in range(3):
                reader.begins(text.strip())
                reader.take(Line(number, text))
                reader.take(Line(number, text + "!"))
            reader.said()
            assert time.process_time() - started < 0.2, (beginning, filling)
