"""Whether interrupts are remapped, from the names of the interrupt chips."""

from __future__ import annotations

import re

from iommu_inspect.model.fact import Fact, Missing, complete, known, map_fact
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.platform import Architecture, Processor
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["interrupt_remapping"]

# x86: the remapping layer puts "IR-" before the names of the chips above it, for
# the IO-APIC and for MSIs alike (arch/x86/kernel/apic, drivers/iommu). Old kernels
# say "IR-PCI-MSI", those with per-device domains "IR-PCI-MSIX-0000:00:02.0".
_REMAPPED = re.compile(r"IR-")
# arm64: the GICv3 ITS isolates MSIs by device id ("ITS-MSI", "ITS-PCI-MSIX-...").
_ISOLATED = re.compile(r"ITS-")
# Other MSI controllers isolate nothing; the interrupts of IOMMUs and timers are not
# asked. What a platform that is neither x86 nor arm64 calls its chips proves nothing.
_OTHER_MSI = re.compile(r"(?!DMAR-|IOMMU-|HPET-)\S*MSI")
_NOT_REMAPPED = re.compile(r"IO-APIC|XT-PIC|GICv2m|MBI-")


def interrupt_remapping(
    tree: Tree, processor: Fact[Processor] = Missing.ABSENT
) -> Fact[InterruptRemapping]:
    """Read ``/sys/kernel/irq`` (v4.10), or ``/proc/interrupts`` where it is missing.

    Returns ``ON`` if the chips show remapped or isolated interrupts, ``OFF`` if those
    that would show it do not, and missing where neither is there, or both: on older
    kernels one MSI controller that does not isolate spoils it for all of the host.
    s390 isolates all of its interrupts, whatever their chips are called
    (``arch_is_isolated_msi()`` in arch/s390/include/asm/msi.h since v6.3; before,
    ``s390_iommu_capable()``).
    """
    if known(processor) and processor.architecture is Architecture.S390:
        return InterruptRemapping.ON
    names = _chip_names(tree)
    if not known(names):
        return names
    if any(_REMAPPED.match(name) for name in names):
        return InterruptRemapping.ON
    isolated = {name for name in names if _ISOLATED.match(name)}
    if isolated:
        others = any(_OTHER_MSI.match(name) for name in names - isolated)
        return Missing.ABSENT if others else InterruptRemapping.ON
    if any(_NOT_REMAPPED.match(name) for name in names):
        return InterruptRemapping.OFF
    return Missing.ABSENT


def _chip_names(tree: Tree) -> Fact[frozenset[str]]:
    irqs = tree.names("sys/kernel/irq")
    if known(irqs):
        chips = complete(tree.text(f"sys/kernel/irq/{irq}/chip_name") for irq in irqs)
        return map_fact(chips, frozenset)
    table = tree.text("proc/interrupts")
    if not known(table):
        return table
    words = (word for line in table.splitlines() for word in line.split())
    return frozenset(words)
