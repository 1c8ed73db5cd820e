"""The script: any shell reads it, and it touches nothing that was not planned for."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import SINCE_6_6, device, group, machine, only
from shared import SYSFS

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.host.script import refusing_script, script
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

SHELLS = [
    words
    for words in (["dash"], ["busybox", "sh"], ["bash", "--posix"], ["ksh"])
    if shutil.which(words[0])
]
shells = pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])

HOST = machine(
    group(
        device("0000:00:1c.0", "pcieport", bridge=True),
        device("0000:01:00.0", "e1000e"),
        device("0000:01:00.1", "snd_hda_intel", driver_override="snd_hda_intel"),
    )
)


def script_for(host: Machine = HOST) -> str:
    plan = make_plan(host, only(SINCE_6_6), (find_target(host, "01:00.0"),))
    assert not plan.refusals
    return script(plan, "6.12")


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    return laid_out(HOST, tmp_path)


def laid_out(host: Machine, root: Path) -> Path:
    """The files of a host: real links, but nothing acts on a write."""
    sys = root / "sys"
    bus = sys / "bus/pci"
    (bus / "devices").mkdir(parents=True)
    (bus / "drivers/vfio-pci").mkdir(parents=True)
    (bus / "drivers_probe").touch()
    for member in host.devices:
        members = sys / f"kernel/iommu_groups/{member.group}/devices"
        members.mkdir(parents=True, exist_ok=True)
        folder = sys / "devices/pci0000:00" / member.address
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{member.ids.vendor:#06x}\n")
        (folder / "device").write_text(f"{member.ids.device:#06x}\n")
        override = member.driver_override or "(null)"
        (folder / "driver_override").write_text(f"{override}\n")
        if member.driver:
            driver = bus / "drivers" / str(member.driver)
            driver.mkdir(exist_ok=True)
            (folder / "driver").symlink_to(driver)
        (folder / "iommu_group").symlink_to(members.parent)
        (members / member.address).symlink_to(folder)
        (bus / "devices" / member.address).symlink_to(folder)
    return sys


# What the kernel does at a write, put before the script: bind_store(), unbind_store()
# and drivers_probe_store() in drivers/base/bus.c, pci_match_device().
ACTING = """\
echo() {
    k_file=$(readlink "/proc/$$/fd/1")
    case "$k_file" in
        */bind | */unbind | */drivers_probe)
            k_device=/sys/bus/pci/devices/$1
            k_driver=${k_file%/*}
            k_override=$(cat "$k_device/driver_override")
            ;;
    esac
    case "$k_file" in
        */unbind) rm "$k_device/driver" ;;
        */drivers_probe)
            ln -s "${k_file%/*}/drivers/$k_override" "$k_device/driver" ;;
        */bind)
            case "$k_override" in
                "" | "(null)" | "${k_driver##*/}") ;;
                *) printf 'write error: No such device\\n' >&2; return 1 ;;
            esac
            ln -s "$k_driver" "$k_device/driver"
            ;;
    esac
    printf '%s\\n' "$*"
}
"""


def run(
    shell: list[str], text: str, sysfs: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, "-s", *words],
        input=text.replace("/sys/", f"{sysfs}/"),
        capture_output=True,
        text=True,
        timeout=20,
        env={"PATH": os.environ["PATH"]},
    )


def written(sysfs: Path) -> dict[str, str]:
    found = {}
    for path in sorted((sysfs / "bus").rglob("*")) + sorted(
        (sysfs / "devices").rglob("driver_override")
    ):
        if path.is_file() and not path.is_symlink():
            found[path.name if "driver_" in path.name else str(path)] = path.read_text()
    return found


@shells
def test_every_shell_can_read_it(shell: list[str]) -> None:
    done = subprocess.run(
        [*shell, "-n"], input=script_for(), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_it_needs_nothing_that_only_bash_has() -> None:
    text = script_for()
    for word in ("[[", "$'", "local ", "function ", "<(", "pipefail", "declare"):
        assert word not in text


@shells
def test_another_device_at_the_address_stops_it(shell: list[str], sysfs: Path) -> None:
    before = written(sysfs)
    (sysfs / "bus/pci/devices/0000:01:00.0/device").write_text("0x9999\n")
    done = run(shell, script_for(), sysfs)
    assert done.returncode == 1
    assert "0000:01:00.0 is another device than planned for" in done.stderr
    assert written(sysfs) == before


@shells
def test_another_member_of_the_group_stops_it(shell: list[str], sysfs: Path) -> None:
    before = written(sysfs)
    (sysfs / "kernel/iommu_groups/1/devices/0000:05:00.0").symlink_to(sysfs)
    done = run(shell, script_for(), sysfs)
    assert done.returncode == 1
    assert "has other members now" in done.stderr
    assert written(sysfs) == before


@shells
def test_a_device_that_is_gone_stops_it(shell: list[str], sysfs: Path) -> None:
    (sysfs / "bus/pci/devices/0000:01:00.1").unlink()
    done = run(shell, script_for(), sysfs)
    assert done.returncode == 1
    assert "0000:01:00.1 is gone" in done.stderr


@shells
def test_another_word_than_undo_does_nothing(shell: list[str], sysfs: Path) -> None:
    before = written(sysfs)
    done = run(shell, script_for(), sysfs, "und")
    assert done.returncode == 1
    assert written(sysfs) == before


@shells
def test_it_says_so_where_the_driver_does_not_bind(
    shell: list[str], sysfs: Path
) -> None:
    """Files that do not act: after all was written, no driver has changed."""
    done = run(shell, script_for(), sysfs)
    assert done.returncode == 1
    assert "vfio-pci does not take 0000:01:00.0: see dmesg" in done.stderr
    probe = (sysfs / "bus/pci/drivers_probe").read_text()
    assert probe == "0000:01:00.0\n"
    unbound = sysfs / "bus/pci/drivers/e1000e/unbind"
    assert unbound.read_text() == "0000:01:00.0\n"
    override = sysfs / "bus/pci/devices/0000:01:00.1/driver_override"
    assert override.read_text() == "vfio-pci\n"
    bridge = sysfs / "bus/pci/devices/0000:00:1c.0/driver_override"
    assert bridge.read_text() == "(null)\n"


@shells
def test_twice_is_once(shell: list[str], sysfs: Path) -> None:
    """All on vfio-pci already: nothing is unbound or probed a second time."""
    vfio = sysfs / "bus/pci/drivers/vfio-pci"
    for name in ("0000:01:00.0", "0000:01:00.1"):
        link = sysfs / "bus/pci/devices" / name / "driver"
        link.unlink()
        link.symlink_to(vfio)
    done = run(shell, script_for(), sysfs)
    assert (done.returncode, done.stderr) == (
        0,
        "plan: vfio-pci has 0000:01:00.0 and 0000:01:00.1\n",
    )
    assert (sysfs / "bus/pci/drivers_probe").read_text() == ""
    assert not (vfio / "unbind").exists()


@shells
def test_the_undo_gives_back_drivers_and_overrides(
    shell: list[str], sysfs: Path
) -> None:
    vfio = sysfs / "bus/pci/drivers/vfio-pci"
    link = sysfs / "bus/pci/devices/0000:01:00.1/driver"
    link.unlink()
    link.symlink_to(vfio)
    done = run(shell, script_for(), sysfs, "undo")
    assert done.returncode == 0, done.stderr
    assert (vfio / "unbind").read_text() == "0000:01:00.1\n"
    bound = sysfs / "bus/pci/drivers/snd_hda_intel/bind"
    assert bound.read_text() == "0000:01:00.1\n"
    # The other one has its driver still: the undo of a plan that was not carried out.
    assert not (sysfs / "bus/pci/drivers/e1000e/bind").exists()
    overrides = [
        (sysfs / "bus/pci/devices" / name / "driver_override").read_text()
        for name in ("0000:01:00.0", "0000:01:00.1")
    ]
    assert overrides == ["\n", "snd_hda_intel\n"]


@shells
def test_the_undo_does_without_the_module_that_could_not_be_loaded(
    shell: list[str], sysfs: Path
) -> None:
    host = replace(HOST, interrupt_remapping=InterruptRemapping.OFF)
    target = find_target(host, "01:00.0")
    accept = frozenset({"interrupt-remapping"})
    plan = make_plan(host, only(SINCE_6_6), (target,), accept=accept)
    text = script(plan, "6.12")
    done = run(shell, text, sysfs, "undo")
    assert done.returncode == 0, done.stderr
    option = sysfs / "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
    option.parent.mkdir(parents=True)
    option.write_text("Y\n")
    assert run(shell, text, sysfs, "undo").returncode == 0
    assert option.read_text() == "N\n"


@shells
def test_without_a_plan_the_script_fails_and_says_why(shell: list[str]) -> None:
    text = refusing_script(["it's a $(bridge)\n; echo x"])
    done = subprocess.run([*shell], input=text, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "it's a $(bridge)\\x0a; echo x\n"


@shells
def test_do_and_undo_lead_back_whatever_the_override_was(
    shell: list[str], tmp_path: Path
) -> None:
    """An override may name another driver than the one that is bound."""
    pending = read_machine(open_path(str(SYSFS / "override-pending")))
    for index, (host, name) in enumerate(((HOST, "01:00.0"), (pending, "00:02.0"))):
        target = find_target(host, name)
        plan = make_plan(host, only(SINCE_6_6), (target,))
        sysfs = laid_out(host, tmp_path / str(index))
        before = state(sysfs)
        text = ACTING + script(plan, "6.12")
        assert target.device is not None
        address = target.device.address
        done = run(shell, text, sysfs)
        assert done.returncode == 0, done.stderr
        assert state(sysfs)[address] == ("vfio-pci", "vfio-pci")
        done = run(shell, text, sysfs, "undo")
        assert done.returncode == 0, done.stderr
        assert state(sysfs) == before


def state(sysfs: Path) -> dict[str, tuple[str, str]]:
    """Driver and override of every device."""
    found = {}
    for folder in sorted((sysfs / "bus/pci/devices").iterdir()):
        driver = folder / "driver"
        name = driver.readlink().name if driver.is_symlink() else ""
        override = (folder / "driver_override").read_text().strip()
        found[folder.name] = name, override.replace("(null)", "")
    return found
