"""Mutants are made, are told from prose, and meet the tests that concern them."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import each

from tools.mutants.choosing import in_order, times
from tools.mutants.prose import is_prose
from tools.mutants.trying import Fate, try_out

PLAN, KERNEL = "iommu_inspect/plan/a.py", "iommu_inspect/kernel/a.py"


@each(
    "text, path, said",
    [
        ("the kernel does not say", PLAN, True),
        ("ask for it with {it}", KERNEL, True),
        ("group viable", KERNEL, True),
        ("-EPERM", KERNEL, False),
        ("vfio-pci", PLAN, False),
        ("modprobe vfio-pci", PLAN, False),
        ("echo 1 > /sys/bus/pci/rescan", PLAN, False),
        ("options vfio-pci ids=", PLAN, False),
    ],
)
def test_prose_is_what_only_people_read(text: str, path: str, said: bool) -> None:
    assert is_prose(text, path) is said


def test_quick_tests_of_the_room_come_first_and_time_is_bounded() -> None:
    took = {
        "tests/cli/a.py::t": 0.1,
        "tests/kernel/a.py::slow": 5.0,
        "tests/kernel/a.py::quick": 1.0,
        "tests/cli/a.py::long": 50.0,
    }
    assert in_order(took, took, "kernel", 10.0) == [
        "tests/kernel/a.py::quick",
        "tests/kernel/a.py::slow",
        "tests/cli/a.py::t",
    ]


def test_times_are_read_from_a_report(tmp_path: Path) -> None:
    report = tmp_path / "times.xml"
    report.write_text(
        '<testsuites><testsuite><testcase file="tests/a.py" name="t[1]" time="0.25"/>'
        "</testsuite></testsuites>"
    )
    assert times(report) == {"tests/a.py::t[1]": 0.25}


SOURCE = "def larger(a, b):\n    return max(a, b)\n"


@each(
    "code, how",
    [
        (SOURCE, "survived"),
        (SOURCE.replace("max", "min"), "killed"),
        (SOURCE + "x = missing\n", "broken"),
        (SOURCE.replace("return max(a, b)", "import os; os.abort()"), "killed"),
    ],
)
def test_a_mutant_ends_as_the_tests_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, how: str
) -> None:
    here = tmp_path / how / str(len(code))
    (here / "tests").mkdir(parents=True)
    (here / "pytest.ini").write_text("[pytest]\n")
    (here / "measured_thing.py").write_text(SOURCE)
    (here / "tests" / "test_thing.py").write_text(
        "from measured_thing import larger\n\n\n"
        "def test_larger():\n    assert larger(1, 2) == 2\n\n\n"
        "def test_not_chosen():\n    assert False\n"
    )
    monkeypatch.syspath_prepend(here)
    tests = ["tests/test_thing.py::test_larger"]
    fate = try_out(here, "measured_thing.py", code, tests, 1.0)
    assert fate.how == how, fate
    if code == SOURCE.replace("max", "min"):
        assert fate == Fate("killed", tests[0])


def test_a_mutant_that_no_test_runs_survives(tmp_path: Path) -> None:
    assert not try_out(tmp_path, "a.py", "", [], 0.0).is_killed


def test_each_place_that_an_answer_can_depend_on_has_a_mutant(tmp_path: Path) -> None:
    pytest.importorskip("mutmut", reason="mutmut comes with the extra mutants")
    from tools.mutants.making import mutants

    source = (
        '"""A module."""\n\nfrom os import path\n\n__all__ = ["A"]\nA = 4\n\n\n'
        "@property\ndef told(one: int) -> str:\n"
        '    """Say it."""\n'
        "    if one:\n"
        '        return f"echo {one} > /sys"\n'
        '    return "nothing is known of it"\n'
    )
    (tmp_path / "iommu_inspect").mkdir()
    (tmp_path / "iommu_inspect" / "plan").mkdir()
    (tmp_path / "iommu_inspect" / "plan" / "a.py").write_text(source)
    found = list(mutants(tmp_path, "iommu_inspect/plan/a.py"))
    assert [(m.line, m.operator) for m in found] == [
        (6, "assignment"),
        (6, "number"),
        (12, "condition"),
        (13, "string"),
        (13, "string"),
    ]
    assert all(m.code() != source for m in found)
    assert found[1].diff() == "-A = 4\n+A = 5"
