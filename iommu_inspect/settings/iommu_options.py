"""Options that the kernel knows of ``amd_iommu``, ``intel_iommu`` and ``iommu``."""

from __future__ import annotations

__all__ = ["OPTIONS", "unknown_options"]

OPTIONS = {
    # parse_amd_iommu_options() in drivers/iommu/amd/init.c of v5.10, v6.1, v6.12, v7.2
    # and v7.3. v5.10 passes over others in silence, the later ones log
    # "AMD-Vi: Unknown option - 'on'". None of them knows "on" or "pt".
    "amd_iommu": (
        "force_enable",
        "force_isolation",
        "fullflush",
        "irtcachedis",
        "nohugepages",
        "off",
        "pgtbl_v1",
        "pgtbl_v2",
        "v2_pgsizes_only",
    ),
    # intel_iommu_setup() in drivers/iommu/intel/iommu.c of the same releases; the
    # message is "DMAR: Unknown option - 'pt'" since v6.1 at the latest.
    "intel_iommu": (
        "forcedac",
        "igfx_off",
        "intgpu_off",
        "nobounce",
        "off",
        "on",
        "sm_off",
        "sm_on",
        "sp_off",
        "strict",
        "tboot_noforce",
    ),
    # iommu_setup() in arch/x86/kernel/pci-dma.c and gart_parse_options() in
    # arch/x86/kernel/amd_gart_64.c; others are passed over in silence.
    "iommu": (
        *("allowdac", "allowed", "biomerge", "force", "forcesac", "fullflush"),
        *("leak", "memaper", "merge", "noagp", "noaperture", "nodac", "noforce"),
        *("nofullflush", "nomerge", "nopanic", "nopt", "off", "panic", "pt"),
        *("soft", "usedac"),
    ),
}
"""The union over the releases read, since a distribution may carry any of them back."""


def unknown_options(parameter: str, value: str) -> tuple[str, ...]:
    """Return the options of an x86 IOMMU parameter that no kernel read here knows.

    The kernel compares beginnings only (``strncmp()``), so that ``offline`` is ``off``.
    A number behind ``iommu=`` is the size of the AMD GART's window.
    """
    taken = OPTIONS[parameter]
    return tuple(
        option
        for option in value.split(",")
        if option
        and not option.startswith(taken)
        and not (parameter == "iommu" and option[0].isdigit())
    )
