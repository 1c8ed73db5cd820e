"""``why`` as its users run it."""

from __future__ import annotations

import json
import tarfile
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from running import call
from shared import FIXTURES, KERNELS, SHARED, SYSFS, needs_shared
from trees import unpack

from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))


def document(*devices: str, source: str | Path = DEMO) -> dict[str, Any]:
    done = call("why", *devices, "--from", source, "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    file = resources.files("iommu_inspect").joinpath("schemas/why-1.json")
    jsonschema.Draft202012Validator(json.loads(file.read_text())).validate(found)
    return found


def mechanisms(found: dict[str, Any]) -> dict[str, str]:
    return {reason["with"]: reason["mechanism"] for reason in found["reasons"]}


def test_a_conventional_bridge_is_why_what_is_behind_it_shares_a_group() -> None:
    found = document("03:01.0")
    assert found["members"] == ["0000:02:00.0", "0000:03:01.0", "0000:03:02.0"]
    assert set(mechanisms(found).values()) == {"dma-alias"}
    assert {reason["at"] for reason in found["reasons"]} == {"0000:02:00.0"}
    assert found["recomputed"]["agrees"] is True
    assert found["growth"]["can_grow"] == "yes"


def test_functions_of_one_slot_share_a_group_without_acs() -> None:
    found = document("00:1f.2")
    assert set(mechanisms(found).values()) == {"multifunction"}


def test_a_card_below_a_port_with_acs_is_alone_and_sealed() -> None:
    found = document("01:00.0")
    assert found["reasons"] == []
    assert [hop["isolates"] for hop in found["path"]] == [True, True]
    port = found["path"][1]
    assert int(port["acs_enabled"], 16) & 0x1D == 0x1D
    assert found["growth"]["can_grow"] == "no"


def test_two_devices_give_two_answers() -> None:
    found = document("03:01.0", "01:00.0")
    assert [d["address"] for d in found["devices"]] == ["0000:03:01.0", "0000:01:00.0"]


def test_the_text_fits_and_says_where_isolation_is_lost() -> None:
    done = call("why", "03:01.0", "--from", DEMO)
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "PCIe-to-PCI bridge   NO <--    no ACS" in done.stdout
    assert "<-- isolation is lost here" in done.stdout


def test_without_root_the_members_are_named_and_nothing_is_guessed(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "tree"
    capture = FIXTURES / "kernels" / "6.12-reference-2.tar.gz"
    with tarfile.open(capture) as archive:
        unpack(archive, copy)
    for config in copy.rglob("config"):
        config.write_bytes(config.read_bytes()[:64])
    found = document("00:1f.2", source=copy)
    assert len(found["members"]) == 3
    assert set(mechanisms(found).values()) == {"unknown"}
    assert "root" in found["reasons"][0]["evidence"]
    assert found["recomputed"]["agrees"] is None
    assert found["growth"]["can_grow"] != "no"


def test_without_root_it_says_what_to_run() -> None:
    """Captured by a user of a real kernel: 64 bytes of each configuration space."""
    source = FIXTURES / "kernels" / "6.12-two-functions-1.tar.gz"
    found = document("01:00.0", source=source)
    assert found["members"] == ["0000:01:00.0", "0000:01:00.1"]
    assert found["growth"]["can_grow"] == "unknown"
    assert found["path"][0]["missing"] == {"acs": "truncated"}
    text = call("why", "01:00.0", "--from", source).stdout
    assert "0000:01:00.1 (USB controller): " in text
    assert text.endswith("\n    sudo iommu-inspect why 0000:01:00.0\n")
    assert "No way is seen" not in text


def test_as_root_it_does_not_say_to_be_root() -> None:
    source = FIXTURES / "kernels" / "6.12-two-functions-0.tar.gz"
    assert "sudo" not in call("why", "01:00.0", "--from", source).stdout


def test_two_devices_are_explained_as_a_pair_first() -> None:
    source = FIXTURES / "kernels" / "6.12-bridges-0.tar.gz"
    done = call("why", "03:01.0", "02:01.0", "--from", source)
    first = done.stdout.partition("\n\n")[0].replace("\n", " ")
    assert first.startswith("0000:03:01.0 and 0000:02:01.0 share a group: ")
    assert "same requester id above the bridge 0000:01:00.0" in first
    assert done.stdout.count("A group is the smallest set") == 1
    assert done.stdout.count("The group can grow:") == 1
    (pair,) = document("03:01.0", "02:01.0", source=source)["pairs"]
    assert pair["share_group"] is True
    assert (pair["mechanism"], pair["at"]) == ("dma-alias", "0000:01:00.0")


def test_two_devices_of_two_groups_are_told_why_not() -> None:
    done = call("why", "03:01.0", "01:00.0", "--from", DEMO)
    assert done.stdout.startswith(
        "0000:03:01.0 and 0000:01:00.0 do not share a group: "
    )
    (pair,) = document("03:01.0", "01:00.0")["pairs"]
    assert (pair["share_group"], pair["mechanism"]) == (False, None)


def test_one_device_is_no_pair() -> None:
    assert document("03:01.0")["pairs"] == []
    assert document("03:01.0", "03:01.0")["pairs"] == []


def test_a_difference_from_the_kernel_is_said_with_what_may_explain_it(
    tmp_path: Path,
) -> None:
    """An override splits groups that isolation would keep together."""
    copy = tmp_path / "tree"
    source = FIXTURES / "kernels" / "6.12-two-functions-0.tar.gz"
    with tarfile.open(source) as archive:
        unpack(archive, copy)
    (copy / "proc/cmdline").write_text("quiet pcie_acs_override=multifunction\n")
    groups = copy / "sys/kernel/iommu_groups"
    (link,) = groups.glob("3/devices/0000:01:00.1")
    own = groups / "9"
    (own / "devices").mkdir(parents=True)
    link.rename(own / "devices" / link.name)
    (device,) = copy.glob("sys/devices/pci0000:00/*/0000:01:00.1")
    (device / "iommu_group").unlink()
    (device / "iommu_group").symlink_to("../../../../kernel/iommu_groups/9")
    found = document("01:00.0", source=copy)
    assert found["recomputed"]["agrees"] is False
    assert "pcie_acs_override=multifunction" in found["recomputed"]["suspects"][0]
    text = call("why", "01:00.0", "--from", copy).stdout
    assert "What may explain it:\n  - the kernel was booted with " in text


def test_a_device_without_a_group_is_said_to_have_none() -> None:
    done = call("why", "0001:01:00.0", "--from", SYSFS / "platform-members")
    assert "has no IOMMU group" in done.stdout


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("state", ["before", "after"])
def test_recomputed_groups_are_those_of_the_kernel(kernel: str, state: str) -> None:
    tar = SHARED / "real-kernels" / kernel / f"{state}.tar.gz"
    machine = read_machine(open_path(str(tar)))
    found = recompute(machine)
    assert len(machine.groups) == 8
    assert [found.agreement(g).agrees for g in machine.groups] == [True] * 8


@needs_shared
def test_on_a_real_laptop_no_group_is_recomputed_wrongly() -> None:
    """It was captured without configuration space: much is unknown, nothing wrong."""
    tar = next((SHARED / "ghw").glob("linux-amd64-415*.tar.gz"))
    machine = read_machine(open_path(str(tar)))
    found = recompute(machine)
    assert False not in [found.agreement(g).agrees for g in machine.groups]


# `lspci -v` with its capabilities cut off by whoever posted it.
CUT_OFF = """\
01:00.0 Ethernet controller: Intel Corporation Ethernet Controller X710 (rev 02)
\tSubsystem: Intel Corporation Ethernet 10G 2P X710 Adapter
\tFlags: bus master, fast devsel, latency 0, IRQ 16, IOMMU group 2
(...)
01:00.1 Ethernet controller: Intel Corporation Ethernet Controller X710 (rev 02)
\tSubsystem: Intel Corporation Ethernet Converged Network Adapter X710
\tFlags: bus master, fast devsel, latency 0, IRQ 16, IOMMU group 2
"""
DENIED = CUT_OFF.replace("(...)", "\tCapabilities: <access denied>\n") + (
    "\tCapabilities: <access denied>\n"
)


def test_root_is_named_only_where_the_source_shows_that_it_was_lacking(
    tmp_path: Path,
) -> None:
    for text, root in ((CUT_OFF, False), (DENIED, True)):
        source = tmp_path / "lspci.txt"
        source.write_text(text)
        done = call("why", "01:00.0", "--from", source)
        said = " ".join(done.stdout.split())
        assert ("without root" in said and "64 bytes" in said) is root
        assert said.endswith("on that host, as root: lspci -vvvnn")
        assert root or "the source does not hold its configuration space" in said


def test_a_capture_without_configuration_space_says_nothing_of_root(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "tree"
    capture = FIXTURES / "kernels" / "6.12-reference-2.tar.gz"
    with tarfile.open(capture) as archive:
        unpack(archive, copy)
    for config in copy.rglob("config"):
        config.unlink()
    done = call("why", "00:1f.2", "--from", copy)
    assert "root only" not in done.stdout
    assert "sudo" not in done.stdout
    assert done.returncode == 3
    # What cannot be told of several is said once.
    assert done.stdout.count("[unknown]") == 1


def test_a_group_without_devices_is_told_to_have_none(tmp_path: Path) -> None:
    for part in ("sys/kernel/iommu_groups/3/devices", "sys/devices"):
        (tmp_path / part).mkdir(parents=True)
    for output in ("table", "json"):
        done = call("why", "group:3", "--from", tmp_path, "--format", output)
        assert done.returncode == 3
        assert done.stderr == (
            "iommu-inspect: the source shows no device in group:3: it tells no reason\n"
        )
        assert not done.stdout
