"""Whatever goes wrong with a host is said in its row, and the work goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fleets import READY

from iommu_inspect.audit.fleet.side import Asked
from iommu_inspect.audit.fleet.tally import HOSTS
from iommu_inspect.cli.fleet import work as working
from iommu_inspect.cli.fleet.work import Done, Pair, Work, lost, pairs
from iommu_inspect.sources.tree.many.finding import Place, is_url
from iommu_inspect.verdict.outcome import Verdict

WORK = Work(Asked(), since=True, lines=True)
GOOD = Place("host", str(READY))
LOST = Place("host", "/no/where")


def row(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.line)
    unread = HOSTS.index((Verdict.UNKNOWN, False))
    assert done.tally.hosts[unread] == (not found["read"])
    return found


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory"),
        (RecursionError("x"), "internal error (RecursionError: x)"),
        (KeyError("x"), "please report it"),
    ],
)
def test_an_error_of_any_kind_is_a_row(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(working, "read_side", fail)
    found = row(WORK(Pair(GOOD)))
    assert said in found["because"]
    assert found["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("pair", "change", "read"),
    [
        (Pair(GOOD, GOOD), "same", True),
        (Pair(GOOD), "new", True),
        (Pair(GOOD, LOST), "untold", True),
        (Pair(LOST, GOOD), "untold", False),
        (Pair(LOST), "new", False),
        (Pair(None, GOOD), "gone", False),
    ],
)
def test_a_host_is_what_it_is_to_last_time(pair: Pair, change: str, read: bool) -> None:
    found = row(WORK(pair))
    assert (found["changes"]["change"], found["read"]) == (change, read)


def test_what_a_worker_did_not_survive_keeps_its_name() -> None:
    for pair in (Pair(GOOD), Pair(None, GOOD), Pair(GOOD, GOOD)):
        found = row(lost(WORK, pair, "it was killed"))
        assert (found["host"], found["because"]) == ("host", "it was killed")
        assert found["changes"]["change"] == "untold"
    assert lost(Work(Asked()), Pair(GOOD), "x").line == ""


def test_hosts_are_paired_by_name_and_none_is_lost() -> None:
    now = (Place("a", "1"), Place("b", "2"))
    then = (Place("b", "3"), Place("c", "4"))
    assert pairs(now, then) == (
        Pair(now[0]),
        Pair(now[1], then[0]),
        Pair(None, then[1]),
    )
    assert pairs(now[:1], then[:1]) == (Pair(now[0], then[0]),)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("s3://a/b", True), ("zip://a::file://b", True), ("a/b", False), ("://a", False)],
)
def test_what_is_for_fsspec_is_told_by_its_form(path: str, *, expected: bool) -> None:
    assert is_url(path) is expected


def test_without_fsspec_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fsspec", None)
    found = row(WORK(Pair(Place("a", "s3://a/b"))))
    assert "pip install 'iommu-inspect[fleet]'" in found["because"]
