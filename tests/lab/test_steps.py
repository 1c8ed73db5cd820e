"""The lab's steps: what the guest does for one, and how the tool is told."""

from __future__ import annotations

import pytest
from examples import each

from lab.errors import LabError
from lab.machines import find_machine
from lab.steps import Command, Step, Verb, commands, parse_step, whatif

PLACES = {"usb": "0000:00:03.0", "bare": "0000:00:01.0", "group:usb": "3"}
USB = PLACES["usb"]
STEPS = [
    (
        Step(Verb.GIVE, "usb", "vfio-pci"),
        ["give usb vfio-pci"],
        [f"unbind={USB}", f"bind={USB},vfio-pci"],
    ),
    (
        Step(Verb.BIND, "usb", "vfio-pci"),
        ["override usb vfio-pci", "bind usb vfio-pci"],
        [f"bind={USB},vfio-pci"],
    ),
    (
        Step(Verb.REBIND, "usb", "xhci_hcd"),
        ["bind usb xhci_hcd"],
        [f"rebind={USB},xhci_hcd"],
    ),
    (Step(Verb.PROBE, "usb"), ["probe usb"], [f"probe={USB}"]),
    (Step(Verb.UNBIND, "usb"), ["unbind usb"], [f"unbind={USB}"]),
    (
        Step(Verb.OVERRIDE, "usb", "none"),
        ["override usb none"],
        [f"override={USB},none"],
    ),
    (Step(Verb.CLEAR, "usb"), ["override usb"], [f"override={USB}"]),
    (Step(Verb.CLAIM, "usb"), ["hold claim group:usb"], ["claim=3"]),
    (Step(Verb.RELEASE, "usb"), ["release claim group:usb"], ["release=3"]),
    (Step(Verb.OPEN, "usb"), ["hold bind node:usb"], [f"claim={USB},iommufd"]),
    (Step(Verb.CLOSE, "usb"), ["release bind node:usb"], [f"release={USB},iommufd"]),
    (Step(Verb.ATTACH, "usb"), ["oracle attach usb"], [f"attach={USB}"]),
    (Step(Verb.DETACH, "usb"), ["oracle drop usb"], [f"detach={USB}"]),
    (
        Step(Verb.HOTPLUG, "card1"),
        ["plug card1"],
        ["hotplug=0000:00:01.0,0200,e1000e"],
    ),
    (Step(Verb.UNPLUG, "usb"), ["unplug usb"], [f"unplug={USB}"]),
    (
        Step(Verb.SRIOV, "usb", "2"),
        ["autoprobe usb 0", "sriov usb 2"],
        [f"sriov={USB},2"],
    ),
    (
        Step(Verb.NEW_ID, "usb", "vfio-pci"),
        ["new_id vfio-pci usb"],
        [f"new_id=vfio-pci,{USB}"],
    ),
    (
        Step(Verb.REMOVE_ID, "usb", "vfio-pci"),
        ["remove_id vfio-pci usb"],
        [f"remove_id=vfio-pci,{USB}"],
    ),
    (Step(Verb.TYPE, "usb", "DMA"), ["domain group:usb DMA"], ["type=3,DMA"]),
    (Step(Verb.LOAD, "vfio_pci"), ["insert vfio_pci"], ["load=vfio_pci"]),
    (Step(Verb.UNLOAD, "vfio_pci"), ["unload vfio_pci"], ["unload=vfio_pci"]),
    (
        Step(Verb.PARAMETER, "vfio_pci.enable_sriov", "Y"),
        ["parameter vfio_pci enable_sriov Y"],
        ["parameter=vfio_pci.enable_sriov,Y"],
    ),
]


@each("step, told, texts", STEPS)
def test_a_step_in_the_guest_and_in_the_tool(
    step: Step, told: list[str], texts: list[str]
) -> None:
    machine = find_machine("empty-slot")
    assert list(commands(step)) == told
    assert list(whatif(step, machine, PLACES.__getitem__, bool)) == texts
    assert parse_step(str(step)) == step


def test_every_verb_is_told() -> None:
    assert [step.verb for step, _, _ in STEPS] == list(Verb)


def test_a_device_without_a_driver_is_not_unbound_before_it_is_given() -> None:
    step = Step(Verb.GIVE, "usb", "vfio-pci")
    texts = whatif(step, find_machine("switch"), PLACES.__getitem__, lambda _: False)
    assert texts == (f"bind={USB},vfio-pci",)


def test_what_is_no_step_is_told_as_it_is() -> None:
    moves = (Command("load vfio_pci"), Step(Verb.UNBIND, "usb"))
    assert commands(*moves) == ("load vfio_pci", "unbind usb")


@each("text", ["", "bind", "bind=a", "unbind=a,b", "jump=a", "bind=,vfio", "sriov=a,"])
def test_bad_steps_are_errors(text: str) -> None:
    with pytest.raises(LabError):
        parse_step(text)
