"""Captures of hosts with many of one thing."""

from __future__ import annotations

from pathlib import Path

from bench.inputs import ROOT, Capture, Commands, Input, placed

__all__ = ["CAPTURES"]

MOUNTS = "proc/1/mountinfo"


def _asked(source: str, *targets: str) -> Commands:
    """Return every command that reads a capture, about these targets."""
    tail = ["--from", source]
    some = list(targets)
    return [
        ["list", *tail],
        ["list", "--format", "json", *tail],
        ["audit", *tail],
        ["audit", "--format", "json", *tail],
        *(["audit", "--for", kind, *tail] for kind in ("dpdk", "attach")),
        ["audit", "--for", "one-per-group", *tail],
        ["predict", *tail],
        ["audit", *some, *tail],
        ["predict", *some, *tail],
        ["why", targets[0], *tail],
        ["plan", *some, *tail],
        ["plan", "--format", "json", *some, *tail],
    ]


def _many(n: int, folder: Path) -> Commands:
    """Many functions, each alone."""
    capture = Capture()
    first, *_ = capture.functions(n)
    source = capture.write(folder / "c.tar")
    return [
        *_asked(source, first),
        ["list", "--predict-groups", "--from", source],
        ["snapshot", "--from", source, str(folder / "s.tgz")],
        ["whatif", f"bind={first},vfio-pci", "--from", source],
        ["diff", source, source],
    ]


def _one_group(n: int, folder: Path) -> Commands:
    """One group of many functions."""
    capture = Capture()
    addresses = capture.functions(n, n)
    source = capture.write(folder / "c.tar")
    return [
        *_asked(source, addresses[0]),
        ["audit", "group:0", "--from", source],
        ["plan", "group:0", "--from", source],
        ["whatif", f"bind={addresses[0]},vfio-pci", "--from", source],
        ["diff", source, source],
    ]


def _pairs(n: int, folder: Path) -> Commands:
    """Many groups, of each of which a half was handed over."""
    capture = Capture()
    for k in range(n):
        driver = "vfio-pci" if k % 2 else "e1000e"
        capture.function(placed(k), str(k // 2), driver=driver)
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _one_slot(n: int, folder: Path) -> Commands:
    """Many functions in one slot, in as many domains as that takes."""
    capture = Capture()
    addresses = [f"{k >> 3:04x}:01:00.{k & 7}" for k in range(n)]
    for address in addresses:
        capture.function(address, address[:4].lstrip("0") or "0")
    return _asked(capture.write(folder / "c.tar"), addresses[0])


def _all_targets(n: int, folder: Path) -> Commands:
    """Every function is a target."""
    capture = Capture()
    addresses = capture.functions(n, 2)
    tail = ["--from", capture.write(folder / "c.tar")]
    commands = ("audit", "predict", "plan")
    return [
        *([command, *addresses, *tail] for command in commands),
        *([command, "8086:10d3", *tail] for command in commands),
    ]


# Folders of a capture are nested 64 deep at most.
_DEEPEST = 60


def _deep(n: int, folder: Path) -> Commands:
    """Bridges below bridges, as deep as a path can be, again and again."""
    capture = Capture()
    above, domain = ROOT, 0
    for k in range(n):
        if k % _DEEPEST == 0:
            domain = k // _DEEPEST
            above = f"sys/devices/pci{domain:04x}:00"
        above = capture.function(
            f"{domain:04x}:{k % _DEEPEST:02x}:00.0",
            str(k // _DEEPEST),
            above,
            "pcieport",
            "0x060400",
        )
    address = capture.function(f"{domain:04x}:f0:00.0", str(n // _DEEPEST), above)
    return _asked(capture.write(folder / "c.tar"), address.rpartition("/")[2])


def _sriov(n: int, folder: Path) -> Commands:
    """One function with many virtual ones."""
    capture = Capture()
    at = capture.function("0000:01:00.0", "0")
    for k in range(n):
        address = placed(k + 256)
        virtual = capture.function(address, str(k + 1), driver="iavf")
        capture.link(f"{virtual}/physfn", at)
        capture.link(f"{at}/virtfn{k}", virtual)
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0", placed(256))


def _many_targets_one_path(n: int, folder: Path) -> Commands:
    """One function that many groups claim."""
    capture = Capture()
    at = capture.function("0000:01:00.0", "0")
    for k in range(n):
        capture.link(f"sys/kernel/iommu_groups/{k}/devices/a", at)
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0")


def _links(n: int, folder: Path) -> Commands:
    """Links to links to links."""
    capture = Capture()
    capture.function("0000:01:00.0", "0")
    for k in range(n):
        capture.link(f"sys/l{k}", f"sys/l{k + 1}/a")
        capture.link(
            f"sys/bus/pci/devices/0000:02:{k >> 3 & 31:02x}.{k & 7}x{k}",
            f"sys/l{k}/../l{k}",
        )
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0")


def _long_links(n: int, folder: Path) -> Commands:
    """Links with long texts."""
    capture = Capture()
    capture.function("0000:01:00.0", "0")
    for k in range(n):
        capture.link(f"sys/bus/pci/devices/0000:02:00.0x{k}", "sys/./" * 500)
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0")


def _deep_files(n: int, folder: Path) -> Commands:
    """Directories in directories that nobody asks for."""
    capture = Capture()
    capture.function("0000:01:00.0", "0")
    for k in range(n):
        capture.file(f"sys/x{k}/" + "a/" * 200 + "b", "1")
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0")[:1]


def _disks(capture: Capture, n: int) -> list[str]:
    for k in range(n):
        at = capture.function(placed(k), str(k), driver="nvme", code="0x010802")
        disk = f"{at}/nvme/nvme{k}/nvme{k}n1"
        capture.file(f"{disk}/dev", f"259:{k}\n")
        capture.link(f"sys/class/block/nvme{k}n1", disk)
        capture.link(f"sys/block/nvme{k}n1", disk)
        capture.link(f"sys/dev/block/259:{k}", disk)
    return [f"nvme{k}n1" for k in range(n)]


def _mounted(n: int, folder: Path) -> Commands:
    """Many disks, each mounted and swapped to; the half of them without a link."""
    capture = Capture()
    disks = _disks(capture, n)
    capture.file(
        MOUNTS,
        "".join(
            f"{k} 1 {'0:9' if k % 2 else f'259:{k}'} / /m{k} rw - ext4 /dev/{disk} rw\n"
            for k, disk in enumerate(disks)
        ),
    )
    capture.file(
        "proc/swaps",
        "Filename Type Size Used Priority\n"
        + "".join(f"/dev/{disk} partition 1 0 -2\n" for disk in disks),
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _partitions(n: int, folder: Path) -> Commands:
    """Partitions of which only the whole disks are listed."""
    capture = Capture()
    disks = _disks(capture, n)
    for name in [name for name in capture.links if "class/block" in name]:
        del capture.links[name]
    capture.file(
        MOUNTS,
        "".join(
            f"{k} 1 0:9 / /m{k} rw - ext4 /dev/{disk}p9 rw\n"
            for k, disk in enumerate(disks)
        ),
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _stacked(n: int, folder: Path) -> Commands:
    """Volumes on an array of all disks, and on one disk each, all mounted."""
    capture = Capture()
    disks = _disks(capture, n)
    lines = []
    for k in range(n + 1):
        at = f"sys/devices/virtual/block/dm-{k}"
        capture.file(f"{at}/dev", f"253:{k}\n")
        capture.file(f"{at}/dm/name", f"vg-{k}\n")
        capture.link(f"sys/class/block/dm-{k}", at)
        capture.link(f"sys/block/dm-{k}", at)
        for below in disks if k == n else (disks[k], f"dm-{n}"):
            capture.link(f"{at}/slaves/{below}", f"sys/block/{below}")
        lines.append(f"{k} 1 253:{k} / /m{k} rw - ext4 /dev/mapper/vg-{k} rw\n")
    capture.file(MOUNTS, "".join(lines))
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _arrays(n: int, folder: Path) -> Commands:
    """Arrays that can spare a disk, on each other.

    They are towers of 24: on what each stands would grow with the square else.
    """
    capture = Capture()
    disks = _disks(capture, n)
    for k in range(n):
        at = f"sys/devices/virtual/block/md{k}"
        capture.file(f"{at}/dev", f"9:{k}\n")
        for name, value in (("level", "raid1"), ("raid_disks", "8"), ("degraded", "0")):
            capture.file(f"{at}/md/{name}", f"{value}\n")
        capture.link(f"sys/block/md{k}", at)
        for m in range(8):
            lowest = k % 24 < 8 or k % 3
            below = disks[(k + m) % n] if lowest else f"md{k - m - 1}"
            capture.link(f"{at}/slaves/{below}", f"sys/block/{below}")
    capture.file(
        MOUNTS,
        "".join(f"{k} 1 9:{k} / /m{k} rw - ext4 /dev/md{k} rw\n" for k in range(n)),
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _btrfs(n: int, folder: Path) -> Commands:
    """Many file systems of btrfs, each on one disk."""
    capture = Capture()
    disks = _disks(capture, n)
    for k, disk in enumerate(disks):
        capture.link(f"sys/fs/btrfs/{k:08x}-0/devices/{disk}", f"sys/block/{disk}")
    capture.file(
        MOUNTS,
        "".join(
            f"{k} 1 0:{k} / /m{k} rw - btrfs /dev/{disk} rw\n"
            for k, disk in enumerate(disks)
        ),
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _one_mount(n: int, folder: Path) -> Commands:
    """One disk that is mounted again and again."""
    capture = Capture()
    _disks(capture, 2)
    capture.file(
        MOUNTS,
        "".join(
            f"{k} 1 259:{k % 2} / /m{k} rw - ext4 /dev/nvme{k % 2}n1 rw\n"
            for k in range(n)
        ),
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _overlays(n: int, folder: Path) -> Commands:
    """File systems on file systems: overlays, loops, shares."""
    capture = Capture()
    _disks(capture, 2)
    lines = ["1 0 259:0 / / rw - ext4 /dev/nvme0n1 rw\n"]
    lines += [
        f"{k} 1 0:{k} / /m{k % 7}/n{k} rw - overlay overlay rw,lowerdir="
        f"/m{k % 7}/n{k - 1}:/a{k},upperdir=/m/n{k - 2}\n"
        for k in range(3, n)
    ]
    lines += [f"{n + k} 1 7:{k} / /l{k} rw - ext4 /dev/loop{k} rw\n" for k in range(n)]
    lines += [
        f"{k} 1 0:5 / /f{k} rw - nfs 10.0.{k >> 8 & 255}.{k & 255}:/a rw,"
        f"addr=10.0.{k >> 8 & 255}.{k & 255}\n"
        for k in range(n)
    ]
    for k in range(n):
        capture.file(
            f"sys/devices/virtual/block/loop{k}/loop/backing_file",
            f"/m{k % 7}/n{k}/file\n",
        )
        capture.link(f"sys/block/loop{k}", f"sys/devices/virtual/block/loop{k}")
    capture.file(MOUNTS, "".join(lines))
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _routes(n: int, folder: Path) -> Commands:
    """Many routes and interfaces, one bridge of all of them, VLANs on it."""
    capture = Capture()
    lines = ["Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"]
    for k in range(n):
        at = capture.function(placed(k), str(k))
        capture.link(f"sys/class/net/eth{k}", f"{at}/net/eth{k}")
        capture.file(f"{at}/net/eth{k}/type", "1\n")
        capture.link(f"sys/devices/virtual/net/br0/lower_eth{k}", f"{at}/net/eth{k}")
        vlan = f"sys/devices/virtual/net/br0.{k}"
        capture.link(f"{vlan}/lower_br0", "sys/devices/virtual/net/br0")
        capture.link(f"sys/class/net/br0.{k}", vlan)
        lines.append(f"br0.{k} {k:08X} 0 0001 0 0 0 FFFFFFFF 0 0 0\n")
        lines.append(f"eth{k} 00000000 {k:08X} 0003 0 0 0 00000000 0 0 0\n")
    capture.link("sys/class/net/br0", "sys/devices/virtual/net/br0")
    capture.file("proc/net/route", "".join(lines))
    capture.file(
        "proc/net/ipv6_route",
        "".join(
            f"{k:032x} 80 {0:032x} 00 {0:032x} 400 1 0 00000001 eth{k}\n"
            for k in range(n)
        ),
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _processes(n: int, folder: Path) -> Commands:
    """Many processes, all with many files open."""
    capture = Capture()
    capture.function("0000:01:00.0", "0", driver="vfio-pci")
    capture.function("0000:02:00.0", "1", driver="nvidia")
    for k in range(2, n + 2):
        capture.file(f"proc/{k}/comm", f"qemu{k}\n")
        for m in range(4):
            capture.link(f"proc/{k}/fd/{m}", ("dev/vfio/0", "dev/nvidia0")[m % 2])
            capture.link(f"proc/{k}/fd/{m + 9}", "dev/dri/card0")
    source = capture.write(folder / "c.tar")
    return [
        ["audit", "0000:01:00.0", "--from", source],
        ["plan", "0000:01:00.0", "0000:02:00.0", "--from", source],
        ["snapshot", "--from", source, str(folder / "s.tgz")],
    ]


def _drivers(n: int, folder: Path) -> Commands:
    """Many drivers and modules, and what they are for."""
    capture = Capture()
    for k in range(n):
        address = placed(k)
        capture.function(address, str(k), driver=f"driver{k}")
        capture.link(f"sys/bus/pci/drivers/driver{k}/module", f"sys/module/driver{k}")
        capture.folder(f"sys/module/driver{k}")
        capture.file(f"sys/module/driver{k}/initstate", "live\n")
    lists = "lib/modules/6.12.1"
    capture.file(
        f"{lists}/modules.builtin",
        "".join(f"kernel/drivers/a/driver{k}.ko\n" for k in range(n)),
    )
    capture.file(
        f"{lists}/modules.alias",
        "".join(
            f"alias vfio_pci:v00008086d{k:08X}sv*sd*bc*sc*i* driver{k}\n"
            f"alias vfio_pci:v0000808{k % 9}d*sv*sd*bc*sc*i* variant{k}\n"
            for k in range(n)
        ),
    )
    capture.file(
        f"{lists}/modules.dep",
        "".join(
            f"kernel/drivers/a/driver{k}.ko: kernel/drivers/a/driver{k + 1}.ko\n"
            for k in range(n)
        ),
    )
    capture.file(
        "proc/modules", "".join(f"driver{k} 1 0 - Live 0x0\n" for k in range(n))
    )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _regions(n: int, folder: Path) -> Commands:
    """A group with many reserved regions, and groups with one name."""
    capture = Capture()
    capture.functions(8, 2)
    for k in range(4):
        capture.file(
            f"sys/kernel/iommu_groups/{k}/reserved_regions",
            "".join(
                f"0x{m << 12:016x} 0x{(m << 12) + 4095:016x} direct\n" for m in range(n)
            ),
        )
    return _asked(capture.write(folder / "c.tar"), placed(0))


def _attached(n: int, folder: Path) -> Commands:
    """Much that is plugged in: USB, Thunderbolt, mediated devices, screens."""
    capture = Capture()
    at = capture.function("0000:01:00.0", "0")
    for k in range(n):
        usb = f"{at}/usb1/1-{k}/1-{k}:1.0"
        capture.file(f"{usb}/bInterfaceClass", "03\n")
        capture.link(f"sys/bus/usb/devices/1-{k}:1.0", usb)
        bolt = f"{at}/domain0/0-{k + 1:x}"
        capture.file(f"{bolt}/device_name", f"dock {k}\n")
        capture.link(f"sys/bus/thunderbolt/devices/0-{k + 1:x}", bolt)
        mdev = f"{at}/{k:08x}-0000-0000-0000-000000000000"
        capture.link(f"{mdev}/iommu_group", f"sys/kernel/iommu_groups/{k + 9}")
        capture.link(f"sys/kernel/iommu_groups/{k + 9}/devices/{k:08x}", mdev)
        capture.link(f"{mdev}/subsystem", "sys/bus/mdev")
        capture.link(f"sys/bus/mdev/devices/{k:08x}", mdev)
        screen = f"{at}/drm/card0/card0-DP-{k}"
        capture.file(f"{screen}/status", "connected\n")
        capture.file(f"{screen}/enabled", "enabled\n")
        capture.link(f"sys/class/drm/card0-DP-{k}", screen)
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0")


def _platform(n: int, folder: Path) -> Commands:
    """Devices that are not PCI, all in one group and in many; IOMMU units."""
    capture = Capture()
    capture.function("0000:01:00.0", "0")
    for k in range(n):
        at = f"sys/devices/platform/{k:08x}.dma"
        group = "7" if k % 2 else str(k + 9)
        capture.link(f"{at}/subsystem", "sys/bus/platform")
        capture.link(f"{at}/iommu_group", f"sys/kernel/iommu_groups/{group}")
        capture.link(f"sys/kernel/iommu_groups/{group}/devices/{k:08x}.dma", at)
        capture.link(f"sys/bus/platform/devices/{k:08x}.dma", at)
        capture.folder(f"sys/class/iommu/dmar{k + 1}")
        capture.file(f"sys/kernel/irq/{k}/chip_name", "IR-PCI-MSI\n")
    return _asked(capture.write(folder / "c.tar"), "0000:01:00.0")


CAPTURES = (
    Input("functions", _many, 3000, 60),
    Input("one-group", _one_group, 2000, 60),
    Input("half-groups", _pairs, 2000, 60),
    Input("one-slot", _one_slot, 2000, 64),
    Input("targets", _all_targets, 800, 40),
    Input("deep", _deep, 1200, 120),
    Input("sriov", _sriov, 2000, 60),
    Input("claims", _many_targets_one_path, 5000, 60),
    Input("links", _links, 3000, 120),
    Input("long-links", _long_links, 1000, 60),
    Input("deep-files", _deep_files, 500, 20),
    Input("mounted", _mounted, 2000, 60),
    Input("partitions", _partitions, 1500, 60),
    Input("stacked", _stacked, 800, 100),
    # Below some 180 of them what is told of each disk grows with their number: 90 say
    # 1959 pairs of a disk and a use, 180 say 6624, 360 say 7884.
    Input("arrays", _arrays, 1200, 60),
    Input("btrfs", _btrfs, 1500, 60),
    Input("one-mount", _one_mount, 6000, 60),
    Input("overlays", _overlays, 3000, 60),
    Input("routes", _routes, 1500, 100),
    Input("processes", _processes, 3000, 60),
    Input("drivers", _drivers, 1500, 60),
    Input("regions", _regions, 1000, 60),
    Input("attached", _attached, 1500, 60),
    Input("platform", _platform, 2000, 60),
)
