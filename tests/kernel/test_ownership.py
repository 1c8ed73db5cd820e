"""Who counts as a DMA user, and what that makes of a group."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import (
    ALL_ERAS,
    BEFORE_5_19,
    SINCE_5_19,
    SINCE_6_2,
    SINCE_6_6,
    UNKNOWN_KERNEL,
    device,
    group,
    machine,
    only,
    ownership_of,
)
from examples import each

from iommu_inspect.kernel.eras import Era, applicable, named
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import SET_IOMMU
from iommu_inspect.kernel.ownership.roles import Ownership, Role, role
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel, VfioSettings

NIC = "0000:01:00.0"
BRIDGE = "0000:00:01.0"


@each("era", ALL_ERAS)
@each(
    "driver, expected",
    [
        (None, Role.NONE),
        ("vfio-pci", Role.VFIO),
        ("mlx5_vfio_pci", Role.VFIO),
        ("xe-vfio-pci", Role.VFIO),
        ("nvgrace_gpu_vfio_pci", Role.VFIO),
        ("pci-stub", Role.MANAGED),
        ("e1000e", Role.KERNEL),
        ("uio_pci_generic", Role.KERNEL),
        ("igb_uio", Role.KERNEL),
        ("pciback", Role.KERNEL),
        ("i801_smbus", Role.KERNEL),
        ("acme_vfio_pci", Role.UNKNOWN),
        (Missing.ABSENT, Role.UNKNOWN),
        (Missing.UNREADABLE, Role.UNKNOWN),
    ],
)
def test_an_endpoint_counts_by_its_driver_on_every_kernel(
    driver: str | Missing | None, expected: Role, era: Era
) -> None:
    assert role(device(NIC, driver), era) is expected


@pytest.mark.parametrize("era", ALL_ERAS, ids=lambda era: era.name)
def test_pcieport_never_blocks(era: Era) -> None:
    assert role(device(BRIDGE, "pcieport", bridge=True), era) is Role.MANAGED


def test_a_bridge_on_another_driver_blocks_since_5_19_and_did_not_before() -> None:
    bridge = device(BRIDGE, "shpchp", bridge=True)
    assert role(bridge, BEFORE_5_19) is Role.MANAGED
    assert role(bridge, SINCE_5_19) is Role.KERNEL
    assert role(bridge, SINCE_6_6) is Role.KERNEL


def test_a_bridge_of_unknown_driver_was_harmless_before_5_19_only() -> None:
    bridge = device(BRIDGE, Missing.ABSENT, bridge=True)
    assert role(bridge, BEFORE_5_19) is Role.MANAGED
    assert role(bridge, SINCE_6_6) is Role.UNKNOWN


@each(
    "release, pcieport, shpchp",
    [
        # vfio_dev_viable() read in v3.6, v3.12 and v4.4; what is between is not known.
        ("3.6", "kernel", "kernel"),
        ("3.10", "unknown", "kernel"),
        ("3.12", "managed", "kernel"),
        ("4.3", "managed", "kernel"),
        ("4.4", "managed", "managed"),
        ("5.18", "managed", "managed"),
    ],
)
def test_before_4_4_vfio_passed_over_few_bridges(
    release: str, pcieport: str, shpchp: str
) -> None:
    (era,) = named(release).eras
    (kernels,) = applicable(Kernel(release)).eras
    assert era == kernels
    for driver, expected in (("pcieport", pcieport), ("shpchp", shpchp)):
        assert role(device("0000:00:1c.0", driver, bridge=True), era).value == expected
        bare = device("0000:00:1c.0", None, bridge=True)
        assert role(bare, era) is Role.NONE


def test_without_configuration_space_the_class_tells_a_bridge() -> None:
    bridge = replace(
        device(BRIDGE, "shpchp", bridge=True),
        pci=PciPlacement(header_type=Missing.DENIED),
    )
    assert role(bridge, BEFORE_5_19) is Role.MANAGED
    nameless = replace(bridge, ids=PciIds(0x8086, 0x1234))
    assert role(nameless, BEFORE_5_19) is Role.UNKNOWN


def test_vfio_dev_tells_a_variant_driver_of_any_name() -> None:
    variant = device(NIC, "acme_gpu", vfio_devices=("vfio0",))
    assert role(variant, SINCE_6_6) is Role.VFIO


@pytest.mark.parametrize(
    ("bus", "driver", "expected"),
    [
        ("platform", "arm-smmu-test", Role.KERNEL),
        ("platform", "vfio-platform", Role.VFIO),
        ("platform", "fsl-pci", Role.MANAGED),
        ("platform", "pcieport", Role.KERNEL),
        ("amba", "vfio-amba", Role.VFIO),
        ("amba", "pl330", Role.KERNEL),
        ("fsl-mc", "fsl_mc_dprc", Role.KERNEL),
        ("cdx", "cdx-thing", Role.KERNEL),
        ("host1x-context", "context", Role.UNENFORCED),
        # Whatever its name, a driver of this bus is there for VFIO.
        ("mdev", "vfio_mdev", Role.VFIO),
        ("mdev", "nvidia-vgpu-vfio", Role.VFIO),
        ("mdev", "intel_vgpu_mdev", Role.VFIO),
        ("mdev", None, Role.NONE),
        ("mdev", Missing.ABSENT, Role.UNKNOWN),
        ("some-new-bus", "thing", Role.UNKNOWN),
        (Missing.ABSENT, "thing", Role.UNKNOWN),
    ],
)
def test_only_buses_that_ask_make_a_driver_count_since_5_19(
    bus: str | Missing, driver: str, expected: Role
) -> None:
    assert role(device("soc:thing", driver, bus=bus), SINCE_6_6) is expected


VFIO = device("0000:01:00.0", "vfio-pci")
KERNEL = device("0000:01:00.1", "snd_hda_intel")
IDLE = device("0000:01:00.2")
PORT = device(BRIDGE, "pcieport", bridge=True)
UNTOLD = device("0000:01:00.3", Missing.ABSENT)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([], Ownership.NONE),
        ([IDLE], Ownership.NONE),
        ([PORT, IDLE], Ownership.NONE),
        ([KERNEL, PORT], Ownership.KERNEL),
        ([VFIO, PORT, IDLE], Ownership.USER),
        ([VFIO, KERNEL], Ownership.CONFLICT),
        ([VFIO, KERNEL, UNTOLD], Ownership.CONFLICT),
        ([VFIO, UNTOLD], Ownership.UNKNOWN),
        ([KERNEL, UNTOLD], Ownership.UNKNOWN),
        ([UNTOLD, IDLE], Ownership.UNKNOWN),
    ],
)
def test_a_group_is_what_its_members_make_it(
    members: list[Device], expected: Ownership
) -> None:
    assert ownership_of(group(*members), UNKNOWN_KERNEL) is expected
    assert ownership_of(group(*reversed(members)), only(SINCE_6_6)) is expected


def test_where_the_possible_kernels_differ_the_ownership_is_unknown() -> None:
    mixed = group(VFIO, device(BRIDGE, "shpchp", bridge=True))
    assert ownership_of(mixed, only(BEFORE_5_19)) is Ownership.USER
    assert ownership_of(mixed, only(SINCE_6_6)) is Ownership.CONFLICT
    assert ownership_of(mixed, UNKNOWN_KERNEL) is Ownership.UNKNOWN


@pytest.mark.parametrize(
    ("release", "era", "bus", "unsafe", "result"),
    [
        ("6.12.50", SINCE_6_6, "platform", False, "unknown"),
        ("6.3.0", SINCE_6_2, "platform", False, "unknown"),
        ("6.2.0", SINCE_6_2, "platform", False, "0"),
        ("6.12.50", SINCE_6_2, "fsl-mc", False, "unknown"),
        ("6.1.0", SINCE_5_19, "platform", False, "0"),
        ("6.12.50", SINCE_6_6, "platform", True, "0"),
        ("6.12.50", SINCE_6_6, "pci", False, "0"),
    ],
)
def test_since_6_3_a_device_is_asked_for_its_own_interrupts(
    release: str, era: Era, bus: str, unsafe: bool, result: str
) -> None:
    """6b1a7a00427c; a platform device without an MSI controller is refused."""
    driver = "vfio-pci" if bus == "pci" else f"vfio-{bus}"
    member = device("0000:01:00.0", driver, bus=bus, vfio_devices=("vfio0",))
    host = machine(
        group(member),
        kernel=Kernel(release=release),
        vfio=VfioSettings(False, unsafe, False, type1_loaded=True),
    )
    answer = Inquiry(host, only(era)).operation(host.groups[0], SET_IOMMU)
    assert answer.result == result
