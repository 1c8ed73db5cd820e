"""What hangs below a device, and who uses it."""

from __future__ import annotations

import sys
from dataclasses import replace

from builders import device, functions, group, machine
from examples import each

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.uses.host import FATAL, Carrier, Host, HostUse, UseKind
from iommu_inspect.model.uses.losses import host_losses, is_fatal, perhaps_lost

A, B, C = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
UUID = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"


def place(name: str) -> str:
    return f"sys/devices/{name}"


def use(kind: UseKind, what: str, *names: str, via: str = "") -> HostUse:
    return HostUse(kind, (what,), tuple((place(n),) for n in names), via)


def below(device: Device, name: str, driver: str | None, bus: str = "pci") -> Device:
    return replace(device_of(name, driver, bus), path=f"{device.path}/x/{name}")


def device_of(name: str, driver: str | None, bus: str = "pci") -> Device:
    return device(name, driver, bus=bus, group=None)


def with_virtual(pf: Device, *names: str) -> Device:
    return replace(pf, pci=replace(pf.pci, virtfns=functions(*names)))


def test_what_is_behind_a_device_vanishes_with_it_and_below_a_bridge_nothing() -> None:
    vmd, port = device(A, "vmd"), device(B, "pcieport", bridge=True)
    drive, card = below(vmd, "10000:01:00.0", "nvme"), below(port, C, "igb")
    relations = Relations(machine(group(vmd, port, drive, card)))
    assert relations.below(vmd) == (drive,)
    assert relations.below(port) == relations.below(drive) == ()


def test_virtual_functions_and_mediated_devices_vanish_too() -> None:
    pf = with_virtual(device(A, "igb"), B, C)
    vf = device(B, "igbvf")
    mdev = below(vf, UUID, "vfio_mdev", "mdev")
    relations = Relations(machine(group(pf, vf, mdev)))
    assert [d.address for d in relations.below(pf)] == [B, UUID]


def test_uses_are_those_of_the_device_and_of_what_vanishes_with_it() -> None:
    vmd, other = device(A, "vmd"), device(B, "ahci")
    root = use(UseKind.FILE_SYSTEM, "/", f"{A}/x/10000:01:00.0", via="nvme0n1p2")
    mirror = HostUse(UseKind.FILE_SYSTEM, ("/srv",), ((place(A), place(B)),), "md0")
    away = HostUse(UseKind.SWAP, ("/dev/x",), Missing.ABSENT, carrier=Carrier.DISK)
    host = machine(group(vmd, other), host=Host((root, mirror, away), ()))
    relations = Relations(host)
    assert relations.uses(vmd) == (root, mirror)
    assert relations.uses(other) == (mirror,)


@each(
    "drivers, wanted",
    [
        ((None, None), None),
        ((Missing.ABSENT, None), None),
        (("igbvf", None), (f"{B} (igbvf)",)),
        (("igbvf", "vfio-pci"), (f"{B} (igbvf)", f"{C} (vfio-pci)")),
    ],
)
def test_virtual_functions_that_have_a_driver_are_a_use(
    drivers: tuple[str | None, str | None], wanted: tuple[str, ...] | None
) -> None:
    pf = with_virtual(device(A, "igb"), B, C)
    vfs = (device(B, drivers[0]), device(C, drivers[1]))
    relations = Relations(machine(group(pf), group(*vfs, id="2"), host=Host((), ())))
    found = [each.what for each in relations.uses(pf)]
    assert found == ([wanted] if wanted else [])
    assert relations.uses(vfs[0]) == ()


@each(
    "use, text",
    [
        (use(UseKind.FILE_SYSTEM, "/", via="nvme0n1p2"), "nvme0n1p2: /"),
        (use(UseKind.FILE_SYSTEM, "ext4 on sda1"), "ext4 on sda1"),
        (use(UseKind.SWAP, "/dev/dm-2", via="dm-2"), "swap: /dev/dm-2"),
        (use(UseKind.DEFAULT_ROUTE, "enp3s0"), "enp3s0: default route"),
        (use(UseKind.NETWORK, "eth2"), "eth2: network"),
        (use(UseKind.DISPLAY, "HDMI-A-1", via="card0"), "display: HDMI-A-1"),
        (use(UseKind.CONSOLE, "ttyS4"), "console: ttyS4"),
        (use(UseKind.FRAMEBUFFER, "BOOTFB"), "framebuffer: BOOTFB"),
        (use(UseKind.MEDIATED, UUID), f"mdev: {UUID}"),
        (use(UseKind.VIRTUAL_FUNCTION, f"{B} (igbvf)"), f"VFs: {B} (igbvf)"),
        (use(UseKind.PROCESS, "Xorg (12)", via="/dev/dri/card0"), "open: Xorg (12)"),
        (use(UseKind.USB, "keyboard"), "usb: keyboard"),
        (use(UseKind.THUNDERBOLT, "A \x1b[2Jdock"), "thunderbolt: A \\x1b[2Jdock"),
        (HostUse(UseKind.USB, tuple("abcd"), ()), "usb: a, b, c, d"),
        (HostUse(UseKind.USB, tuple("abcde"), ()), "usb: a, b, c, 2 more"),
    ],
)
def test_a_use_in_a_few_words(use: HostUse, text: str) -> None:
    assert use.text == text


def test_every_kind_of_use_has_its_words() -> None:
    for kind in UseKind:
        assert use(kind, "what").text


def test_what_hangs_on_a_device_is_not_what_the_host_lives_on() -> None:
    card = device(A, "amdgpu")
    minor = [kind for kind in UseKind if kind not in FATAL]
    host = machine(group(card), host=Host(tuple(use(k, "x", A) for k in minor), ()))
    assert len(host_losses(host, [card])) == len(minor) == len(UseKind) - 3
    assert not is_fatal(host, card)
    assert perhaps_lost(host, card) == ()


def calls_for(count: int) -> int:
    """Count the calls that asking about each device of such a host takes."""
    names = [f"{n:04x}:01:00.0" for n in range(count)]
    uses = [use(UseKind.NETWORK, f"eth{n}", name) for n, name in enumerate(names)]
    uses.append(HostUse(UseKind.DEFAULT_ROUTE, ("x",), Missing.ABSENT))
    devices = [device(name, "igbvf") for name in names]
    ports = tuple(map(place, names))
    told = Host(tuple(uses), (), disks=(), interfaces=ports)
    host, calls = machine(group(*devices), host=told), 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    relations = Relations(host)
    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        for each_one in devices:
            assert len(relations.uses(each_one)) == 1
            assert len(perhaps_lost(host, each_one)) == 1
    finally:
        sys.setprofile(before)
    return calls


def test_each_device_looks_at_its_own_uses_and_not_at_those_of_all() -> None:
    assert calls_for(400) < 2.2 * calls_for(200)
