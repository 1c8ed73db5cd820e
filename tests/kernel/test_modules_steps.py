"""VFIO's modules are loaded and removed, and their parameters written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import device, group, machine
from counting import calls

from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import BadStepError, parse_step
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import NO_VFIO_GROUP, Kernel, VfioSettings
from iommu_inspect.model.host.settings import ModuleState, Settings
from iommu_inspect.model.machine import Machine

NIC, USB = "0000:01:00.0", "0000:02:00.0"
TYPE1, PCI = "vfio_iommu_type1", "vfio_pci"
UNSAFE = f"parameter={TYPE1}.allow_unsafe_interrupts"
SRIOV = f"parameter={PCI}.enable_sriov"
LOADED = Settings(modules=((PCI, ModuleState.LOADED),))
VFIO = VfioSettings(
    enable_unsafe_noiommu_mode=Missing.ABSENT,
    type1_allow_unsafe_interrupts=False,
    type1_loaded=True,
    disable_denylist=False,
    enable_sriov=False,
)


def host(release: str = "6.12.1") -> Machine:
    """A NIC on vfio-pci, and a USB controller of the host."""
    given = device(NIC, "vfio-pci", vfio_devices=("vfio0",), driver_override="vfio-pci")
    return machine(
        group(given, id="1"),
        group(device(USB, "xhci_hcd", group="2"), id="2"),
        kernel=Kernel(release, command_line="quiet"),
        settings=LOADED,
        vfio=VFIO,
    )


def take(on: Machine, *steps: str) -> Simulation:
    return simulate(on, applicable(on.kernel), [parse_step(s) for s in steps])


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        # By 5.10, 6.1, 6.12 and 7.3: python -m lab run --machines modules
        ((f"{UNSAFE},Y",), "0"),
        ((f"{UNSAFE},x",), "-EINVAL"),
        ((f"{UNSAFE},off",), "0"),
        # 5.10 refuses it, 6.1 takes it: lib/kstrtox.c.
        ((f"{UNSAFE},true",), "unknown"),
        ((f"load={TYPE1}",), "0"),
        ((f"unload={TYPE1}",), "0"),
        ((f"unload={TYPE1}", f"{UNSAFE},Y"), "-ENOENT"),
        ((f"unload={TYPE1}", f"unload={TYPE1}"), "-ENOENT"),
        ((f"unload={TYPE1}", "claim=1"), "-ENODEV"),
        ((f"unload={TYPE1}", f"load={TYPE1}", "claim=1"), "0"),
        (("claim=1", f"unload={TYPE1}"), "-EAGAIN"),
        ((f"{SRIOV},1",), "0"),
        (("unload=vfio_pci", f"{SRIOV},1"), "-ENOENT"),
        (("unload=vfio_pci",), "0"),
        ((f"parameter={PCI}.disable_idle_d3,Y",), "0"),
        ((f"parameter={PCI}.disable_denylist,Y",), "-EACCES"),
        # By random steps: what was removed has no files to write to.
        (("unload=vfio_pci", f"rebind={NIC},vfio-pci"), "-ENOENT"),
        (("unload=vfio-pci", f"new_id=vfio-pci,{NIC}"), "-ENOENT"),
        (("unload=vfio_pci", f"probe={NIC}"), "0"),
        (("unload=snd_hda_intel",), "unknown"),
        (("load=e1000e",), "unknown"),
        (("parameter=kvm.nested,Y",), "unknown"),
    ],
)
def test_what_is_answered(steps: tuple[str, ...], answer: str) -> None:
    assert take(host(), *steps).outcomes[-1].answer.result == answer


def test_a_driver_that_goes_lets_go_and_comes_back_to_what_it_is_wanted_for() -> None:
    gone = take(host(), "unload=vfio_pci")
    assert [d.driver for d in gone.after.devices] == [None, "xhci_hcd"]
    wants = ("unload=vfio_pci", f"unbind={USB}", f"override={USB},vfio-pci")
    back = take(host(), *wants, "load=vfio_pci")
    assert [d.driver for d in back.after.devices] == ["vfio-pci", "vfio-pci"]


def test_the_last_device_of_a_claimed_group_waits_before_6_1() -> None:
    for release, answer in (("5.10.0-32-amd64", "blocks"), ("6.1.0-50-amd64", "0")):
        found = take(host(release), "claim=1", "unload=vfio_pci")
        assert found.outcomes[-1].answer.result == answer


def test_who_is_open_by_its_node_keeps_its_driver() -> None:
    on = host()
    nodes = replace(on.groups[0], nodes=frozenset({on.groups[0].devices[0].id}))
    held = replace(on, groups=(nodes, on.groups[1]))
    assert take(held, "unload=vfio_pci").outcomes[0].answer.result == "-EAGAIN"


def test_a_kernel_without_vfio_groups_has_no_type1_to_load() -> None:
    """7.3-no-group: python -m lab run --machines modules --kernels 7.3-no-group."""
    kernel = Kernel("7.3.4", features=frozenset({NO_VFIO_GROUP}))
    bare = replace(host(), kernel=kernel, vfio=replace(VFIO, type1_loaded=False))
    taken = take(bare, f"load={TYPE1}", f"unload={TYPE1}")
    assert [each.answer.result for each in taken.outcomes] == ["-ENOENT", "-ENOENT"]
    # Nodes of devices are there, and of groups nothing is told.
    own = device(NIC, "vfio-pci", vfio_devices=("vfio0",), vfio_cdev=True)
    untold = replace(bare, kernel=Kernel("7.3.4"), groups=(group(own),))
    (outcome,) = take(untold, f"load={TYPE1}").outcomes
    assert outcome.answer.result == "unknown"


def test_a_parameter_that_a_capture_leaves_out_may_be_there() -> None:
    """The module is loaded: that the file is not in the capture proves nothing."""
    left_out = replace(VFIO, enable_sriov=Missing.ABSENT)
    on = replace(host(), vfio=left_out)
    assert take(on, f"{SRIOV},Y").outcomes[0].answer.result == "unknown"
    assert take(on, "unload=vfio_pci", f"{SRIOV},Y").outcomes[1].answer.result == (
        "-ENOENT"
    )


def test_a_parameter_counts_from_then_on() -> None:
    after = take(host(), f"{UNSAFE},Y", f"{SRIOV},1").after.vfio
    assert after.type1_allow_unsafe_interrupts is True
    assert after.enable_sriov is True
    gone = take(host(), f"{UNSAFE},Y", f"unload={TYPE1}").after.vfio
    assert gone.type1_allow_unsafe_interrupts is Missing.ABSENT
    again = take(host(), f"{UNSAFE},Y", f"unload={TYPE1}", f"load={TYPE1}").after.vfio
    assert again.type1_allow_unsafe_interrupts is False


@pytest.mark.parametrize("text", ["parameter=vfio,Y", "load=", "unload=a,b"])
def test_steps_that_are_not_written_so(text: str) -> None:
    with pytest.raises(BadStepError):
        parse_step(text)


@pytest.mark.no_cover
def test_binding_all_of_a_group_twice_as_large_takes_twice_the_calls() -> None:
    """Each step has a machine of its own, which is not asked about all devices."""

    def bound(count: int) -> None:
        cards = [device(f"0000:{n // 32:02x}:{n % 32:02x}.0") for n in range(count)]
        simulation = take(
            machine(group(*cards)), *(f"bind={card.address},vfio-pci" for card in cards)
        )
        assert {o.answer.result for o in simulation.outcomes} == {"0"}

    assert calls(lambda: bound(400)) < 2.3 * calls(lambda: bound(200))
