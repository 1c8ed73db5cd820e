"""Pasted texts with many of one thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.inputs import Commands, Input, placed

__all__ = ["TEXTS"]

NAME = "VGA compatible controller [0300]: Acme Card [10de:1c03] (rev a1)"
DETAILS = """\
\tSubsystem: Acme Board [1af4:1100]
\tControl: I/O- Mem+ BusMaster+ SpecCycle- MemWINV- VGASnoop- ParErr- Stepping- SERR-
\tIOMMU group: {group}
\tRegion 0: Memory at a2000000 (32-bit, non-prefetchable) [size=16M]
\tCapabilities: [78] Express (v2) Endpoint, MSI 00
\t\tDevCap:\tMaxPayload 256 bytes, PhantFunc 0, Latency L0s unlimited, L1 <64us
\tCapabilities: [148 v1] Access Control Services
\t\tACSCap:\tSrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl-
\t\tACSCtl:\tSrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl-
\tKernel driver in use: nouveau
\tKernel modules: nouveau

"""

Write = Callable[[int], str]


def _bridge(address: str, first: int, last: int) -> str:
    return (
        f"{address} PCI bridge [0604]: Acme Port [8086:1901] (rev 07)\n"
        f"\tBus: primary={address[-7:-5]}, secondary={first:02x}, "
        f"subordinate={last:02x}, sec-latency=0\n"
        "\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n"
        "\tKernel driver in use: pcieport\n\n"
    )


def lspci(n: int) -> str:
    """Many functions, in full."""
    return "".join(f"{placed(k)} {NAME}\n" + DETAILS.format(group=k) for k in range(n))


def one_group(n: int) -> str:
    """Many functions of one group, in full."""
    return "".join(f"{placed(k)} {NAME}\n" + DETAILS.format(group=1) for k in range(n))


def bare(n: int) -> str:
    """Many functions, a line each."""
    return "".join(f"{placed(k)} {NAME}\n" for k in range(n))


def chain(n: int) -> str:
    """Chains of bridges, domain by domain."""
    return "".join(
        _bridge(f"{k // 200:04x}:{k % 200:02x}:00.0", k % 200 + 1, 255)
        for k in range(n)
    )


def one_bus(n: int) -> str:
    """Bridges that all lead to one bus, and functions on it."""
    return "".join(
        _bridge(f"{k >> 8:04x}:00:{k >> 3 & 31:02x}.{k & 7}", 1, 255)
        + f"{k >> 8:04x}:01:{k >> 3 & 31:02x}.{k & 7} {NAME}\n\n"
        for k in range(n)
    )


def crossing(n: int) -> str:
    """Bridges whose ranges of buses cross."""
    return "".join(
        _bridge(
            f"{k >> 13:04x}:{k >> 5 & 255:02x}:{k & 31:02x}.0",
            k % 255 + 1,
            255 - k % 100,
        )
        for k in range(n)
    )


def sriov(n: int) -> str:
    """Functions with virtual ones."""
    return "".join(
        f"{k >> 8:04x}:{k & 255:02x}:00.0 Ethernet controller [0200]: "
        "Acme NIC [8086:1572]\n"
        f"\tIOMMU group: {k}\n"
        "\tCapabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)\n"
        "\t\tInitial VFs: 64, Total VFs: 64, Number of VFs: 64, Function Dependency "
        "Link: 00\n\t\tVF offset: 1, stride: 1, Device ID: 154c\n"
        "\tKernel driver in use: i40e\n\n"
        + "".join(
            f"{k >> 8:04x}:{k & 255:02x}:{f >> 3:02x}.{f & 7} Ethernet controller "
            f"[0200]: Acme VF [8086:154c]\n\tIOMMU group: {k}\n\n"
            for f in range(1, 5)
        )
        for k in range(n)
    )


def listing(n: int) -> str:
    """A listing, a line a device."""
    return "".join(f"IOMMU Group {k} {placed(k)} {NAME}\n" for k in range(n))


def headed(n: int) -> str:
    """A listing with headings."""
    return "".join(f"IOMMU Group {k}:\n\t{placed(k)} {NAME}\n" for k in range(n))


def headings(n: int) -> str:
    """Headings of groups, and nothing in them."""
    return "".join(f"IOMMU Group {k}:\n" for k in range(n))


def disputed(n: int) -> str:
    """One device in many groups."""
    return "".join(f"IOMMU Group {k} 01:00.0 {NAME}\n" for k in range(n))


def again(n: int) -> str:
    """The same devices again and again."""
    return "".join(
        f"{placed(k % 7)} {NAME}\n" + DETAILS.format(group=k % 7) for k in range(n)
    )


def links(n: int) -> str:
    """Paths of links."""
    return "".join(
        f"/sys/kernel/iommu_groups/{k}/devices/{placed(k)}\n" for k in range(n)
    )


def long_links(n: int) -> str:
    """``ls -l`` of drivers, groups and devices."""
    return "".join(
        f"lrwxrwxrwx 1 root root 0 Feb  4 10:29 {placed(k)} -> ../../../devices/"
        f"pci0000:00/0000:00:01.0/{placed(k)}\n"
        for k in range(n)
    )


def tree(n: int) -> str:
    """``lspci -t``, wide."""
    return "-[0000:00]-+-00.0\n" + "".join(
        f"           +-{k >> 3 & 31:02x}.{k & 7}-[{k & 255:02x}]----00.0  Acme Card\n"
        for k in range(n)
    )


def deep_tree(n: int) -> str:
    """``lspci -t``, deep."""
    lines = []
    for k in range(n):
        deep = k % 200
        lines.append(" " * 11 * min(deep, 200) + f"+-00.0-[{deep:02x}]--+-00.0  Card\n")
    return "-[0000:00]-+-00.0\n" + "".join(lines)


def paths(n: int) -> str:
    """``lspci -PP``: the way to each device."""
    way = "/".join(["00.0"] * 100)
    return "".join(f"{placed(k)}/{way} {NAME}\n\n" for k in range(n))


def log(n: int) -> str:
    """The kernel's log."""
    return "[    0.000000] Linux version 6.12.1 (a@b) #1 SMP\n" + "".join(
        f"[    1.{k % 1000000:06}] pci {placed(k)}: [10de:1c03] type 00 "
        "class 0x030000\n"
        f"[    2.{k % 1000000:06}] pci {placed(k)}: Adding to iommu group {k}\n"
        for k in range(n)
    )


def noise(n: int) -> str:
    """Lines of a log that say nothing here, and words that pages quote."""
    return "".join(
        f"[    1.{k % 1000000:06}] vfio-pci 0000:01:00.0: not ready {k}ms after FLR; "
        f"qemu-system-x86_64: -device vfio-pci: vfio 0000:01:00.{k % 8}: group {k} is "
        "not viable\n"
        for k in range(n)
    )


def junk(n: int) -> str:
    """Words."""
    return "".join(f"the group of device {k} is not viable, failed\n" for k in range(n))


def one_line(n: int) -> str:
    """One line, for ever."""
    return f"IOMMU Group 1 01:00.0 {NAME} " + "a [10de:1c03] " * n


def command_line(n: int) -> str:
    """A command line with many ids."""
    return "BOOT_IMAGE=/vmlinuz root=/dev/sda1 intel_iommu=on vfio-pci.ids=" + ",".join(
        f"10de:{k & 0xFFFF:04x}" for k in range(n)
    )


def options(n: int) -> str:
    """modprobe.d, an id a line."""
    return "".join(f"options vfio-pci ids=10de:{k & 0xFFFF:04x}\n" for k in range(n))


def soft(n: int) -> str:
    """modprobe.d, other lines."""
    return "".join(
        f"softdep driver{k} pre: vfio-pci\nblacklist drver{k}\ninstall a{k} /bin/true\n"
        f"alias pci:v{k} vfio-pcii\n"
        for k in range(n)
    )


def xml(n: int) -> str:
    """XML of libvirt, a device after another."""
    return "".join(
        "<device>\n"
        f"  <name>pci_{placed(k).replace(':', '_').replace('.', '_')}</name>\n"
        f"  <path>/sys/devices/pci0000:00/{placed(k)}</path>\n"
        "  <driver>\n    <name>e1000e</name>\n  </driver>\n"
        "  <capability type='pci'>\n    <class>0x020000</class>\n"
        f"    <domain>0</domain>\n    <bus>{(k >> 5) + 1}</bus>\n"
        f"    <slot>{k >> 3 & 3}</slot>\n    <function>{k & 7}</function>\n"
        "    <product id='0x10d3'>Card</product>\n"
        "    <vendor id='0x8086'>Intel Corporation</vendor>\n"
        f"    <iommuGroup number='{k}'>\n"
        f"      <address domain='0x0000' bus='0x{(k >> 5) + 1:02x}' "
        f"slot='0x{k >> 3 & 3:02x}' function='0x{k & 7}'/>\n"
        "    </iommuGroup>\n  </capability>\n</device>\n"
        for k in range(n)
    )


def deep_xml(n: int) -> str:
    """Elements in elements."""
    return "<device>" + "<a>\n" * n + "</a>\n" * n + "</device>\n"


def one_xml(n: int) -> str:
    """One device with a group of many."""
    return (
        "<device>\n  <name>pci_0000_01_00_0</name>\n  <capability type='pci'>\n"
        "    <iommuGroup number='1'>\n"
        + "".join(
            f"      <address domain='0x{k >> 13:04x}' bus='0x{k >> 5 & 255:02x}' "
            f"slot='0x{k >> 3 & 3:02x}' function='0x{k & 7}'/>\n"
            for k in range(n)
        )
        + "    </iommuGroup>\n  </capability>\n</device>\n"
    )


def node_tree(n: int) -> str:
    """``virsh nodedev-list --tree``."""
    return "computer\n  |\n" + "".join(
        f"  +- pci_{placed(k).replace(':', '_').replace('.', '_')}\n  |   |\n"
        f"  |   +- net_eth{k}_00_00_00\n  |\n"
        for k in range(n)
    )


def yaml(n: int) -> str:
    """Entries of YAML."""
    return "".join(
        f"- address: {placed(k)}\n  iommu_group: {k}\n  vendor: '10de'\n"
        "  device: '1c03'\n  driver: nouveau\n"
        for k in range(n)
    )


def deep_yaml(n: int) -> str:
    """Entries in entries."""
    return "".join(f"{'  ' * (k % 90)}a{k}:\n" for k in range(n)) + "- a: 01:00.0\n"


def json(n: int) -> str:
    """Entries of JSON."""
    return (
        "["
        + ",\n".join(
            f'{{"id": "{placed(k)}", "iommugroup": {k}, "vendor": "0x10de",\n'
            ' "device": "0x1c03"}'
            for k in range(n)
        )
        + "]\n"
    )


def deep_json(n: int) -> str:
    """Braces in braces."""
    return '{"a":\n' * n + '"01:00.0"' + "}\n" * n


def fields(n: int) -> str:
    """``lspci -vmm``."""
    return "".join(
        f"Slot:\t{placed(k)}\nClass:\tVGA compatible controller [0300]\n"
        "Vendor:\tNVIDIA Corporation [10de]\nDevice:\tCard [1c03]\nDriver:\tnouveau\n"
        f"IOMMUGroup:\t{k}\n\n"
        for k in range(n)
    )


def dump(n: int) -> str:
    """``lspci -xxxx``."""
    rows = "".join(f"{at:03x}: " + "86 80 " * 8 + "\n" for at in range(0, 4096, 16))
    return "".join(f"{placed(k)} {NAME}\n{rows}\n" for k in range(n))


def details(n: int) -> str:
    """One device with lines without an end."""
    return f"01:00.0 {NAME}\n" + "".join(
        f"\tCapabilities: [{k % 256:02x}] Vendor Specific Information {k}\n"
        for k in range(n)
    )


def table(n: int) -> str:
    """A table of Markdown."""
    return "| group | address | name |\n|---|---|---|\n" + "".join(
        f"| {k} | {placed(k)} | {NAME} |\n" for k in range(n)
    )


def bound(n: int) -> str:
    """driverctl, DPDK and lshw."""
    return "".join(f"{placed(k)} nouveau [*]\n" for k in range(n)) + (
        "\nNetwork devices using kernel driver\n===================================\n"
        + "".join(
            f"{placed(k)} 'Card 10d3' if=eth{k} drv=e1000e unused=vfio-pci *Active*\n"
            for k in range(n)
        )
        + "\nBus info          Device      Class       Description\n"
        + "====================================================\n"
        + "".join(f"pci@{placed(k)}  eth{k}  network  Card\n" for k in range(n))
    )


def quoted(n: int) -> str:
    """``lspci -mm``."""
    return "".join(
        f'{placed(k)} "VGA compatible controller [0300]" "NVIDIA Corporation [10de]" '
        '"Card [1c03]" -ra1 -p00 "Acme [1af4]" "Board [1100]"\n'
        for k in range(n)
    )


def wrapped(n: int) -> str:
    """Lines that were cut in two on the way."""
    return "".join(
        f"IOMMU Group {k} {placed(k)} VGA compatible\ncontroller [0300]: Acme\n"
        "Card [10de:1c03]\n(rev a1)\n"
        for k in range(n)
    )


def quotes(n: int) -> str:
    """Lines that were quoted, and marked, in many ways."""
    return "".join(
        f"{'> ' * (k % 40)}**{placed(k)}** `{NAME}`<br>&amp;\n" for k in range(n)
    )


def _make(write: Write) -> Callable[[int, Path], Commands]:
    def make(n: int, folder: Path) -> Commands:
        file = folder / "text"
        file.write_text(write(n), encoding="utf-8")
        tail = ["--from", str(file)]
        found: Commands = [["list", *tail], ["audit", *tail]]
        if write in (lspci, one_group, chain, sriov, log, options, command_line):
            device = "01:00.0" if write is chain else placed(0)
            found += [
                ["plan", device, *tail],
                ["why", device, *tail],
                ["predict", *tail],
                ["list", "--predict-groups", *tail],
                ["diff", str(file), str(file)],
            ]
        if write in (noise, junk, one_line, log):
            found.append(["explain", "-", f"<{file}"])
        return found

    return make


_SIZES: dict[Write, int] = {
    **dict.fromkeys((lspci, one_group), 1000),
    **dict.fromkeys((bare, chain, one_bus, crossing, listing, headed), 4000),
    sriov: 400,
    **dict.fromkeys((headings, disputed, links, table, quoted), 8000),
    **dict.fromkeys((again, long_links, tree, log, noise, fields, yaml, json), 3000),
    **dict.fromkeys((xml, node_tree, one_xml, bound, wrapped, quotes), 2000),
    **dict.fromkeys((deep_tree, deep_xml, deep_json, deep_yaml, details), 4000),
    **dict.fromkeys((junk, command_line, options), 16000),
    paths: 500,
    dump: 60,
    soft: 4000,
    one_line: 60000,
}
TEXTS = tuple(
    Input(f"text-{write.__name__.replace('_', '-')}", _make(write), size, 60)
    for write, size in _SIZES.items()
)
