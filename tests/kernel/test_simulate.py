"""Steps that nobody has taken, and what the kernel would say to each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    BEFORE_4_2,
    BEFORE_5_19,
    SINCE_5_19,
    SINCE_6_6,
    UNKNOWN_KERNEL,
    device,
    group,
    machine,
    only,
)

from iommu_inspect.kernel.eras import PROPOSED, Era, Semantics, applicable
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    CLAIM,
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import BadStepError, Rebind, parse_step
from iommu_inspect.model.asked.target import UnknownTargetError
from iommu_inspect.model.device import Acs, Device, PciIds, PciPlacement, SrIov
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType

NOW = only(SINCE_6_6)
OLD = only(BEFORE_5_19)
ON = Acs(0x1D, 0x1D)
OFF = Acs(0x1D, 0x00)


def port(address: str, acs: Acs | Missing | None, group_id: str) -> Device:
    """A root port; its bus is 0x10 above its slot."""
    slot = int(address[8:10], 16)
    placement = PciPlacement(
        1,
        False,
        PciExpType.ROOT_PORT,
        physfn=None,
        virtfns=(),
        acs=acs,
        sriov=None,
        hotplug_slot=True,
        secondary_bus=slot + 0x10,
    )
    made = device(address, "pcieport", bridge=True, group=group_id)
    ids = replace(made.ids, vendor=0x1B36)
    return replace(
        made, path=f"sys/devices/pci0000:00/{address}", pci=placement, ids=ids
    )


def below(above: Device, function: int, driver: str | None, group_id: str) -> Device:
    bus = above.pci.secondary_bus
    assert isinstance(bus, int)
    address = f"0000:{bus:02x}:00.{function}"
    placement = PciPlacement(
        0,
        False,
        PciExpType.ENDPOINT,
        physfn=None,
        virtfns=(),
        acs=None,
        sriov=SrIov(4, 0x80, 2) if function == 0 else None,
    )
    made = device(address, driver, group=group_id)
    return replace(made, path=f"{above.path}/{address}", pci=placement)


CLEAN = port("0000:00:01.0", ON, "1")
BARE = port("0000:00:02.0", None, "2")
DIM = port("0000:00:03.0", OFF, "3")
UNTOLD = port("0000:00:04.0", Missing.TRUNCATED, "4")
BUSY = port("0000:00:05.0", ON, "5")
NIC = below(BUSY, 0, "vfio-pci", "6")
SOUND = below(BUSY, 1, "snd_hda_intel", "6")

HOST = machine(
    group(CLEAN, id="1"),
    group(BARE, id="2"),
    group(DIM, id="3"),
    group(UNTOLD, id="4"),
    group(BUSY, id="5"),
    group(NIC, SOUND, id="6"),
)


def take(*steps: str, host: Machine = HOST, rules: Semantics = NOW) -> Simulation:
    return simulate(host, rules, [parse_step(step) for step in steps])


def results(*steps: str, host: Machine = HOST, rules: Semantics = NOW) -> list[str]:
    simulation = take(*steps, host=host, rules=rules)
    return [outcome.answer.result for outcome in simulation.outcomes]


def the_group(simulation: Simulation, group_id: str) -> Group:
    found = simulation.after.group(group_id)
    assert found is not None
    return found


CLAIMED = ("unbind=15:00.1", "claim=6")


@pytest.mark.parametrize("era", [SINCE_5_19, SINCE_6_6], ids=lambda era: era.name)
def test_a_kernel_driver_cannot_bind_in_a_claimed_group_since_5_19(era: Era) -> None:
    steps = (*CLAIMED, "bind=15:00.1,snd_hda_intel", "release=6")
    assert results(*steps, rules=only(era)) == ["0", "0", "-EBUSY", "0"]
    assert results(*steps, "bind=15:00.1,snd_hda_intel", rules=only(era))[-1] == "0"


def of_release(release: str) -> Machine:
    return replace(HOST, kernel=replace(HOST.kernel, release=release))


LEFT = (*CLAIMED, "unbind=15:00.0")
TAKEN_BACK = (*LEFT, "bind=15:00.1,snd_hda_intel", "bind=15:00.0,vfio-pci", "claim=6")


@pytest.mark.parametrize("release", ["6.1.0", "6.12.1", "7.3.4"])
def test_since_6_1_a_claim_ends_when_the_last_vfio_device_goes(release: str) -> None:
    host = of_release(release)
    rules = applicable(host.kernel)
    assert results(*TAKEN_BACK, host=host, rules=rules)[3:] == ["0", "0", "-EPERM"]
    pulled = (*CLAIMED, "unplug=15:00.0", "bind=15:00.1,snd_hda_intel")
    assert results(*pulled, host=host, rules=rules)[2:] == ["0", "0"]


@pytest.mark.parametrize("release", ["5.10.0", "5.18.0", "6.0.0"])
def test_before_6_1_the_last_vfio_device_waits_for_the_user(release: str) -> None:
    host = of_release(release)
    rules = applicable(host.kernel)
    assert results(*LEFT, host=host, rules=rules)[-1] == "blocks"
    pulled = (*CLAIMED, "unplug=15:00.0")
    assert results(*pulled, host=host, rules=rules)[-1] == "blocks"
    let_go = (*CLAIMED, "release=6", "unbind=15:00.0")
    assert results(*let_go, host=host, rules=rules)[-1] == "0"


@pytest.mark.parametrize(
    ("release", "era"),
    [("6.12.1", SINCE_5_19), ("4.14.0", BEFORE_5_19), ("5.14.0-362.el9", BEFORE_5_19)],
)
def test_what_ends_a_claim_is_not_known_where_the_release_is_not(
    release: str, era: Era
) -> None:
    assert results(*LEFT, host=of_release(release), rules=only(era))[-1] == "unknown"


def test_a_claim_lasts_while_another_vfio_device_is_in_the_group() -> None:
    both = ("unbind=15:00.1", "bind=15:00.1,vfio-pci", "claim=6", "unbind=15:00.0")
    steps = (*both, "bind=15:00.0,e1000e", "unbind=15:00.1", "bind=15:00.0,e1000e")
    assert results(*steps)[4:] == ["-EBUSY", "0", "0"]


def test_a_driver_that_may_be_a_vfio_driver_leaves_the_claim_unknown() -> None:
    other = replace(SOUND, driver=Missing.DENIED)
    held = group(NIC, other, id="6", held=Held.BY_USER)
    assert results("unbind=15:00.0", host=machine(held)) == ["unknown"]


def test_a_probe_without_a_name_is_not_foretold() -> None:
    host = machine(group(replace(SOUND, driver=None, driver_override=None), id="6"))
    (outcome,) = take("probe=15:00.1", host=host).outcomes
    assert (outcome.answer.result, outcome.group) == ("unknown", "6")


@pytest.mark.parametrize("driver", ["pci-stub", "uio_pci_generic", "vfio-pci"])
def test_a_driver_without_ids_takes_what_it_was_given_and_that_is_not_seen(
    driver: str,
) -> None:
    free = replace(SOUND, driver=None, driver_override=None)
    host = machine(group(free, id="6"))
    assert results(f"rebind=15:00.1,{driver}", host=host) == ["unknown"]
    assert results(f"bind=15:00.1,{driver}", host=host) == ["0"]


@pytest.mark.parametrize("override", [None, "vfio-pci", Missing.DENIED])
def test_a_probe_passes_over_a_device_that_has_a_driver(
    override: Fact[str | None],
) -> None:
    host = machine(group(replace(SOUND, driver_override=override), id="6"))
    assert results("probe=15:00.1", host=host) == ["0"]
    assert take("probe=15:00.1", host=host).after == host


def test_what_a_driver_refuses_a_probe_does_not_tell() -> None:
    unbound = ("unbind=00:01.0", "override=00:01.0,vfio-pci")
    found = take(*unbound, "probe=00:01.0")
    last = found.outcomes[-1].answer
    assert (last.result, last.probe) == ("0", "-EINVAL")
    assert "vfio-pci refuses (-EINVAL), which is not told" in last.because
    port = next(d for d in found.after.devices if d.address == "0000:00:01.0")
    assert port.driver is None


def test_a_probe_tells_of_a_claimed_group_by_its_own_error() -> None:
    steps = ("override=15:00.1,snd_hda_intel", "probe=15:00.1")
    found = take(*CLAIMED, *steps).outcomes[-1].answer
    assert (found.result, found.probe) == ("-EINVAL", "")
    assert "user space holds group 6 (-EBUSY in itself)" in found.because


@pytest.mark.parametrize(
    ("driver", "result"),
    [
        ("ixgbe", "0"),
        ("nvme", "0"),
        ("pci-pf-stub", "0"),
        ("pci-stub", "-ENOENT"),
        ("uio_pci_generic", "-ENOENT"),
        (None, "-ENOENT"),
        ("vfio-pci", "unknown"),
        ("virtio-pci", "unknown"),
        ("nvidia", "unknown"),
        (Missing.DENIED, "unknown"),
    ],
)
def test_virtual_functions_are_made_by_drivers_that_can(
    driver: Any, result: str
) -> None:
    host = machine(group(BUSY, id="5"), group(replace(NIC, driver=driver), id="6"))
    found = take("sriov=15:00.0,2", host=host)
    assert found.outcomes[0].answer.result == result
    assert any(d.pci.is_virtual for d in found.after.devices) is (result == "0")


def test_virtual_functions_take_the_claim_with_them() -> None:
    physical = replace(
        NIC,
        driver="nvme",
        pci=replace(NIC.pci, virtfns=(DeviceId("0000:15:10.0", "pci"),)),
    )
    virtual = replace(
        below(BUSY, 0, "vfio-pci", "7"), id=DeviceId("0000:15:10.0", "pci")
    )
    held = group(virtual, id="7", held=Held.BY_USER)
    host = machine(group(physical, id="6"), held)
    assert results("sriov=15:00.0,0", host=host) == ["0"]
    old = replace(host, kernel=replace(host.kernel, release="5.10.0"))
    assert results("sriov=15:00.0,0", host=old, rules=OLD) == ["blocks"]


def test_before_5_19_it_kills_the_host_and_nothing_comes_after() -> None:
    simulation = take(*CLAIMED, "bind=15:00.1,snd_hda_intel", "release=6", rules=OLD)
    assert [o.answer.result for o in simulation.outcomes] == [
        "0",
        "0",
        "host-crash",
        "n/a",
    ]
    assert not simulation.alive


def test_where_the_kernel_is_not_known_the_step_is_unknown() -> None:
    steps = (*CLAIMED, "bind=15:00.1,snd_hda_intel")
    assert results(*steps, rules=UNKNOWN_KERNEL)[-1] == "unknown"
    assert not take(*steps, rules=UNKNOWN_KERNEL).certain


@pytest.mark.parametrize("driver", ["vfio-pci", "pci-stub", "mlx5_vfio_pci"])
def test_drivers_that_leave_dma_alone_bind_in_a_claimed_group(driver: str) -> None:
    assert results(*CLAIMED, f"bind=15:00.1,{driver}")[-1] == "0"
    assert results(*CLAIMED, f"bind=15:00.1,{driver}", rules=OLD)[-1] == "0"


def test_a_mixed_group_is_refused_to_user_space() -> None:
    assert results("claim=6") == ["-EPERM"]
    # Before v5.19 nothing looks before a device is opened.
    assert results("claim=6", rules=OLD) == ["0"]


def test_a_claimed_group_is_busy_for_everybody_else() -> None:
    simulation = take(*CLAIMED)
    held = the_group(simulation, "6")

    def ask(operation: str) -> str:
        return Inquiry(simulation.after, NOW).operation(held, operation).result

    assert ask(CLAIM) == "-EPERM"
    assert ask(GET_STATUS) == ask(SET_CONTAINER) == ask(SET_IOMMU) == "-EBUSY"
    assert results(*CLAIMED, "claim=6")[-1] == "-EBUSY"
    assert results(*CLAIMED, "release=6", "claim=6")[-1] == "0"


def test_an_attached_domain_keeps_others_out_until_it_is_detached() -> None:
    attached = ("attach=00:02.0",)
    assert results(*attached, "attach=00:02.0")[-1] == "-EBUSY"
    assert results(*attached, "detach=00:02.0", "attach=00:02.0")[-1] == "0"
    simulation = take(*attached)
    held = the_group(simulation, "2")
    assert Inquiry(simulation.after, NOW).operation(held, CLAIM).result == "-EBUSY"


def test_a_detach_without_an_attach_is_no_call() -> None:
    assert results("detach=00:02.0") == ["n/a"]


def test_a_group_that_grew_is_not_detached() -> None:
    steps = ("attach=00:02.0", "hotplug=00:02.0", "detach=00:02.0")
    simulation = take(*steps)
    assert "does not detach" in simulation.outcomes[-1].answer.because
    assert Inquiry(simulation.after, NOW).attach(BARE).result == "-EINVAL"


@pytest.mark.parametrize(
    ("era", "detaches"),
    [(BEFORE_4_2, True), (BEFORE_5_19, False), (SINCE_6_6, False), (PROPOSED, True)],
    ids=lambda each: getattr(each, "name", str(each)),
)
def test_a_group_that_grew_is_detached_where_attaching_does_not_count(
    era: Era, detaches: bool
) -> None:
    steps = ("attach=00:02.0", "hotplug=00:02.0", "detach=00:02.0")
    simulation = take(*steps, rules=only(era))
    assert simulation.outcomes[-1].answer.result == "0"
    assert (the_group(simulation, "2").held is Held.FREE) is detaches


@pytest.mark.parametrize(
    ("where", "result", "joins"),
    [
        ("00:01.0", "0", "new"),
        ("00:02.0", "0", "2"),
        ("00:03.0", "0", "3"),
        ("00:04.0", "unknown", None),
        ("00:05.0", "-EBUSY", None),
        ("15:00.0", "-ENODEV", None),
    ],
)
def test_a_newcomer_joins_the_port_unless_acs_is_in_effect(
    where: str, result: str, joins: str | None
) -> None:
    outcome = take(f"hotplug={where}").outcomes[0]
    assert (outcome.answer.result, outcome.group) == (result, joins)


def test_a_newcomer_makes_the_singleton_rule_fail_for_its_port() -> None:
    assert Inquiry(HOST, NOW).attach(BARE).result == "0"
    after = take("hotplug=00:02.0,0200,e1000e").after
    assert Inquiry(after, NOW).attach(BARE).result == "-EINVAL"
    newcomer = next(d for d in after.devices if d.address == "0000:12:00.0")
    assert newcomer.driver == "e1000e"
    assert newcomer.driver_override is None  # nobody has written one
    assert newcomer.pci.pcie_type is PciExpType.ENDPOINT


@pytest.mark.parametrize(
    ("step", "result"),
    [
        # random-573 and random-574 on 5.10: in one the host died, in the other it hung
        ("unbind=15:00.1", "unknown"),
        ("unplug=15:00.1", "unknown"),
        ("unload=snd_hda_intel", "unknown"),
        ("unbind=15:00.0", "blocks"),
    ],
)
def test_a_driver_of_the_host_whose_dma_a_user_has_may_end_in_any_way(
    step: str, result: str
) -> None:
    """Before v5.19 the group goes to user space beside it."""
    found = take("claim=6", step, host=of_release("5.10.0"), rules=OLD)
    assert [outcome.answer.result for outcome in found.outcomes] == ["0", result]
    if step.startswith("unbind") and result == "unknown":
        sound = next(d for d in found.after.devices if d.id == SOUND.id)
        assert sound.driver is Missing.ABSENT


NIC_ID = "new_id=vfio-pci,8086:1234"


@pytest.mark.parametrize(
    ("steps", "driver"),
    [
        ((NIC_ID, "hotplug=00:02.0,0200,e1000e"), Missing.ABSENT),
        ((NIC_ID, "hotplug=00:02.0,0200"), Missing.ABSENT),
        ((NIC_ID, "hotplug=00:02.0"), Missing.ABSENT),
        ((NIC_ID, "hotplug=00:02.0,0200,vfio-pci"), "vfio-pci"),
        (("new_id=pci-stub,1234:1111", "hotplug=00:02.0,0c03"), Missing.ABSENT),
        # What has this id is a network card, and so is no USB controller.
        ((NIC_ID, "hotplug=00:02.0,0c03,xhci_hcd"), "xhci_hcd"),
        ((NIC_ID, "remove_id=vfio-pci,8086:1234", "hotplug=00:02.0,02,x"), "x"),
    ],
)
def test_what_takes_a_newcomer_is_not_told_where_another_driver_knows_its_id(
    steps: tuple[str, ...], driver: object
) -> None:
    """Found by random-521 on 7.3: vfio-pci took what e1000e was to take."""
    after = take(*steps).after
    newcomer = next(d for d in after.devices if d.address == "0000:12:00.0")
    assert newcomer.driver == driver


def test_what_was_plugged_in_can_be_used_by_later_steps_and_pulled() -> None:
    steps = ("hotplug=00:01.0", "bind=11:00.0,vfio-pci", "unplug=11:00.0")
    simulation = take(*steps)
    assert [o.answer.result for o in simulation.outcomes] == ["0", "0", "0"]
    assert simulation.after == HOST


def placed(above: Device, **pci: Any) -> Device:
    return replace(above, pci=replace(above.pci, **pci))


CONVENTIONAL = placed(
    BUSY, pcie_type=PciExpType.PCI_BRIDGE, acs=None, hotplug_slot=False
)


def test_a_bridge_to_conventional_pci_takes_the_newcomer_into_its_group() -> None:
    host = machine(group(CONVENTIONAL, id="5"))
    simulation = take("hotplug=00:05.0", host=host)
    outcome = simulation.outcomes[0]
    assert (outcome.answer.result, outcome.group) == ("0", "5")
    (newcomer,) = set(simulation.after.devices) - set(host.devices) - {CONVENTIONAL}
    assert newcomer.pci.pcie_type is None


def test_a_card_needs_a_place_that_takes_it_while_the_host_runs() -> None:
    upstream = placed(CLEAN, pcie_type=PciExpType.UPSTREAM, hotplug_slot=False)
    for where, result, because in (
        (upstream, "-ENODEV", "upstream port"),
        (placed(CLEAN, hotplug_slot=False), "-ENODEV", "not have a slot"),
        (placed(CLEAN, hotplug_slot=Missing.DENIED), "unknown", "has a slot"),
    ):
        simulation = take("hotplug=00:01.0", host=machine(group(where)))
        (outcome,) = simulation.outcomes
        assert outcome.answer.result == result
        assert because in outcome.answer.because
        assert simulation.certain is (result != "unknown")
    # Without an IOMMU the group is known, and still not whether a card can come.
    untold = replace(placed(CLEAN, pcie_type=Missing.DENIED), group=None)
    assert results("hotplug=00:01.0", host=machine(ungrouped=[untold])) == ["unknown"]


def test_a_conventional_bus_is_full_after_31_cards() -> None:
    cards = [
        replace(
            device(f"0000:15:{slot:02x}.0", group="5"),
            path=f"{BUSY.path}/0000:15:{slot:02x}.0",
        )
        for slot in range(1, 32)
    ]
    last = "hotplug=00:05.0"
    host = machine(group(CONVENTIONAL, *cards[:-1], id="5"))
    assert results(last, last, host=host) == ["0", "-EBUSY"]
    assert results(last, host=machine(group(CONVENTIONAL, *cards, id="5"))) == [
        "-EBUSY"
    ]


ON_NVME = ("unbind=15:00.0", "bind=15:00.0,nvme")


def test_virtual_functions_get_groups_of_their_own_below_a_clean_port() -> None:
    simulation = take(*ON_NVME, "sriov=15:00.0,2")
    assert simulation.outcomes[-1].group == "new"
    added = {d.address for d in simulation.after.devices} - {
        d.address for d in HOST.devices
    }
    # 15:00.0 is 0x1500; offset 0x80, stride 2.
    assert added == {"0000:15:10.0", "0000:15:10.2"}
    some = (*ON_NVME, "sriov=15:00.0,2")
    assert results(*some, "sriov=15:00.0,1")[-1] == "-EBUSY"
    assert results(*some, "sriov=15:00.0,2")[-1] == "0"
    assert take(*some, "sriov=15:00.0,0").after == take(*ON_NVME).after
    assert results(*ON_NVME, "sriov=15:00.0,9")[-1] == "-ERANGE"


def test_virtual_functions_have_the_device_id_of_their_capability() -> None:
    """An 82599 is 8086:10fb, its virtual functions are 8086:10ed."""
    for told in (0x10ED, Missing.ABSENT):
        physical = replace(
            placed(NIC, sriov=SrIov(4, 0x80, 2, told)),
            driver="ixgbe",
            ids=PciIds(0x8086, 0x10FB, 0x15D9, 0x0611, 0x020000, 1),
        )
        after = take("sriov=15:00.0,1", host=machine(group(physical))).after
        (virtual,) = (d for d in after.devices if d.address == "0000:15:10.0")
        # PCIe 6.0, 9.3.4.1: the class and the subsystem's vendor are the same.
        assert virtual.ids == PciIds(
            0x8086, told, subsystem_vendor=0x15D9, class_code=0x020000
        )


@pytest.mark.parametrize(("rules", "refused"), [(NOW, "-EBUSY"), (OLD, "unknown")])
def test_vfio_pci_refuses_a_physical_function_whose_virtual_ones_are_there(
    rules: Semantics, refused: str
) -> None:
    """5.10 said -ENODEV and 6.12 -EBUSY, to a random machine (seed 78)."""
    some = (*ON_NVME, "sriov=15:00.0,2", "unbind=15:00.0")
    assert results(*some, "bind=15:00.0,vfio-pci", rules=rules)[-1] == refused
    assert results(*some, "bind=15:00.0,nvme", rules=rules)[-1] == "0"
    virtual = ("unbind=15:10.0", "bind=15:10.0,vfio-pci")
    assert results(*some, *virtual, rules=rules)[-1] == "0"


def test_virtual_functions_need_a_driver_that_makes_them() -> None:
    assert results("unbind=15:00.0", "sriov=15:00.0,2")[-1] == "-ENOENT"
    assert results("sriov=15:00.0,2") == ["unknown"]  # vfio-pci, by its parameter


@pytest.mark.parametrize(
    ("enabled", "answer"),
    [(True, "0"), (False, "-ENOENT"), (Missing.DENIED, "unknown")],
)
def test_vfio_pci_makes_virtual_functions_where_its_parameter_allows_it(
    enabled: Fact[bool], answer: str
) -> None:
    host = replace(HOST, vfio=replace(HOST.vfio, enable_sriov=enabled))
    assert results("sriov=15:00.0,2", host=host) == [answer]


def test_vfio_pci_keeps_the_virtual_functions_that_it_makes() -> None:
    host = replace(HOST, vfio=replace(HOST.vfio, enable_sriov=True))
    after = take("sriov=15:00.0,2", host=host).after
    made = [d for d in after.devices if d.pci.is_virtual]
    assert [(d.driver, d.driver_override) for d in made] == [("vfio-pci",) * 2] * 2
    # vfio_pci_core_unregister_device() takes them along.
    after = take("sriov=15:00.0,2", "unbind=15:00.0", host=host).after
    assert not any(d.pci.is_virtual for d in after.devices)


def test_no_step_changes_the_machine_that_was_read() -> None:
    before = repr(HOST)
    take(*CLAIMED, "hotplug=00:02.0", "attach=00:01.0", "unplug=00:05.0")
    assert repr(HOST) == before


@pytest.mark.parametrize(
    "text",
    [
        *("", "bind", "bind=", "bind=1,2,3", "bind=01:00.0", "fly=01:00.0"),
        *("sriov=x,y", "sriov=x,-1", f"sriov=x,{'9' * 5000}"),
    ],
)
def test_a_step_written_otherwise_says_how_it_is_written(text: str) -> None:
    with pytest.raises(BadStepError, match=r"step|written|number"):
        parse_step(text)


@pytest.mark.parametrize("step", ["bind=7f:00.0,x", "claim=99", "unbind=group:6"])
def test_a_step_on_what_is_not_there_names_it(step: str) -> None:
    with pytest.raises(UnknownTargetError):
        take(step)


def test_a_group_that_is_not_there_is_spoken_of_as_a_group() -> None:
    """Not as a device, even where a device's name has the number in it."""
    for subject in ("99", "group:99", "15"):
        for verb in ("claim", "release"):
            number = subject.removeprefix("group:")
            wanted = f"there is no group '{number}'; the groups go from 1 to 6"
            with pytest.raises(UnknownTargetError, match=wanted):
                take(f"{verb}={subject}")
    assert results("unbind=15:00.1", "claim=15:00.0")[-1] == "0"


def test_a_bind_of_a_driver_that_the_override_does_not_name_is_refused() -> None:
    """The write to ``bind`` alone; ``bind=`` of whatif writes the override first."""
    free = "unbind=15:00.1"
    raw = Rebind("raw", "15:00.1", "snd_hda_intel")
    for override, result in (
        (("override=15:00.1,vfio-pci",), "-ENODEV"),
        (("override=15:00.1,snd",), "-ENODEV"),
        (("override=15:00.1,snd_hda_intel",), "0"),
        (("override=15:00.1",), "0"),
    ):
        steps = [parse_step(text) for text in (free, *override)]
        found = simulate(HOST, NOW, [*steps, raw])
        assert found.outcomes[-1].answer.result == result
        bound = next(d for d in found.after.devices if d.address == SOUND.address)
        assert bound.driver == ("snd_hda_intel" if result == "0" else None)
        named = override[0].partition(",")[2] or None
        assert bound.driver_override == named
    untold = replace(SOUND, driver=None, driver_override=Missing.DENIED)
    found = simulate(machine(group(NIC, untold)), NOW, [raw])
    assert found.outcomes[0].answer.result == "unknown"
    # vfio-pci has no ids of its own: without an override nothing says it would match.
    lonely = Rebind("raw", "15:00.1", "vfio-pci")
    found = simulate(HOST, NOW, [parse_step(free), lonely])
    assert found.outcomes[-1].answer.result == "unknown"
    assert results(free, "override=15:00.1,snd", "bind=15:00.1,vfio-pci")[-1] == "0"


def test_what_is_not_told_makes_the_answer_unknown() -> None:
    untold = replace(SOUND, driver=Missing.DENIED)
    nowhere = replace(SOUND, driver=None, group=Missing.ABSENT)
    hidden = replace(placed(NIC, sriov=Missing.TRUNCATED), driver="nvme")
    vague = replace(NIC, driver=Missing.DENIED)
    below_untold = replace(
        NIC, path=f"{UNTOLD.path}/{NIC.address}", driver="nvme", group="7"
    )
    for host, steps in (
        (machine(group(NIC, untold)), ("unbind=15:00.1",)),
        (machine(group(NIC, untold)), ("bind=15:00.1,vfio-pci",)),
        (machine(ungrouped=[nowhere]), ("bind=15:00.1,vfio-pci",)),
        (machine(group(hidden)), ("sriov=15:00.0,2",)),
        (machine(group(vague)), ("sriov=15:00.0,2",)),
        (machine(group(UNTOLD), group(below_untold, id="7")), ("sriov=15:00.0,2",)),
    ):
        assert results(*steps, host=host) == ["unknown"]


def test_what_the_kernel_refuses_to_bind() -> None:
    free = "unbind=15:00.1"
    alone = replace(SOUND, driver=None, group=None)
    by_mode = VfioSettings(enable_unsafe_noiommu_mode=True)
    for host, steps, result in (
        (HOST, ("bind=15:00.1,snd_hda_intel",), "-EBUSY"),
        (HOST, ("unbind=00:01.0", "bind=00:01.0,vfio-pci"), "-EINVAL"),
        (machine(ungrouped=[alone]), ("bind=15:00.1,vfio-pci",), "-EINVAL"),
        (
            machine(ungrouped=[alone], vfio=by_mode),
            ("bind=15:00.1,vfio-pci",),
            "0",
        ),
        (HOST, (free, free), "-ENOENT"),
        (HOST, ("release=6",), "0"),  # nothing refuses to close a file
        (HOST, ("sriov=15:00.1,2",), "-ENOENT"),
        (HOST, ("unplug=15:00.1", free), "-ENODEV"),
    ):
        assert results(*steps, host=host)[-1] == result, steps


def test_a_driver_that_binds_beside_a_domain_of_the_host() -> None:
    """The group's domain is looked at only where another driver has bound before."""
    alone = machine(group(replace(SOUND, driver=None)))
    attached = ("attach=15:00.1", "bind=15:00.1,snd_hda_intel")
    assert results(*attached, host=alone) == ["0", "0"]
    assert results(*attached, host=alone, rules=OLD) == ["0", "0"]
    steps = ("attach=00:02.0", "hotplug=00:02.0,0200,e1000e")
    assert results(*steps) == ["0", "0"]
    assert results(*CLAIMED, "hotplug=00:02.0,0200")[-1] == "0"
    other = replace(SOUND, id=DeviceId("mei.0", "cdx"), driver=None)
    # Interrupts of what is no PCI function are a question of their own.
    unsafe = VfioSettings(False, True, False, type1_loaded=True)
    host = machine(group(replace(NIC, group="1"), other), vfio=unsafe)
    assert results("claim=1", "bind=mei.0,thing", host=host) == ["0", "0"]


def test_a_card_that_is_plugged_in_without_an_iommu_has_no_group() -> None:
    host = machine(ungrouped=[replace(CLEAN, group=None)])
    outcome = take("hotplug=00:01.0,notaclass,x", host=host).outcomes[0]
    assert (outcome.answer.result, outcome.group) == ("0", None)
    with pytest.raises(UnknownTargetError, match="has no group"):
        take("claim=00:01.0", host=host)
