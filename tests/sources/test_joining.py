"""Several parts, and several sources, of one machine; and of two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from examples import each
from pastes import BRIEF, LINKS, LSPCI, WIKI
from running import call
from shared import FIXTURES

from iommu_inspect.model.fact import Missing, known
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.machine import read_texts

TREE = FIXTURES / "kernels" / "6.12-reference-2.tar.gz"


def listed(*sources: Path) -> dict[str, dict[str, Any]]:
    options = [word for source in sources for word in ("--from", source)]
    done = call("list", "--format", "json", *options)
    found = json.loads(done.stdout)
    devices = [d for group in found["groups"] for d in group["devices"]]
    return {d["address"]: d for d in [*devices, *found["ungrouped"]]}


def written(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"text-{number}" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def test_drivers_of_one_text_and_groups_of_another_are_told_together(
    tmp_path: Path,
) -> None:
    drivers = "".join(
        line for line in LSPCI.splitlines(keepends=True) if "IOMMU group" not in line
    )
    found = listed(*written(tmp_path, drivers, LINKS))
    assert found["0000:01:00.1"]["driver"] == "snd_hda_intel"
    assert found["0000:01:00.1"]["group"] == "1"


@each(
    "one, other, says",
    [
        (
            "01:00.0 VGA compatible controller [0300]: NVIDIA X [10de:1c03]\n",
            "01:00.0 VGA compatible controller [0300]: AMD Y [1002:73bf]\n",
            "0000:01:00.0 has the vendor id 10de in line 1 and 1002 in line 1",
        ),
        (
            "01:00.0 VGA compatible controller: NVIDIA Corporation X\n",
            "01:00.0 Ethernet controller: Intel Corporation Y\n",
            "0000:01:00.0 has the class id 0300 in line 1 and 0200 in line 1",
        ),
        (
            "-[0000:00]-+-00.0  Intel Corporation X\n",
            "-[0000:00]-+-00.0  Advanced Micro Devices, Inc. [AMD] Y\n",
            "0000:00:00.0 is of Advanced in line 1 and of Intel in line 1",
        ),
        (
            "[    0.000000] DMI: Dell Inc. XPS 9320/0KNXGD, BIOS 2.23.0 07/03/2025\n",
            "[    0.000000] DMI: LENOVO 21G2/21G2, BIOS R2DET28W 05/22/2024\n",
            "it shows two machines, ",
        ),
    ],
)
def test_two_machines_are_refused(one: str, other: str, says: str) -> None:
    with pytest.raises(SourceError, match="two machines") as refused:
        read_texts([(one, "a"), (other, "b")])
    assert says in str(refused.value)
    with pytest.raises(SourceError, match="two machines"):
        read_texts([(f"{one}\n{other}", "both")])


def test_a_device_in_two_groups_is_in_none_that_is_known() -> None:
    later = WIKI.replace("IOMMU Group 12:", "IOMMU Group 13:")
    machine = read_texts([(WIKI, "before"), (later, "after")])
    drive = next(d for d in machine.devices if d.address == "0000:03:00.0")
    assert drive.group is Missing.UNREADABLE
    assert [group.id for group in machine.groups] == ["0", "1"]
    assert any("is in the groups 12 and 13" in note for note in machine.notes)


def test_a_device_on_two_drivers_is_on_none_that_is_known() -> None:
    later = LSPCI.replace("use: vfio-pci", "use: nvidia")
    machine = read_texts([(LSPCI, "before"), (later, "after")])
    card = next(d for d in machine.devices if d.address == "0000:01:00.0")
    assert not known(card.driver)
    assert any("several drivers for 0000:01:00.0" in note for note in machine.notes)


def test_what_is_not_understood_is_counted_and_shown() -> None:
    text = f"{WIKI}\nIOMMU group #7 holds it\n0000:09:00.0 => whatever that is\n"
    machine = read_texts([(text, "a text")])
    (note,) = [note for note in machine.notes if "not understood" in note]
    assert note.startswith("2 lines about devices were not understood, first: IOMMU gr")


def test_a_text_completes_a_capture_of_the_same_machine(tmp_path: Path) -> None:
    bare = tmp_path / "capture"
    device = bare / "sys" / "bus" / "pci" / "devices" / "0000:01:00.0"
    device.mkdir(parents=True)
    for name, value in (("vendor", "0x10de"), ("device", "0x1c03")):
        (device / name).write_text(f"{value}\n")
    (device / "class").write_text("0x030000\n")
    found = listed(bare, *written(tmp_path, LSPCI, WIKI))
    card = found["0000:01:00.0"]
    assert (card["group"], card["driver"]) == ("1", "vfio-pci")
    assert list(found) == ["0000:01:00.0"]
    other = LSPCI.replace("10de:1c03", "10de:1c04")
    done = call("list", "--from", bare, "--from", written(tmp_path, other)[0])
    assert done.returncode == 4
    assert "0000:01:00.0 is 10de:1c03 in one and 10de:1c04 in the other" in done.stderr


def test_two_captures_are_no_one_machine() -> None:
    done = call("list", "--from", TREE, "--from", TREE)
    assert done.returncode == 4
    assert "iommu-inspect diff" in done.stderr


def test_standard_input_is_read_once() -> None:
    done = call("list", "--from", "-", "--from", "-", stdin=BRIEF.encode())
    assert done.returncode == 2
