"""Devices whose isolation and requester ids the kernel knows better than registers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import device
from examples import each

from iommu_inspect.kernel.grouping.acs.quirks import Quirk, acs_quirk
from iommu_inspect.kernel.grouping.making.dma_aliases import (
    BridgeAlias,
    alias_devfns,
    bridge_alias,
)
from iommu_inspect.model.device import Acs, Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.pci.regs import PciExpType

END, ROOT, DOWN = PciExpType.ENDPOINT, PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM
RC_END = PciExpType.RC_END


def one(vendor: Any, product: Any, kind: Any = END, **pci: Any) -> Device:
    made = device("0000:01:02.3")
    return replace(
        made,
        ids=PciIds(vendor, product, 0x9005, 0x02BB, class_code=0x020000),
        pci=replace(made.pci, pcie_type=kind, **pci),
    )


@each(
    "found, quirk",
    [
        (one(Missing.ABSENT, 0x1234), Quirk.UNKNOWN),
        (one(0x8086, Missing.ABSENT), Quirk.PERHAPS_ISOLATED),
        (one(0x8086, Missing.ABSENT, ROOT), Quirk.UNKNOWN),
        (one(0x10EC, Missing.ABSENT), Quirk.NONE),
        (one(0x10DE, Missing.ABSENT, Missing.DENIED), Quirk.NONE),
        (one(0x8088, Missing.ABSENT), Quirk.UNKNOWN),
        (one(0x1D17, Missing.ABSENT, ROOT), Quirk.UNKNOWN),
        (one(0x1D17, Missing.ABSENT), Quirk.PERHAPS_ISOLATED),
        (one(0x8086, Missing.ABSENT, RC_END), Quirk.ISOLATED),
        (one(0x10EC, 0x8168), Quirk.NONE),
        # An 82576 says that its functions do not talk to each other.
        (one(0x8086, 0x10C9), Quirk.ISOLATED),
        (one(0x8086, 0x1234, RC_END), Quirk.ISOLATED),
        (one(0x8086, 0x1234, Missing.DENIED), Quirk.UNKNOWN),
        (one(0x8086, 0x1234, ROOT), Quirk.NONE),
        # A PCH of series 8: the kernel switches isolation on where nobody sees it.
        (one(0x8086, 0x8C10, ROOT), Quirk.PERHAPS_ISOLATED),
        (one(0x8086, 0x8C10, END), Quirk.NONE),
        # Series 100 has its registers in double words.
        (one(0x8086, 0xA110, ROOT, acs=Acs(0x1D, 0, 0x1D)), Quirk.ISOLATED),
        (one(0x8086, 0xA110, ROOT, acs=Acs(0x1D, 0, 0)), Quirk.NOT_ISOLATED),
        (one(0x8086, 0xA110, ROOT, acs=Acs(0x1D, 0)), Quirk.UNKNOWN),
        (one(0x8086, 0xA110, ROOT, acs=Missing.TRUNCATED), Quirk.UNKNOWN),
        (one(0x8086, 0xA110, ROOT, acs=None), Quirk.NONE),
        (one(0x177D, 0xA000, ROOT), Quirk.ISOLATED),  # Cavium
        (one(0x177D, 0xA000, END), Quirk.NONE),
        (one(0x1C36, 0x0031, ROOT), Quirk.ISOLATED),  # Annapurna
        (one(0x1D17, 0x0710, ROOT), Quirk.ISOLATED),  # Zhaoxin
        (one(0x1D17, 0x0001, DOWN), Quirk.NOT_ISOLATED),
        (one(0x1D17, 0x0710, END), Quirk.NONE),
        (one(0x8088, 0x1001), Quirk.ISOLATED),  # Wangxun
        (one(0x8088, 0x0200), Quirk.NOT_ISOLATED),
    ],
)
def test_a_quirk_is_that_of_the_kernels_table(found: Device, quirk: Quirk) -> None:
    assert acs_quirk(found, on_root_bus=True, has_ivrs=False) is quirk


@each(
    "several, on_root_bus, has_ivrs, quirk",
    [
        (True, True, True, Quirk.ISOLATED),
        (False, True, True, Quirk.NONE),
        (True, False, True, Quirk.NONE),
        (True, True, False, Quirk.NONE),
        (True, None, True, Quirk.PERHAPS_ISOLATED),
        (True, True, None, Quirk.PERHAPS_ISOLATED),
        (Missing.DENIED, True, True, Quirk.PERHAPS_ISOLATED),
    ],
)
def test_amds_south_bridge_is_isolated_on_the_root_bus_of_an_amd_iommu_alone(
    several: Any, on_root_bus: bool | None, has_ivrs: bool | None, quirk: Quirk
) -> None:
    found = one(0x1022, 0x780F, None, multifunction=several)
    assert acs_quirk(found, on_root_bus=on_root_bus, has_ivrs=has_ivrs) is quirk


@each(
    "vendor, product, devfns",
    [
        (0x1180, 0xE832, {0x10}),  # Ricoh: function 0 of its own slot
        (0x1B4B, 0x9230, {0x11}),  # Marvell: function 1
        (0x9005, 0x0285, {0x08}),  # Adaptec: slot 1
        (0x8086, 0x2260, {0x80, 0x88, 0x93}),  # MIC x200
        (0x8086, 0x2954, {s << 3 | f for s in range(32) for f in range(5)}),
        (0x10B5, 0x87B0, set(range(256))),
        (0x8086, 0x10C9, set()),
        (0x1C28, 0x0122, {0x11}),  # Plextor: a Marvell controller
        (Missing.ABSENT, 0x10C9, None),
        (0x8086, Missing.ABSENT, None),
        # None of this maker's poses as another.
        (0x10DE, Missing.ABSENT, set()),
    ],
)
def test_requests_carry_the_ids_of_the_kernels_table(
    vendor: Any, product: Any, devfns: set[int] | None
) -> None:
    found = alias_devfns(one(vendor, product))
    assert found == (None if devfns is None else frozenset(devfns))


def test_a_switchtec_bridge_is_asked_by_the_kernel_and_not_foretold() -> None:
    bridge = one(0x11F8, 0x8531)
    assert alias_devfns(bridge) == frozenset()
    other = replace(bridge, ids=replace(bridge.ids, class_code=0x068000))
    assert alias_devfns(other) is None


@each(
    "kind, alias",
    [
        (ROOT, BridgeAlias.NONE),
        (DOWN, BridgeAlias.NONE),
        (PciExpType.PCI_BRIDGE, BridgeAlias.TAKES_OVER),
        (None, BridgeAlias.TAKES_OVER),
        (Missing.DENIED, BridgeAlias.UNKNOWN),
    ],
)
def test_bridges_to_conventional_buses_put_an_id_of_their_own(
    kind: Any, alias: BridgeAlias
) -> None:
    assert bridge_alias(one(0x1B36, 0x000E, kind)) is alias
