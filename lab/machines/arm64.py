"""The machines with a 64-bit Arm processor."""

from __future__ import annotations

from lab.machines.model import Device, Iommu, Machine, port
from lab.machines.parts import (
    BOOTED,
    BRIDGES,
    FUNCTIONS,
    LOOSE,
    MIXED,
    PLAIN,
    SLOTS,
    SPARES,
    SRIOV,
    SWITCH,
    functions,
    give,
    plug,
    unbind,
)
from lab.machines.walks import CLAIM_ENDS, MODULES, NEW_IDS, TYPES
from lab.steps import Move

__all__ = ["ARM64"]

_HAND_OVER = (BOOTED, give("nic", "old1"), give("old2"))


def _arm(
    name: str,
    description: str,
    devices: tuple[Device, ...],
    states: tuple[tuple[Move, ...], ...],
    *,
    iommu: Iommu = Iommu.SMMUV3,
    kernel_arguments: str = "",
    spare: tuple[Device, ...] = (),
    gic_version: int = 3,
) -> Machine:
    return Machine(
        name,
        description,
        devices,
        iommu,
        "arm64",
        kernel_arguments,
        spare=spare,
        gic_version=gic_version,
        states=states,
    )


ARM64 = (
    _arm(
        "arm-smmu",
        "the reference machine on arm64, with an SMMUv3",
        MIXED,
        _HAND_OVER,
    ),
    _arm(
        "arm-gicv2",
        "arm64 with an SMMUv3 and an interrupt controller without an ITS",
        MIXED,
        _HAND_OVER,
        gic_version=2,
    ),
    _arm(
        "arm-functions",
        "arm64: endpoints with two functions, below a port and on the root bus",
        (
            *FUNCTIONS,
            Device("e1000e", "nic", None, "2.0", "multifunction=on"),
            Device("nec-usb-xhci", "usb", None, "2.1"),
        ),
        (BOOTED, give("f0", "nic"), unbind("f1", "usb")),
    ),
    _arm(
        "arm-switch",
        "arm64: a switch, a NIC and a USB controller below it",
        SWITCH,
        (BOOTED, give("nic"), give("usb")),
    ),
    _arm(
        "arm-no-acs",
        "arm64: ports without ACS",
        LOOSE,
        (BOOTED, give("nic1", "nic2"), give("usb")),
    ),
    _arm(
        "arm-ports",
        "arm64: ports that are functions of one slot",
        SLOTS,
        (BOOTED, give("nic1", "nic2"), unbind("nic3")),
    ),
    _arm(
        "arm-bridges",
        "arm64: conventional bridges behind each other",
        BRIDGES,
        (BOOTED, give("old1", "old2"), give("sound")),
    ),
    _arm(
        "arm-empty-slot",
        "arm64: empty slots with and without ACS, to plug a card into",
        SPARES,
        (BOOTED, plug("card1", "card2"), give("card1", "card2")),
        spare=(Device("e1000e", "card1", "bare"), Device("e1000e", "card2", "clean")),
    ),
    _arm(
        "arm-sriov",
        "arm64: an NVMe drive with virtual functions",
        SRIOV,
        (BOOTED, functions("disk"), give("disk/0", "nic")),
    ),
    _arm(
        "arm-identity",
        "arm64: the reference machine with identity domains",
        MIXED,
        _HAND_OVER,
        kernel_arguments="iommu.passthrough=1",
    ),
    _arm(
        "arm-no-iommu",
        "arm64 without an IOMMU",
        PLAIN,
        (BOOTED, give("nic")),
        iommu=Iommu.NONE,
    ),
    _arm(
        "arm-virtio-iommu",
        "arm64 with a paravirtual IOMMU",
        (*PLAIN, port("loose", 7, "7.0", acs=False), Device("e1000e", "nic2", "loose")),
        (BOOTED, give("nic", "nic2")),
        iommu=Iommu.VIRTIO,
    ),
    *(
        _arm(f"arm-{name}", f"arm64: {what}", walk.devices, walk.states)
        for name, what, walk in (
            ("claim-ends", "user space holds a group that leaves vfio", CLAIM_ENDS),
            ("new-ids", "drivers are told of ids, and forget them", NEW_IDS),
            ("types", "the types of groups are written", TYPES),
            ("modules", "VFIO's modules come and go", MODULES),
        )
    ),
)
