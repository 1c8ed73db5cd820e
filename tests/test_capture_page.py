"""The recipe of docs/capture.md, which needs no tool: it runs, and is enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from examples import each
from shared import SYSFS

from iommu_inspect.model.uses.host import Host, UseKind
from iommu_inspect.sources.sysfs.bars import with_bars
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_live, open_path
from iommu_inspect.sources.tree.tree import Tree

PAGE = Path(__file__).resolve().parents[1] / "docs" / "capture.md"
# The shell reads names line by line, and one of those has a newline in it.
FIXTURES = sorted(
    p for p in SYSFS.iterdir() if p.is_dir() and p.name != "hostile-names"
)
SHELLS = [
    pytest.param(words, id=words[0])
    for words in (["dash"], ["busybox", "sh"], ["sh"])
    if shutil.which(words[0])
]


def recipe() -> str:
    (text,) = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    assert isinstance(text, str)
    return text


def captured(where: Path, root: Path | None, *shell: str) -> Tree:
    """Run the recipe in a directory, of this host or of another root."""
    where.mkdir()
    (where / "capture.sh").write_text(recipe())
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    if root is not None:
        environment["ROOT"] = str(root)
    done = subprocess.run(
        [*shell, "capture.sh"],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(p.name for p in where.iterdir()) == [
        "capture.sh",
        "iommu-capture.tgz",
    ]
    return open_path(str(where / "iommu-capture.tgz"))


def facts(tree: Tree) -> dict[str, object]:
    machine = with_bars(tree, read_machine(tree))
    found = {
        name: getattr(machine, name)
        for name in machine.__dataclass_fields__
        if name not in ("source", "notes")
    }
    return {**found, "host": _without_processes(machine.host)}


def _without_processes(host: Host) -> Host:
    untold = tuple(one for one in host.untold if one[0] is not UseKind.PROCESS)
    return replace(host, untold=untold)


@each("source", FIXTURES)
def test_what_it_copies_is_all_that_is_read(tmp_path: Path, source: Path) -> None:
    root = Path(shutil.copytree(source, tmp_path / f"of {source.name}", symlinks=True))
    for kept in root.glob("sys/devices/**/vfio-dev/*/.gitkeep"):
        kept.rename(kept.with_name("uevent"))  # kernels have that there
    tree = captured(tmp_path / source.name, root, "sh")
    assert facts(tree) == facts(open_path(str(root)))


@pytest.mark.parametrize("shell", SHELLS)
def test_it_runs_in_every_shell(tmp_path: Path, shell: list[str]) -> None:
    source = SYSFS / "host-lives-here"
    tree = captured(tmp_path / "copy", source, *shell)
    assert facts(tree) == facts(open_path(str(source)))


def test_it_copies_this_host(tmp_path: Path) -> None:
    """Of a capture less is known not to be there; the devices are the same."""
    found = read_machine(captured(tmp_path / "copy", None, "sh"))
    here = read_machine(open_live())
    assert found.kernel == here.kernel
    assert [d.id for d in found.devices] == [d.id for d in here.devices]
    assert [d.ids for d in found.devices] == [d.ids for d in here.devices]
    assert [d.driver for d in found.devices] == [d.driver for d in here.devices]
    assert [d.pci.acs for d in found.devices] == [d.pci.acs for d in here.devices]
    assert {u.text for u in here.host.uses} <= {u.text for u in found.host.uses}


def test_no_sleeping_device_is_woken(tmp_path: Path) -> None:
    root = Path(shutil.copytree(SYSFS / "no-answer", tmp_path / "r", symlinks=True))
    card = "sys/devices/pci0000:00/0000:00:02.0"
    assert isinstance(
        captured(tmp_path / "1", root, "sh").data(f"{card}/config"), bytes
    )
    (root / card / "power_state").write_text("D3cold\n")
    assert not captured(tmp_path / "2", root, "sh").exists(f"{card}/config")
    (root / card / "power_state").write_text("D3hot\n")
    assert captured(tmp_path / "3", root, "sh").exists(f"{card}/config")
    above = root / "sys/devices/pci0000:00/power"
    above.mkdir()
    (above / "runtime_status").write_text("suspended\n")
    assert not captured(tmp_path / "4", root, "sh").exists(f"{card}/config")
