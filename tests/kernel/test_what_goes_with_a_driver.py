"""What vanishes when a driver lets go, what comes back, and what is refused."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, device, functions, group, machine, only
from examples import each

from iommu_inspect.kernel.denylist import denial
from iommu_inspect.kernel.eras import Semantics, applicable, named
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.kernel.variants import known_variant, vfio_driver_for
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.host.kernel import Kernel, VfioSettings
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.machine import Machine

NEW = only(SINCE_6_6)
VMD = replace(device("0000:00:0e.0", "vmd"), path="sys/devices/pci0000:00/0000:00:0e.0")
BEHIND = replace(
    device("10000:e1:00.0", "nvme"), path=f"{VMD.path}/pci10000:e0/10000:e1:00.0"
)


def results(host: Machine, *steps: str, rules: Semantics = NEW) -> list[str]:
    found = simulate(host, rules, [parse_step(step) for step in steps])
    return [outcome.answer.result for outcome in found.outcomes]


def after(host: Machine, *steps: str) -> dict[str, str | None]:
    found = simulate(host, NEW, [parse_step(step) for step in steps])
    return {d.address: str(d.driver or "-") for d in found.after.devices}


def test_what_is_behind_a_vmd_goes_with_its_driver_and_comes_back_with_it() -> None:
    host = machine(group(VMD, BEHIND))
    off = "unbind=0000:00:0e.0"
    assert after(host, off) == {"0000:00:0e.0": "-"}
    assert results(host, off, "unbind=10000:e1:00.0") == ["0", "-ENODEV"]
    assert after(host, off, "bind=00:0e.0,vfio-pci") == {"0000:00:0e.0": "vfio-pci"}
    back = (off, "override=00:0e.0", "rebind=00:0e.0,vmd")
    assert after(host, *back) == {"0000:00:0e.0": "vmd", "10000:e1:00.0": "nvme"}


def physical(driver: str) -> Group:
    pf = replace(
        device("0000:03:00.0", driver),
        pci=PciPlacement(0, False, physfn=None, virtfns=functions("0000:03:10.0")),
    )
    vf = replace(
        device("0000:03:10.0", "iavf"),
        pci=PciPlacement(0, False, physfn=functions("0000:03:00.0")[0], virtfns=()),
    )
    return group(pf, vf)


@each(
    "driver, off, bind",
    [
        ("ixgbe", "0", "0"),  # its remove function calls pci_disable_sriov()
        ("mlx5_core", "0", "0"),
        ("nvme", "0", "-EBUSY"),  # it leaves them
        ("homemade", "unknown", "unknown"),
    ],
)
def test_virtual_functions_go_where_the_driver_removes_them(
    driver: str, off: str, bind: str
) -> None:
    host = machine(physical(driver))
    found = results(host, "unbind=03:00.0", "bind=03:00.0,vfio-pci")
    assert found == [off, bind]


def test_a_parent_waits_for_who_has_its_mediated_device_open() -> None:
    parent = device("0000:3d:00.0", "nvidia")
    mdev = replace(
        device("83b8f4f2", "nvidia-vgpu-vfio", bus="mdev", group="9"),
        path=f"{parent.path}/83b8f4f2",
    )
    free = machine(group(parent), group(mdev, id="9"))
    assert after(free, "unbind=3d:00.0") == {"0000:3d:00.0": "-"}
    held = group(mdev, id="9", held=Held.BY_USER)
    assert results(machine(group(parent), held), "unbind=3d:00.0") == ["blocks"]


def quickassist(model: int = 0x37C9) -> Device:
    return replace(device("0000:b1:01.0"), ids=PciIds(0x8086, model))


def on(release: str, *, disabled: bool | Missing = Missing.ABSENT) -> Machine:
    vfio = VfioSettings(False, False, False, True, disabled)
    return machine(group(quickassist()), kernel=Kernel(release), vfio=vfio)


@each(
    "release, model, denied",
    [
        ("4.15.0-213-generic", 0x37C9, False),
        ("5.8.18", 0x37C9, False),
        ("5.9.1", 0x37C9, True),
        ("5.10.0-23-amd64", 0x37C9, True),
        ("6.12.1", 0x37C9, True),
        ("6.12.1", 0x4941, False),
        ("6.12.1", 0x0B25, True),
        ("6.1.0-18-amd64", 0x0B25, None),  # Debian's 6.1.192 has it, earlier ones not
        ("4.18.0-553.el8_10.x86_64", 0x37C9, None),  # carries newer code
    ],
)
def test_the_denylist_came_with_releases(
    release: str, model: int, denied: bool | None
) -> None:
    host = on(release)
    rules = applicable(host.kernel)
    assert denial(host, quickassist(model), rules).denied is denied
    disabled = on(release, disabled=True)
    assert denial(disabled, quickassist(model), rules).denied is False


def test_a_denied_device_is_refused_by_the_probe_whatever_bind_says() -> None:
    step = "bind=b1:01.0,vfio-pci"
    assert results(on("6.12.1"), step) == ["-EINVAL"]
    old = on("5.10.0-23-amd64")
    found = simulate(old, applicable(old.kernel), [parse_step(step)]).outcomes[0]
    assert (found.answer.result, found.answer.probe) == ("unknown", "-EINVAL")
    assert results(on("4.15.0"), step, rules=named("4.15")) == ["0"]


ALIASES = (
    ("vfio_pci:v00008086d0000E20Bsv*sd*bc*sc*i*", "xe_vfio_pci"),
    ("vfio_pci:v*d*sv*sd*bc*sc*i*", "vfio_pci"),
    ("vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*", "mlx5_vfio_pci"),
    ("vfio_pci:v000010DEd00002342sv*sd*bc*sc*i*", "nvgrace_gpu_vfio_pci"),
)


@each(
    "vendor, model, driver",
    [
        (0x15B3, 0x101E, "mlx5_vfio_pci"),
        (0x10DE, 0x2342, "nvgrace_gpu_vfio_pci"),
        (0x15B3, 0x1017, "vfio-pci"),
        (0x8086, 0xE20B, "xe-vfio-pci"),  # the module is xe_vfio_pci
    ],
)
def test_the_driver_is_the_one_that_the_kernel_has_for_the_device(
    vendor: int, model: int, driver: str
) -> None:
    card = replace(device("0000:01:00.0"), ids=PciIds(vendor, model))
    host = machine(group(card), settings=Settings(vfio_aliases=ALIASES))
    assert vfio_driver_for(host, card) == driver
    assert vfio_driver_for(machine(group(card)), card) == "vfio-pci"


@each(
    "release, variant",
    [("6.12.1", "nvgrace_gpu_vfio_pci"), ("6.8.0", None), (Missing.ABSENT, None)],
)
def test_a_variant_is_named_where_only_the_release_says_that_it_may_be_there(
    release: str | Missing, variant: str | None
) -> None:
    card = replace(device("0000:01:00.0"), ids=PciIds(0x10DE, 0x2342))
    host = machine(group(card), kernel=Kernel(release))
    assert known_variant(host, card) == variant
    listed = machine(group(card), settings=Settings(vfio_aliases=ALIASES))
    assert known_variant(listed, card) is None
