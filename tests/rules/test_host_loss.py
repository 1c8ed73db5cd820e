"""What the host loses: judged over machines in a few words, and its sentences."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builders import SINCE_6_6, addresses, device, functions, group, machine, only
from examples import each
from running import call
from shared import SYSFS

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import Carrier, Host, HostUse, UseKind
from iommu_inspect.model.uses.losses import host_losses, is_fatal
from iommu_inspect.model.uses.words import described
from iommu_inspect.plan.host.cures import cure_lines
from iommu_inspect.rules._cures import Look, Looking, StopUsing
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.verdict.outcome import Verdict

A, B = "0000:01:00.0", "0000:02:00.0"


def path(*addresses: str) -> tuple[str, ...]:
    return tuple(f"sys/devices/{address}" for address in addresses)


def root_on(*sets: tuple[str, ...]) -> HostUse:
    return HostUse(UseKind.FILE_SYSTEM, ("/",), sets, "sda1", Carrier.DISK)


def told(*uses: HostUse, **more: object) -> Host:
    return Host(uses, (), **{"disks": (), "interfaces": (), **more})  # type: ignore[arg-type]


def judged(host: Machine, *devices: Device) -> Audit:
    targets = tuple(Target(d.address, d, host.group_of(d)) for d in devices)
    return audit(host, only(SINCE_6_6), targets)


def of_rule(result: Audit, rule: str = "host-loss") -> list[Finding]:
    return [f for f in result.findings if f.rule == rule]


def written(*findings: Finding) -> list[str]:
    return [x for f in findings for cure in f.cures for x in cure_lines(cure)]


def test_one_disk_of_a_mirror_is_a_warning_and_both_are_an_error() -> None:
    a, b = device(A, "ahci"), device(B, "ahci", group="2")
    host = machine(group(a), group(b, id="2"), host=told(root_on(path(A, B))))
    assert [f.severity for f in of_rule(judged(host, a))] == [Severity.WARNING]
    assert [f.severity for f in of_rule(judged(host, a, b))] == [Severity.ERROR] * 2


def test_a_member_that_was_not_asked_for_is_lost_with_its_group() -> None:
    card, disk = device(A, "vfio-pci"), device(B, "nvme")
    host = machine(group(card, disk), host=told(root_on(path(B))))
    (found,) = of_rule(judged(host, card))
    assert (found.severity, addresses(found)) == (Severity.ERROR, (B, A))
    assert of_rule(judged(host)) == [found]  # no targets: the group is part on vfio


def test_a_group_that_nobody_wants_loses_nothing() -> None:
    a, b = device(A, "igb"), device(B, "nvme")
    host = machine(group(a, b), host=told(root_on(path(B))))
    assert of_rule(judged(host)) == []


def test_a_bridge_is_not_handed_over_with_what_is_below_it() -> None:
    bridge = device("0000:00:01.0", "shpchp", bridge=True)
    below = f"sys/devices/0000:00:01.0/{A}"
    host = machine(group(bridge), host=told(root_on((below,))))
    assert of_rule(judged(host, bridge)) == []


def test_drives_behind_a_vmd_controller_go_with_it() -> None:
    vmd = device(A, "vmd")
    drive = f"sys/devices/{A}/pci10000:e0/10000:e0:06.0/10000:e1:00.0"
    host = machine(group(vmd), host=told(root_on((drive,))))
    (found,) = of_rule(judged(host, vmd))
    assert (found.severity, addresses(found)) == (Severity.ERROR, (A,))


def test_virtual_functions_go_with_the_physical_one() -> None:
    pf = Device(
        DeviceId(A, "pci"),
        path=f"sys/devices/{A}",
        driver="igb",
        group="1",
        ids=PciIds(0x8086, 1, class_code=0x020000),
        pci=PciPlacement(header_type=0, virtfns=functions(B)),
    )
    vf = device(B, "igbvf", group="2")
    use = HostUse(UseKind.DEFAULT_ROUTE, ("eth1",), (path(B),))
    host = machine(group(pf), group(vf, id="2"), host=told(use))
    assert [addresses(f)[0] for f in of_rule(judged(host, pf))] == [A]


def test_a_loss_blocks_where_the_kernel_would_not() -> None:
    """The two must agree: what the kernel allows may still take the host down."""
    pf = device(A, "vfio-pci")
    host = machine(group(pf), host=told())
    assert judged(host, pf).verdict is Verdict.READY
    lost = machine(group(pf), host=told(root_on(path(A))))
    assert judged(lost, pf).verdict is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("driver", "disks", "wanted"),
    [
        ("ahci", path(A), [(Severity.ERROR, Certainty.UNKNOWN)]),
        ("ahci", (), []),  # no block device is below it
        ("ahci", Missing.ABSENT, [(Severity.ERROR, Certainty.UNKNOWN)]),
        (None, path(A), []),
        ("vfio-pci", Missing.ABSENT, []),
        ("pci-stub", Missing.ABSENT, []),
    ],
)
def test_a_pool_that_may_be_on_a_device(
    driver: str | None, disks: object, wanted: list[tuple[Severity, Certainty]]
) -> None:
    from dataclasses import replace

    disk = device(A, driver)
    disk = replace(disk, ids=replace(disk.ids, class_code=0x010601))
    pool = HostUse(
        UseKind.FILE_SYSTEM, ("/",), Missing.ABSENT, "zfs rpool", Carrier.DISK
    )
    host = machine(group(disk), host=told(pool, disks=disks))
    found = of_rule(judged(host, disk))
    assert [(f.severity, f.certainty) for f in found] == wanted
    assert all(f.cures == (Look(Looking.POOL, "rpool"),) for f in found)
    assert written(*found) == ["zpool status -P rpool"] * len(found)


@pytest.mark.parametrize(
    ("why", "severity"),
    [(Missing.ABSENT, Severity.INFO), (Missing.DENIED, Severity.WARNING)],
)
def test_what_the_source_does_not_show_is_said(
    why: Missing, severity: Severity
) -> None:
    nic = device(A, "igb")
    host = machine(group(nic), host=Host((), ((UseKind.DEFAULT_ROUTE, why),)))
    (found,) = of_rule(judged(host, nic))
    assert (found.severity, found.certainty) == (severity, Certainty.UNKNOWN)


def test_no_commands_to_copy_for_a_device_that_the_host_lives_on() -> None:
    disk, card = device(A, "ahci"), device(B, "vfio-pci")
    host = machine(group(disk, card), host=told(root_on(path(A))))
    for result in (judged(host, disk), judged(host)):
        for found in result.findings:
            assert "unbind" not in found.remedy
            assert StopUsing not in map(type, found.cures)  # the root cannot be


def test_host_losses_answers_for_any_set_of_devices() -> None:
    """What ``plan`` asks before it writes a command."""
    a, b = device(A, "ahci"), device(B, "ahci")
    use = root_on(path(A, B))
    host = machine(group(a, b), host=told(use))
    assert [(x.use, x.paths, x.whole) for x in host_losses(host, [a])] == [
        (use, path(A), False)
    ]
    assert [x.whole for x in host_losses(host, [a, b])] == [True]
    assert host_losses(host, []) == ()
    assert not is_fatal(host, a)


@pytest.mark.parametrize(
    ("driver", "class_code", "release", "fires"),
    [
        ("vfio-pci", 0x030000, "6.12.1", True),  # it is there all the same
        ("vfio-pci", 0x038000, "6.18.48", True),
        (None, 0x030000, "6.12.1", False),  # vfio-pci will take it off
        (None, 0x030000, "5.10.0", True),
        (None, 0x038000, "6.12.1", True),
        (None, 0x030000, Missing.ABSENT, True),
    ],
)
def test_the_memory_of_a_display_that_a_framebuffer_holds(
    driver: str | None, class_code: int, release: str, fires: bool
) -> None:
    from dataclasses import replace

    card = device(A, driver, boot_vga=True)
    card = replace(card, ids=replace(card.ids, class_code=class_code))
    held = HostUse(UseKind.FRAMEBUFFER, ("BOOTFB",), (path(A),))
    host = machine(group(card), host=told(held), kernel=Kernel(release=release))
    found = of_rule(judged(host, card), "boot-display")
    assert [("BAR 0: can't reserve" in f.message) for f in found] == [fires]
    assert of_rule(judged(host, card)) == []


def test_what_a_person_sees(tmp_path: Path) -> None:
    tree = shutil.copytree(SYSFS / "host-lives-here", tmp_path / "h", symlinks=True)
    done = call("audit", "00:06.0", "--from", tree)
    assert done.returncode == 1
    assert "The host lives on 0000:00:06.0: the file system /media/my disk" in (
        " ".join(done.stdout.split())
    )
    assert "    umount '/media/my disk'\n" in done.stdout
    assert "0000:00:06.0 cannot be handed to user space: leave it to" in (
        " ".join(done.stdout.split())
    )
    assert "drivers_probe" not in done.stdout
    # The disk is unmounted: what is left is to bind the controller.
    info = Path(tree) / "proc/1/mountinfo"
    lines = [x for x in info.read_text().splitlines() if "sdc1" not in x]
    info.write_text("\n".join(lines) + "\n")
    after = call("audit", "00:06.0", "--from", tree).stdout
    assert "host-loss" not in after
    assert "echo 0000:00:06.0 > /sys/bus/pci/drivers_probe" in after


def test_what_the_host_uses_is_stopped_in_an_order_that_works() -> None:
    """A swap file before its file system, and what is mounted below before that."""
    uses = (
        HostUse(UseKind.FILE_SYSTEM, ("/srv", "/srv/a b/c"), (path(A),), "sda1"),
        HostUse(UseKind.FILE_SYSTEM, ("/srv/a b",), (path(A),), "sda2"),
        HostUse(UseKind.SWAP, ("/srv/swap",), (path(A),), "sda1"),
        HostUse(UseKind.DEFAULT_ROUTE, ("br0",), (path(A),)),
    )
    disk = device(A, "ahci")
    (found,) = of_rule(judged(machine(group(disk), host=told(*uses)), disk))
    assert written(found) == [
        "swapoff /srv/swap",
        "umount '/srv/a b/c'",
        "umount '/srv/a b'",
        "umount /srv",
        "ip route show default",
    ]


@each(
    "kind, what, driver, words, commands",
    [
        (
            UseKind.PROCESS,
            "Xorg (1234)",
            "nvidia",
            "Xorg (1234) has 0000:01:00.0 open: taking its driver off hangs until it "
            "has closed it",
            ["fuser -v /dev/dri/card0"],
        ),
        (
            UseKind.PROCESS,
            "Xorg (1234)",
            "amdgpu",
            "takes it from that program, or hangs until it has closed it",
            ["fuser -v /dev/dri/card0"],
        ),
        (
            UseKind.MEDIATED,
            "83b8f4f2-509f",
            "nvidia",
            "carries the mediated device 83b8f4f2-509f, and its driver lets go of it "
            "only when no guest has that open",
            ["echo 1 > /sys/bus/mdev/devices/83b8f4f2-509f/remove"],
        ),
        (
            UseKind.DISPLAY,
            "HDMI-A-1",
            "amdgpu",
            "The host uses 0000:01:00.0 too: the screen on HDMI-A-1.",
            [],
        ),
        (
            UseKind.USB,
            "keyboard",
            "xhci_hcd",
            "too: what is plugged into USB (keyboard).",
            [],
        ),
        (
            UseKind.THUNDERBOLT,
            "A dock",
            "thunderbolt",
            "too: what is plugged into Thunderbolt (A dock).",
            [],
        ),
    ],
)
def test_who_uses_a_device_is_a_warning_that_says_what_happens(
    kind: UseKind, what: str, driver: str, words: str, commands: list[str]
) -> None:
    card = device(A, driver)
    use = HostUse(kind, (what,), (path(A),), "/dev/dri/card0")
    (found,) = of_rule(judged(machine(group(card), host=told(use)), card))
    assert (found.severity, words in found.message) == (Severity.WARNING, True)
    assert written(found) == commands


def test_what_another_rule_says_is_said_once() -> None:
    screen = HostUse(UseKind.DISPLAY, ("DP-1",), (path(A),), "card0")
    guest = HostUse(UseKind.PROCESS, ("qemu (9)",), (path(B),), "/dev/vfio/2")
    boot, given = device(A, "i915", boot_vga=True), device(B, "vfio-pci", group="2")
    host = machine(group(boot), group(given, id="2"), host=told(screen, guest))
    assert of_rule(judged(host, boot)) == of_rule(judged(host, given)) == []


def test_every_kind_of_use_has_words_of_its_own() -> None:
    said = {described([HostUse(kind, ("x",), ())]) for kind in UseKind}
    assert len(said) == len(UseKind)
