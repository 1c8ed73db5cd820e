"""A command line is read in the same way with and without the library."""

from __future__ import annotations

from functools import cache
from importlib import import_module

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.cli.application import declared
from iommu_inspect.cli.declared import parameters
from iommu_inspect.cli.main import COMMANDS
from iommu_inspect.cli.reading import read_call

FUNCTIONS = {
    name: getattr(import_module(module), function)
    for name, (module, function) in COMMANDS.items()
}
OPTIONS = sorted(
    {
        name
        for function in FUNCTIONS.values()
        for each in parameters(function).values()
        for name in each.names
    }
)
VALUES = ["a", "-", "", "group:1", "json", "table", "vfio", "host-loss", "x=y"]
ODD = ["-z", "--none", "--", "-h", "-vn", "--fro", "-5", "--format=", "-n=1"]
WORDS = st.one_of(
    st.sampled_from(OPTIONS),
    st.sampled_from(VALUES),
    st.sampled_from(ODD),
    st.builds("{}={}".format, st.sampled_from(OPTIONS), st.sampled_from(VALUES)),
)


@cache
def _library(name: str) -> tuple[typer.Typer, list[dict[str, object]]]:
    calls: list[dict[str, object]] = []
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(name)(declared(FUNCTIONS[name], lambda **given: calls.append(given)))
    return app, calls


def _asked(name: str, words: list[str]) -> dict[str, object]:
    """Return what the library calls a command with."""
    app, calls = _library(name)
    calls.clear()
    app(words, "x", standalone_mode=False)
    return calls[0]


@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(WORDS, max_size=6))
def test_what_is_read_at_once_is_what_the_library_reads(
    name: str, words: list[str]
) -> None:
    read = read_call(FUNCTIONS[name], words)
    if read is not None:
        assert read == _asked(name, words)


PLAIN = [
    ("list", ["--from", "x", "--from=y", "-n", "--format", "json"]),
    ("audit", ["01:00.0", "group:3", "--from", "-", "--for", "dpdk", "-v"]),
    ("audit", []),
    ("plan", ["0000:01:00.0", "--accept", "host-loss", "--format=shell"]),
    ("whatif", ["bind=01:00.0,vfio-pci", "claim=3"]),
    ("diff", ["a"]),
    ("diff", ["a", "-", "--semantics", "6.12"]),
    ("snapshot", ["-", "--redact", "strict"]),
    ("explain", ["mixed-ownership"]),
]


@pytest.mark.parametrize(("name", "words"), PLAIN, ids=lambda each: str(each)[:30])
def test_what_is_plain_needs_no_library(name: str, words: list[str]) -> None:
    read = read_call(FUNCTIONS[name], words)
    assert read is not None
    assert read == _asked(name, words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("list", ["--help"]),
        ("list", ["x"]),
        ("list", ["--frm", "x"]),
        ("list", ["--from"]),
        ("list", ["--from", "--numeric"]),
        ("audit", ["--format", "yaml"]),
        ("audit", ["--", "-x"]),
        ("plan", []),
        ("diff", ["a", "b", "c"]),
    ],
)
def test_what_is_wrong_or_odd_is_for_the_library(name: str, words: list[str]) -> None:
    assert read_call(FUNCTIONS[name], words) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--frm", "x"], "no such option: --frm"),
        (["lst"], "no such command 'lst'"),
        (["audit", "--format", "yaml"], "'yaml' is not one of 'table', 'json'"),
        (["plan"], "missing argument"),
        (["list", "--from"], "'--from' requires an argument"),
    ],
)
def test_a_wrong_command_line_is_one_line(words: list[str], said: str) -> None:
    from running import call

    done = call(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.startswith("iommu-inspect: ")
    assert done.stderr.count("\n") == 1
    if words[0] in COMMANDS:
        assert f"'iommu-inspect {words[0]} --help'" in done.stderr
