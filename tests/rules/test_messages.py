"""A message that somebody met finds the pages that quote it."""

from __future__ import annotations

import io
import tarfile

import pytest
from counting import calls
from examples import each
from running import call, document

from iommu_inspect.rules._messages import quoted_messages, quoting
from iommu_inspect.rules._pages import page
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.registry import RULES

PAGES = {rule.id: page(rule) for rule in RULES}


def found(text: str) -> list[str]:
    return [quote.rule.id for quote in quoting(PAGES, RULES, text)]


@each(
    "text, best",
    [
        # QEMU
        ("vfio 0000:01:00.0: group 13 is not viable", "mixed-ownership"),
        ("group 13 is not viable", "mixed-ownership"),
        ("not viable", "mixed-ownership"),
        (
            "qemu-system-x86_64: -device vfio-pci,host=0000:0b:00.0,id=hostdev0,"
            "bus=pci.4,addr=0x0: vfio 0000:0b:00.0: group 22 is not viable",
            "mixed-ownership",
        ),
        (
            "Please ensure all devices within the iommu_group are bound to their "
            "vfio bus driver.",
            "mixed-ownership",
        ),
        (
            "vfio 0000:1a:00.0: failed to open /dev/vfio/1: No such file or directory",
            "not-on-vfio",
        ),
        ("failed to open /dev/vfio/77: No such file", "not-on-vfio"),
        (
            "vfio 0000:1a:00.0: failed to open /dev/vfio/1: Permission denied",
            "vfio-access",
        ),
        ("could not open /dev/vfio/1: Permission denied", "vfio-access"),
        ("VFIO_MAP_DMA failed: Cannot allocate memory", "vfio-access"),
        ("VFIO_MAP_DMA failed: Invalid argument", "address-width"),
        (
            "vfio 0000:01:00.0: failed to open /dev/vfio/1: Device or resource busy",
            "partial-group",
        ),
        (
            "vfio 0000:65:00.1: group 9 used in multiple address spaces",
            "partial-group",
        ),
        (
            "vfio: Cannot reset device 0000:0a:00.0, no available reset mechanism.",
            "reset-scope",
        ),
        # libvirt
        ("host doesn't support passthrough", "no-iommu"),
        ("host doesn\u2019t support passthrough of host PCI devices", "no-iommu"),
        (
            "error: unsupported configuration: host doesn't support passthrough of "
            "host PCI devices",
            "no-iommu",
        ),
        (
            "error: Requested operation is not valid: PCI device 0000:0a:00.0 is in "
            "use by driver QEMU, domain gaming",
            "partial-group",
        ),
        (
            "internal error: PCI device 0000:0a:00.0 is in use by driver QEMU, domain "
            "debian12",
            "partial-group",
        ),
        # DPDK, VPP, Cloud Hypervisor
        (
            "EAL:   0000:44:00.3 VFIO group is not viable! Not all devices in IOMMU "
            "group bound to VFIO or unbound",
            "mixed-ownership",
        ),
        ("EAL: 0000:17:00.0 not managed by VFIO driver, skipping", "not-on-vfio"),
        ("Cannot find IOMMU group for PCI device '0000:00:08.0'", "no-iommu"),
        ("Cannot find IOMMU group", "no-iommu"),
        ("Error booting VM: VfioNoIommuGroup", "no-iommu"),
        # what runs on the nodes of Kubernetes
        (
            'server error. command SyncVMI failed: "LibvirtError(Code=1, Domain=10, '
            "Message='internal error: qemu unexpectedly closed the monitor: "
            "2021-11-03T08:06:48.563014Z qemu-kvm: -device vfio-pci,host=0000:01:00.0,"
            "id=ua-gpu1,bus=pci.5,addr=0x0: vfio 0000:01:00.0: group 1 is not viable",
            "mixed-ownership",
        ),
        (
            'server error. command SyncVMI failed: "LibvirtError(Code=67, Domain=10, '
            "Message='unsupported configuration: host doesn't support passthrough of "
            "host PCI devices')\"",
            "no-iommu",
        ),
        (
            '{"component":"virt-handler","level":"error","msg":"failed to read '
            "iommu_group link /sys/bus/pci/devices/0000:65:00.0/iommu_group for device "
            '0000:65:00.0","pos":"common.go:72","reason":"readlink"}',
            "no-iommu",
        ),
        (
            '{"component":"virt-handler","level":"error","msg":"failed to read driver '
            "link /sys/bus/pci/devices/0000:65:00.0/driver for device "
            '0000:65:00.0","pos":"common.go:84","reason":"readlink"}',
            "not-on-vfio",
        ),
        ("Not supported driver nvidia, pci 10de:2236", "not-on-vfio"),
        (
            "E1204 11:22:33.445566       1 vfioInfoProvider.go:46] "
            "NewVfioInfoProvider(): error getting vfio device file for device: "
            "0000:3b:02.1, GetVFIODeviceFile(): unable to find iommu_group lstat "
            "/sys/bus/pci/devices/0000:3b:02.1/iommu_group: no such file or directory",
            "no-iommu",
        ),
        (
            'netdevice GetDevices(): error creating new device: "error getting driver '
            "info for device 0000:3b:02.1 readlink /sys/bus/pci/devices/0000:3b:02.1/"
            'driver: no such file or directory"',
            "not-on-vfio",
        ),
        (
            "2024/05/06 07:08:09 Could not get IOMMU Group for device  0000:41:00.0",
            "no-iommu",
        ),
        (
            "2024/05/06 07:08:09 Could not get driver for device  0000:41:00.0",
            "not-on-vfio",
        ),
        (
            "could not determine iommufd device for device 0000:41:00.0: open "
            "/sys/bus/pci/devices/0000:41:00.0/vfio-dev: no such file or directory",
            "iommufd-node",
        ),
        (
            "failed to bind device 0000:41:00.0 to vfio-pci: failed to bind "
            "0000:41:00.0 to vfio-pci: write /sys/bus/pci/drivers/vfio-pci/bind: "
            "invalid argument",
            "no-iommu",
        ),
        (
            "failed to find directory for vfio driver vfio_pci at "
            "/sys/bus/pci/drivers, is the module loaded?",
            "not-on-vfio",
        ),
        # the kernel's log
        (
            "[  123.456789] vfio-pci 0000:06:00.0: Cannot bind to PF with SR-IOV "
            "enabled",
            "sriov-mix",
        ),
        (
            "Jan 02 03:04:05 host kernel: vfio-pci 0000:b1:01.0: 8086:4941 exists in "
            "vfio-pci device denylist, driver probing disallowed.",
            "denylist",
        ),
        (
            "vfio-pci 0000:0c:00.0: BAR 3: can't reserve [mem 0xf0000000-0xf1ffffff "
            "64bit pref]",
            "boot-display",
        ),
        (
            "vfio-pci 0000:02:00.0: Firmware has requested this device have a 1:1 "
            "IOMMU mapping, rejecting configuring the device without a 1:1 mapping. "
            "Contact your platform vendor.",
            "direct-mapping",
        ),
        (
            "Device is ineligible for IOMMU domain attach due to platform RMRR "
            "requirement",
            "direct-mapping",
        ),
        ("No interrupt remapping support", "interrupt-remapping"),
        (
            "vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the "
            'module param "allow_unsafe_interrupts" to enable VFIO IOMMU support on '
            "this platform",
            "interrupt-remapping",
        ),
        ("Unable to change power state from D3cold to D0", "power-d3cold"),
        ("Code 43", "boot-display"),
    ],
)
def test_a_message_finds_the_page_about_it(text: str, best: str) -> None:
    assert found(text)[:1] == [best]


@each(
    "text",
    [
        "vfio-pci: probe of 0000:01:00.0 failed with error -22",
        "vfio-pci 0000:01:00.0: probe with driver vfio-pci failed with error -22",
    ],
)
def test_a_message_with_several_causes_names_them_all(text: str) -> None:
    assert {"no-iommu", "not-on-vfio", "denylist", "xen-dom0"} <= set(found(text))
    refused = "vfio 0000:03:00.0: Failed to set iommu for container: Operation not "
    refused += "permitted"
    assert {"interrupt-remapping", "direct-mapping"} <= set(found(refused))
    shown = " ".join(call("explain", text).stdout.split())
    assert "It has more than one cause: see also not-on-vfio, " in shown


def test_a_message_that_says_little_names_every_page_with_it() -> None:
    assert {"vfio-access", "sriov-mix"} <= set(found("Permission denied"))


@each(
    "text",
    [
        "hello world",
        "iommu",
        "bash: foo: command not found",
        "mount: /mnt: permission denied.",
        "usb 1-1: new high-speed USB device number 2 using xhci_hcd",
        "nvidia: probe of 0000:01:00.0 failed with error -1",
        # the same sentence with another error is another message
        "vfio-pci: probe of 0000:01:00.0 failed with error -16",
        "systemd[1]: Started the service of a group of this device for the driver.",
        "",
        "\x1b[31m \x00",
    ],
)
def test_what_no_page_quotes_finds_none(text: str) -> None:
    assert found(text) == []


LOG = """\
[    0.000000] Linux version 6.12.107 (builder@host) (gcc 14.2.0) #1 SMP
[    1.234567] pci 0000:00:02.0: BAR 2: assigned [mem 0x4000000000-0x400fffffff]
[    3.000000] EXT4-fs (nvme0n1p2): mounted filesystem with ordered data mode
[   17.100000] vfio-pci 0000:06:00.0: Cannot bind to PF with SR-IOV enabled
[   17.100009] vfio-pci 0000:06:00.0: probe with driver vfio-pci failed with error -16
2026-01-02T03:04:05Z qemu-system-x86_64: vfio 0000:06:00.0: failed to open
/dev/vfio/60: No such file or directory
"""


def test_a_pasted_log_finds_every_page_that_a_line_of_it_names() -> None:
    ids = found(LOG)
    assert set(ids) >= {"sriov-mix", "not-on-vfio"}
    assert "denylist" not in ids
    shown = call("explain", LOG).stdout
    assert "\nSEE ALSO " in shown
    assert all(name in shown for name in ids)
    read = call("explain", "-", stdin=LOG.encode())
    assert (read.returncode, read.stdout) == (0, shown)


@pytest.mark.no_cover
def test_a_long_log_takes_calls_in_proportion() -> None:
    def spent(lines: int) -> int:
        text = "\n".join(
            f"usb 1-{n}: device name{n} group{n} bus" for n in range(lines)
        )
        assert found(text) == []
        return calls(lambda: found(text))

    assert spent(4000) < 2.3 * spent(2000)


def test_the_page_is_shown_with_the_message_that_led_to_it() -> None:
    done = call("explain", "group", "9", "is", "not", "viable")
    assert done.returncode == 0
    assert done.stdout.startswith("The page mixed-ownership quotes this: ")
    assert "\nWHY IT MATTERS\n" in done.stdout
    rules = document("explain", "group 9 is not viable")["rules"]
    assert rules[0]["rule"] == "mixed-ownership"
    assert rules[0]["message"] == "vfio 0000:01:00.0: group 1 is not viable"
    assert len(rules) > 1


def test_what_nothing_quotes_is_wrong_usage_with_what_is_near() -> None:
    for text, said in [
        (
            "VF token \x1b[31m is bad for this device",
            "no page quotes this message; near are sriov-mix",
        ),
        ("mixed-ownrship", "close matches: mixed-ownership"),
        ("what is that?", "no page quotes this message; 'explain' lists the rules"),
    ]:
        done = call("explain", text)
        assert (done.returncode, done.stdout) == (2, ""), text
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert "\x1b" not in done.stderr
    done = call("explain", "-", stdin=b"nothing\nof interest\n")
    assert done.returncode == 2
    assert "no page quotes a line of this" in done.stderr


def test_a_capture_on_standard_input_is_no_message() -> None:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("sys/kernel/iommu_groups/1/type"))
        content = file.getvalue()
    done = call("explain", "-", stdin=content)
    assert done.returncode == 2
    assert "explain takes messages" in done.stderr


def test_commands_settings_and_output_are_no_messages() -> None:
    text = """\
# a rule

Type `driverctl set-override 0000:01:00.0 vfio-pci` or `virsh nodedev-detach x y`
with `options vfio-pci ids=10de:1e04`, `intel_iommu=on` or `-device x y z`; you
may see `vfio 0000:01:00.0: group 1 is not
viable`.

    `a line of a block`

```
$ `another one of a block`
```
"""
    assert quoted_messages(text) == ("vfio 0000:01:00.0: group 1 is not viable",)


@each("rule", RULES)
def test_each_quote_leads_back_to_its_page(rule: Rule) -> None:
    for message in quoted_messages(PAGES[rule.id]):
        assert rule.id in found(message), message
