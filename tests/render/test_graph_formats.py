"""Four languages for one picture: each is accepted by what reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from examples import each
from hypothesis import given, settings
from pictures import called, machines, scene, scene_at, virtual_functions
from shared import FIXTURES, SHARED, SYSFS, needs_shared

from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import printable
from iommu_inspect.render.graph.dot import scene_dot
from iommu_inspect.render.graph.folding import folded_for
from iommu_inspect.render.graph.mermaid import MOST_EDGES, MOST_TEXT, scene_mermaid
from iommu_inspect.render.graph.palette import DARK_FILLS, FILLS
from iommu_inspect.render.graph.scene import Kind, Scene
from iommu_inspect.render.graph.svg import scene_svg
from iommu_inspect.render.graph.svg_style import DAY, NIGHT
from iommu_inspect.render.graph.tree import scene_tree
from iommu_inspect.render.layout import ASCII_MARKS, Style
from iommu_inspect.sources.errors import SourceError
from tools.net.sources import ROOT as CHECKOUT
from tools.net.sources import sources

DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))
SVG = "{http://www.w3.org/2000/svg}"
CAPTURES = sorted(
    path
    for path in [*SYSFS.iterdir(), *(FIXTURES / "kernels").iterdir()]
    if path.is_dir() or path.suffix == ".gz"
)
ELEMENTS = {
    *("svg", "title", "desc", "style", "defs", "pattern", "path"),
    *("rect", "text", "tspan", "g"),
}
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="install graphviz")


def check_svg(of: Scene) -> ET.Element:
    """Read it as XML, and look whether ids are unique and names are there."""
    root = ET.fromstring(scene_svg(of))
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        for name in (element.get("aria-labelledby") or "").split():
            assert name in ids
        assert element.tag.removeprefix(SVG) in ELEMENTS
    boxes = [g for g in root.iter(f"{SVG}g") if g.get("role") == "img"]
    assert len(boxes) == sum(1 for _ in of.walk())
    return root


def drawn_by_dot(texts: list[str]) -> None:
    done = subprocess.run(
        ["dot", "-Tsvg"], input="\n".join(texts).encode(), capture_output=True
    )
    assert done.returncode == 0, done.stderr[:400]
    assert b"syntax error" not in done.stderr
    assert done.stdout.count(b"</svg>") == len(texts)


def real_machines(step: int) -> list[tuple[str, Scene]]:
    found = []
    for name in sources()[::step]:
        path = CHECKOUT / name
        if path.resolve().is_relative_to(SHARED):
            try:
                found.append((name, folded_for(scene_at(path))))
            except (SourceError, BadRequestError):
                continue  # a capture that no command reads
    return found


@given(machines())
def test_no_name_makes_an_element_of_the_svg(made: Machine) -> None:
    of = scene(made)
    root = check_svg(of)
    words = "".join("".join(root.itertext()).split())
    for node in of.walk():
        assert "".join(printable(node.title).split()) in words


@given(machines())
def test_no_name_gets_out_of_a_label_of_mermaid(made: Machine) -> None:
    for line in scene_mermaid(scene(made)).splitlines()[1:]:
        assert re.fullmatch(
            r"  (n\d+(\[\[|\[|\()\"[A-Za-z0-9 .,:/_#;<>-]*\"(\]\]|\]|\))"
            r"|n\d+ (---|-\.-|===\|\"isolation is lost\"\|) n\d+"
            r"|acc(Title|Descr): [A-Za-z0-9 ;,]+"
            r"|note\d+\[\"[^\"<>]*\"\]:::note"
            r"|class(Def)? [a-z0-9,-]+ [A-Za-z0-9#:, -]+)",
            line,
        ), line
        assert set(re.findall("<[^>]*>?", line)) <= {"<br/>"}


@needs_dot
@settings(max_examples=15)
@given(machines())
def test_no_name_gets_out_of_a_label_of_dot(made: Machine) -> None:
    text = scene_dot(scene(made))
    drawn_by_dot([text])
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert not re.search(r"script|svg|\x1b|&", outside)


@given(machines())
def test_a_tree_is_lines_with_nothing_that_a_terminal_obeys(made: Machine) -> None:
    of = scene(made)
    text = scene_tree(of)
    assert all(printable(line) == line for line in text.splitlines())
    for node in of.walk():
        if node.kind is not Kind.GROWTH:
            assert printable(node.title).strip() in text


def test_each_fixture_is_valid_xml() -> None:
    assert len(CAPTURES) > 50
    for path in CAPTURES:
        check_svg(folded_for(scene_at(path)))


@needs_dot
def test_graphviz_accepts_each_fixture() -> None:
    drawn_by_dot([scene_dot(folded_for(scene_at(path))) for path in CAPTURES[::3]])


@needs_shared
def test_real_machines_are_valid_xml_and_fit_mermaid() -> None:
    found = real_machines(4)
    assert len(found) > 15
    for name, of in found:
        check_svg(of)
        text = scene_mermaid(of)
        assert len(text) <= MOST_TEXT, name
        assert sum(" n" in line and "-" in line for line in text.splitlines()) > 0


@needs_shared
@needs_dot
def test_graphviz_accepts_real_machines() -> None:
    drawn_by_dot([scene_dot(of) for _, of in real_machines(12)])


def test_the_svg_says_in_words_what_it_says_in_colours() -> None:
    root = check_svg(scene_at(DEMO))
    words = " ".join(root.itertext())
    assert "group 7, owner conflict" in words
    assert "isolation of group 7 is lost here: the bridge 0000:02:00.0" in words
    assert "can grow: conventional bus with free slots" in words
    assert "prefers-color-scheme:dark" in words
    assert root.get("role") == "group"
    assert [root[0].tag, root[1].tag] == [f"{SVG}title", f"{SVG}desc"]


def test_text_in_the_svg_stays_inside_its_box() -> None:
    """A character of a monospaced font of 12 pixels is at most 7.3 wide."""
    root = check_svg(scene_at(FIXTURES / "kernels" / "6.12-switch-no-acs-0.tar.gz"))
    for box in root.iter(f"{SVG}g"):
        first = box.find(f"{SVG}rect")
        assert first is not None
        x, width = float(first.get("x") or 0), float(first.get("width") or 0)
        rows: dict[str, float] = {}
        for line in box.iter(f"{SVG}text"):
            length = 7.3 * len("".join(line.itertext()))
            if line.get("text-anchor") == "end":
                start = float(line.get("x") or 0) - length
                assert start >= rows[line.get("y") or ""]
            else:
                rows[line.get("y") or ""] = float(line.get("x") or 0) + length
                assert rows[line.get("y") or ""] <= x + width


def test_text_inside_a_page_has_ids_of_its_own_and_no_style() -> None:
    of = scene_at(DEMO)
    ids = [
        set(re.findall(r' id="([^"]+)"', scene_svg(of, prefix=p, inline=True)))
        for p in ("a", "b")
    ]
    assert not ids[0] & ids[1]
    assert "<style" not in scene_svg(of, inline=True)


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return sum(
        part * weight
        for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True)
    )


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@each("colours, fills", [(DAY, FILLS), (NIGHT, DARK_FILLS)])
def test_text_has_the_contrast_that_wcag_asks_for(
    colours: dict[str, str], fills: tuple[str, ...]
) -> None:
    for background in (*fills, colours["paper"]):
        for name in ("ink", "faint", "lost"):
            assert contrast(colours[name], background) >= 4.5, (name, background)
        for name in ("user", "conflict", "unknown", "kernel"):
            assert contrast(colours[name], background) >= 3, (name, background)


@each("columns", [40, 60, 80, 120])
def test_a_tree_fits_the_terminal(columns: int) -> None:
    for name in ("6.12-switch-no-acs-0", "6.12-sriov-vfio-3", "6.12-bridges-0"):
        of = scene_at(FIXTURES / "kernels" / f"{name}.tar.gz")
        lines = scene_tree(of, Style(columns)).splitlines()
        most = max(columns, 52)  # names and drivers are not folded
        assert max(map(len, lines)) <= most


def test_a_terminal_without_boxes_gets_ascii() -> None:
    text = scene_tree(scene_at(DEMO), Style(marks=ASCII_MARKS))
    assert text.isascii()
    assert "`- 0000:02:00.0" in text
    assert "`. group 7 can grow: conventional bus with free slots" in text


def test_colours_are_only_where_a_style_paints() -> None:
    def paint(text: str, colour: str) -> str:
        return f"<{colour}>{text}</>"

    of = scene_at(DEMO)
    painted = scene_tree(of, Style(80, paint))
    assert "<red>conflict</>" in painted
    assert "<green>user</>" in painted
    assert "<red><-- isolation of group 7" in painted
    assert re.sub("<(red|green|yellow)>|</>", "", painted) == scene_tree(of)


def test_lines_of_the_tree_lead_from_each_device_to_what_is_above() -> None:
    lines = scene_tree(scene_at(DEMO), Style(200)).splitlines()
    for above, below in pairwise(lines):
        for at, mark in enumerate(below[:12]):
            if mark in "├└" and at < len(above):
                assert above[at] in "│├0p", (above, below)


def test_a_scene_too_large_for_mermaid_is_folded_until_it_is_not() -> None:
    of = scene(virtual_functions(2000))
    text = scene_mermaid(of)
    assert len(text) <= MOST_TEXT
    assert "2000 devices" in text
    assert "too many to draw" not in text


def test_what_mermaid_cannot_draw_at_all_says_so() -> None:
    one = called(scene(virtual_functions(1)), "pci0000:00")
    many = Scene("t", "a summary", (one,) * (MOST_EDGES + 1))
    assert scene_mermaid(many) == 'flowchart LR\n  n0["a summary: too many to draw"]'


def test_each_writer_gives_the_same_text_twice() -> None:
    for write in (scene_tree, scene_svg, scene_dot, scene_mermaid):
        assert write(scene_at(DEMO)) == write(scene_at(DEMO))


def test_a_machine_without_devices_is_drawn_all_the_same(tmp_path: Path) -> None:
    of = Scene("nothing", "0 devices, no IOMMU group is shown", ())
    assert scene_tree(of) == ""
    check_svg(of)
    assert "0 devices" in scene_dot(of)
    assert "0 devices" in scene_mermaid(of)
