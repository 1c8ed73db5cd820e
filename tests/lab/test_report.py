"""The page of the counts, and what the lab says where it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.__main__ import main
from lab.campaign import declared, find_kernels, random_pairs, random_walk
from lab.errors import LabError, Unavailable
from lab.evidence import Evidence, State, load, save
from lab.judge import Record
from lab.live import differences, questions
from lab.needs import check_programs, is_ci
from lab.report import Boot, boot_of, render
from lab.truth import Truth


def record(outcome: str, because: str = "", **more: str) -> Record:
    got = {"right": "0", "wrong": "-EBUSY", "unknown": "unknown"}[outcome]
    return Record(
        more.get("machine", "reference"),
        more.get("kernel", "6.12"),
        "6.12.1",
        None,
        1,
        more.get("operation", "VFIO_SET_IOMMU"),
        "3",
        "0",
        got,
        because,
        outcome,
    )


def boot(*records: Record, seed: int | None = None, kernel: str = "6.12") -> Boot:
    name = "reference" if seed is None else f"random-{seed}"
    steps = {("bind", "0"): 2, ("claim", "-EPERM"): 1}
    return Boot(name, "a machine", kernel, f"{kernel}.1", seed, records, 3, steps)


def test_counts() -> None:
    page = render([boot(record("right"), record("right"))], "make lab")
    assert "**2 answers compared: 2 right, 0 wrong, 0 unknown** (0.0 %" in page
    assert "| `VFIO_SET_IOMMU` | 2 |" in page
    assert "| 6.12 | `6.12.1` | 1 | 0 | 2 | 2 | 0 | 0 | 0 |" in page
    assert page.count("None.") == 2
    assert "\n    make lab\n" in page


def test_what_a_kernel_without_the_module_was_not_asked_is_counted(
    tmp_path: Path,
) -> None:
    groups = {"1": frozenset({"a", "b"}), "2": frozenset({"c"})}
    truth = Truth(groups=groups, drivers=dict.fromkeys("abc"), not_asked=3 + 2 * 2)
    states = [State(truth=truth), State(left_out=["attach=nic"])]
    kept = Evidence("reference", "a machine", "6.18", "6.18.15", states=states)
    found = boot_of(load(save(kept, tmp_path)), [record("right", kernel="6.18")])
    assert found.not_asked == 8
    assert "| 6.18 | `6.18.15` | 1 | 0 | 1 | 1 | 0 | 0 | 8 |" in render([found], "x")


def test_wrong_and_unknown_are_shown_and_explained() -> None:
    why = "0000:01:00.0 | may be a vfio driver"
    other = "0000:02:00.0 | may be a vfio driver"
    found = (record("right"), record("wrong", "so it says"), record("unknown", why))
    page = render([boot(*found, record("unknown", other))], "make lab")
    assert "| `VFIO_SET_IOMMU` | 1 / 1 / 2 |" in page
    assert "-EBUSY: so it says" in page
    assert "| 2 | 6.12 | DEVICE \\| may be a vfio driver | 0 |" in page


def test_seeds_and_steps() -> None:
    page = render([boot(record("right"), seed=s) for s in (3, 1, 2, 9)], "make lab")
    assert "| 6.12 | 4 | 12 | 1-3, 9 |" in page
    assert "| `claim` | 4 | -EPERM (4) |" in page


def test_growth_says_on_how_many_machines_of_each_kernel_a_device_came() -> None:
    came = record("right", operation="growth")
    boots = [boot(came, came, seed=1), boot(came, seed=2), boot(record("right"))]
    page = render([*boots, boot(came, kernel="5.10")], "x")
    assert "Machines on which one came: 1 on 5.10, 2 on 6.12." in page


def test_page_does_not_depend_on_the_order() -> None:
    boots = [boot(record("right"), kernel=k) for k in ("7.3", "5.10", "6.12")]
    assert render(boots, "x") == render(boots[::-1], "x")


def test_kernels_and_machines_are_chosen_by_name() -> None:
    names = [kernel.name for kernel in find_kernels("6.12,5.10,6.12")]
    assert names == ["6.12", "5.10"]
    pairs = declared("reference,switch", find_kernels("5.10,6.12"))
    assert [(m.name, k.name) for m, k, _ in pairs] == [
        ("reference", "5.10"),
        ("switch", "5.10"),
        ("reference", "6.12"),
        ("switch", "6.12"),
    ]
    assert len(declared("all", find_kernels("all"))) > 4 * 30 + 2 * 8
    with pytest.raises(LabError, match="unknown machine 'none'"):
        declared("none", find_kernels("6.12"))
    with pytest.raises(LabError, match=r"runs with none of: 6\.12-arm64"):
        declared("reference", find_kernels("6.12-arm64"))
    with pytest.raises(LabError, match=r"do not run with 7\.3-arm64"):
        random_pairs([1], find_kernels("7.3-arm64"))


def test_every_random_step_is_a_state() -> None:
    machine = random_walk(5, 4)
    assert machine.states[0] == ()
    assert 1 < len(machine.states) <= 5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["run", "--kernels", "4.4"], "lab: unknown kernel '4.4'; known: 5.10"),
        (["run", "--machines", "toaster"], "lab: unknown machine 'toaster'; known:"),
        (["random", "--kernels", "7.3-arm64"], "lab: random machines do not run"),
        (["boot", "reference", "1.0"], "lab: unknown kernel '1.0'"),
    ],
)
def test_bad_names_are_one_line(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(text)
    assert said.count("\n") == 1


def test_missing_programs_name_their_packages() -> None:
    with pytest.raises(Unavailable, match=r"apt-get install kmod qemu-system-x86$"):
        check_programs(["amd64"], _without("qemu-system-x86_64", "depmod"), lambda: 0)
    with pytest.raises(Unavailable, match="need root"):
        check_programs(["amd64", "arm64"], _without(), lambda: 1000)
    check_programs(["amd64", "arm64"], _without(), lambda: 0)


def _without(*names: str) -> Callable[[str], str | None]:
    return lambda name: None if name in names else f"/usr/bin/{name}"


@pytest.mark.parametrize(
    ("ci", "skip", "status", "text"),
    [
        ("", ["--skip"], 0, "lab: skipped: "),
        ("true", ["--skip"], 1, "lab: "),
        ("", [], 1, "lab: "),
    ],
)
def test_a_lab_that_cannot_run_says_so(
    ci: str,
    skip: list[str],
    status: int,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["quick", *skip]) == status
    said = capsys.readouterr().err
    assert said.startswith(text)
    assert "apt-get install" in said
    assert ("skipped" in said) == (status == 0)


def test_ci_is_what_its_variable_says() -> None:
    assert is_ci({"CI": "true"}) and is_ci({"CI": "1"})
    assert not is_ci({}) and not is_ci({"CI": "false"}) and not is_ci({"CI": ""})


def test_report_without_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.md"
    assert main(["report", str(tmp_path), "--out", str(out)]) == 1
    assert "lab: no evidence in" in capsys.readouterr().err
    assert not out.exists()


def test_documents_differ_but_for_their_source() -> None:
    live = {"source": {"kind": "live", "kernel": "6"}, "groups": [{"id": "1"}]}
    same = {"source": {"kind": "tree", "kernel": "6"}, "groups": [{"id": "1"}]}
    other = {"source": {"kind": "tree", "kernel": "6"}, "groups": [{"id": "2"}]}
    assert list(differences(live, same)) == []
    found = next(differences(live, other))
    assert str(found) == ".groups[0].id: live '1', captured '2'"
    told = {**live, "uses_missing": {"display": None, "swap": None}}
    absent = {"display": "absent", "swap": "denied"}
    untold = list(differences(told, {**same, "uses_missing": absent}))
    assert [found.place for found in untold] == [".uses_missing.swap"]
    kept = {**same, "uses_missing": absent}
    strict = [found.place for found in differences(told, kept, of_snapshot=True)]
    assert strict == [".uses_missing.display", ".uses_missing.swap"]
    noted = {"source": {"notes": ["made without root"]}}
    assert list(differences({"source": {}}, noted, of_snapshot=True)) == []
    assert list(differences({"source": {}}, noted)) != []
    fewer = next(differences(live, {**same, "groups": []}))
    assert fewer.place == ".groups: length"


def test_a_snapshot_is_asked_about_devices_too() -> None:
    members = [[{"address": "0000:00:01.0"}], [{"address": "0000:01:00.0"}]]
    listed = {"groups": [{"devices": devices} for devices in members]}
    assert list(questions(listed)) == [
        *(("list",), ("audit",), ("predict",)),
        ("why", "0000:00:01.0", "0000:01:00.0"),
        *(("plan", "0000:00:01.0"), ("plan", "0000:01:00.0")),
    ]
    assert len(list(questions({"groups": []}))) == 3
