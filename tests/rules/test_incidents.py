"""Incidents that people reported, with what really happened to them.

``incidents.tsv`` says for each who owned the group. Only what it states is put into
the machine; the rest of the host is in order, and the kernel is not known.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import pytest
from builders import UNKNOWN_KERNEL, addresses, device, group, machine
from shared import SHARED, needs_shared

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import ReservedRegion
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Severity

TABLE = SHARED / "incidents" / "incidents.tsv"


class Incident(NamedTuple):
    """One line of the table."""

    id: str
    source: str
    device: str
    group: str
    members: str
    observed: str
    lesson: str


@cache
def incidents() -> dict[str, Incident]:
    lines = TABLE.read_text().splitlines()
    rows = [Incident(*line.split("\t")) for line in lines if not line.startswith("#")]
    return {row.id: row for row in rows}


# What the tool has to say, and who blocks where the report names somebody.
EXPECTED: dict[str, tuple[str, set[str]]] = {
    "renoir-4900h": ("blocked", {"0000:07:00.0", "0000:07:00.1"}),
    "pcileech-77": ("ready", set()),
    "pcileech-124": ("ready", set()),
    "ndn-dpdk-63": ("blocked", {"0000:44:00.0", "0000:44:00.1", "0000:44:00.2"}),
    # From here on the report leaves out a driver, or the members themselves.
    "dra-nvidia-1191": ("unknown", set()),
    "z97-gtx760": ("unknown", set()),
    "x58-usb": ("unknown", set()),
    # The kernel would give the group; that it was asked to split it is another matter.
    "gh-nuc-kata-10622": ("ready", set()),
    "rpi5-6834": ("blocked", set()),
    "harvester-7340": ("blocked", set()),
    "harvester-9265": ("blocked", set()),
    "incus-3422": ("unknown", set()),
    "mtl-1667": ("blocked", {"0000:02:00.1"}),
}

BRIDGE = re.compile(r"0000:(00:08\.|00:01\.0|04:0)")
MEMBER = re.compile(r"([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])=(\([^)]*\)|[^;]*)")


def driver(stated: str) -> Fact[str | None]:
    """Read the right side of ``device=driver``; a remark means: not reported."""
    if stated == "-":
        return None
    if stated == "(requested)":
        return "vfio-pci"  # somebody tried to hand it over
    return Missing.ABSENT if stated.startswith("(") else stated


def members(incident: Incident) -> list[Device]:
    group_id = "1" if incident.group == "?" else incident.group
    return [
        device(
            address,
            driver(stated),
            bridge=bool(BRIDGE.match(address)) and address != incident.device,
            group=group_id,
        )
        for address, stated in MEMBER.findall(incident.members)
    ]


def host(incident: Incident) -> Machine:
    """Build the machine that an incident describes."""
    group_id = "1" if incident.group == "?" else incident.group
    match incident.id:
        case "rpi5-6834":
            named = re.findall(r"(\d)=([^;]*)", incident.members.split("only: ")[1])
            groups = [
                group(
                    *(
                        device(name, "some-driver", bus="platform", group=number)
                        for name in names.split(",")
                    ),
                    id=number,
                )
                for number, names in named
            ]
            assert [len(g.devices) for g in groups] == [2, 2]
            loner = device(incident.device, "vfio-pci", group=None)
            return machine(*groups, ungrouped=[loner])
        case "harvester-9265":
            gpu = device("0000:01:00.0", "vfio-pci", group=None)
            return machine(ungrouped=[gpu], iommus=(), firmware_tables=())
        case "harvester-7340":
            wanted = device(incident.device, "vfio-pci")
            rmrr = (ReservedRegion(0x1000, 0x1FFF, "direct"),)
            assert "RMRR" in incident.observed
            return machine(group(wanted, regions=rmrr))
        case "mtl-1667":
            assert incident.members == "PF=vfio-pci; VFs=kernel driver"
            pf = device("0000:02:00.0", "vfio-pci")
            return machine(group(pf, device("0000:02:00.1", "iavf")))
        case "incus-3422" | "x58-usb":
            # Who else is in the group is not told, only that somebody is.
            wanted = device(incident.device, "vfio-pci", group=group_id)
            slot = incident.device[:-1]
            other = device(f"{slot}7", Missing.ABSENT, group=group_id)
            return machine(group(wanted, other, id=group_id))
        case _:
            assert members(incident)
            return machine(group(*members(incident), id=group_id))


def judge(incident_id: str) -> Audit:
    incident = incidents()[incident_id]
    here = host(incident)
    named = {"mtl-1667": "0000:02:00.0", "harvester-9265": "0000:01:00.0"}
    target = find_target(here, named.get(incident_id, incident.device))
    return audit(here, UNKNOWN_KERNEL, (target,))


@needs_shared
def test_the_table_of_incidents_is_the_one_that_is_judged() -> None:
    assert list(incidents()) == list(EXPECTED)
    assert len(EXPECTED) == 13


@needs_shared
@pytest.mark.parametrize("incident_id", EXPECTED)
def test_the_verdict_is_what_happened(incident_id: str) -> None:
    assert judge(incident_id).verdict.value == EXPECTED[incident_id][0]


@needs_shared
@pytest.mark.parametrize("incident_id", EXPECTED)
def test_those_who_block_are_named_and_nobody_else(incident_id: str) -> None:
    errors = [
        f
        for f in judge(incident_id).findings
        if f.rule == "mixed-ownership" and f.certainty.value == "kernel"
    ]
    assert {addresses(f)[0] for f in errors} == EXPECTED[incident_id][1]


@needs_shared
@pytest.mark.parametrize("incident_id", EXPECTED)
def test_pcieport_is_in_no_error(incident_id: str) -> None:
    for finding in judge(incident_id).findings:
        if finding.severity is Severity.ERROR:
            assert "pcieport" not in finding.message
            assert "pcieport" not in finding.remedy
            about = addresses(finding)[:1]
            ports = {
                d.address
                for d in host(incidents()[incident_id]).devices
                if d.driver == "pcieport"
            }
            assert not set(about) & ports


@needs_shared
def test_there_are_ports_among_the_members_that_the_test_above_looks_at() -> None:
    ports = [
        d.address
        for incident_id in EXPECTED
        for d in host(incidents()[incident_id]).devices
        if d.driver == "pcieport"
    ]
    assert sorted(ports) == [
        "0000:00:08.1",
        "0000:00:08.2",
        "0000:04:00.0",
        "0000:04:09.0",
    ]


@needs_shared
def test_the_reason_is_the_one_that_was_found_out() -> None:
    def rules(incident_id: str) -> set[str]:
        return {
            f.rule for f in judge(incident_id).findings if f.severity is Severity.ERROR
        }

    assert rules("harvester-7340") == {"direct-mapping"}
    assert rules("rpi5-6834") == {"no-iommu"}
    assert rules("harvester-9265") == {"no-iommu"}
    assert rules("pcileech-77") == rules("pcileech-124") == set()


@needs_shared
def test_a_group_with_two_devices_on_vfio_is_warned_not_to_be_split() -> None:
    found = [
        f for f in judge("gh-nuc-kata-10622").findings if f.rule == "partial-group"
    ]
    assert [f.severity for f in found] == [Severity.WARNING]
    assert addresses(found[0]) == ("0000:01:00.1", "0000:01:00.0")
