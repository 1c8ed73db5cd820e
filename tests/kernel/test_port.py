"""Groups of random machines, as the program and as a second port of v7.3 make them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest
from port import quirks, source
from port.comparing import compare
from port.machines import Built, seen_by_the_program

from iommu_inspect.kernel.grouping.acs.isolation import Isolation

_SEEDS = range(300)


def test_the_program_makes_the_groups_of_the_port() -> None:
    """`python -m tools.grouping` has more of them."""
    total: Counter[str] = Counter()
    for seed in _SEEDS:
        found = compare(seed)
        assert found.differences == ()
        total.update(functions=found.functions, told=found.told, groups=found.groups)
    assert total["told"] > 0.97 * total["functions"]
    assert total["groups"] > 6 * len(_SEEDS)


def test_a_port_without_a_table_makes_other_groups(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, instead in (
        ("dma_alias_mask", lambda dev: frozenset()),
        ("pci_dev_specific_acs_enabled", lambda dev, flags: None),
        ("pci_disable_broken_acs_cap", lambda ids, capabilities: capabilities),
        ("BRIDGE_XLATE_ROOT", frozenset()),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(source, name, instead)
            assert any(compare(seed).differences for seed in range(2000)), name


def alone(dev: source.Dev, bridge: source.Dev | None) -> Built:
    """Return a machine of one function, on a root bus or below a port."""
    built = Built(ivrs=dev.ivrs)
    above = "sys/devices/pci0000:00"
    for each in (bridge, dev) if bridge else (dev,):
        slot, function = each.devfn >> 3, each.devfn & 7
        above += f"/0000:{each.bus.number:02x}:{slot:02x}.{function}"
        built.devs.append(each)
        built.paths[id(each)] = above
    return built


def functions() -> Iterator[tuple[source.Dev, source.Dev | None]]:
    """Yield a function of each id of a table, of each type, in each place."""
    kinds = (None, *(0, 1, 4, 5, 6, 7, 8, 9, 10))
    registers = ((False, 0), (True, source.REQ_ACS_FLAGS & ~1), (True, 0x5F))
    places = list(product((False, True), (False, True), (False, True)))
    every = (*quirks.QUIRK_IDS, (0x1B36, 0x0010))
    for ids, kind, acs, place in product(every, kinds, registers, places):
        several, ivrs, on_root = place
        if ivrs and ids[0] not in (quirks.ATI, quirks.AMD):
            continue
        root = source.Bus(0)
        bridge = None if on_root else source.Dev(root, 8, pcie_type=4)
        bus = root if bridge is None else source.Bus(1, bridge, root)
        dev = source.Dev(bus, 16, *ids, pcie_type=kind, header_multifunction=several)
        dev.ivrs, (dev.acs_cap, dev.acs_ctrl) = ivrs, acs
        dev.acs_capabilities = 0x5F if dev.acs_cap else 0
        yield dev, bridge


def test_what_isolates_is_what_isolates_in_the_port() -> None:
    asked = told = 0
    untold = set()
    for dev, bridge in functions():
        found = seen_by_the_program(alone(dev, bridge))
        says = Isolation(found).isolates(found.groups[0].devices[-1])
        asked += 1
        if says is None:
            untold.add(dev.vendor)
            continue
        told += 1
        assert says is source.pci_acs_enabled(dev, source.REQ_ACS_FLAGS), dev
    # Of Intel's older root ports the kernel alone knows whether it made them isolate.
    assert untold == {0x8086}
    assert told > 0.95 * asked
