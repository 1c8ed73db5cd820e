"""The kernel commits that the verdicts rest on, in one place."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass

__all__ = [
    "ATTACH_BLOCKING_DOMAIN",
    "CLAIM_BY_VFIO",
    "CONSOLE_DRIVERS_REMOVED",
    "DENYLIST",
    "DEVICE_CLAIM",
    "DEVICE_FIRST",
    "DMA_COHERENCE",
    "DMA_OWNER_BUSES",
    "DMA_OWNER_INTERFACES",
    "IOMMUFD_AS_CONTAINER",
    "ISOLATED_MSI",
    "NO_ID_TWICE",
    "NO_IOMMU_BY_IOMMUFD",
    "PCIEPORT_MANAGED",
    "PROPOSED_SHARED",
    "PROPOSED_SINGLE_DRIVER",
    "REQUIRE_DIRECT",
    "SET_TYPE",
    "SET_TYPE_OF_MANY",
    "SINGLETON",
    "SKETCHED_SINGLE_DRIVER",
    "SRIOV_CONFIGURE",
    "VFIO_LEAVES_GROUP",
    "VFIO_VIABLE_REMOVED",
    "VF_TOKEN",
    "VF_TOKEN_OF_NODE",
    "VTD_BLOCKING_DOMAIN",
    "Citation",
]


@dataclass(frozen=True, slots=True)
class Citation:
    """A commit (or a posting), its subject, and the release that it came with."""

    commit: str
    subject: str
    version: str

    def __str__(self) -> str:
        return f'{self.commit} ("{self.subject}") ({self.version})'


SINGLETON = Citation(
    "commit 426a273834ea",
    "iommu: Limit iommu_attach/detach_device to devices with their own group",
    "in v4.2",
)
DMA_OWNER_INTERFACES = Citation(
    "commit 1ea2a07a532b", "iommu: Add DMA ownership management interfaces", "in v5.19"
)
DMA_OWNER_BUSES = Citation(
    "commit 512881eacfa7",
    "bus: platform,amba,fsl-mc,PCI: Add device DMA ownership management",
    "in v5.19",
)
PCIEPORT_MANAGED = Citation(
    "commit c7d469849747", "PCI: portdrv: Set driver_managed_dma", "in v5.19"
)
CLAIM_BY_VFIO = Citation(
    "commit 70693f470848", "vfio: Set DMA ownership for VFIO devices", "in v5.19"
)
VFIO_VIABLE_REMOVED = Citation(
    "commit 31076af0cb00", "vfio: Remove use of vfio_group_viable()", "in v5.19"
)
VTD_BLOCKING_DOMAIN = Citation(
    "commit 35a99c54dd60", "iommu/vt-d: Add blocking domain support", "in v6.2"
)
ATTACH_BLOCKING_DOMAIN = Citation(
    "commit 0286300e6045",
    "iommu: iommu_group_claim_dma_owner() must always assign a domain",
    "in v5.19",
)
DMA_COHERENCE = Citation(
    "commit e8ae0e140c05",
    "vfio: Require that devices support DMA cache coherence",
    "in v5.19",
)
DEVICE_CLAIM = Citation(
    "commit 89395ccedbc1",
    "iommu: Add device-centric DMA ownership interfaces",
    "in v6.2",
)
BIND_IOMMUFD = Citation(
    "commit 5fcc26969a16", "vfio: Add VFIO_DEVICE_BIND_IOMMUFD", "in v6.6"
)
ATTACH_IOMMUFD_PT = Citation(
    "commit b290a05fd858", "vfio: Add VFIO_DEVICE_[AT|DE]TACH_IOMMUFD_PT", "in v6.6"
)
IOMMUFD_AS_CONTAINER = Citation(
    "commit 2a3dab19a0a6",
    "vfio-iommufd: Allow iommufd to be used in place of a container fd",
    "in v6.2",
)
NO_IOMMU_BY_IOMMUFD = Citation(
    "commit c9a397cee9f5", "vfio: Support VFIO_NOIOMMU with iommufd", "in v6.3"
)
DEVICE_FIRST = Citation(
    "commit 805bb6c1bd90", "vfio: Split up vfio_group_get_device_fd()", "in v5.19"
)
VF_TOKEN = Citation("commit cc20d7999000", "vfio/pci: Introduce VF token", "in v5.7")
VF_TOKEN_OF_NODE = Citation(
    "commit 86624ba3b522",
    "vfio/pci: Do vf_token checks for VFIO_DEVICE_BIND_IOMMUFD",
    "in v6.17",
)
VFIO_LEAVES_GROUP = Citation(
    "commit 3dd59a7dcb97",
    "vfio: Make the group FD disassociate from the iommu_group",
    "in v6.1",
)
REQUIRE_DIRECT = Citation(
    "commit a48ce36e2786",
    "iommu: Prevent RESV_DIRECT devices from blocking domains",
    "in v6.6",
)
SKETCHED_SINGLE_DRIVER = Citation(
    "discussion of posting 20211115020552.2378167",
    "Fix BUG_ON in vfio_iommu_group_notifier()",
    "sketched on 2021-11-18, never posted",
)
PROPOSED_SHARED = Citation(
    "posting 20211217063708.1740334, 07/13",
    "iommu: Add iommu_at[de]tach_device_shared() for multi-device groups",
    "2021-12-17, never merged",
)
PROPOSED_SINGLE_DRIVER = Citation(
    "posting 20220106022053.2406748, 3/8",
    "iommu: Extend iommu_at[de]tach_device() for multi-device groups",
    "2022-01-06, never merged",
)
NO_ID_TWICE = Citation(
    "commit 3853f9123c18",
    "PCI: Avoid duplicate IDs in driver dynamic IDs list",
    "in v5.11",
)
SET_TYPE = Citation(
    "commit 08a27c1c3ecf",
    "iommu: Add support to change default domain of an iommu group",
    "in v5.11",
)
SET_TYPE_OF_MANY = Citation(
    "commit 49a22aae7d9c", "iommu: Replace device_lock() with group->mutex", "in v6.4"
)
SRIOV_CONFIGURE = Citation(
    "drivers/pci/iov.c", "sriov_numvfs_store()", "v6.12 and v7.3"
)
ISOLATED_MSI = Citation(
    "commit 6b1a7a00427c",
    "vfio/type1: Convert to iommu_group_has_isolated_msi()",
    "in v6.3",
)
DENYLIST = Citation(
    "drivers/vfio/pci/vfio_pci.c", "vfio_pci_dev_in_denylist()", "since v5.9"
)
CONSOLE_DRIVERS_REMOVED = Citation(
    "commit d17378062079", "vfio/pci: Remove console drivers", "in v6.0"
)
