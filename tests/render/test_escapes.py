"""Text of a source is only text to whoever reads it: parsed back, it is the same."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from random import Random

import pytest
from examples import each

from iommu_inspect.model.text import printable
from iommu_inspect.render.escapes import csv as csv_text
from iommu_inspect.render.escapes import dot, html, mermaid, metrics
from tools.hostile.names import hostile

NAMES = list(dict.fromkeys(hostile(Random(seed)) for seed in range(1500)))
NAMES += ["", " ", "a\\", '"', "a\\N\\G\\L", "&lt;&amp;&#60;", "\ufffe", "\x00", "`x`"]
SHOWN = [printable(name) for name in NAMES]


class Reader(HTMLParser):
    """Collects the texts and the attributes of the elements that the test wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.titles += [value or "" for key, value in attrs if key == "title"]
        self.texts.append("")
        assert [key for key, _ in attrs] == ["title"]

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def test_html_has_no_element_that_a_name_made() -> None:
    page = "".join(f"<p title={html.attribute(n)}>{html.text(n)}</p>" for n in NAMES)
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert set(reader.tags) == {"p"}
    assert reader.titles == SHOWN
    assert reader.texts == SHOWN


def test_xml_has_no_element_that_a_name_made() -> None:
    parts = (f"<t a={html.attribute(n)}>{html.text(n)}</t>" for n in NAMES)
    root = ET.fromstring(f"<svg>{''.join(parts)}</svg>")
    assert [each.tag for each in root] == ["t"] * len(NAMES)
    assert [each.text or "" for each in root] == SHOWN
    assert [each.get("a") for each in root] == SHOWN


def test_data_of_a_script_ends_no_script() -> None:
    told = [name for name in NAMES if "\ud800" not in name]
    told += ["</script><script>", "<!--<script>", "\u2028"]
    text = html.script_data({"names": told})
    assert json.loads(text) == {"names": told}
    assert not re.search("[<>&\u2028\u2029]", text)


@pytest.mark.skipif(shutil.which("dot") is None, reason="install graphviz")
def test_graphviz_draws_names_as_they_are() -> None:
    """Two lines a node: the name, and a word that has to stand on a line of its own."""
    told = [n for n in NAMES if n.strip(" \u00a0")][:500]
    nodes = (
        f"{dot.name(n)} [label={dot.label(n, 'below')}, id={number}];"
        for number, n in enumerate(told)
    )
    graph = f"graph {dot.name(told[0])} {{ node [shape=box] {' '.join(nodes)} }}"
    done = subprocess.run(
        ["dot", "-Kosage", "-Tsvg"],
        input=graph.encode(),
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert b"syntax error" not in done.stderr
    space = {"svg": "http://www.w3.org/2000/svg"}
    found: dict[int, list[str]] = {}
    for node in ET.fromstring(done.stdout).iterfind(".//svg:g[@class='node']", space):
        lines = [each.text or "" for each in node.iterfind("svg:text", space)]
        found[int(node.get("id") or -1)] = lines
    # Nodes of one name are one node; the last label is its own.
    last = {printable(n): number for number, n in enumerate(told)}
    assert len(found) == len(last)
    for lines in found.values():
        assert lines[1] == "below"
    shown = {lines[0].replace("\u00a0", " ") for lines in found.values()}
    assert shown == {text.replace("\u00a0", " ") for text in last}


def test_mermaid_has_nothing_but_codes_that_means_anything() -> None:
    for name, shown in zip(NAMES, SHOWN, strict=True):
        label = mermaid.label(name)
        inside = label[1:-1]
        assert label == f'"{inside}"'
        assert re.fullmatch(r"(?:[A-Za-z0-9 .,:/_-]|#[0-9]+;)*", inside)
        assert re.sub(r"#([0-9]+);", lambda m: chr(int(m[1])), inside) == shown


def test_a_table_is_read_back_and_no_cell_is_a_formula() -> None:
    text = "".join(csv_text.row([name, 1, None, "x"]) for name in NAMES)
    rows = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
    assert len(rows) == len(NAMES)
    for (first, *rest), shown in zip(rows, SHOWN, strict=True):
        assert rest == ["1", "", "x"]
        assert first in (shown, f"'{shown}")
        assert first.lstrip(" \u00a0")[:1] not in {*"=+-@\t\r", "\uff1d", "\uff0b"}


@each("cell", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1", "'=1", '"=1', "\t=1"])
def test_what_a_spreadsheet_would_calculate_is_text(cell: str) -> None:
    shown = printable(cell).replace('"', '""')
    mark = "" if shown.startswith("\\") else "'"
    assert csv_text.row([cell]) == f'"{mark}{shown}"\r\n'


def exposition() -> str:
    lines = [
        metrics.help_line("a_group", "What $(canary) \\ it\nis."),
        "# TYPE a_group gauge",
    ]
    lines += [
        metrics.sample("a_group", {"n": str(number), "name": name}, number)
        for number, name in enumerate(NAMES)
    ]
    return "\n".join([*lines, ""])


def test_metrics_are_a_line_each() -> None:
    lines = exposition().splitlines()
    assert len(lines) == len(NAMES) + 2
    line = re.compile(r'a_group\{n="(\d+)",name="((?:[^"\\]|\\["\\])*)"\} (\d+)')
    for number, text in enumerate(lines[2:]):
        found = line.fullmatch(text)
        assert found is not None, text
        assert int(found[1]) == int(found[3]) == number
        assert re.sub(r"\\(.)", r"\1", found[2]) == SHOWN[number]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not there")
def test_promtool_takes_the_metrics() -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=exposition().encode(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[:400]


def samples() -> Iterator[dict[str, str]]:
    parser = pytest.importorskip(
        "prometheus_client.parser", reason="prometheus-client is not installed"
    )
    for family in parser.text_string_to_metric_families(exposition()):
        for found in family.samples:
            yield found.labels


def test_prometheus_own_reader_gives_the_names_back() -> None:
    assert [labels["name"] for labels in samples()] == SHOWN


@each("name", ["", "1a", "a-b", 'a"', "a\nb", "é"])
def test_what_is_no_name_of_a_metric_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        metrics.sample(name, {}, 1)
    with pytest.raises(ValueError, match="no name"):
        metrics.sample("a", {name: "x"}, 1)
