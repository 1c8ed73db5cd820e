"""A page, metrics and Parquet of many hosts hold what the hosts are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fleets import fleet, lines
from running import call
from shared import FIXTURES, SYSFS

from iommu_inspect.audit.fleet import tally as tallies
from iommu_inspect.audit.fleet.row import Row
from iommu_inspect.audit.fleet.tally import merged, tally_of
from iommu_inspect.render.fleet.metrics import MOST_KERNELS, fleet_metrics
from iommu_inspect.render.fleet.page import fleet_page
from iommu_inspect.sources.tree.many.showing import shown
from iommu_inspect.verdict.outcome import Verdict

KERNELS = FIXTURES / "kernels"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet(tmp_path_factory.mktemp("fleet"))


def row(host: str, kernel: str = "6.12", because: str = "") -> Row:
    return Row(host, host, Verdict.READY, read=True, because=because, kernel=kernel)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "\x1b[2Ja\nb\u202e",
    'a",verdict="ready"} 1\\',
    "\udc80",
)


def families(text: str) -> dict[str, Any]:
    parser = pytest.importorskip("prometheus_client.parser")
    found = parser.text_string_to_metric_families(text + "\n")
    return {family.name: family for family in found}


def test_metrics_hold_the_sums(hosts: Path) -> None:
    done = call("fleet", hosts, "--format", "metrics")
    found = families(done.stdout)
    assert all(name.startswith("iommu_inspect_fleet_") for name in found)
    by_verdict = {
        s.labels["verdict"]: s.value for s in found["iommu_inspect_fleet_hosts"].samples
    }
    assert by_verdict == {"blocked": 2, "unread": 1, "unknown": 0, "ready": 2}
    documents = lines(hosts)
    groups = found["iommu_inspect_fleet_groups"].samples
    assert sum(s.value for s in groups) == sum(len(d["groups"]) for d in documents)
    assert "iommu_inspect_fleet_hosts_changed" not in found
    since = families(
        call("fleet", hosts, "--against", hosts, "--format", "metrics").stdout
    )
    changed = since["iommu_inspect_fleet_hosts_changed"].samples
    assert {s.labels["change"]: s.value for s in changed if s.value} == {
        "same": 4,
        "untold": 1,
    }


def test_metrics_are_bounded_and_every_series_is_once() -> None:
    kernels = [*map(str, range(300)), "other", "\x1b", "\\x1b", *HOSTILE]
    text = fleet_metrics(merged([tally_of(row(f"h{k!r}", k)) for k in kernels]))
    found = families(text)["iommu_inspect_fleet_kernel_hosts"].samples
    assert len(found) <= MOST_KERNELS + 1
    assert sum(sample.value for sample in found) == len(kernels)
    series = [line.rpartition(" ")[0] for line in text.splitlines()]
    assert len(series) == len(set(series))


def test_the_page_shows_the_hosts_the_worst_first(hosts: Path) -> None:
    html5lib = pytest.importorskip("html5lib")
    text = call("fleet", hosts, "--format", "html").stdout
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(text)
    table = tree.find(".//table[@id='host-table']")
    found = [tr.find("th/a").text for tr in table.findall("tbody/tr")]
    assert found[:3] == ["rack-a/host10", "rack-b/host1", "notes"]
    assert sorted(found) == sorted(document["host"] for document in lines(hosts))
    ids = [tr.get("id") for tr in table.findall("tbody/tr")]
    assert len(set(ids)) == len(ids)
    for link in tree.findall(".//a"):
        assert tree.find(f".//*[@id='{link.get('href')[1:]}']") is not None
    assert "5 hosts: 2 blocked, 1 not read, 2 ready." in text


def test_no_name_brings_anything_into_the_page() -> None:
    rows = [row(name, name, name) for name in HOSTILE]
    text = fleet_page(merged([*map(tally_of, rows)]), {"10de:1e04": HOSTILE[0]})
    assert text.count("<script>") == 1
    assert "<img" not in text
    assert "49" not in text.partition("<tbody>")[2].partition("</tbody>")[0]
    for character in set(text) - {"\n"}:
        assert character.isprintable()


def test_a_page_of_ten_thousand_hosts_is_bounded_and_says_so() -> None:
    parts = [tally_of(row(f"rack/host{n}")) for n in range(10_000)]
    bad = tally_of(Row.unread("rack/zzz", "x", "it is empty"))
    text = fleet_page(merged([*parts, bad]), {})
    assert text.count('<tr id="host-') == tallies.MOST_HOSTS
    assert f"{10_001 - tallies.MOST_HOSTS} more are not on this page" in text
    assert text.index("rack/zzz") < text.index("rack/host")
    assert len(text) < 1 << 20


def test_parquet_holds_the_very_lines(hosts: Path, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    out = tmp_path / "it's.parquet"
    done = call("fleet", hosts, "--against", hosts, "--format", "parquet", "-o", out)
    assert done.returncode == 1, done.stderr
    expected = lines(hosts, "--against", hosts)
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(out))
        assert found.columns == list(expected[0])
        rows = [dict(zip(found.columns, r, strict=True)) for r in found.fetchall()]
    assert rows == expected


def test_a_fleet_of_hostile_names_comes_back_from_parquet(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    for n, name in enumerate(HOSTILE):
        file = tmp_path / name.replace("/", "_")
        file.write_text(f"nothing about a host {n}\n")
    out = tmp_path.parent / "names.parquet"
    call("fleet", tmp_path, "--format", "parquet", "-o", out)
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(out)).project("host").fetchall()
    assert [name for (name,) in found] == [each["host"] for each in lines(tmp_path)]


def test_without_duckdb_it_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "duckdb", None)
    words = ("fleet", KERNELS, "--format", "parquet", "-o", tmp_path / "x.parquet")
    done = call(*words)
    assert done.returncode == 4
    assert "pip install 'iommu-inspect[fleet]'" in done.stderr


def test_urls_are_read_through_fsspec(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    import zipfile

    folder = fleet(tmp_path / "hosts")
    archive = tmp_path / "hosts.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for path in sorted(folder.rglob("*.tar.gz")):
            made.write(path, str(path.relative_to(folder)))
    found = lines(f"file://{folder}/rack-a")
    assert [(r["host"], r["verdict"]) for r in found] == [
        ("host2", "ready"),
        ("host10", "blocked"),
    ]
    inside = lines(f"zip://rack-a::file://{archive}")
    assert [r["host"] for r in inside] == ["host2", "host10"]
    assert [r["verdict"] for r in inside] == ["ready", "blocked"]
    for url in (f"file://{tmp_path}/nowhere", "nonsense://x/y", f"file://{tmp_path}"):
        done = call("fleet", url, "--format", "jsonl")
        if done.returncode == 4 and not done.stdout:
            assert done.stderr.startswith("iommu-inspect: cannot read")
            assert done.stderr.count("\n") == 1
        else:
            assert all(json.loads(text) for text in done.stdout.splitlines())


def test_a_url_is_told_without_what_lets_others_in(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    done = call("fleet", "nonsense://ada:secret@host:8/a?key=secret")
    assert done.returncode == 4
    assert done.stderr.startswith("iommu-inspect: cannot read nonsense://host:8/a: ")
    assert "secret" not in done.stdout + done.stderr
    folder = fleet(tmp_path / "hosts")
    assert shown(str(folder)) == str(folder)
    inside = "zip://a?x::https://ada:secret@host/b.zip?key=secret#here"
    assert shown(inside) == "zip://a::https://host/b.zip"
    said = "GET 'https://ada@host/b?key=secret' and s3://c/d: no such key (a?b)"
    assert shown(said) == "GET 'https://host/b' and s3://c/d: no such key (a?b)"


def test_a_page_of_a_host_with_hostile_names_is_as_safe() -> None:
    text = call("fleet", SYSFS / "hostile-names", "--format", "html").stdout
    assert text.count("<script>") == 1
