"""What libvirt and QEMU are given; libvirt's own schema judges the XML."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import SINCE_6_2, SINCE_6_6, device, group, machine, only

from iommu_inspect.model.machine import Kernel, Machine
from iommu_inspect.model.target import find_target
from iommu_inspect.plan.guests import (
    given,
    iommufd_arguments,
    libvirt_xml,
    only_held,
    qemu_arguments,
    too_long,
)
from iommu_inspect.plan.making import Plan, make_plan

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
    xml = libvirt_xml(plan_for(CARD, "01:00.0").moves)
    assert xml.count("<hostdev ") == 2
    done = valid(domain(xml), tmp_path)
    assert done.returncode == 0, done.stderr


@needs_libvirt
def test_libvirts_schema_tells_good_from_bad(tmp_path: Path) -> None:
    xml = libvirt_xml(plan_for(CARD, "01:00.0").moves)
    assert valid(
        domain(xml.replace("managed='no'", "managed='2'")), tmp_path
    ).returncode
    # A function has one digit there: 0x00 would not do.
    long = xml.replace("function='0x0'", "function='0x00'")
    assert valid(domain(long), tmp_path).returncode


def test_the_guest_gets_the_card_and_not_what_only_shares_the_group() -> None:
    plan = plan_for(CARD, "01:00.0")
    assert list(map(str, given(plan.moves))) == ["0000:01:00.0", "0000:01:00.1"]
    assert list(map(str, only_held(plan.moves))) == ["0000:05:00.0"]
    plan = plan_for(CARD, "group:1")
    assert len(given(plan.moves)) == 3
    assert only_held(plan.moves) == []


def test_the_functions_of_a_card_share_a_slot_of_the_guest() -> None:
    assert qemu_arguments(plan_for(CARD, "group:1").moves) == (
        "-device pcie-root-port,id=card1,chassis=1",
        "-device vfio-pci,host=0000:01:00.0,bus=card1,addr=0x0.0x0,multifunction=on",
        "-device vfio-pci,host=0000:01:00.1,bus=card1,addr=0x0.0x1",
        "-device vfio-pci,host=0000:05:00.0",
    )


def test_a_domain_of_five_digits_is_left_out_and_said() -> None:
    plan = plan_for(VMD, "10000:e1:00.0")
    assert libvirt_xml(plan.moves) == ""
    assert list(map(str, too_long(given(plan.moves)))) == ["10000:e1:00.0"]
    assert qemu_arguments(plan.moves) == (
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
