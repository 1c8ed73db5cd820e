"""Which drivers leave a group's DMA ownership alone, and which buses ask at all.

The lists are those of whole-tree searches for ``driver_managed_dma`` and for
``iommu_device_use_default_domain`` in v6.1, v6.12, v7.2 and v7.3.
"""

from __future__ import annotations

__all__ = [
    "COUNTING_BUSES",
    "ENFORCING_BUSES",
    "KNOWN_MANAGED_DRIVERS",
    "SILENT_BUSES",
]

# Buses whose dma_configure() claims the default domain for the driver that binds
# (commit 512881eacfa7, in v5.19).
ENFORCING_BUSES = frozenset({"amba", "fsl-mc", "pci", "platform"})

# Buses whose devices can be in a group though binding a driver there claims nothing.
# cdx makes the call and drops its result (cdx_dma_configure(), v6.12 to v7.3): the
# claim counts there, but its refusal does not keep the driver from binding.
SILENT_BUSES = frozenset({"host1x-context", "mdev", "vmbus"})
COUNTING_BUSES = ENFORCING_BUSES | {"cdx"}

# Drivers that are no vfio drivers and set driver_managed_dma: bus, name, and the
# releases from which on they certainly do and before which they certainly do not.
KNOWN_MANAGED_DRIVERS = {
    ("pci", "pci_stub"): ((5, 19), (5, 19)),
    ("pci", "pcieport"): ((5, 19), (5, 19)),
    # "iommu/fsl: Use driver_managed_dma to allow VFIO to work", in v6.5: inside an era.
    ("platform", "fsl_pci"): ((6, 6), (6, 2)),
}
