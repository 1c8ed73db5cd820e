"""Readers of text take lines that anybody made: none of them may cost much."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from counting import calls, seconds
from examples import each

from iommu_inspect.sources.text.cutting import cut
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
MOST = 0.2
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

            def read(text: str = text) -> None:
                reader = make()
                for number in range(3):
                    reader.begins(text.strip())
                    reader.take(Line(number, text))
                    reader.take(Line(number, text + "!"))
                reader.said()

            assert seconds(read, MOST) < MOST, (beginning, filling)


# What devices and groups begin with, and signs that rules and trees are drawn with.
MORE_BEGINNINGS = (
    *("", "\t", "> ", "|", "- ", "01:00.0 ", "01:00.0 Bridge: ", "IOMMU Group 1: "),
    *("IOMMU Group 1 01:00.0 ", "Subsystem: ", "Slot:\t", "Driver: ", "user@host:~$ "),
    *("-[0000:00]-+-", "/sys/kernel/iommu_groups/1/devices/", "a -> ", "12:", '{"a": '),
)
MORE_FILLINGS = (
    *("-", "=", "|", "+", "*", "_", "#", "~", "─", "│", "├", "•", "`", "\\", "<", ">"),
    *("- ", "| ", "1. ", "-+-", "a-", "a+", "a.", "a/", "A ", "00 ", "[R] ", "\\["),
    *("01:00.0 ", "01:00.0/", "[10de:1c03] ", "IOMMU Group 1 ", "Driver: a ", '"a",'),
    *("-00.0", "{", "[", "(a) ", "<br>", "&amp;", "\t", "…", ", IOMMU group 1"),
)


@each("beginning", MORE_BEGINNINGS)
def test_no_line_costs_much_anywhere(beginning: str) -> None:
    for filling in MORE_FILLINGS:
        line = (beginning + filling * LONG)[: LONG // 2]
        assert seconds(partial(cut, f"{line}\n"), MOST) < MOST, filling


REPEATED = {
    "words": "the same words again and again, without an end",
    "brackets": "[" * 60,
    "quotes": "> > > > ",
    "a heading": "IOMMU Group 1:",
    "one device": "01:00.0 VGA compatible controller [0300]: Acme [10de:1c03]",
    "a group's device": "IOMMU Group 1 01:00.0 Bridge [0604]: Acme [10de:1c03]",
    "a detail": "\tKernel modules: nouveau",
    "a row of bytes": "00: 86 80 c9 10 06 04 10 00 01 00 00 02 10 00 80 00",
    "a row of a table": "| 1 | 01:00.0 |",
    "a brace": "{",
    "a value": "- address: 01:00.0",
    "a link": "/sys/kernel/iommu_groups/1/devices/0000:01:00.0",
    "nothing": "",
}


@pytest.mark.no_cover
@each("name", REPEATED)
def test_cost_grows_as_the_text_does(name: str) -> None:
    line = REPEATED[name]

    def cost(count: int) -> int:
        text = f"{line}\n" * count
        cut(text)
        return calls(lambda: cut(text))

    assert cost(1000) < 2.3 * max(cost(500), 1000)


@pytest.mark.no_cover
def test_many_devices_cost_as_much_as_they_are() -> None:
    def cost(count: int) -> int:
        text = "".join(
            f"IOMMU Group {n} {n >> 13:04x}:{n >> 8 & 31:02x}:{n >> 3 & 31:02x}.{n & 7}"
            " VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)\n"
            for n in range(count)
        )
        cut(text)
        return calls(lambda: cut(text))

    assert cost(1000) < 2.3 * cost(500)
