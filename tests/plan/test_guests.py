"""What libvirt and QEMU are given; libvirt's own schema judges the XML."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import SINCE_6_2, SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.bar import Bar
from iommu_inspect.plan.guest.cards import on_a_root_bus, same_card
from iommu_inspect.plan.guest.guests import (
    given,
    iommufd_arguments,
    libvirt_xml,
    only_held,
    qemu_arguments,
    too_long,
)
from iommu_inspect.plan.guest.windows import window
from iommu_inspect.plan.steps.making import Plan, make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text, qemu_text

SCHEMAS = Path(
    os.environ.get("IOMMU_INSPECT_LIBVIRT_SCHEMAS", "/usr/share/libvirt/schemas")
)
needs_libvirt = pytest.mark.skipif(
    not (SCHEMAS / "domain.rng").is_file() or not shutil.which("xmllint"),
    reason="libvirt's schemas or xmllint are missing: install libvirt0 and "
    "libxml2-utils, or unpack libvirt0 and set IOMMU_INSPECT_LIBVIRT_SCHEMAS",
)

CARD = machine(
    group(
        device("0000:01:00.0", "nouveau"),
        device("0000:01:00.1", "snd_hda_intel"),
        device("0000:05:00.0", "e1000e"),
    )
)
VMD = machine(group(device("10000:e1:00.0", "nvme")))


def plan_for(host: Machine, word: str) -> Plan:
    plan = make_plan(host, only(SINCE_6_6), (find_target(host, word),))
    assert not plan.refusals
    return plan


def domain(hostdevs: str) -> str:
    """The smallest domain that libvirt's schema accepts, around the devices."""
    return (
        "<domain type='kvm'><name>guest</name><memory>1</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
        f"<devices>{hostdevs}</devices></domain>"
    )


def valid(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "domain.xml"
    file.write_text(text)
    schema = str(SCHEMAS / "domain.rng")
    return subprocess.run(
        ["xmllint", "--noout", "--nonet", "--relaxng", schema, str(file)],
        capture_output=True,
        text=True,
    )


@needs_libvirt
def test_libvirt_accepts_the_xml(tmp_path: Path) -> None:
    xml = libvirt_xml(CARD, plan_for(CARD, "01:00.0").moves)
    assert xml.count("<hostdev ") == 2
    done = valid(domain(xml), tmp_path)
    assert done.returncode == 0, done.stderr


@needs_libvirt
def test_libvirts_schema_tells_good_from_bad(tmp_path: Path) -> None:
    xml = libvirt_xml(CARD, plan_for(CARD, "01:00.0").moves)
    assert valid(
        domain(xml.replace("managed='no'", "managed='2'")), tmp_path
    ).returncode
    # A function has one digit there: 0x00 would not do.
    long = xml.replace("function='0x0'", "function='0x00'")
    assert valid(domain(long), tmp_path).returncode


def test_the_guest_gets_the_card_and_not_what_only_shares_the_group() -> None:
    plan = plan_for(CARD, "01:00.0")
    assert list(map(str, given(plan.machine, plan.moves))) == [
        "0000:01:00.0",
        "0000:01:00.1",
    ]
    assert list(map(str, only_held(plan.machine, plan.moves))) == ["0000:05:00.0"]
    plan = plan_for(CARD, "group:1")
    assert len(given(plan.machine, plan.moves)) == 3
    assert only_held(plan.machine, plan.moves) == []


def test_the_functions_of_a_card_share_a_slot_of_the_guest() -> None:
    assert qemu_arguments(CARD, plan_for(CARD, "group:1").moves) == (
        "-device pcie-root-port,id=card1,chassis=1",
        "-device vfio-pci,host=0000:01:00.0,bus=card1,addr=0x0.0x0,multifunction=on",
        "-device vfio-pci,host=0000:01:00.1,bus=card1,addr=0x0.0x1",
        "-device vfio-pci,host=0000:05:00.0",
    )


def test_a_domain_of_five_digits_is_left_out_and_said() -> None:
    plan = plan_for(VMD, "10000:e1:00.0")
    assert libvirt_xml(plan.machine, plan.moves) == ""
    assert list(map(str, too_long(given(plan.machine, plan.moves)))) == [
        "10000:e1:00.0"
    ]
    assert qemu_arguments(plan.machine, plan.moves) == (
        "-device vfio-pci,sysfsdev=/sys/bus/pci/devices/10000:e1:00.0",
    )


def test_iommufd_only_where_the_kernel_has_it() -> None:
    plan = plan_for(CARD, "05:00.0")
    old = only(SINCE_6_2)
    kernel = Kernel(release="6.12.1", features=frozenset({"iommufd"}))
    with_it = replace(CARD, kernel=kernel)
    assert iommufd_arguments(CARD, only(SINCE_6_6), plan.moves) == ()
    assert iommufd_arguments(with_it, old, plan.moves) == ()
    assert iommufd_arguments(with_it, only(SINCE_6_6), plan.moves) == (
        "-object iommufd,id=iommufd0",
        "-device vfio-pci,iommufd=iommufd0,host=0000:05:00.0",
    )


def below(path: str, driver: str | None, id: str = "1", **more: Any) -> Device:
    """A function whose path shows what is above it."""
    address = path.rpartition("/")[2]
    found = device(address, driver, group=id, **more)
    return replace(found, path=f"sys/devices/{path}")


PORT = "pci0000:00/0000:00:1c.0"
FAMILY = replace(PciPlacement(0, True), physfn=DeviceId("0000:01:00.0", "pci"))


@each(
    "paths, asked, wanted",
    [
        # On a root bus: parts of the chipset that share a slot number.
        (
            ["pci0000:80/0000:80:1f.4", "pci0000:80/0000:80:1f.6"],
            ["80:1f.6"],
            ["-device vfio-pci,host=0000:80:1f.6"],
        ),
        # The same slot, behind a port: a card, and its functions keep their numbers.
        (
            [f"{PORT}/0000:01:00.0", f"{PORT}/0000:01:00.2"],
            ["01:00.0"],
            [
                "-device pcie-root-port,id=card1,chassis=1",
                "-device vfio-pci,host=0000:01:00.0,bus=card1,addr=0x0.0x0,"
                "multifunction=on",
                "-device vfio-pci,host=0000:01:00.2,bus=card1,addr=0x0.0x2",
            ],
        ),
        # Without its function 0 no guest would look for the others.
        (
            [f"{PORT}/0000:01:00.1", f"{PORT}/0000:01:00.2"],
            ["01:00.1"],
            [
                "-device vfio-pci,host=0000:01:00.1",
                "-device vfio-pci,host=0000:01:00.2",
            ],
        ),
    ],
)
def test_a_guest_gets_the_functions_of_one_card_and_no_others(
    paths: list[str], asked: list[str], wanted: list[str]
) -> None:
    host = machine(group(*(below(path, "e1000e") for path in paths)))
    plan = make_plan(host, only(SINCE_6_6), [find_target(host, w) for w in asked])
    assert not plan.refusals
    assert list(qemu_arguments(host, plan.moves)) == wanted


def test_a_virtual_function_is_a_device_of_its_own() -> None:
    virtual = [
        replace(below(f"{PORT}/0000:01:00.{n}", "iavf"), pci=FAMILY) for n in (2, 3)
    ]
    host = machine(group(*virtual))
    plan = plan_for(host, "01:00.2")
    assert qemu_arguments(host, plan.moves) == ("-device vfio-pci,host=0000:01:00.2",)
    assert list(map(str, only_held(host, plan.moves))) == ["0000:01:00.3"]
    both = make_plan(
        host, only(SINCE_6_6), [find_target(host, w) for w in ("01:00.2", "01:00.3")]
    )
    assert not any("multifunction" in x for x in qemu_arguments(host, both.moves))


@each(
    "addresses, more, card",
    [
        (["0000:01:00.0", "0000:01:00.1"], {}, 2),
        # Slot 0 of a root bus has a part of the chipset in it.
        (["0000:80:00.1", "0000:80:00.2"], {"0000:80:00.0": 0x060000}, 1),
        (["0000:80:1f.4", "0000:80:1f.6"], {}, 1),
        (["0000:00:00.1", "0000:00:00.2"], {}, 1),
    ],
)
def test_where_the_place_is_not_told_only_a_plain_card_counts(
    addresses: list[str], more: dict[str, int], card: int
) -> None:
    others = [
        replace(device(a), ids=PciIds(0x8086, 0x1, class_code=code), group=None)
        for a, code in more.items()
    ]
    members = [device(a, "e1000e") for a in addresses]
    host = machine(group(*members), ungrouped=others)
    assert len(same_card(host, members[0])) == card


@each(
    "path, root",
    [
        ("pci0000:80/0000:80:1f.6", True),
        (f"{PORT}/0000:01:00.0", False),
        ("pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0", True),
        ("platform/soc/fe00.pcie/pci0001:00/0001:00:00.0", True),
        ("0000:01:00.0", None),
    ],
)
def test_what_is_above_a_function_says_whether_it_is_on_a_root_bus(
    path: str, root: bool | None
) -> None:
    assert on_a_root_bus(below(path, None)) is root


@needs_libvirt
@each("functions", [(0, 1), (0, 2, 3), (1, 2)])
def test_libvirt_takes_the_slot_of_a_whole_card(
    tmp_path: Path, functions: tuple[int, ...]
) -> None:
    members = [below(f"{PORT}/0000:01:00.{n}", "e1000e") for n in functions]
    host = machine(group(*members))
    xml = libvirt_xml(host, plan_for(host, f"01:00.{functions[0]}").moves)
    done = valid(domain(xml), tmp_path)
    assert done.returncode == 0, done.stderr
    assert xml.count("multifunction='on'") == (0 in functions)
    for function in functions:
        at = f"bus='0x0e' slot='0x00' function='0x{function}'"
        assert (at in xml) is (0 in functions)


@each(
    "sizes, megabytes",
    [
        ([16 << 30, 32 << 20], None),
        ([8 << 30, 8 << 30], None),
        ([32 << 30], 65536),
        ([32 << 30, 32 << 20], 65536),
        ([64 << 30], 131072),
        ([64 << 30, 64 << 30], 262144),
    ],
)
def test_firmware_gets_a_larger_window_for_large_memory(
    sizes: list[int], megabytes: int | None
) -> None:
    first = device("0000:05:00.0", "e1000e")
    bars = tuple(Bar(n, size, True, True, True) for n, size in enumerate(sizes))
    found = window(replace(CARD, bars=((first.id, bars),)), [first])
    if megabytes is None:
        assert found is None
        return
    assert found is not None
    assert found.size == sum(sizes)
    assert found.argument.endswith(f"X-PciMmio64Mb,string={megabytes}")


@each(
    "bar",
    [
        Bar(0, 64 << 30, memory=False, prefetchable=True, wide=True),
        Bar(0, 64 << 30, memory=True, prefetchable=False, wide=True),
        Bar(0, 64 << 30, memory=True, prefetchable=True, wide=False),
    ],
)
def test_only_wide_prefetchable_memory_goes_into_that_window(bar: Bar) -> None:
    first = device("0000:05:00.0", "e1000e")
    assert window(replace(CARD, bars=((first.id, (bar,)),)), [first]) is None


def test_the_window_is_told_with_the_arguments() -> None:
    first = device("0000:05:00.0", "e1000e")
    bars = ((first.id, (Bar(1, 64 << 30, True, True, True),)),)
    plan = plan_for(replace(CARD, bars=bars), "05:00.0")
    words = written(plan, only(SINCE_6_6))
    text = " ".join(plan_text(plan, words, only(SINCE_6_6)).split())
    assert "0000:05:00.0 has 64 GiB of memory to be mapped" in text
    assert "string=131072" in text
    assert "# OVMF may need: -fw_cfg" in qemu_text(words)
