"""Base address registers, from the text that everybody can read."""

from __future__ import annotations

from pathlib import Path

from examples import each

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.bar import Bar
from iommu_inspect.sources.sysfs.bars import parse_resource, with_bars
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

NONE = "0x0000000000000000 0x0000000000000000 0x0000000000000000"
SMALL = "0x00000000a0000000 0x00000000a0ffffff 0x0000000000040200"
LARGE = "0x0000386000000000 0x0000386fffffffff 0x000000000014220c"
PORTS = "0x0000000000004000 0x000000000000407f 0x0000000000040101"


@each(
    "lines, bars",
    [
        (
            [SMALL, LARGE, NONE, NONE, NONE, PORTS, LARGE],
            (
                Bar(0, 16 << 20, True, False, False),
                Bar(1, 64 << 30, True, True, True),
                Bar(5, 128, False, False, False),
            ),
        ),
        ([NONE] * 13, ()),
        ([], ()),
        (["0x0 0x0"], Missing.UNREADABLE),
        (["0x2000 0x1000 0x200"], Missing.UNREADABLE),
        (["0x" + "f" * 17 + " 0x0 0x0"], Missing.UNREADABLE),
        (["start end flags"], Missing.UNREADABLE),
    ],
)
def test_registers_are_read_and_nothing_is_made_of_bad_lines(
    lines: list[str], bars: object
) -> None:
    assert parse_resource("\n".join(lines)) == bars


def test_only_who_asks_for_them_has_them_read(tmp_path: Path) -> None:
    folder = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "resource").write_text(f"{LARGE}\n")
    (tmp_path / "sys/bus/pci/devices/0000:02:00.0").mkdir()
    tree = open_path(str(tmp_path))
    machine = read_machine(tree)
    assert machine.bars == ()
    found = with_bars(tree, machine)
    assert [name for name, _ in found.bars] == [DeviceId("0000:01:00.0", "pci")]
    one, other = found.devices
    assert found.bars_of(one)[0].size == 64 << 30
    assert found.bars_of(other) == ()
