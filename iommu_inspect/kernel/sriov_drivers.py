"""Which drivers of physical functions make virtual ones, and which take them along.

``sriov_numvfs_store()`` in drivers/pci/iov.c calls the driver's ``sriov_configure``,
and returns -ENOENT where it has none. What a driver does in its remove function was
read in v6.12 and v7.3; names have "_" for "-".
"""

from __future__ import annotations

__all__ = ["LEAVES_VIRTUAL", "MAKES_NO_VIRTUAL", "MAKES_VIRTUAL", "REMOVES_VIRTUAL"]

REMOVES_VIRTUAL = frozenset(
    {
        *("420xx", "4xxx", "CNN55XX", "bnxt_en", "c3xxx", "c6xx", "cxgb4"),
        *("dfl_pci", "dh895xcc", "fm10k", "funeth", "hinic", "hisi_hpre", "hisi_sec2"),
        *("hisi_zip", "hns3", "i40e", "ice", "idpf", "igb", "ixgbe", "mana"),
        *("mlx5_core", "mrvl_cn10k_dpi", "ngbe", "octeon_ep", "octeontx_cpt"),
        *("pds_core", "qlcnic", "rvu_cptpf", "rvu_nicpf", "txgbe", "vfio_pci"),
        "xe",
    }
)
"""Their remove function calls pci_disable_sriov(), itself or through another."""
LEAVES_VIRTUAL = frozenset({"alibaba_eea", "ena", "nvme", "pci_pf_stub"})
"""Their ``sriov_configure`` is pci_sriov_configure_simple(), and nothing undoes it: the
log says "driver left SR-IOV enabled after remove" (pci_iov_remove())."""
MAKES_VIRTUAL = frozenset(
    {
        *REMOVES_VIRTUAL,
        *LEAVES_VIRTUAL,
        *("LiquidIO", "be2net", "bnx2x", "genwqe", "ionic", "nfp", "octep_vdpa"),
        *("pci_endpoint_test", "qede", "sfc", "sfc_ef100", "sfc_siena"),
    }
)
"""They have a ``sriov_configure`` that asks nothing of the device's state. That of
virtio-pci does, and that of vfio-pci wants its parameter ``enable_sriov``."""
MAKES_NO_VIRTUAL = frozenset(
    {
        *("ahci", "e1000", "e1000e", "iavf", "igbvf", "igc", "ixgbevf", "pci_stub"),
        *("pcieport", "r8169", "snd_hda_intel", "uio_pci_generic", "xhci_hcd"),
    }
)
"""Some that have none."""
