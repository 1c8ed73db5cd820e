"""What kernel messages about the host tell."""

from __future__ import annotations

import re

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.said import CUT, HostFacts

__all__ = ["CommandLine", "model_of", "read_host"]

_WORD = rf"[^\s{CUT}]+"
# linux_banner (init/): who built it where, then with what.
_VERSION = re.compile(rf"Linux version (?P<release>\d{_WORD}) \({_WORD}\) \(.*")
_LOOSE_VERSION = re.compile(rf"Linux version (?P<release>\d{_WORD}) \(.*")
# start_kernel(), print_kernel_cmdline() (init/main.c): the latter in pieces
_COMMAND_LINE = re.compile(r"Kernel command line: ?(?P<line>.*)")
# setup_arch() (arch/x86/kernel/setup.c): before what is built in is put to it
_EARLY_COMMAND_LINE = re.compile(r"Command line: ?(?P<line>.*)")
_MOST = 940
"""From this length on printk() may have cut a line (LOG_LINE_MAX in printk.c)."""
_TOLD_BY_LOADER = re.compile(r"(?:^|\s)(?:BOOT_IMAGE|root|initrd)=")

# dmi_format_ids() (drivers/firmware/dmi_scan.c), dump_stack_print_info()
_BOARD = re.compile(rf"(?:DMI|Hardware name): (?P<board>[^{CUT}]+?), BIOS \S.*")
_MODEL = re.compile(rf"(?:OF: fdt: ?)?Machine model: (?P<board>[^{CUT}]+)")
# acpi_tb_print_table_header() (drivers/acpi/acpica/tbprint.c)
_TABLE = re.compile(
    r"ACPI: (?P<table>DMAR|IVRS|IORT|VIOT) (?:0x)?[0-9A-Fa-f]{8,16} [0-9A-Fa-f]{5,6} "
    r"\(v\d.*"
)
_TABLE_READ = (
    (re.compile(r"DMAR: Host address width \d+"), "DMAR"),
    (re.compile(r"AMD-Vi: (?:AMD-Vi: )?Using IVHD type 0x[0-9a-f]+"), "IVRS"),
    (re.compile(r"ACPI: IORT: SMMU(?:-v3)?\[[0-9a-f]+\] Mapped to .*"), "IORT"),
)
# intel_iommu_init(); print_iommu_info() (drivers/iommu/amd/init.c). Not "DMAR: IOMMU
# enabled", which only says that intel_iommu=on was read.
_TRANSLATES = re.compile(
    r"(?:DMAR|PCI-DMA): Intel\(R\) Virtualization Technology for Directed I/O"
    r"|(?:pci \S+: )?AMD-Vi: Found IOMMU (?:at \S+ )?cap 0x[0-9a-f]+"
    r"|(?:pci \S+: )?AMD-Vi: Extended features \(0x[0-9a-f]+(?:, 0x[0-9a-f]+)?\):.*"
)
# intel_enable_irq_remapping(), print_iommu_info()
_REMAPS = re.compile(
    r"(?:DMAR-IR: )?Enabled IRQ remapping in x2?apic mode"
    r"|AMD-Vi: Interrupt remapping enabled"
)
# intel_cleanup_irq_remapping(). "IRQ remapping doesn't support X2APIC mode" comes
# with remapping as well as without.
_REMAPS_NOT = re.compile(
    r"(?:DMAR-IR: )?Failed to enable irq remapping\. +You are vulnerable to "
    r"irq-injection attacks\."
)
# detect_hypervisor_vendor() (arch/x86/kernel/cpu/hypervisor.c). Under Xen and ACRN
# the host's own system says so too.
_HYPERVISOR = re.compile(r"Hypervisor detected: (?:KVM|VMware|Microsoft Hyper-V)")
# print_cpu_info() (arch/x86/kernel/cpu/common.c)
_PROCESSOR = re.compile(r"(?:smpboot: )?CPU0: (?P<maker>Intel|AMD)\b.*\(fam.*")
# smp_setup_processor_id() (arch/arm64/kernel/setup.c)
_ARM = re.compile(r"Booting Linux on physical CPU 0x[0-9a-f]+(?: \[0x[0-9a-f]+\])?")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line, or a piece of one that goes on in the next message."""

    text: str
    whole: bool
    early: bool


def read_host(text: str, *, marked: bool) -> HostFacts | CommandLine | None:
    """Read a message that is about the host; ``None`` if it tells nothing.

    ``release`` in what is returned begins a boot.

    Args:
        text: The message, all of it.
        marked: Whether the line shows that it is a log's.
    """
    version = (_LOOSE_VERSION if marked else _VERSION).fullmatch(text)
    if version:
        return HostFacts(release=version["release"])
    line = _COMMAND_LINE.fullmatch(text) or _EARLY_COMMAND_LINE.fullmatch(text)
    if line:
        return _command_line(line, text, marked)
    board = _board(text)
    if board is not None:
        return board
    table = _TABLE.fullmatch(text)
    if table:
        return HostFacts(firmware_tables=(table["table"],))
    for pattern, name in _TABLE_READ:
        if pattern.fullmatch(text):
            return HostFacts(firmware_tables=(name,))
    return _state(text)


def _command_line(found: re.Match[str], text: str, marked: bool) -> CommandLine | None:
    early = found.re is _EARLY_COMMAND_LINE
    line = found["line"].strip()
    if not marked and not _TOLD_BY_LOADER.search(line):
        return None
    if line.endswith(" \\") and not early:
        return CommandLine(line[:-2].rstrip(), whole=False, early=False)
    # A mailer wrapped one that has the kernel's name only, and the rest is lost.
    alone = re.fullmatch(r"BOOT_IMAGE=\S*", line) is not None
    if CUT in line or len(text) >= _MOST or alone or (early and not line):
        return CommandLine("", whole=False, early=early)
    return CommandLine(line, whole=True, early=early)


def _board(text: str) -> HostFacts | None:
    found = _BOARD.fullmatch(text)
    board = " ".join(found["board"].split()) if found else ""
    return HostFacts(board=board) if board else None


def _state(text: str) -> HostFacts | None:
    if _TRANSLATES.fullmatch(text):
        return HostFacts(translates=True)
    if _REMAPS.fullmatch(text):
        return HostFacts(remaps_interrupts=True)
    if _REMAPS_NOT.fullmatch(text):
        return HostFacts(remaps_interrupts=False)
    if _HYPERVISOR.fullmatch(text):
        return HostFacts(guest=True)
    if found := _PROCESSOR.fullmatch(text):
        return HostFacts(processor=found["maker"].lower())
    if _ARM.fullmatch(text):
        return HostFacts(processor="arm")
    return None


def model_of(text: str) -> str | None:
    """Return the model that a device tree gives the machine."""
    found = _MODEL.fullmatch(text)
    return " ".join(found["board"].split()) if found else None
