"""Many hosts in one result: what is read, what is counted, and what is never lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from examples import each
from fleets import BLOCKED, KERNELS, READY, fleet, lines
from running import call
from shared import SHARED, SYSFS, needs_shared


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fleet(tmp_path_factory.mktemp("fleet"))


def test_every_file_is_a_host_by_its_path_in_natural_order(hosts: Path) -> None:
    found = {row["host"]: row for row in lines(hosts)}
    assert list(found) == [
        "notes",
        "rack-a/host2",
        "rack-a/host10",
        "rack-b/host1",
        "rack-b/host3",
    ]
    assert [row["verdict"] for row in found.values()] == [
        *("unknown", "ready", "blocked", "blocked", "ready"),
    ]
    assert [row["read"] for row in found.values()] == [False, True, True, True, True]
    assert found["notes"]["because"]
    assert found["rack-b/host3"]["kind"] == "audit"
    assert {f["rule"] for f in found["rack-a/host10"]["findings"]} >= {
        "mixed-ownership"
    }


def test_a_document_of_audit_says_what_its_capture_says(hosts: Path) -> None:
    found = {row["host"]: row for row in lines(hosts)}
    own, written = found["rack-a/host2"], found["rack-b/host3"]
    for field in ("verdict", "kernel", "semantics", "findings", "groups", "devices"):
        assert own[field] == written[field], field


def test_the_same_lines_come_from_any_number_of_workers() -> None:
    sources = sorted(KERNELS.glob("6.1*"))
    words: list[str | Path] = ["fleet", *sources, "--format", "jsonl"]
    one, three = (call(*words, "--workers", n).stdout for n in ("1", "3"))
    assert one == three
    assert [*map(json.loads, one.splitlines())] == lines(*sources)
    assert len(one.splitlines()) == len(sources)


@each(
    "sources, code",
    [
        ([READY], 0),
        ([READY, BLOCKED], 1),
        ([READY, SYSFS / "nowhere.txt"], 4),
        ([READY, "notes"], 3),
        ([BLOCKED, "notes"], 1),
        (["notes"], 4),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    tmp_path: Path, sources: list[Path | str], code: int
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("nothing about a host\n")
    done = call("fleet", *(notes if s == "notes" else s for s in sources))
    assert done.returncode == code, done.stderr


def test_an_empty_directory_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".hidden").touch()
    done = call("fleet", tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert "the directory is empty" in done.stderr


def test_the_table_says_first_who_needs_a_look_and_last_how_many(hosts: Path) -> None:
    text = call("fleet", hosts).stdout
    head, *rows = text.splitlines()
    assert head.split() == ["HOST", "VERDICT", "WHAT"]
    assert [row.split()[0] for row in rows[:3]] == [
        "rack-a/host10",
        "rack-b/host1",
        "notes",
    ]
    assert rows[-1] == "5 hosts: 2 blocked, 1 not read, 2 ready."
    assert all(len(line) <= 80 for line in text.splitlines())


def test_names_that_two_files_would_have_keep_their_ends(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "b.tgz", "b.tar", "web.example.com"):
        shutil.copy(READY, tmp_path / name)
    found = [row["host"] for row in lines(tmp_path)]
    assert found == ["a", "b.tar", "b.tgz", "web.example.com"]
    twice = lines(tmp_path / "a.tar.gz", tmp_path / "a.tar.gz")
    assert len(twice) == 1


def test_what_ignore_and_strict_mean_they_mean_of_documents_too(tmp_path: Path) -> None:
    shutil.copy(BLOCKED, tmp_path / "capture.tar.gz")
    audited = call("audit", "--from", BLOCKED, "--format", "json").stdout
    (tmp_path / "document.json").write_text(audited)
    for words in (
        (),
        ("--strict",),
        ("--ignore", "mixed-ownership"),
        ("--ignore", "mixed-ownership", "--strict"),
        ("--ignore", "mixed-ownership", "--ignore", "singleton-assumption"),
    ):
        own, written = lines(tmp_path, *words)
        # What the kernel refuses beside what is ignored, a document does not say.
        left = "unknown" if "mixed-ownership" in words else own["verdict"]
        assert written["verdict"] == left, words
        assert own["verdict"] == "blocked"
        for field in ("findings", "ignored"):
            assert own[field] == written[field], (words, field)


def test_a_document_says_nothing_about_what_it_was_not_asked(tmp_path: Path) -> None:
    whole = call("audit", "--from", READY, "--format", "json").stdout
    some = call("audit", "group:6", "--from", READY, "--format", "json").stdout
    listed = call("list", "--from", READY, "--format", "json").stdout
    for name, text in (("whole", whole), ("some", some), ("listed", listed)):
        (tmp_path / f"{name}.json").write_text(text)
    found = {row["host"]: row for row in lines(tmp_path)}
    assert found["whole"]["verdict"] == "ready"
    assert found["some"]["verdict"] == found["listed"]["verdict"] == "unknown"
    assert "not of the whole host" in found["some"]["because"]
    assert found["listed"]["groups"] == [
        {**group, "possible": None} for group in found["whole"]["groups"]
    ]
    for words in (("--for", "dpdk"), ("--semantics", "5.10")):
        row = lines(tmp_path / "whole.json", *words)[0]
        assert row["verdict"] == "unknown", words
        assert row["because"], words


@each(
    "text",
    [
        "{",
        "{}",
        "[" * 100_000,
        '{"schema": "iommu-inspect/audit/1"}',
        '{"schema": "iommu-inspect/list/1", "groups": [1], "ungrouped": []}',
        '{"schema": 7}',
        '{"schema": "iommu-inspect/plan/1"}',
    ],
)
def test_a_document_that_is_not_whole_is_a_row(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    shutil.copy(READY, tmp_path / "b.tar.gz")
    bad, good = lines(tmp_path)
    assert not bad["read"]
    assert bad["because"]
    assert "internal error" not in bad["because"]
    assert good["verdict"] == "ready"


def test_what_is_no_file_is_a_row(tmp_path: Path) -> None:
    shutil.copy(READY, tmp_path / "good.tar.gz")
    (tmp_path / "nothing").touch()
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "lost").symlink_to("/no/where")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    os.mkfifo(tmp_path / "pipe")
    found = {row["host"]: row for row in lines(tmp_path)}
    assert found.pop("good")["verdict"] == "ready"
    assert set(found) == {"nothing", "bytes", "lost", "loop", "itself", "pipe"}
    for name, row in found.items():
        assert not row["read"], name
        assert row["because"], name


@needs_shared
def test_pasted_texts_and_captures_of_others_are_read() -> None:
    found = lines(*sorted((SHARED / "pciutils").rglob("*"))[:8])
    assert len(found) > 3
    assert any(row["read"] for row in found)
    assert all("internal error" not in row["because"] for row in found)


@each(
    "words, said",
    [
        (["--workers", "0"], "--workers"),
        (["--workers", "x"], "--workers"),
        (["--timeout", "-1"], "--timeout"),
        (["--format", "parquet"], "--output"),
        (["--semantics", "nonsense"], "nonsense"),
        (["--ignore", "nonsense"], "nonsense"),
        (["-"], "standard input"),
        (["--output", "/sys/x"], "/sys"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_read(
    words: list[str], said: str
) -> None:
    done = call("fleet", READY, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_lines_can_be_written_to_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "fleet.jsonl"
    done = call("fleet", READY, "--format", "jsonl", "--output", out)
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(out.read_text())["host"] == "6.12-reference-2"
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.jsonl"]
    assert done.stderr.splitlines() == [
        f"iommu-inspect: wrote {out}",
        "iommu-inspect: 1 host: 1 ready",
    ]
