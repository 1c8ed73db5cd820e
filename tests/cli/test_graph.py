"""``graph`` as its users run it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib import resources
from pathlib import Path

from examples import each
from running import call, run
from shared import FIXTURES, SYSFS

DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))


def test_the_picture_is_a_tree_unless_asked_otherwise() -> None:
    done = call("graph", "--from", DEMO)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("12 devices in 8 IOMMU groups; 2 with more than one")
    assert "pci0000:00  root bus 00 of PCI domain 0000" in lines
    assert max(map(len, lines)) <= 80


def test_a_device_is_shown_with_its_branch_and_its_group() -> None:
    done = call("graph", "03:01.0", "--from", DEMO)
    assert done.returncode == 0
    assert "0000:03:02.0" in done.stdout
    assert "0000:00:1f.2" not in done.stdout
    assert done.stdout.count("(asked for)") == 1
    assert done.stdout.endswith("(8 devices on other branches)\n")


def test_below_a_bridge_that_was_asked_for_all_is_shown() -> None:
    done = call("graph", "00:01.0", "--from", DEMO)
    assert "0000:01:00.0" in done.stdout


@each("output, begins", [("svg", "<svg"), ("dot", "digraph"), ("mermaid", "flowchart")])
def test_each_format_is_what_it_says(output: str, begins: str) -> None:
    done = call("graph", "--from", DEMO, "--format", output)
    assert done.returncode == 0
    assert done.stdout.startswith(begins)
    if output == "svg":
        ET.fromstring(done.stdout)


def test_numeric_leaves_names_out() -> None:
    done = call("graph", "--numeric", "--from", DEMO, "--format", "dot")
    assert "Intel" not in done.stdout
    assert "[8086:10d3]" in done.stdout


def test_another_kernel_has_other_owners() -> None:
    """Before v5.19 a bridge was nobody's, whatever its driver."""
    source = SYSFS / "bridge-shpchp"
    new, old = (
        call("graph", "--from", source, "--semantics", release).stdout
        for release in ("6.12", "5.10")
    )
    assert "conflict" in new
    assert "conflict" not in old


def test_a_source_without_groups_is_drawn_and_said_to_have_none() -> None:
    source = FIXTURES / "texts" / "board-without-iommu.txt"
    done = call("graph", "--from", source)
    assert done.returncode == 3
    assert "holds no trace of IOMMU groups" in done.stderr
    assert "no IOMMU group is shown" in done.stdout.splitlines()[0]


def test_a_target_that_is_not_there_is_a_wrong_request() -> None:
    done = call("graph", "99:00.0", "--from", DEMO)
    assert (done.returncode, done.stdout) == (2, "")
    assert "99:00.0" in done.stderr


def test_an_output_without_box_characters_gets_ascii() -> None:
    done = run("graph", "--from", DEMO, environment={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "|- 0000:00:00.0" in done.stdout


@each("output", ["tree", "svg", "dot", "mermaid"])
def test_names_of_a_hostile_capture_are_only_text(output: str) -> None:
    done = call("graph", "--from", SYSFS / "hostile-names", "--format", output)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    done = call("graph", "--from", tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
