"""The text of lspci: what it says, and what it leaves open."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from builders import functions
from hypothesis import given
from hypothesis import strategies as st
from running import call
from shared import SHARED, needs_shared

from fuzz import config_space, lspci_text
from iommu_inspect.kernel.grouping.growth import Growing
from iommu_inspect.kernel.grouping.making.joining import Grouping, Mechanism
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.model.device import Acs, Device, SrIov
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.model.topology import Topology
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.sysfs.pci_config import ConfigSpace
from iommu_inspect.sources.text.machine import read_texts

ACS_ON = (
    "SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans-"
)
HOST = f"""\
00:00.0 Host bridge [0600]: Acme Host Bridge [1b36:0008] (rev 01)
	Subsystem: Acme Board [1af4:1100]
	Control: I/O- Mem+ BusMaster+
	IOMMU group: 0

00:01.0 PCI bridge [0604]: Acme Root Port [1b36:000c] (prog-if 00 [Normal decode])
	Control: I/O- Mem+ BusMaster+
	IOMMU group: 1
	Bus: primary=00, secondary=01, subordinate=02, sec-latency=0
	Capabilities: [40] Express (v2) Root Port (Slot+), MSI 00
		SltCap:	AttnBtn+ PwrCtrl- MRL- AttnInd- PwrInd- HotPlug+ Surprise+
	Capabilities: [100 v1] Access Control Services
		ACSCap:	{ACS_ON}
		ACSCtl:	{ACS_ON}
	Kernel driver in use: pcieport

01:00.0 Ethernet controller [0200]: Acme Ethernet [1b36:0010] (rev 02)
	Control: I/O- Mem+ BusMaster+
	IOMMU group: 2
	Capabilities: [60] Express (v2) Endpoint, MSI 00
	Capabilities: [160 v1] Single Root I/O Virtualization (SR-IOV)
		Initial VFs: 4, Total VFs: 4, Number of VFs: 2, Function Dependency Link: 00
		VF offset: 1, stride: 1, Device ID: 1011
	Kernel driver in use: acmenet
	Kernel modules: acmenet

01:00.1 Ethernet controller [0200]: Acme Ethernet Virtual Function [1b36:0011]
	Control: I/O- Mem- BusMaster+
	IOMMU group: 3
	Capabilities: [60] Express (v2) Endpoint, MSI 00

"""


def read(text: str) -> Machine:
    return read_texts([(text, "a test")])


def device(machine: Machine, address: str) -> Device:
    found: Device = next(d for d in machine.devices if d.address == f"0000:{address}")
    return found


def test_what_root_sees_becomes_facts() -> None:
    machine = read(HOST)
    assert machine.source.kind == "lspci"
    assert machine.kernel.release is Missing.ABSENT
    assert [(g.id, len(g.devices), g.whole) for g in machine.groups] == [
        ("0", 1, True),
        ("1", 1, True),
        ("2", 1, True),
        ("3", 1, True),
    ]
    port = device(machine, "00:01.0")
    assert port.driver == "pcieport"
    assert port.pci.header_type == 1
    assert port.pci.pcie_type == PciExpType.ROOT_PORT
    assert port.pci.acs == Acs(0x1D, 0x1D)
    assert port.pci.hotplug_slot is True
    assert port.pci.secondary_bus == 1
    card = device(machine, "01:00.0")
    assert card.path == "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"
    assert Topology(machine).parent(card) is port
    assert (card.ids.vendor, card.ids.device) == (0x1B36, 0x0010)
    assert (card.ids.class_code, card.ids.revision) == (0x020000, 2)
    assert card.pci.acs is None
    assert card.pci.sriov == SrIov(4, 1, 1, 0x1011)
    assert card.pci.virtfns == functions("0000:01:00.1")
    assert card.name == "Acme Ethernet"
    virtual = device(machine, "01:00.1")
    assert virtual.pci.physfn == card.id
    assert virtual.driver is None
    assert virtual.pci.virtfns == ()
    host = device(machine, "00:00.0")
    assert host.pci.virtfns == ()
    assert host.pci.pcie_type is None
    assert host.ids.subsystem_vendor == 0x1AF4


def test_virtual_functions_that_words_do_not_show_are_not_told() -> None:
    lone = device(read("01:00.0 Ethernet controller: Acme Ethernet\n"), "01:00.0")
    assert (lone.pci.virtfns, lone.pci.physfn) == (Missing.ABSENT, Missing.ABSENT)
    text = HOST.replace("Number of VFs: 2", "Number of VFs: 0")
    assert device(read(text), "01:00.0").pci.virtfns == ()
    ids = read("01:00.0 Ethernet controller: Acme\n00: 36 1b 10 00 00 00 00 00\n")
    assert device(ids, "01:00.0").pci.physfn is None


def test_isolation_is_recomputed_from_words() -> None:
    machine = read(HOST)
    found = recompute(machine)
    assert [found.agreement(group).agrees for group in machine.groups] == [True] * 4


def test_without_root_capabilities_are_denied_not_absent() -> None:
    lines = [line for line in HOST.splitlines() if "\t\t" not in line]
    text = "\n".join(
        "\tCapabilities: <access denied>" if "Capabilities" in line else line
        for line in lines
    )
    port = device(read(text), "00:01.0")
    assert port.pci.pcie_type is Missing.DENIED
    assert port.pci.acs is Missing.DENIED
    assert port.pci.sriov is Missing.DENIED
    assert port.pci.hotplug_slot is Missing.DENIED
    assert port.pci.header_type == 1


def test_one_v_shows_that_there_is_acs_but_not_whether_it_is_on() -> None:
    text = "\n".join(line for line in HOST.splitlines() if "\t\t" not in line)
    machine = read(text)
    port = device(machine, "00:01.0")
    assert port.pci.acs is Missing.TRUNCATED
    assert port.pci.hotplug_slot is Missing.TRUNCATED
    assert device(machine, "01:00.0").pci.sriov is Missing.TRUNCATED
    assert device(machine, "01:00.0").pci.acs is None


def test_no_extended_capability_anywhere_means_that_none_was_read() -> None:
    text = "\n".join(
        line for line in HOST.splitlines() if " v1] " not in line and "\t\t" not in line
    )
    assert device(read(text), "00:01.0").pci.acs is Missing.TRUNCATED


def test_a_control_register_that_is_cut_off_is_not_off() -> None:
    cut = HOST.replace(f"ACSCtl:\t{ACS_ON}", "ACSCtl:\tSrcValid+ TransBlk- ReqRedir+")
    assert device(read(cut), "00:01.0").pci.acs is Missing.TRUNCATED


@pytest.mark.parametrize(
    ("status", "kind"), [("Cap+", Missing.TRUNCATED), ("Cap-", None)]
)
def test_a_list_that_was_cut_out_is_not_empty(status: str, kind: object) -> None:
    text = HOST.replace("BusMaster+\n", f"BusMaster+\n\tStatus: {status} 66MHz-\n", 1)
    assert device(read(text), "00:00.0").pci.pcie_type is kind


def test_names_reach_no_terminal_unescaped() -> None:
    text = HOST.replace("Acme Ethernet [", "Acme \x1b[31m\x07Ethernet [")
    done = call("list", "--from", "-", stdin=text.encode())
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_a_bare_list_tells_neither_groups_nor_drivers_nor_registers() -> None:
    bare = "\n".join(line for line in HOST.splitlines() if line[:1].isdigit())
    machine = read(bare)
    assert not machine.groups_known
    card = device(machine, "01:00.0")
    assert card.driver is Missing.ABSENT
    assert card.group is Missing.ABSENT
    assert card.pci.header_type is Missing.ABSENT
    assert card.pci.acs is Missing.ABSENT
    assert not card.is_placed


def test_no_driver_line_means_no_driver_only_where_drivers_are_shown() -> None:
    text = "\n".join(line for line in HOST.splitlines() if "driver in use" not in line)
    assert device(read(text), "01:00.0").driver is Missing.ABSENT
    assert device(read(HOST), "00:00.0").driver is None


def test_without_groups_it_cannot_tell(tmp_path: Path) -> None:
    text = "\n".join(line for line in HOST.splitlines() if "IOMMU group" not in line)
    source = tmp_path / "paste"
    source.write_text(text)
    done = call("list", "--from", source)
    assert done.returncode == 3
    assert "no trace of IOMMU groups" in done.stderr
    done = call("why", "01:00.0", "--from", source)
    assert "does not tell" in done.stdout


def test_a_part_of_a_host_does_not_show_whole_groups() -> None:
    part = HOST[HOST.index("01:00.0") :]
    machine = read(part)
    assert not any(group.whole for group in machine.groups)
    assert machine.notes
    placement = Grouping(machine).place(device(machine, "01:00.0"), lambda _: False)
    assert placement.mechanism is Mechanism.UNKNOWN
    assert "bridges are above" in placement.because


def test_words_do_not_show_that_a_group_cannot_grow() -> None:
    machine = read(HOST)
    grouping = Grouping(machine)
    card = machine.group("0")
    assert card is not None
    found = Growing(grouping).growth(card)
    assert found.can_grow is None
    assert "more functions" in found.untold[0].how
    part = read(HOST[HOST.index("01:00.0") :])
    grouping = Grouping(part)
    assert grouping.newcomer_beside(device(part, "01:00.0")).new is None


def test_a_missing_bridge_in_between_is_not_a_root_bus() -> None:
    text = HOST.replace("01:00.", "02:00.")
    assert not device(read(text), "02:00.0").is_placed


def test_mail_may_quote_and_wrap() -> None:
    wrapped = HOST.replace("CmpltRedir+ ", "CmpltRedir+\n")
    quoted = "On Monday somebody wrote:\n\n" + "".join(
        f"> {line}\n" for line in wrapped.splitlines()
    )
    assert list(read(quoted).devices) == list(read(HOST).devices)


@pytest.mark.parametrize("prefix", ["0000:", "10000:"])
def test_domains_are_read(prefix: str) -> None:
    text = "".join(
        prefix + line if line[:1].isdigit() else line
        for line in HOST.splitlines(keepends=True)
    )
    found = next(iter(read(text).devices))
    assert found.address == f"{prefix}00:00.0"
    assert found.is_below_vmd is (prefix == "10000:")


def test_ids_alone_are_read() -> None:
    text = "00:00.0 0600: 1b36:0008 (rev 01)\n00:01.0 Class 0604: Device 1b36:000c\n"
    first, second = read(text).devices
    assert (first.ids.vendor, first.ids.device) == (0x1B36, 8)
    assert first.ids.class_code == 0x060000
    assert second.base_class == 0x0604
    assert first.name is None


def test_names_without_ids_leave_the_ids_open() -> None:
    text = "00:01.0 PCI bridge: Acme Root Port (rev 01)\n"
    found = next(iter(read(text).devices))
    assert found.ids.vendor is Missing.ABSENT
    assert found.base_class == 0x0604
    assert found.name == "Acme Root Port"


def dump(config: bytes) -> str:
    rows = range(0, len(config), 16)
    return "".join(f"{at:02x}: {config[at : at + 16].hex(' ')}\n" for at in rows)


def test_bytes_count_more_than_words() -> None:
    config = config_space.SAMPLES[0]
    text = HOST.replace(
        "	Kernel driver in use: pcieport\n",
        f"	Kernel driver in use: pcieport\n{dump(config)}",
    )
    port = device(read(text), "00:01.0")
    assert port.pci.acs == ConfigSpace(config).acs
    assert port.pci.multifunction is True


def test_words_count_where_the_bytes_end() -> None:
    config = config_space.SAMPLES[0][:64]
    text = HOST.replace(
        "	Kernel driver in use: pcieport\n",
        f"	Kernel driver in use: pcieport\n{dump(config)}",
    )
    port = device(read(text), "00:01.0")
    assert port.pci.acs == Acs(0x1D, 0x1D)
    only_bytes = read(f"00:01.0 PCI bridge: Acme\n{dump(config)}")
    assert device(only_bytes, "00:01.0").pci.acs is Missing.TRUNCATED


def test_a_function_that_sleeps_is_unreadable() -> None:
    text = HOST.replace(
        "	Bus: primary=00", "	!!! Unknown header type 7f\n	Bus: primary=00"
    )
    port = device(read(text), "00:01.0")
    assert port.pci.acs is Missing.UNREADABLE
    assert port.pci.pcie_type is Missing.UNREADABLE
    assert port.ids.vendor == 0x1B36
    ones = read(f"00:01.0 PCI bridge: Acme\n{dump(bytes([255]) * 256)}")
    assert device(ones, "00:01.0").pci.pcie_type is Missing.UNREADABLE


def test_two_groups_for_one_function_are_not_believed() -> None:
    text = HOST.replace("\tIOMMU group: 2\n", "\tIOMMU group: 2\n\tIOMMU group: 3\n")
    machine = read(text)
    assert device(machine, "01:00.0").group is Missing.UNREADABLE
    group = machine.group("3")
    assert group is not None
    assert not group.whole


def test_bridges_in_a_circle_have_no_place() -> None:
    text = HOST.replace(
        "01:00.0 Ethernet controller [0200]: Acme Ethernet [1b36:0010] (rev 02)\n"
        "\tControl: I/O- Mem+ BusMaster+\n",
        "01:00.0 PCI bridge [0604]: Acme [1b36:0010] (rev 02)\n"
        "\tControl: I/O- Mem+ BusMaster+\n"
        "\tBus: primary=01, secondary=01, subordinate=01, sec-latency=0\n",
    )
    assert not device(read(text), "01:00.0").is_placed


@pytest.mark.parametrize("words", [[], ["-n"]])
def test_every_command_reads_it_from_standard_input(words: list[str]) -> None:
    done = call("list", "--from", "-", *words, stdin=HOST.encode())
    assert done.returncode == 0
    assert ("Acme" in done.stdout) is (not words)
    done = call("audit", "01:00.0", "--from", "-", stdin=HOST.encode())
    assert done.returncode == 1
    assert "bound to acmenet" in done.stdout
    done = call("predict", "01:00.0", "--from", "-", stdin=HOST.encode())
    assert "-EPERM since v5.19" in done.stdout
    done = call("why", "01:00.0", "--from", "-", stdin=HOST.encode())
    assert "is in group 2, alone" in done.stdout
    steps = ["whatif", "unbind=01:00.0", "--format", "json"]
    done = call(*steps, "--from", "-", stdin=HOST.encode())
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["source"]["kind"] == "lspci"
    assert document["source"]["kernel"] is None


@pytest.mark.parametrize(
    "text",
    [
        "hello\n",
        "%PDF-1.7\n",
        "<!DOCTYPE html>\n<html></html>\n",
        '{"groups": []}\n',
        "01:00.0 is my card\n",
    ],
)
def test_other_texts_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    source = tmp_path / "text"
    source.write_text(text)
    done = call("list", "--from", source)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "lspci" in done.stderr


def test_a_text_that_never_ends_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "text"
    source.write_bytes(b"00:00.0 a: b\n" * (17 * 1024 * 1024 // 13))
    done = call("list", "--from", source)
    assert done.returncode == 4
    assert "16 MiB" in done.stderr


@given(st.integers(0, 1 << 40))
def test_damaged_texts_never_raise(seed: int) -> None:
    lspci_text.check(lspci_text.make(random.Random(seed)))


@given(st.integers(0, 1 << 40))
def test_damaged_bytes_are_never_absent(seed: int) -> None:
    config_space.check(config_space.make(random.Random(seed)))


@given(st.text(alphabet="0123456789abcdef:. \t\n[]PBridgeCapts<>+-", max_size=300))
def test_noise_never_raises(noise: str) -> None:
    with suppress(SourceError):
        read_texts([(noise, "noise")])


def pciutils(name: str) -> Machine:
    return read((SHARED / "pciutils" / name).read_text(errors="replace"))


@needs_shared
def test_broken_dumps_are_unknown_and_never_absent() -> None:
    host = device(pciutils("broken-ecaps"), "00:00.0")
    assert host.pci.acs is not None or host.pci.pcie_type is None
    for path in sorted((SHARED / "pciutils").iterdir()):
        machine = pciutils(path.name)
        assert list(machine.devices), path.name
        assert not machine.groups_known


@needs_shared
def test_a_dump_says_what_its_words_say() -> None:
    """Words and bytes of one function: pciutils decoded them, and so do we."""
    compared = 0
    for path in sorted((SHARED / "pciutils").glob("cap-*")):
        text = path.read_text(errors="replace")
        if "Express (v" not in text:
            continue
        rows = [line for line in text.splitlines() if not is_row(line)]
        words, both = read("\n".join(rows)), read(text)
        for one, other in zip(words.devices, both.devices, strict=True):
            if not known(one.pci.pcie_type):
                continue
            assert one.pci.pcie_type == other.pci.pcie_type, path.name
            assert one.pci.secondary_bus == other.pci.secondary_bus, path.name
            told = isinstance(one.pci.acs, Acs) and isinstance(other.pci.acs, Acs)
            if told and isinstance(one.pci.acs, Acs) and isinstance(other.pci.acs, Acs):
                pair = (other.pci.acs.capability & 0x7F, other.pci.acs.control & 0x7F)
                assert (one.pci.acs.capability, one.pci.acs.control) == pair, path.name
            compared += 1
    assert compared >= 8


def is_row(line: str) -> bool:
    return line[:2].isalnum() and line[2:4] in (": ", "0:")
