"""``diff`` as its users run it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
from differing import tree_of_links
from examples import each
from running import call
from shared import KERNELS, SHARED, SYSFS, needs_shared

HALF, DEMO = SYSFS / "half-a-group", Path("iommu_inspect/demo.tar.gz")
X99 = SHARED / "machines" / "desktop-x99-i7-5930k-regression"
LSPCI = """\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:29c0]
00:04.0 Ethernet controller [0200]: Intel Corporation 82574L [8086:10d3]
\tKernel driver in use: e1000e
"""


def differing(*words: str | Path, stdin: bytes = b"") -> dict[str, Any]:
    done = call("diff", *words, "--format", "json", stdin=stdin)
    found: dict[str, Any] = json.loads(done.stdout)
    file = resources.files("iommu_inspect").joinpath("schemas/diff-1.json")
    jsonschema.Draft202012Validator(json.loads(file.read_text())).validate(found)
    assert found["schema"] == "iommu-inspect/diff/1"
    expected = {True: 0, False: 1, None: 3}
    assert done.returncode == expected[found["same"]]
    return found


def of_tables(where: Path) -> list[Path]:
    """Write trees of the groups that somebody told apart in the mail."""
    trees = []
    for name in ("kernel-5.8-quirks-applied", "kernel-5.9-acs-quirk-regression"):
        groups: dict[str, list[str]] = {}
        for line in (X99 / f"groups-{name}.tsv").read_text().splitlines():
            if not line.startswith("#"):
                group, device, _ = line.split("\t")
                groups.setdefault(group, []).append(device)
        trees.append(tree_of_links(groups, where / name))
    return trees


def of_mail(where: Path) -> list[Path]:
    """Cut the mail into its two listings, as they were posted."""
    before, after = (X99 / "groups-5.8-vs-5.9.txt").read_text().split("Kernel 5.9:")
    files = [where / "5.8.txt", where / "5.9.txt"]
    for file, text in zip(files, (before, after), strict=True):
        file.write_text(text[text.index("IOMMU Group") :])
    return files


@needs_shared
@each("sources_in", [of_tables, of_mail])
def test_the_merges_that_linux_5_9_brought_are_found_and_nothing_else(
    tmp_path: Path, sources_in: Callable[[Path], list[Path]]
) -> None:
    """A quirk of the root ports was lost: their groups and all below became one."""
    sources = sources_in(tmp_path)
    found = differing(*sources)
    (merge,) = found["groups"]
    assert merge["change"] == "merged"
    assert [group["id"] for group in merge["before"]] == [
        *("29", "30", "31", "32", "39", "40", "41", "42", "43", "44")
    ]
    (after,) = merge["after"]
    assert len(after["devices"]) == 11
    assert not (merge["joined"] or merge["left"])
    for key in ("added", "removed", "shifted", "alike", "drivers", "ownership"):
        assert found[key] == [], key
    text = call("diff", *sources).stdout
    assert text.endswith("\nDifferent: 1 merge.\n")
    assert "0000:09:00.0  was in 40" in text
    assert call("diff", sources[0], sources[0]).returncode == 0


@needs_shared
@each("kernel", KERNELS)
def test_drivers_owners_and_verdicts_of_real_kernels(kernel: str) -> None:
    folder = SHARED / "real-kernels" / kernel
    found = differing(folder / "before.tar.gz", folder / "after.tar.gz")
    assert {
        (d["device"]["address_after"], d["before"], d["after"])
        for d in found["drivers"]
    } == {
        ("0000:01:00.0", "e1000e", "vfio-pci"),
        ("0000:03:01.0", "e1000", "vfio-pci"),
    }
    assert {o["after"] for o in found["ownership"]} == {"user", "conflict"}
    # These captures hold no routes: before, the host might have lived on the card.
    assert found["verdicts"] == []
    assert found["groups"] == found["shifted"] == found["settings"] == []


def test_the_text_of_two_captures_fits_the_terminal_and_sums_up() -> None:
    for columns in (60, 80, 200):
        done = call("diff", DEMO, HALF, columns=columns)
        assert done.returncode == 1
        assert max(map(len, done.stdout.splitlines())) <= columns
        assert " ".join(done.stdout.split()).endswith(
            "Different: 1 larger group, 1 owner, 1 driver, 7 new devices, "
            "11 devices gone, 1 address and 2 settings."
        )
    first = done.stdout.split("\n\n")[1]
    assert first.startswith("larger: 1 group, by devices that are new\n")


def test_a_text_without_groups_is_held_against_a_tree_and_nothing_is_made_up() -> None:
    done = call("diff", HALF, "-", stdin=LSPCI.encode())
    assert "no group any more" not in done.stdout
    found = differing("-", HALF, stdin=LSPCI.encode())
    assert found["groups"] == found["ungrouped"] == found["grouped"] == []
    assert {u["what"] for u in found["uncompared"]} >= {"groups"}


def test_a_source_that_is_not_there_is_unreadable() -> None:
    assert call("diff", SYSFS / "none", HALF).returncode == 4
    assert call("diff", HALF, SYSFS / "none").returncode == 4


def test_a_capture_does_not_differ_from_itself() -> None:
    done = call("diff", HALF, HALF)
    assert done.returncode == 0
    assert done.stdout.endswith("\nNothing differs: 4 groups, 8 devices.\n")


def test_a_source_that_shows_no_groups_is_said_to_be_that(tmp_path: Path) -> None:
    text = tmp_path / "lspci.txt"
    text.write_text(LSPCI)
    done = call("diff", text, text)
    assert done.returncode == 3
    assert "groups of 2 devices: neither source shows them" in done.stdout
    assert "It cannot be told whether all is the" in done.stdout


@each("words", [("-", "-"), (), (HALF, HALF, "--semantics", "nix")])
def test_what_cannot_be_asked_is_a_usage_error(words: tuple[str | Path, ...]) -> None:
    done = call("diff", *words)
    assert done.returncode == 2
    assert not done.stdout


def test_names_are_left_out_where_only_numbers_are_wanted() -> None:
    with_names = call("diff", DEMO, HALF).stdout
    assert len(call("diff", DEMO, HALF, "--numeric").stdout) <= len(with_names)


def test_hostile_names_reach_no_terminal() -> None:
    tree = SYSFS / "hostile-names"
    for words in ((tree, HALF), (HALF, tree)):
        text = call("diff", *words).stdout
        assert text.replace("\n", "").isprintable()


@each("one", sorted(p for p in SYSFS.iterdir() if p.is_dir()))
def test_every_two_trees_have_a_valid_document(one: Path) -> None:
    differing(one, HALF)
