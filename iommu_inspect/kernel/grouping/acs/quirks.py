"""Functions that the kernel takes for isolated though their registers do not say so.

The decisions are those of the handlers behind ``pci_dev_acs_enabled[]`` in
drivers/pci/quirks.c, read in v5.10, v6.1, v6.12 and v7.3, which have the same.
"""

from __future__ import annotations

import enum

from iommu_inspect.kernel.grouping.acs.quirk_ids import (
    AMD_SOUTH_BRIDGE,
    ANNAPURNA,
    BROKEN_SOURCE_VALIDATION,
    CAVIUM,
    CAVIUM_PORTS,
    INTEL_PCH,
    INTEL_WIDE,
    ISOLATED,
    WANGXUN,
    WANGXUN_NICS,
    ZHAOXIN,
    ZHAOXIN_PORTS,
)
from iommu_inspect.model.device import Acs, Device
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.pci.regs import (
    PCI_ACS_CR,
    PCI_ACS_EC,
    PCI_ACS_RR,
    PCI_ACS_SV,
    PCI_ACS_UF,
    PCI_CLASS_BRIDGE_PCI,
    PCI_CLASS_SERIAL_USB,
    PCI_VENDOR_ID_AMD,
    PCI_VENDOR_ID_INTEL,
    PciExpType,
)

__all__ = [
    "REQUIRED_ACS",
    "Quirk",
    "acs_quirk",
    "has_required",
    "has_wide_controls",
    "uncounted_controls",
]

# REQ_ACS_FLAGS of drivers/iommu/iommu.c.
REQUIRED_ACS = PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF


class Quirk(enum.Enum):
    """What the kernel's table of quirks says about a function.

    ``PERHAPS_ISOLATED``: isolated, or what its registers say. With ``UNKNOWN`` even
    one whose registers say that it isolates may not.
    """

    NONE = "none"
    ISOLATED = "isolated"
    NOT_ISOLATED = "not-isolated"
    PERHAPS_ISOLATED = "perhaps-isolated"
    UNKNOWN = "unknown"


# What the entries of two makers are: network controllers of Intel's; of AMD's south
# bridges USB controllers and bridges (pci.ids names the ids above).
_KINDS = {
    PCI_VENDOR_ID_INTEL: frozenset({0x0200, 0x0280}),
    PCI_VENDOR_ID_AMD: frozenset({PCI_CLASS_SERIAL_USB, PCI_CLASS_BRIDGE_PCI}),
}
# Makers of whom more is asked than whether an id is in the list above.
_WITH_RULES = (PCI_VENDOR_ID_INTEL, CAVIUM, ANNAPURNA, ZHAOXIN, WANGXUN)
_PORTS = (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM)


def has_required(acs: Acs, uncounted: int = 0) -> bool:
    """Say whether the required controls are on; one not implemented counts as on.

    ``uncounted`` are controls that the kernel does as if the function had not.
    """
    return _satisfied(acs.capability & ~uncounted, acs.control)


def uncounted_controls(device: Device, release: str) -> Fact[int]:
    """Return the controls of a function that the kernel does not count.

    pci_disable_broken_acs_cap() in drivers/pci/quirks.c takes source validation off two
    IDT switches (erratum 36): v7.3 has it and v6.12 has not, and what is between was
    not read.
    """
    if (device.ids.vendor, device.ids.device) not in BROKEN_SOURCE_VALIDATION:
        return 0
    version = version_of(release)
    if version is None or (6, 12) < version < (7, 3):
        return Missing.UNREADABLE
    return PCI_ACS_SV if version >= (7, 3) else 0


def _satisfied(capability: int, control: int) -> bool:
    wanted = REQUIRED_ACS & (capability | PCI_ACS_EC)
    return control & wanted == wanted


def acs_quirk(
    device: Device,
    *,
    on_root_bus: bool | None,
    has_ivrs: bool | None,
    several: bool | None,
    asked: bool = False,
) -> Quirk:
    """Look a function up.

    Args:
        device: The function.
        on_root_bus: Whether no bridge is above it; ``None`` if that is not known.
        has_ivrs: Whether firmware has an IVRS table; ``None`` if that is not known.
        several: Whether the kernel takes it for one of several functions, which is
            more than its header says; ``None`` if that is not known.
        asked: Suppose that the kernel set the function up while an IOMMU was at work,
            and switched its ACS on.
    """
    vendor, product, kind = device.ids.vendor, device.ids.device, device.pci.pcie_type
    if not known(vendor):
        return Quirk.UNKNOWN
    if not known(product):
        return _of_vendor(device, vendor, on_root_bus, asked=asked)
    if product in ISOLATED.get(vendor, ()):
        return Quirk.ISOLATED
    if product in AMD_SOUTH_BRIDGE.get(vendor, ()):
        return _amd_south_bridge(on_root_bus, has_ivrs, several)
    if vendor not in _WITH_RULES:
        return Quirk.NONE
    if vendor == WANGXUN:
        return _either(product in WANGXUN_NICS)
    if not known(kind):
        return _of_vendor(device, vendor, on_root_bus, asked=asked)
    if vendor == PCI_VENDOR_ID_INTEL:
        return _intel(device, product, kind, asked=asked)
    if vendor == ZHAOXIN:
        if kind not in _PORTS:
            return Quirk.NONE
        return _either(product in ZHAOXIN_PORTS)
    ports = CAVIUM_PORTS if vendor == CAVIUM else {0x0031}
    isolated = kind == PciExpType.ROOT_PORT and product in ports
    return Quirk.ISOLATED if isolated else Quirk.NONE


def has_wide_controls(device: Device) -> bool:
    """Say whether the controls of a port are not where the capability has them.

    What lspci and the fields of the registers call the control is then no control.
    """
    ids = device.ids
    wide = known(ids.device) and ids.device in INTEL_WIDE
    return ids.vendor == PCI_VENDOR_ID_INTEL and wide


def _of_vendor(
    device: Device, vendor: int, on_root_bus: bool | None, *, asked: bool
) -> Quirk:
    """Say what can be said of a function of which only the maker is known, or no type.

    No more than that it may be isolated, where no entry of the maker's takes isolation
    away.
    """
    kind = device.pci.pcie_type
    if vendor == WANGXUN:
        return Quirk.UNKNOWN
    if vendor == ZHAOXIN and (not known(kind) or kind in _PORTS):
        return Quirk.UNKNOWN
    if vendor == PCI_VENDOR_ID_INTEL:
        if kind == PciExpType.RC_END:
            return Quirk.ISOLATED
        if not asked and (not known(kind) or kind == PciExpType.ROOT_PORT):
            return Quirk.UNKNOWN  # its controls may be elsewhere
        if kind == PciExpType.ROOT_PORT or not known(kind):
            return Quirk.PERHAPS_ISOLATED  # of a PCH
    south = vendor in AMD_SOUTH_BRIDGE and on_root_bus is not False
    listed = vendor in ISOLATED or south
    if listed and _of_another_kind(device, vendor):
        return Quirk.NONE
    return Quirk.PERHAPS_ISOLATED if listed or vendor in _WITH_RULES else Quirk.NONE


def _of_another_kind(device: Device, vendor: int) -> bool:
    """Say whether a function is of none of the kinds that a maker's entries are of."""
    kinds, base = _KINDS.get(vendor), device.base_class
    return kinds is not None and known(base) and base not in kinds


def _either(isolated: bool) -> Quirk:
    return Quirk.ISOLATED if isolated else Quirk.NOT_ISOLATED


def _amd_south_bridge(
    on_root_bus: bool | None, has_ivrs: bool | None, several: bool | None
) -> Quirk:
    if False in (on_root_bus, has_ivrs, several):
        return Quirk.NONE
    if on_root_bus and has_ivrs and several:
        return Quirk.ISOLATED
    return Quirk.PERHAPS_ISOLATED


def _intel(device: Device, product: int, kind: int | None, *, asked: bool) -> Quirk:
    if kind == PciExpType.RC_END:
        return Quirk.ISOLATED
    if kind != PciExpType.ROOT_PORT:
        return Quirk.NONE
    if product in INTEL_PCH:
        return Quirk.PERHAPS_ISOLATED
    if product not in INTEL_WIDE:
        return Quirk.NONE
    acs = device.pci.acs
    if acs is None or asked:
        # Asked, the kernel switches on what the capability has, in the controls of
        # these ports (pci_quirk_enable_intel_spt_pch_acs() in drivers/pci/quirks.c).
        return Quirk.NONE
    if not known(acs) or acs.wide_control is None:
        return Quirk.UNKNOWN
    return _either(_satisfied(acs.capability, acs.wide_control))
