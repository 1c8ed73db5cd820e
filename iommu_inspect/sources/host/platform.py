"""What a host is built of, and on what it runs, read from /proc and /sys."""

from __future__ import annotations

import re

from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.host.platform import Architecture, Processor, XenRole
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["cpu_address_bits", "cpuinfo", "iort_nodes", "processor", "xen_role"]

_VENDOR = re.compile(r"^vendor_id\s*: *(.*)$", re.MULTILINE)
_ARM = re.compile(r"^CPU implementer\s*:", re.MULTILINE)
# s390, POWER and RISC-V have lines of their own.
_POWER = re.compile(r"^cpu\s*: POWER", re.MULTILINE)
_OTHER = re.compile(r"^(?:bus clock|isa\s*: rv)", re.MULTILINE)
_ADDRESS_SIZES = re.compile(r"^address sizes\s*: ([0-9]{1,3}) bits ph", re.MULTILINE)
_MAKERS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}
_NO_DOMAIN = "00000000-0000-0000-0000-000000000000"

# struct acpi_table_iort and struct acpi_iort_node in include/acpi/actbl2.h.
_IORT_COUNT, _IORT_OFFSET, _IORT_HEADER = 36, 40, 48
_NODE_HEADER = 16


def cpuinfo(tree: Tree) -> Fact[str]:
    """Return ``/proc/cpuinfo``, which is long where there are many processors."""
    content = tree.data("proc/cpuinfo")
    if content is Missing.TRUNCATED:
        content = tree.large_data("proc/cpuinfo")
    return map_fact(content, lambda data: data.decode("ascii", "replace"))


def processor(text: Fact[str]) -> Fact[Processor]:
    """Tell the architecture, and the maker of an x86 processor, from cpuinfo."""
    if not known(text):
        return text
    vendor = _VENDOR.search(text)
    if vendor is not None and vendor[1].startswith("IBM/S390"):
        return Processor(Architecture.S390)
    if vendor is not None and not vendor[1].startswith("IBM"):
        maker = _MAKERS.get(vendor[1].strip(), "other")
        return Processor(Architecture.X86, maker)
    if _ARM.search(text):
        return Processor(Architecture.ARM)
    if _POWER.search(text):
        return Processor(Architecture.POWER)
    if vendor is not None or _OTHER.search(text):
        return Processor(Architecture.OTHER)
    return Missing.ABSENT


def cpu_address_bits(text: Fact[str]) -> Fact[int]:
    """Return the width of physical addresses that cpuinfo names."""
    if not known(text):
        return text
    found = _ADDRESS_SIZES.search(text)
    return Missing.ABSENT if found is None else int(found[1])


def xen_role(tree: Tree) -> Fact[XenRole | None]:
    """Tell whether Linux runs on Xen, and as what.

    Only dom0 reads "control_d", others read nothing (``capabilities_read()`` in
    drivers/xen/xenfs/super.c); a tar of /proc holds empty files too. xenfs may not be
    mounted: then a domain without an id is dom0, but tool stacks give it one.
    """
    capabilities = tree.text("proc/xen/capabilities")
    words = capabilities.split() if known(capabilities) else []
    if "control_d" in words:
        return XenRole.DOM0
    kind = tree.text("sys/hypervisor/type")
    if not known(kind):
        if kind is Missing.ABSENT and (tree.whole or tree.exists("sys/hypervisor")):
            return None
        return kind
    if kind != "xen":
        return None
    if known(capabilities) and tree.whole and not words:
        return XenRole.GUEST
    nobody = tree.text("sys/hypervisor/uuid") == _NO_DOMAIN
    return XenRole.DOM0 if nobody else XenRole.UNTOLD


def iort_nodes(tree: Tree) -> Fact[tuple[int, ...]]:
    """Return the types of the nodes in Arm's IORT, which only root may read."""
    return map_fact(tree.data("sys/firmware/acpi/tables/IORT"), _nodes)


def _nodes(table: bytes) -> Fact[tuple[int, ...]]:
    if table[:4] != b"IORT" or len(table) < _IORT_HEADER:
        return Missing.UNREADABLE

    def number(at: int, size: int) -> int:
        return int.from_bytes(table[at : at + size], "little")

    found = []
    at = number(_IORT_OFFSET, 4)
    for _ in range(number(_IORT_COUNT, 4)):
        if at < _IORT_HEADER or at + _NODE_HEADER > len(table):
            return Missing.TRUNCATED
        length = number(at + 1, 2)
        if length < _NODE_HEADER:
            return Missing.UNREADABLE
        found.append(table[at])
        at += length
    return tuple(found)
