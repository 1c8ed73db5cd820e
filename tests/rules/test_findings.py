"""What triggers each rule, and what nearly does and must not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from examples import each
from running import document
from shared import SYSFS

SHPCHP, HALF, LAYERS = "bridge-shpchp", "half-a-group", "no-iommu"
HOST = "host-lives-here"
FACTS = "device-facts"
DPDK = "dpdk-drivers"


def expecting(file: str) -> tuple[str, str]:
    return ("--expect", str(SYSFS.parent / "expect" / file))


@dataclass(frozen=True)
class Expected:
    """Findings of one rule on one tree: (severity, certainty, group, devices...)."""

    rule: str
    tree: str
    arguments: tuple[str, ...]
    findings: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return " ".join((self.rule, self.tree, *self.arguments))


E, W, I = "error", "warning", "info"  # noqa: E741
K, D, U = "kernel", "derived", "unknown"

CASES = [
    # denylist
    Expected("denylist", "quickassist", ("00:02.0",), ((E, K, "2", "0000:00:02.0"),)),
    Expected("denylist", "quickassist", ("group:4",), ((E, K, "4", "0000:00:04.0"),)),
    Expected("denylist", "quickassist", ("00:03.0",), ()),
    Expected("denylist", "quickassist", (), ()),
    # mixed-ownership
    Expected(
        "mixed-ownership",
        HALF,
        (),
        ((E, K, "15", "0000:00:03.1", "0000:00:03.0"),),  # not 13: unbound is no user
    ),
    Expected("mixed-ownership", HALF, ("00:01.0",), ()),
    Expected("mixed-ownership", HALF, ("group:16",), ()),
    Expected("mixed-ownership", HALF, ("00:03.1",), ()),  # not on vfio, says another
    Expected("mixed-ownership", SHPCHP, (), ()),  # pcieport and shpchp are not its own
    Expected(
        "mixed-ownership",
        "sriov-one-group",
        ("3b:00.0",),
        (
            (E, K, "31", "0000:3b:01.0", "0000:3b:00.0", "0000:3b:01.1"),
            (E, K, "31", "0000:3b:01.1", "0000:3b:00.0", "0000:3b:01.0"),
        ),
    ),
    Expected(
        "mixed-ownership",
        "dangling-member",
        ("00:19.0",),
        ((E, U, "6", "0000:00:1a.0", "0000:00:19.0"),),
    ),
    Expected("mixed-ownership", "dangling-member", ("00:1c.0",), ()),
    Expected(
        "mixed-ownership",
        "no-driver-links",
        (),
        (
            (E, U, "4", "0000:00:01.0", "0000:00:01.1"),
            (E, U, "4", "0000:00:01.1", "0000:00:01.0"),
        ),  # not 3, which has one member: nothing can be mixed there
    ),
    Expected("mixed-ownership", "links-only", (), ()),  # nobody wants it on vfio
    Expected("mixed-ownership", "variant-by-vfio-dev", ("00:05.0",), ()),
    Expected("mixed-ownership", "variant-by-name", ("00:05.0",), ()),
    Expected(
        "mixed-ownership",
        "variant-by-name",
        ("00:06.0",),
        ((E, U, "3", "0000:00:06.0"),),
    ),
    # bridge-driver
    Expected(
        "bridge-driver", SHPCHP, (), ((E, K, "9", "0000:00:1e.0", "0000:05:01.0"),)
    ),
    Expected("bridge-driver", SHPCHP, ("06:00.0",), ()),  # pcieport
    Expected("bridge-driver", SHPCHP, ("05:01.0", "--semantics", "5.10"), ()),
    Expected(
        "bridge-driver",
        SHPCHP,
        ("05:01.0", "--semantics", "6.12"),
        ((E, K, "9", "0000:00:1e.0", "0000:05:01.0"),),
    ),
    Expected("bridge-driver", "sriov-one-group", (), ()),
    Expected("bridge-driver", "bare-capture", (), ()),  # pcieport, kernel not known
    # host-loss
    Expected("host-loss", HOST, (), ((E, D, "1", "0000:00:01.0", "0000:00:01.1"),)),
    Expected(
        "host-loss", HOST, ("00:01.1",), ((E, D, "1", "0000:00:01.0", "0000:00:01.1"),)
    ),
    Expected("host-loss", HOST, ("00:02.0",), ((W, D, "2", "0000:00:02.0"),)),
    Expected(
        "host-loss",
        HOST,
        ("00:02.0", "00:03.0"),
        ((E, D, "2", "0000:00:02.0"), (E, D, "3", "0000:00:03.0")),
    ),
    Expected("host-loss", HOST, ("00:05.0",), ((W, D, "5", "0000:00:05.0"),)),
    Expected(
        "host-loss",
        HOST,
        ("group:4", "group:5"),
        ((E, D, "4", "0000:00:04.0"), (E, D, "5", "0000:00:05.0")),
    ),
    Expected("host-loss", HOST, ("00:06.0",), ((E, D, "6", "0000:00:06.0"),)),
    Expected("host-loss", HOST, ("00:07.0",), ()),  # a drive that nothing is on
    Expected("host-loss", HOST, ("00:08.0",), ((W, D, "8", "0000:00:08.0"),)),
    Expected("host-loss", HOST, ("00:0b.0",), ((W, D, "11", "0000:00:0b.0"),)),
    Expected("host-loss", HOST, ("00:0c.0",), ()),  # only link-local routes
    Expected("host-loss", HALF, (), ()),  # nothing told, and nothing could be there
    Expected("host-loss", "links-only", (), ()),  # nobody asked
    Expected("host-loss", "links-only", ("00:14.0",), ((I, U, "9", "0000:00:14.0"),)),
    Expected("host-loss", "links-only", ("00:02.0",), ()),  # a display carries none
    # boot-display
    Expected("boot-display", HOST, (), ((W, D, "10", "0000:00:0a.0"),)),
    Expected("boot-display", HOST, ("00:09.0",), ((W, D, "9", "0000:00:09.0"),)),
    Expected("boot-display", HOST, ("00:01.1",), ()),  # a display of no screen
    Expected("boot-display", "links-only", ("00:02.0",), ()),
    # not-on-vfio
    Expected("not-on-vfio", HALF, ("00:01.0",), ()),
    Expected("not-on-vfio", HALF, ("00:01.1",), ((E, K, "13", "0000:00:01.1"),)),
    Expected("not-on-vfio", HALF, ("group:13",), ()),  # one member is enough
    Expected(
        "not-on-vfio",
        HALF,
        ("group:16",),
        ((E, K, "16", "0000:00:04.0", "0000:00:04.1"),),
    ),
    Expected("not-on-vfio", HALF, (), ()),  # nobody asked
    Expected("not-on-vfio", "variant-by-vfio-dev", ("00:05.0",), ()),
    Expected("not-on-vfio", "platform-members", ("0001:01:00.0",), ()),  # no group
    Expected("not-on-vfio", HALF, ("00:01.1", "--for", "attach"), ()),
    Expected(
        "not-on-vfio",
        DPDK,
        ("00:05.0", "--for", "dpdk"),
        ((W, K, "5", "0000:00:05.0"),),  # mlx5_core, where it belongs
    ),
    Expected("not-on-vfio", DPDK, ("00:05.0",), ((E, K, "5", "0000:00:05.0"),)),
    Expected(
        "not-on-vfio",
        DPDK,
        ("00:07.0", "--for", "dpdk"),
        ((E, K, "7", "0000:00:07.0"),),  # i40e
    ),
    Expected("not-on-vfio", DPDK, ("00:02.0", "--for", "dpdk"), ()),  # uio-driver's
    Expected(
        "not-on-vfio",
        DPDK,
        ("group:5", "--for", "vfio"),
        ((E, K, "5", "0000:00:05.0"),),
    ),
    # uio-driver
    Expected(
        "uio-driver",
        DPDK,
        ("00:02.0", "--for", "dpdk"),
        ((W, D, "2", "0000:00:02.0"),),  # not translated
    ),
    Expected(
        "uio-driver",
        DPDK,
        ("group:3", "--for", "dpdk"),
        ((E, D, "3", "0000:00:03.0"),),  # translated
    ),
    Expected(
        "uio-driver",
        DPDK,
        ("00:04.0", "--for", "dpdk"),
        ((E, U, "4", "0000:00:04.0"),),  # the type was not captured
    ),
    Expected(
        "uio-driver",
        DPDK,
        ("00:08.0", "--for", "dpdk"),
        ((W, D, "", "0000:00:08.0"),),  # no group
    ),
    Expected("uio-driver", DPDK, ("00:03.0",), ()),  # another purpose
    Expected("uio-driver", DPDK, ("00:06.0", "--for", "dpdk"), ()),  # vfio-pci
    Expected("uio-driver", DPDK, ("--for", "dpdk"), ()),  # nobody asked
    # expectation
    Expected(
        "expectation",
        DPDK,
        expecting("moved.txt"),
        (
            (E, K, "", "0000:00:09.0", "0000:00:05.0"),  # nothing is there
            (E, K, "5", "0000:00:05.0", "0000:00:07.0"),
        ),
    ),
    Expected(
        "expectation",
        DPDK,
        ("00:05.0", *expecting("moved.txt")),
        (
            (E, K, "5", "0000:00:05.0", "0000:00:07.0"),
            (E, K, "5", "0000:00:05.0", "0000:00:09.0"),  # it came from there
        ),
    ),
    Expected("expectation", DPDK, ("00:06.0", *expecting("moved.txt")), ()),
    Expected("expectation", DPDK, ("00:07.0", *expecting("moved.txt")), ()),
    Expected("expectation", DPDK, expecting("in-place.txt"), ()),
    Expected(
        "expectation",
        DPDK,
        expecting("untold.txt"),
        ((E, U, "4", "0000:00:04.0", "0000:00:06.0", "0000:00:07.0"),),
    ),
    Expected("expectation", DPDK, (), ()),
    # direct-mapping
    Expected("direct-mapping", "firmware-mappings", (), ((E, K, "4", "0000:00:01.0"),)),
    Expected("direct-mapping", "firmware-mappings", ("00:1d.0",), ()),  # relaxable
    Expected(
        "direct-mapping",
        "firmware-mappings",
        ("00:01.0", "--semantics", "5.10"),
        ((E, K, "4", "0000:00:01.0"),),  # VT-d refused it long before v6.6
    ),
    Expected(
        "direct-mapping", "bare-capture", ("00:19.0",), ((E, U, "3", "0000:00:19.0"),)
    ),
    Expected("direct-mapping", "links-only", (), ()),  # not told, but nobody asked
    # interrupt-remapping
    Expected("interrupt-remapping", "interrupts-not-remapped", (), ((E, K, ""),)),
    Expected("interrupt-remapping", "interrupts-unsafe", (), ((W, K, ""),)),
    Expected("interrupt-remapping", HALF, (), ()),
    Expected("interrupt-remapping", "platform-members", (), ()),
    Expected("interrupt-remapping", "bare-capture", (), ((E, U, ""),)),
    Expected("interrupt-remapping", "links-only", (), ()),  # not told, nobody asked
    # partial-group
    Expected(
        "partial-group",
        HALF,
        (),
        ((I, K, "13", "0000:00:01.0", "0000:00:01.1"),),
    ),
    Expected(
        "partial-group",
        HALF,
        ("00:02.0",),
        ((W, K, "14", "0000:00:02.0", "0000:00:02.1"),),
    ),
    Expected("partial-group", HALF, ("00:02.0", "00:02.1"), ()),
    Expected("partial-group", HALF, ("group:14",), ()),
    Expected("partial-group", SHPCHP, ("06:00.0",), ()),  # bridges stay
    # driver-override
    Expected(
        "driver-override",
        "override-pending",
        (),
        ((W, K, "1", "0000:00:02.0"), (W, K, "2", "0000:00:03.0")),
    ),
    Expected("driver-override", "override-pending", ("00:04.0",), ()),
    Expected("driver-override", "override-pending", ("00:05.0",), ()),
    Expected("driver-override", "override-pending", ("00:06.0",), ()),
    # ids-take-others
    Expected(
        "ids-take-others",
        "ids-two-cards",
        (),
        (
            (W, D, "1", "0000:00:02.0", "0000:00:03.0"),
            (W, D, "2", "0000:00:02.1", "0000:00:03.1"),
        ),
    ),
    Expected(
        "ids-take-others",
        "ids-two-cards",
        ("00:02.0",),
        ((W, D, "1", "0000:00:02.0", "0000:00:03.0"),),
    ),
    Expected("ids-take-others", "ids-two-cards", ("00:02.0", "00:03.0"), ()),
    Expected("ids-take-others", "ids-lost-race", (), ()),
    Expected(
        "ids-take-others",
        "ids-two-taken",
        (),
        ((W, D, "1", "0000:00:02.0", "0000:00:03.0"),),
    ),
    # ids-name-nothing
    Expected("ids-name-nothing", "ids-wrong", (), ((W, D, "1", "0000:00:02.0"),)),
    Expected(
        "ids-name-nothing", "ids-wrong", ("00:02.0",), ((W, D, "1", "0000:00:02.0"),)
    ),
    Expected("ids-name-nothing", "ids-wrong", ("00:02.1",), ((I, D, ""),)),
    Expected("ids-name-nothing", "ids-two-cards", (), ()),
    Expected("ids-name-nothing", "settings-misspelt", (), ((I, D, ""),)),
    # no-answer
    Expected("no-answer", "no-answer", (), ((W, K, "1", "0000:00:02.0"),)),
    Expected("no-answer", "no-answer", ("00:02.0",), ((E, K, "1", "0000:00:02.0"),)),
    Expected("no-answer", "no-answer", ("00:02.1",), ()),
    # xen-dom0
    Expected("xen-dom0", "xen-dom0", (), ((E, D, ""),)),
    Expected("xen-dom0", "xen-dom0", ("00:02.0", "--for", "dpdk"), ((W, D, ""),)),
    Expected("xen-dom0", "no-iommu-guest", (), ()),
    Expected("no-iommu", "xen-dom0", (), ()),
    # ids-without-effect
    Expected(
        "ids-without-effect",
        "ids-lost-race",
        (),
        (
            (W, D, "1", "0000:00:02.0"),
            (W, D, "2", "0000:00:02.1"),
            (W, D, "3", "0000:00:03.0"),
            (I, D, "5", "0000:00:05.0"),
        ),
    ),
    Expected("ids-without-effect", "ids-lost-race", ("00:04.0",), ()),  # on vfio
    Expected("ids-without-effect", "ids-built-in", (), ((W, D, "1", "0000:00:02.0"),)),
    Expected("ids-without-effect", "ids-two-cards", (), ()),  # they took the other
    # settings-typo
    Expected(
        "settings-typo",
        "settings-misspelt",
        (),
        (
            (W, D, "1", "0000:00:02.0"),
            (W, D, "2", "0000:00:02.1"),
            *((I, D, ""),) * 3,
        ),
    ),
    Expected(
        "settings-typo",
        "settings-misspelt",
        ("00:02.1",),
        ((E, D, "2", "0000:00:02.1"), *((I, D, ""),) * 4),
    ),
    Expected("settings-typo", "settings-misspelt", ("00:03.0",), ((I, D, ""),) * 5),
    Expected("settings-typo", "ids-two-cards", (), ()),
    # acs-override
    Expected("acs-override", "acs-override", (), ((W, D, ""),)),
    Expected("acs-override", HALF, (), ()),
    Expected("acs-override", "bare-capture", (), ()),  # no command line
    # singleton-assumption
    Expected(
        "singleton-assumption",
        HALF,
        ("00:01.0",),
        ((I, K, "13", "0000:00:01.0", "0000:00:01.1"),),
    ),
    Expected(
        "singleton-assumption",
        "links-only",
        (),
        ((I, K, "14", "0000:00:1f.0", "0000:00:1f.3"),),
    ),
    Expected("singleton-assumption", "acs-override", ("00:19.0",), ()),
    Expected(
        "singleton-assumption",
        HALF,
        ("00:01.0", "--for", "attach"),
        ((E, K, "13", "0000:00:01.0", "0000:00:01.1"),),
    ),
    Expected(
        "singleton-assumption",
        HALF,
        ("00:01.0", "--for", "attach", "--semantics", "proposed-single-driver"),
        ((I, K, "13", "0000:00:01.0", "0000:00:01.1"),),
    ),
    Expected(
        "singleton-assumption",
        HALF,
        ("00:01.0", "--for", "attach", "--semantics", "4.0"),
        ((I, K, "13", "0000:00:01.0", "0000:00:01.1"),),
    ),
    Expected(
        "singleton-assumption",
        HALF,
        ("00:01.0", "--for", "one-per-group"),
        ((I, K, "13", "0000:00:01.0", "0000:00:01.1"),),  # the card's own audio
    ),
    Expected(
        "singleton-assumption",
        SHPCHP,
        ("05:01.0", "--for", "one-per-group"),
        ((I, K, "9", "0000:05:01.0", "0000:00:1e.0"),),  # a bridge does not count
    ),
    Expected(
        "singleton-assumption",
        SHPCHP,
        ("05:01.0", "--for", "attach"),
        ((E, K, "9", "0000:05:01.0", "0000:00:1e.0"),),  # to the kernel it does
    ),
    # singleton-can-grow
    Expected(
        "singleton-can-grow",
        "groups-of-one",
        (),
        ((W, D, "5", "0000:00:05.0"), (I, D, "2", "0000:00:02.0")),
    ),
    Expected(
        "singleton-can-grow",
        "groups-of-one",
        ("00:02.0",),
        ((I, D, "2", "0000:00:02.0"),),
    ),
    Expected("singleton-can-grow", "groups-of-one", ("00:06.0",), ()),  # isolated
    Expected("singleton-can-grow", "groups-of-one", ("group:4",), ()),  # two devices
    # attach-user
    Expected(
        "attach-user",
        "groups-of-one",
        (),
        (
            (W, K, "4", "0000:00:04.0", "0000:00:04.1"),
            (I, K, "3", "0000:00:03.0"),
            (I, K, "5", "0000:00:05.0"),
        ),
    ),
    Expected("attach-user", "groups-of-one", ("00:06.0",), ()),  # vfio-pci is none
    # proposed-single-driver
    Expected(
        "proposed-single-driver",
        "links-only",
        (),
        ((I, D, "14", "0000:00:1f.0", "0000:00:1f.3"),),
    ),
    Expected("proposed-single-driver", "acs-override", (), ()),
    # sriov-mix
    Expected(
        "sriov-mix",
        FACTS,
        (),
        (
            (W, K, "60", "0000:06:00.0", "0000:06:10.2"),  # the host uses it
            (W, K, "60", "0000:06:00.0", "0000:06:10.0"),  # needs the VF token
        ),  # not 07:00.0, which the host keeps while VFs are on vfio
    ),
    Expected(
        "sriov-mix",
        FACTS,
        ("06:10.0",),
        (
            (W, K, "60", "0000:06:00.0", "0000:06:10.2"),
            (W, K, "61", "0000:06:10.0", "0000:06:00.0"),
        ),
    ),
    Expected(
        "sriov-mix",
        FACTS,
        ("07:00.0",),  # vfio-pci refuses it
        ((W, K, "70", "0000:07:00.0", "0000:07:10.0", "0000:07:10.2"),),
    ),
    Expected("sriov-mix", FACTS, ("07:10.0",), ()),
    Expected("sriov-mix", FACTS, ("02:00.0",), ()),
    Expected(
        "sriov-mix",
        "sriov-one-group",
        (),
        (
            (W, K, "31", "0000:3b:00.0", "0000:3b:01.0", "0000:3b:01.1"),
            (W, K, "31", "0000:3b:00.0", "0000:3b:01.0", "0000:3b:01.1"),
        ),
    ),
    # reset-scope
    Expected(
        "reset-scope",
        FACTS,
        ("01:00.0",),  # "bus" in reset_method, and not alone on its bus
        ((W, K, "10", "0000:01:00.0", "0000:01:00.1"),),
    ),
    Expected("reset-scope", FACTS, ("02:00.0",), ()),  # flr
    Expected("reset-scope", FACTS, ("03:00.0",), ()),  # "bus", and alone there
    Expected(
        "reset-scope",
        FACTS,
        ("05:00.0",),  # its neighbour is on vfio, in a group not asked for
        ((I, K, "50", "0000:05:00.0", "0000:05:00.1"),),
    ),
    Expected("reset-scope", FACTS, ("05:00.0", "05:00.1"), ()),
    Expected("reset-scope", FACTS, ("00:1f.3",), ((W, K, "8", "0000:00:1f.3"),)),
    Expected("reset-scope", FACTS, ("00:1f.4",), ((I, K, "8", "0000:00:1f.4"),)),
    Expected("reset-scope", FACTS, (), ()),  # nobody asked
    Expected("reset-scope", HALF, ("00:01.0",), ((I, U, "13", "0000:00:01.0"),)),
    # power-d3cold
    Expected("power-d3cold", FACTS, ("03:00.0",), ((W, D, "30", "0000:03:00.0"),)),
    Expected("power-d3cold", FACTS, ("04:00.0",), ((I, K, "40", "0000:04:00.0"),)),
    Expected("power-d3cold", FACTS, ("02:00.0",), ()),
    Expected("power-d3cold", FACTS, (), ()),
    # companion-functions
    Expected(
        "companion-functions",
        FACTS,
        ("01:00.0",),
        ((W, K, "10", "0000:01:00.0", "0000:01:00.1"),),
    ),
    Expected("companion-functions", FACTS, ("01:00.0", "01:00.1"), ()),
    Expected("companion-functions", FACTS, ("04:00.0",), ()),  # unbound
    Expected("companion-functions", FACTS, ("05:00.0",), ()),  # ports of one card
    Expected("companion-functions", FACTS, (), ()),
    # address-width
    Expected("address-width", FACTS, ("01:00.0",), ((I, K, "", "0000:01:00.0"),)),
    Expected("address-width", FACTS, ("02:00.0",), ()),  # 48 bits, the processor 46
    Expected("address-width", FACTS, (), ()),
    # numa-distance
    Expected(
        "numa-distance",
        FACTS,
        ("01:00.0", "group:20"),
        ((I, K, "", "0000:01:00.0", "0000:02:00.0"),),
    ),
    Expected("numa-distance", FACTS, ("01:00.0", "03:00.0"), ()),
    Expected("numa-distance", FACTS, (), ()),
    # dma-alias-quirk
    Expected("dma-alias-quirk", FACTS, ("03:00.0",), ((I, K, "30", "0000:03:00.0"),)),
    Expected("dma-alias-quirk", FACTS, ("02:00.0",), ()),
    # vfio-access
    Expected("vfio-access", FACTS, ("02:00.0",), ((I, K, ""),)),
    Expected("vfio-access", FACTS, ("04:00.0",), ()),  # nobody can open it yet
    Expected("vfio-access", FACTS, (), ()),
    Expected("vfio-access", HALF, ("00:01.0",), ()),  # no limits in the capture
    # iommufd-node
    Expected("iommufd-node", FACTS, ("01:00.0",), ((I, K, "10", "0000:01:00.0"),)),
    Expected("iommufd-node", FACTS, ("02:00.0",), ()),
    Expected("iommufd-node", FACTS, ("03:00.0",), ()),  # no vfio-dev at all
    # no-iommu
    *(
        Expected("no-iommu", f"no-iommu-{layer}", (), ((E, D, ""),))
        for layer in ("firmware", "groups", "guest", "unit")
    ),
    Expected("no-iommu", "no-iommu-mode", (), ((E, D, ""),)),
    Expected(
        "no-iommu",
        "platform-members",
        (),
        ((W, D, "", "0001:00:00.0", "0001:01:00.0"),),
    ),
    Expected(
        "no-iommu",
        "platform-members",
        ("0001:01:00.0",),
        ((E, K, "", "0001:01:00.0"),),
    ),
    Expected("no-iommu", "platform-members", ("axi:gpu",), ()),
    Expected(
        "no-iommu", DPDK, ("00:08.0", "--for", "dpdk"), ((W, K, "", "0000:00:08.0"),)
    ),
    Expected("no-iommu", DPDK, ("00:08.0",), ((E, K, "", "0000:00:08.0"),)),
    Expected("no-iommu", "no-iommu-guest", ("--for", "dpdk"), ((W, D, ""),)),
    # no-iommu-mode
    Expected(
        "no-iommu-mode",
        "no-iommu-mode",
        ("00:19.0", "--for", "dpdk"),
        ((W, K, ""), (W, K, "0", "0000:00:19.0")),
    ),
    Expected(
        "no-iommu-mode", "no-iommu-mode", (), ((E, K, "0", "0000:00:19.0"), (W, K, ""))
    ),
    Expected("no-iommu-mode", "no-iommu-firmware", (), ()),
    Expected("no-iommu-mode", HALF, (), ()),
]


def findings(tree: str, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document("audit", *arguments, "--from", SYSFS / tree)[
        "findings"
    ]
    return found


@each("case", CASES)
def test_a_rule_finds_what_it_should_and_nothing_more(case: Expected) -> None:
    found = [
        (f["severity"], f["certainty"], f["group"] or "", *f["devices"])
        for f in findings(case.tree, *case.arguments)
        if f["rule"] == case.rule
    ]
    assert tuple(found) == case.findings


def test_every_rule_is_tried_with_and_without_a_finding() -> None:
    from iommu_inspect.rules.registry import RULES

    for rule in RULES:
        cases = [bool(case.findings) for case in CASES if case.rule == rule.id]
        assert set(cases) == {True, False}, rule.id


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("guest", "virtual machine"),
        ("firmware", "Firmware describes no IOMMU"),
        ("unit", "runs no unit"),
        ("groups", "no device has a group"),
    ],
)
def test_the_layer_that_is_missing_is_named(layer: str, words: str) -> None:
    (found,) = findings(f"no-iommu-{layer}")
    assert words in found["message"]


@each("tree", sorted(p.name for p in SYSFS.iterdir() if p.is_dir()))
def test_an_unbound_member_is_never_a_problem(tree: str) -> None:
    """But for a driver_override that waits: there somebody wanted a driver."""
    unbound = {
        device["address"]
        for group in document("list", "--numeric", "--from", SYSFS / tree)["groups"]
        for device in group["devices"]
        if device["driver"] is None and "driver" not in device["missing"]
    }
    for found in findings(tree):
        if found["severity"] != I and found["rule"] != "driver-override":
            assert not set(found["devices"][:1]) & unbound, found


def test_that_test_has_unbound_members_to_look_at() -> None:
    found = document("list", "--numeric", "--from", SYSFS / HALF)["groups"]
    assert sum(d["driver"] is None for g in found for d in g["devices"]) == 3


@pytest.mark.parametrize("semantics", ["4.0", "5.10", "6.1", "6.3", "6.12"])
def test_a_bridge_on_pcieport_is_no_problem_on_any_kernel(semantics: str) -> None:
    found = findings(SHPCHP, "06:00.0", "--semantics", semantics)
    assert not [f for f in found if f["severity"] == E]


@pytest.mark.parametrize(
    ("semantics", "verdict"),
    [("5.10", "ready"), ("5.19", "blocked"), ("6.12", "blocked")],
)
def test_a_bridge_on_another_driver_blocks_since_5_19(
    semantics: str, verdict: str
) -> None:
    arguments = ("audit", "05:01.0", "--from", SYSFS / SHPCHP, "--semantics", semantics)
    assert document(*arguments)["verdict"] == verdict


def test_rhel_counts_by_what_exists_not_by_its_number() -> None:
    """With vfio-dev the ownership rules are there; without, 5.14 may be either."""
    claims = {}
    for which in ("with", "without"):
        found = document("predict", "--from", SYSFS / f"rhel9-{which}-vfio-dev")
        answers = {p["operation"]: p["result"] for p in found["predictions"]}
        claims[which] = answers["iommu_group_claim_dma_owner"]
    assert claims == {"with": "-EPERM", "without": "unknown"}


def test_unrelated_devices_and_functions_of_one_card_are_told_apart() -> None:
    def message(tree: str, address: str) -> str:
        return next(
            str(f["message"])
            for f in findings(tree, address)
            if f["rule"] == "singleton-assumption"
        )

    assert "2 other functions" in message("sriov-one-group", "3b:00.0")
    assert "1 other function" in message(HALF, "00:01.0")
    assert "1 unrelated device (0000:00:1b.0)" in message(
        "rhel9-with-vfio-dev", "00:19.0"
    )
    assert "1 bridge (0000:00:1c.0)" in message(SHPCHP, "06:00.0")


def test_a_card_below_a_bridge_is_not_told_about_functions_that_it_lacks() -> None:
    found = findings(SHPCHP, "06:00.0")
    remedy = next(f for f in found if f["rule"] == "singleton-assumption")["remedy"]
    assert "Functions of one card" not in remedy


def test_what_the_proposal_would_change_is_said_of_the_right_devices() -> None:
    def message(tree: str, target: str) -> str:
        return next(
            str(f["message"])
            for f in findings(tree, target)
            if f["rule"] == "proposed-single-driver"
        )

    sketched = message("links-only", "00:1f.3")
    assert "succeed in group 14" in sketched
    assert "as it was sketched, for 0000:00:1f.3 (as it was posted, its" in sketched
    assert "change nothing" in message("platform-members", "axi:gpu")


def test_an_override_that_waits_behind_a_driver_is_only_to_be_cleared() -> None:
    """drivers_probe does nothing to a device that has a driver."""
    bound, unbound = (
        [cure["cure"] for cure in f["cures"]]
        for f in findings("override-pending")
        if f["rule"] == "driver-override"
    )
    assert bound == ["clear-override"]
    assert unbound == ["probe-again", "clear-override"]


def test_a_newline_in_a_name_begins_no_command() -> None:
    for found in findings("hostile-names"):
        for line in found["remedy"].splitlines():
            assert not line.startswith("line")
            assert line.isprintable()


def test_what_cannot_be_told_of_a_host_makes_its_verdict_unknown() -> None:
    found = document("audit", "--from", SYSFS / "bare-capture")
    errors = [f for f in found["findings"] if f["severity"] == E]
    assert {f["certainty"] for f in errors} == {U}
    assert found["verdict"] == "unknown"


def test_strict_makes_errors_of_warnings() -> None:
    tree = ("--from", SYSFS / "acs-override")
    assert document("audit", *tree)["verdict"] == "ready"
    strict = document("audit", "--strict", *tree)
    assert strict["verdict"] == "blocked"
    assert {f["rule"]: f["severity"] for f in strict["findings"]} == {
        "acs-override": E,
        "singleton-can-grow": I,
    }


def test_a_device_that_is_to_have_no_driver_and_has_none_is_as_it_should_be() -> None:
    from builders import SINCE_6_6, device, group, machine, only

    from iommu_inspect.audit.auditing import audit

    def rules(driver: str | None) -> set[str]:
        host = machine(group(device("0000:01:00.0", driver, driver_override="none")))
        return {f.rule for f in audit(host, only(SINCE_6_6)).findings}

    assert "driver-override" not in rules(None)
    assert "driver-override" in rules("e1000e")
