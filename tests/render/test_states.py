"""What is shown of states that are rare: a crash, an empty group, nothing to show."""

from __future__ import annotations

from builders import BEFORE_5_19, SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.changes import effects
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.audits.prospects import prospects_table
from iommu_inspect.render.layout import Style
from iommu_inspect.render.listing.columns import rows_of
from iommu_inspect.render.listing.table import list_text
from iommu_inspect.render.simulation import simulation_text

NIC, DISK = "0000:01:00.0", "0000:02:00.0"


def shown(host: Machine, rules: Semantics, *steps: str) -> str:
    simulation = simulate(host, rules, [parse_step(step) for step in steps])
    return simulation_text(effects(host, simulation, rules), Style(80))


def test_after_a_crash_nothing_but_the_steps_is_shown() -> None:
    host = machine(group(device(NIC, "vfio-pci"), device("0000:01:00.1")))
    text = shown(host, only(BEFORE_5_19), "claim=1", "bind=0000:01:00.1,e1000e")
    assert "host-crash" in text
    assert text.endswith("The host would have crashed.")
    assert "OWNERSHIP" not in text


def test_who_holds_a_group_after_the_steps_is_shown_beside_its_ownership() -> None:
    host = machine(group(device(NIC, "vfio-pci")), group(device(DISK), id="2"))
    text = shown(host, only(SINCE_6_6), "claim=1", f"attach={DISK}")
    assert "user, claimed" in text
    assert "none, attached" in text


def test_a_driver_that_is_not_known_after_the_steps_is_not_shown_as_none() -> None:
    """Before v5.19, where a user has the group beside a driver of the host."""
    host = machine(
        group(device(NIC, "vfio-pci"), device("0000:01:00.1", "snd_hda_intel")),
        kernel=Kernel("5.10.0"),
    )
    text = shown(host, only(BEFORE_5_19), "claim=1", "unbind=0000:01:00.1")
    assert "(?)" in text
    assert "(-)" not in text


def test_steps_that_change_nothing_say_so() -> None:
    host = machine(group(device(NIC, "vfio-pci")))
    assert "No group changes hands." in shown(host, only(SINCE_6_6), "release=1")


def test_a_group_that_comes_has_no_ownership_before() -> None:
    bridge = device("0000:00:01.0", "pcieport", bridge=True)
    host = machine(group(bridge))
    text = shown(host, only(SINCE_6_6), f"unplug={bridge.address}")
    assert "1      none              -" in text


def test_a_group_without_devices_is_shown_as_such() -> None:
    host = machine(group(id="7"))
    owned = map(Inquiry(host, only(SINCE_6_6)).owned, host.groups)
    assert "7      none   (no devices)" in list_text(rows_of(owned, ()))


def test_without_anything_to_hand_over_there_is_no_table() -> None:
    assert prospects_table((), Style(80)) == ""
