"""Devices whose isolation and requester ids the kernel knows better than registers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import device, group, machine
from examples import each

from iommu_inspect.kernel.grouping.acs.isolation import Isolation
from iommu_inspect.kernel.grouping.acs.off import why_off
from iommu_inspect.kernel.grouping.acs.quirks import Quirk, acs_quirk
from iommu_inspect.kernel.grouping.making.dma_aliases import (
    BridgeAlias,
    alias_devfns,
    bridge_alias,
)
from iommu_inspect.kernel.grouping.making.placing import Mechanism, possible
from iommu_inspect.model.device import Acs, Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.identity import DeviceId
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
    assert acs_quirk(found, on_root_bus=True, has_ivrs=False, several=None) is quirk


@each(
    "several, on_root_bus, has_ivrs, quirk",
    [
        (True, True, True, Quirk.ISOLATED),
        (False, True, True, Quirk.NONE),
        (True, False, True, Quirk.NONE),
        (True, True, False, Quirk.NONE),
        (True, None, True, Quirk.PERHAPS_ISOLATED),
        (True, True, None, Quirk.PERHAPS_ISOLATED),
        (None, True, True, Quirk.PERHAPS_ISOLATED),
    ],
)
def test_amds_south_bridge_is_isolated_on_the_root_bus_of_an_amd_iommu_alone(
    several: bool | None, on_root_bus: bool | None, has_ivrs: bool | None, quirk: Quirk
) -> None:
    found = one(0x1022, 0x780F, None)
    told = acs_quirk(found, on_root_bus=on_root_bus, has_ivrs=has_ivrs, several=several)
    assert told is quirk


@each("header", [True, False, Missing.DENIED])
def test_a_function_above_0_is_one_of_several_whatever_its_header_says(
    header: Any,
) -> None:
    """pci_scan_slot(); the south bridge's other functions have a zero there."""
    found = replace(
        one(0x1002, 0x4383, None, multifunction=header),
        id=DeviceId("0000:00:14.2", "pci"),
        path="sys/devices/pci0000:00/0000:00:14.2",
    )
    host = machine(group(found), firmware_tables=("IVRS",))
    assert Isolation(host).isolates(found) is True


IDT = Acs(0x1F, 0x1C)  # all but source validation and translation blocking


@each(
    "product, release, acs, isolates",
    [
        (0x80B5, "7.3.4", IDT, True),
        (0x8090, "7.3.4", IDT, True),
        (0x80B5, "6.12.1", IDT, False),
        (0x80B5, "6.18.1", IDT, None),
        (0x80B5, None, IDT, None),
        (0x80B5, "6.18.1", Acs(0x1F, 0x1D), True),
        (0x80B5, "6.18.1", Acs(0x1F, 0x14), False),
        (0x80B5, "7.3.4", Acs(0x1F, 0x14), False),
        (0x80B6, "7.3.4", IDT, False),
    ],
)
def test_source_validation_of_idts_switches_does_not_count_since_7_3(
    product: int, release: str | None, acs: Acs, isolates: bool | None
) -> None:
    """pci_disable_broken_acs_cap()"""
    found = one(0x111D, product, DOWN, acs=acs)
    kernel = Kernel(release=Missing.ABSENT if release is None else release)
    host = machine(group(found), kernel=kernel)
    assert Isolation(host).isolates(found) is isolates
    because = why_off(host, found) or ""
    assert ("erratum" in because) is (release == "7.3.4" and isolates is True)


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


@each(
    "vendor, product, devfns",
    [
        (0x9005, 0x02BC, {0x08}),
        (0x9005, 0x1100, set()),
        (0x9005, Missing.ABSENT, None),
        (0x1AF4, 0x02BB, set()),
        (0x1AF4, Missing.ABSENT, set()),
        (Missing.ABSENT, 0x02BB, None),
        (Missing.ABSENT, 0x1100, set()),
    ],
)
def test_adaptecs_controllers_are_told_by_both_ids_of_the_subsystem(
    vendor: Any, product: Any, devfns: set[int] | None
) -> None:
    found = one(0x9005, 0x0285)
    ids = replace(found.ids, subsystem_vendor=vendor, subsystem_device=product)
    aliases = alias_devfns(replace(found, ids=ids))
    assert aliases == (None if devfns is None else frozenset(devfns))


def test_a_switchtec_bridge_is_asked_by_the_kernel_and_not_foretold() -> None:
    bridge = one(0x11F8, 0x8531)
    assert alias_devfns(bridge) == frozenset()
    other = replace(bridge, ids=replace(bridge.ids, class_code=0x068000))
    assert alias_devfns(other) is None


@each(
    "ids, kind, release, alias",
    [
        ((0x1B36, 0x000E), ROOT, "6.12.1", BridgeAlias.NONE),
        ((0x1B36, 0x000E), DOWN, "6.12.1", BridgeAlias.NONE),
        ((0x1B36, 0x000E), PciExpType.PCI_BRIDGE, "6.12.1", BridgeAlias.TAKES_OVER),
        ((0x1B36, 0x000E), None, "6.12.1", BridgeAlias.TAKES_OVER),
        ((0x1B36, 0x000E), Missing.DENIED, "6.12.1", BridgeAlias.UNKNOWN),
        # Of a BMC's graphics: v7.3 knows that it passes ids on.
        ((0x1A03, 0x1150), PciExpType.PCI_BRIDGE, "6.12.1", BridgeAlias.TAKES_OVER),
        ((0x1A03, 0x1150), PciExpType.PCI_BRIDGE, "7.3.4", BridgeAlias.NONE),
        # ThunderX2 translates here.
        ((0x14E4, 0x9084), PciExpType.PCI_BRIDGE, "6.12.1", BridgeAlias.ROOT),
        ((0x14E4, 0x9000), ROOT, "6.12.1", BridgeAlias.ROOT),
    ],
)
def test_bridges_to_conventional_buses_put_an_id_of_their_own(
    ids: tuple[int, int], kind: Any, release: str, alias: BridgeAlias
) -> None:
    bridge = one(*ids, kind)
    host = machine(group(bridge), kernel=Kernel(release=release))
    assert bridge_alias(bridge, host) is alias


def test_what_is_above_a_translation_root_takes_nothing_over() -> None:
    """PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT"""
    top, root, end = (
        replace(
            one(*ids, kind),
            id=DeviceId(address, "pci"),
            path=f"sys/devices/pci0000:00/{path}",
        )
        for ids, kind, address, path in (
            ((0x1B36, 0x000E), None, "0000:00:01.0", "0000:00:01.0"),
            ((0x14E4, 0x9084), ROOT, "0000:01:00.0", "0000:00:01.0/0000:01:00.0"),
            (
                (0x8086, 0x10C9),
                END,
                "0000:02:00.0",
                "0000:00:01.0/0000:01:00.0/0000:02:00.0",
            ),
        )
    )
    facts = Isolation(machine(group(top, root, end)))
    found = possible(facts, [root, top], lambda each: each is top, end).placement
    assert found.mechanism is not Mechanism.DMA_ALIAS
