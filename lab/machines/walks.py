"""What machines of every processor are taken through, with the devices it needs."""

from __future__ import annotations

from dataclasses import dataclass

from lab.machines.model import Device, port
from lab.machines.parts import (
    BOOTED,
    FUNCTIONS,
    bind,
    claim,
    give,
    load,
    new_id,
    parameter,
    released,
    remove_id,
    typed,
    unbind,
    unload,
)
from lab.steps import Move, Step, Verb

__all__ = ["CLAIM_ENDS", "MODULES", "NEW_IDS", "TYPES", "Walk"]

_TYPE1 = "vfio_iommu_type1"
_UNSAFE, _SRIOV = f"{_TYPE1}.allow_unsafe_interrupts", "vfio_pci.enable_sriov"


@dataclass(frozen=True, slots=True)
class Walk:
    """The devices of a machine, and the moves that lead to each of its states."""

    devices: tuple[Device, ...]
    states: tuple[tuple[Move, ...], ...]


CLAIM_ENDS = Walk(
    FUNCTIONS,
    (
        BOOTED,
        (*give("f0", "f1"), claim("f0")),
        unbind("f0"),
        (bind("f0", "e1000e"),),
        unbind("f1"),
        (bind("f0", "e1000e"), bind("f1", "vfio-pci"), claim("f1")),
    ),
)

NEW_IDS = Walk(
    (
        *(port("rp1", 1, "1.0"), Device("e1000e", "nic", "rp1")),
        *(port("rp2", 2, "2.0"), Device("e1000e", "twin", "rp2")),
        *(port("rp3", 3, "3.0"), Device("nec-usb-xhci", "usb", "rp3")),
    ),
    (
        BOOTED,
        (*unbind("nic"), new_id("nic"), new_id("nic"), remove_id("usb")),
        # What has an override for the driver goes along.
        (*unbind("usb"), Step(Verb.OVERRIDE, "usb", "vfio-pci"), new_id("twin")),
        (*unbind("twin"), Step(Verb.OVERRIDE, "twin", "pci-stub"), new_id("nic")),
        (remove_id("nic"), remove_id("nic"), *unbind("nic"), new_id("nic")),
        (new_id("nic", "pci-stub"), *unbind("nic"), new_id("usb", "pci-stub")),
    ),
)

TYPES = Walk(
    (
        *(port("rp1", 1, "1.0"), Device("e1000e", "nic", "rp1")),
        port("rp2", 2, "2.0"),
        Device("e1000e", "one", "rp2", "0.0", "multifunction=on"),
        Device("nec-usb-xhci", "two", "rp2", "0.1"),
    ),
    (
        BOOTED,
        (*typed("nic", "identity", "DMA-FQ"), *typed("one", "identity", "DMA-FQ")),
        (*unbind("nic", "one"), *typed("nic", "identity", "identity", "auto")),
        (*unbind("two"), *typed("one", "identity", "DMA", "DMA-FQ", "DMA")),
        (*give("nic", "one", "two"), *typed("nic", "DMA", "DMA-FQ", "identity")),
        (claim("one"), *typed("one", "DMA", "DMA-FQ", "identity", "auto")),
        (released("one"), *typed("one", "DMA", "DMA-FQ")),
    ),
)

MODULES = Walk(
    (
        *(port("rp1", 1, "1.0"), Device("e1000e", "nic", "rp1")),
        *(port("rp2", 2, "2.0"), Device("nec-usb-xhci", "usb", "rp2")),
    ),
    (
        BOOTED,
        (*give("nic"), *parameter(_UNSAFE, "Y", "x", "off"), load(_TYPE1)),
        (unload(_TYPE1), *parameter(_UNSAFE, "Y"), unload(_TYPE1), claim("nic")),
        (load(_TYPE1), claim("nic"), unload(_TYPE1), *parameter(_SRIOV, "1", "0")),
        (released("nic"), unload("vfio_pci"), *parameter(_SRIOV, "1")),
        (*unbind("usb"), Step(Verb.OVERRIDE, "usb", "vfio-pci"), load("vfio_pci")),
        (claim("nic"), *parameter("vfio_pci.disable_idle_d3", "Y")),
        (unload("vfio_pci"),),
    ),
)
