"""What the document of ``diff`` names, its text names too."""

from __future__ import annotations

import shutil
from pathlib import Path

from examples import each
from faults.changing import removed, unbound
from running import call, document
from shared import FIXTURES, SYSFS

KERNELS = FIXTURES / "kernels"


@each(
    "before, after",
    [
        (SYSFS / "groups-of-one", SYSFS / "half-a-group"),
        (SYSFS / "half-a-group", SYSFS / "groups-of-one"),
        (
            KERNELS / "6.12-two-functions-0.tar.gz",
            KERNELS / "6.12-two-functions-1.tar.gz",
        ),
        (
            KERNELS / "5.10-reference-2.tar.gz",
            KERNELS / "7.3-no-remapping-1.tar.gz",
        ),
    ],
)
def test_every_driver_that_changed_is_in_the_text(before: Path, after: Path) -> None:
    text = call("diff", before, after).stdout
    found = document("diff", before, after)
    assert found["drivers"]
    for change in found["drivers"]:
        assert change["device"]["address_after"] in text
        for driver in (change["before"], change["after"]):
            assert driver is None or driver in text


def test_devices_that_come_go_and_change_groups_are_in_the_text(tmp_path: Path) -> None:
    whole = SYSFS / "groups-of-one"
    gone = removed(whole, tmp_path / "gone", "0000:00:04.1")
    # A capture need not hold all that there was.
    assert "cannot be told" in call("diff", whole, gone).stdout
    free = unbound(whole, tmp_path / "free", "0000:00:03.0")
    assert "ifcvf" in call("diff", whole, free).stdout
    joined = tmp_path / "joined"
    shutil.copytree(whole, joined, symlinks=True)
    groups = joined / "sys/kernel/iommu_groups"
    device = next(p for p in joined.rglob("0000:00:05.0") if not p.is_symlink())
    (device / "iommu_group").unlink()
    (device / "iommu_group").symlink_to("/sys/kernel/iommu_groups/4")
    shutil.move(groups / "5/devices/0000:00:05.0", groups / "4/devices/0000:00:05.0")
    shutil.rmtree(groups / "5")
    found = document("diff", whole, joined)
    assert found["groups"]
    for one, other in ((whole, joined), (joined, whole)):
        text = call("diff", one, other).stdout
        assert "0000:00:05.0" in text
        assert "0000:00:04.0" in text
