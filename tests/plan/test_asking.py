"""What a pasted text lacks, and the one command that shows it."""

from __future__ import annotations

from pathlib import Path

from examples import each
from pastes import BRIEF, LINKS, LSPCI, TREE, WIKI
from running import call
from shared import FIXTURES

from iommu_inspect.plan.host.asking import what_to_ask_for
from iommu_inspect.sources.text.machine import read_texts


@each(
    "text, said",
    [
        (LSPCI, None),
        (
            WIKI,
            "to have drivers and isolation too, send the output of: sudo lspci -vvvnnk",
        ),
        (
            LINKS,
            "to have drivers, ids and isolation too, send the output of: sudo lspci "
            "-vvvnnk",
        ),
        (
            BRIEF,
            "to have isolation, which only root sees too, send the output of: sudo "
            "lspci -vvvnnk",
        ),
        (
            LSPCI.replace("IOMMU group", "NUMA node"),
            "to have groups too, send the output of: find /sys/kernel/iommu_groups "
            "-type l",
        ),
        (
            TREE,
            "to have groups, drivers and isolation too, send the output of: sudo lspci "
            "-vvvnnk",
        ),
    ],
)
def test_one_command_is_named_for_all_that_is_missing(
    text: str, said: str | None
) -> None:
    assert what_to_ask_for(read_texts([(text, "a text")])) == said


def test_it_is_said_of_texts_only(tmp_path: Path) -> None:
    paste = tmp_path / "paste"
    paste.write_text(WIKI)
    assert "send the output of" in call("list", "--from", paste).stderr
    tree = FIXTURES / "sysfs" / "half-a-group"
    assert "send the output of" not in call("list", "--from", tree).stderr


def test_ids_are_set_only_where_all_devices_are_shown(tmp_path: Path) -> None:
    """Another card with these ids, which the text leaves out, may be the host's."""
    paste = tmp_path / "paste"
    drivers = "\t\tKernel driver in use: {}\n"
    lines = []
    for line in WIKI.splitlines(keepends=True):
        lines.append(line)
        driver = "nvidia" if "VGA" in line else "snd_hda_intel"
        if "01:00." in line:
            lines.append(drivers.format(driver))
    paste.write_text("".join(lines))
    done = call("plan", "01:00.0", "--from", paste)
    assert done.returncode == 3
    assert "by address, since the source may not show all" in " ".join(
        done.stdout.split()
    )
    assert "ids=10de" not in done.stdout
