"""Names out of pci.ids: every device of a vendor has the one that is its own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Device, Machine, PciIds, Source
from iommu_inspect.sources.names import Names, from_pci_ids
from iommu_inspect.sources.tree.opening import open_path

PCI_IDS = """\
#\tList of PCI ID's

10dd  Before
\t1e04  Of the vendor before
10de  NVIDIA Corporation
# a comment ends no vendor
\t0008  NV1 [EDGE 3D]
\t\t1e04 1e04  A subsystem, no device
#\t1e04  Commented out
\t10f7  TU102\tHigh Definition  Audio
\t1e04  TU102 [GeForce RTX 2080 Ti]

\t1e07  Behind an empty line
\t1e0
\t1e099  Five digits
10df  Behind
\t1e05  Of the vendor behind
C 03  Display controller
\t00  VGA compatible controller
10de  No vendor among classes
\t1e05  No device among classes
"""
DEVICES = {
    0x0008: "NV1 [EDGE 3D]",
    0x10F7: "TU102 High Definition Audio",
    0x1E04: "TU102 [GeForce RTX 2080 Ti]",
    0x1E07: "Behind an empty line",
    0x1E05: None,
    0x1E09: None,
}


def named(root: Path, devices: tuple[Device, ...]) -> list[Names]:
    (root / "sys").mkdir(exist_ok=True)
    machine = Machine(source=Source("tree", "x"), ungrouped=devices)
    return list(map(from_pci_ids(open_path(str(root)), machine), devices))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_comments_and_subsystems_and_classes_take_no_name_away(
    tmp_path: Path, end: str, packed: bool
) -> None:
    folder = tmp_path / "usr/share/misc"
    folder.mkdir(parents=True)
    content = PCI_IDS.replace("\n", end).encode()
    if packed:
        (folder / "pci.ids.gz").write_bytes(gzip.compress(content))
    else:
        (folder / "pci.ids").write_bytes(content)
    devices = tuple(
        Device(DeviceId(f"0000:01:00.{n}", "pci"), ids=PciIds(0x10DE, device))
        for n, device in enumerate(DEVICES)
    )
    assert named(tmp_path, devices) == [
        Names("NVIDIA Corporation", name) for name in DEVICES.values()
    ]
