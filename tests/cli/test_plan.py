"""``plan`` as its users run it."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from examples import each
from running import call, document, run
from shared import FIXTURES, SYSFS

DEMO = resources.files("iommu_inspect").joinpath("demo.tar.gz")
HALF = SYSFS / "half-a-group"
NO_REMAPPING = FIXTURES / "kernels" / "6.12-no-remapping-1.tar.gz"


def validated(*words: str | Path) -> dict[str, Any]:
    found = document("plan", *words)
    file = resources.files("iommu_inspect").joinpath("schemas/plan-1.json")
    schema = json.loads(file.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


@each(
    "words, code",
    [
        (("03:01.0", "--from", str(DEMO)), 0),
        (("group:7", "--from", str(DEMO)), 0),
        (("01:00.0", "--from", str(DEMO)), 0),
        (("00:01.0", "--from", str(DEMO)), 1),
        (("00:03.0", "--from", NO_REMAPPING), 1),
        (("00:03.0", "--accept", "interrupt-remapping", "--from", NO_REMAPPING), 0),
        (("0000:01:00.0", "--from", FIXTURES / "kernels/6.12-reserved-1.tar.gz"), 1),
        (("00:02.0", "--from", SYSFS / "no-iommu-firmware"), 1),
        ((), 2),
        (("09:00.0", "--from", str(DEMO)), 2),
        (("03:01.0", "--accept", "no-iommu", "--from", str(DEMO)), 2),
        (("03:01.0", "--format", "xml", "--from", str(DEMO)), 2),
        (("00:19.0", "--from", SYSFS / "bare-capture"), 3),
        (("00:19.0", "--from", SYSFS / "no-such-source"), 4),
    ],
)
@each("output", ["table", "shell", "json", "libvirt", "qemu", "proxmox", "driverctl"])
def test_exit_code(words: tuple[str | Path, ...], code: int, output: str) -> None:
    more = () if "--format" in words else ("--format", output)
    done = call("plan", *words, *more)
    assert done.returncode == code, done.stderr
    if code in (2, 4):
        assert done.stdout == ""
    else:
        # The guest's side has nothing to say without a plan; the others say why.
        assert bool(done.stdout) is (code != 1 or output in ("table", "json", "shell"))


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("03:01.0", "--from", str(DEMO)), "planned"),
        (("group:7", "--from", str(DEMO)), "planned"),
        (("00:01.0", "--from", str(DEMO)), "refused"),
        (("00:19.0", "--from", SYSFS / "bare-capture"), "unknown"),
        (("00:02.0", "--from", SYSFS / "no-iommu-firmware"), "refused"),
        (("3b:01.0", "--from", SYSFS / "sriov-one-group"), "unknown"),
    ],
    ids=str,
)
def test_documents_are_valid(words: tuple[str | Path, ...], verdict: str) -> None:
    found = validated(*words)
    assert found["verdict"] == verdict
    assert verdict == "planned" or found["refusals"] or found["conditions"]
    if found["refusals"]:
        assert found["now"] == found["undo"] == found["qemu"] == []
        assert found["script"] is found["boot"] is None


def test_the_neighbour_moves_too_and_only_it() -> None:
    found = validated("03:01.0", "--from", str(DEMO))
    assert {m["address"]: m["action"] for m in found["members"]} == {
        "0000:02:00.0": "stay",
        "0000:03:01.0": "stay",
        "0000:03:02.0": "bind",
    }
    assert [step["result"] for step in found["steps"]] == ["0", "0", "0"]
    assert found["checked"] == {"verdict": "ready", "undo": True, "supposed": []}
    assert found["given"] == ["0000:03:01.0"]
    assert found["only_held"] == ["0000:03:02.0"]


def test_the_steps_are_steps_of_whatif() -> None:
    steps = [s["step"] for s in validated("03:01.0", "--from", str(DEMO))["steps"]]
    done = call("whatif", *steps, "claim=7", "--from", str(DEMO))
    assert done.returncode == 0, done.stdout


def test_the_text_says_that_it_was_checked_and_is_narrow() -> None:
    done = run("plan", "03:01.0", "--from", str(DEMO))
    assert "checked: tried on this machine's state" in done.stdout
    assert "VFIO will say viable" in done.stdout
    # Commands are not folded, for they are copied: they are indented by four or more.
    prose = [x for x in done.stdout.splitlines() if not x.startswith("    ")]
    assert max(map(len, prose)) <= 80


def test_without_a_plan_no_command_of_one_is_printed() -> None:
    done = run("plan", "00:03.0", "--from", str(NO_REMAPPING))
    assert done.returncode == 1
    assert "checked" not in done.stdout
    assert "drivers_probe" not in done.stdout
    assert "If you mean it: --accept interrupt-remapping" in done.stdout


@pytest.mark.parametrize(
    "output", ["shell", "libvirt", "qemu", "proxmox", "driverctl", "dpdk", "spdk"]
)
def test_reasons_go_to_standard_error_where_the_output_is_for_programs(
    output: str,
) -> None:
    done = run("plan", "00:01.0", "--from", str(DEMO), "--format", output)
    assert done.returncode == 1
    assert "0000:00:01.0 is a bridge" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refusal_that_is_piped_to_a_shell_fails_there() -> None:
    script = run("plan", "00:01.0", "--from", str(DEMO), "--format", "shell").stdout
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True)
    assert done.returncode == 1
    assert "0000:00:01.0 is a bridge" in done.stderr


def test_names_from_a_hostile_source_reach_no_command() -> None:
    for name in ("00:01.0", "00:01.1"):
        done = call("plan", name, "--from", SYSFS / "hostile-names")
        assert done.returncode == 3
        assert "\x1b" not in done.stdout
        assert " > /sys/bus/pci/drivers" not in done.stdout


def test_a_setting_that_may_cure_it_is_printed(tmp_path: Path) -> None:
    import shutil

    source = tmp_path / "capture"
    shutil.copytree(SYSFS / "no-iommu-unit", source, symlinks=True)
    (source / "proc/cmdline").write_text("quiet\n")
    done = call("plan", "00:02.0", "--from", source)
    assert done.returncode == 1
    assert "intel_iommu=on" in done.stdout
    assert "proxmox-boot-tool refresh" in done.stdout
    found = validated("00:02.0", "--from", source)
    assert found["cure"]["kernel_words"] == ["intel_iommu=on"]


def test_help_fits() -> None:
    done = call("plan", "--help")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_plan_names_what_it_moves() -> None:
    text = call("plan", "00:03.0", "--from", SYSFS / "half-a-group").stdout
    assert "WHAT IT IS, AND WHY" in text.splitlines()[0]
    assert "HD audio device [10de:10fa]: " in " ".join(text.split())


def test_a_tool_that_has_no_words_for_the_plan_fails() -> None:
    done = run("plan", "03:01.0", "--from", str(DEMO), "--format", "spdk")
    assert (done.returncode, done.stdout) == (1, "")
    assert "scripts/setup.sh is not for 0000:03:01.0" in done.stderr
    for output in ("proxmox", "spdk"):
        words = ("--for", "attach", "--format", output)
        done = run("plan", "00:02.0", "--from", str(DEMO), *words)
        assert (done.returncode, done.stdout) == (1, ""), done


def test_all_systems_are_shown_where_they_are_asked_for() -> None:
    own = call("plan", "03:01.0", "--from", str(DEMO)).stdout
    assert "update-initramfs" in own
    assert "dracut" not in own
    every = call("plan", "03:01.0", "--all-systems", "--from", str(DEMO)).stdout
    for part in ("update-initramfs", "dracut", "nixos-rebuild", "rpm-ostree kargs"):
        assert part in every


@each("source", [str(DEMO), str(SYSFS / "no-iommu-firmware"), str(HALF)])
def test_the_format_of_dpdk_is_that_of_its_purpose(source: str) -> None:
    """What --for dpdk decides, such as what to do without an IOMMU, holds for it."""
    for word in ("00:02.0", "00:03.0", "00:01.0"):
        words = ("plan", word, "--from", source)
        wanted = call(*words, "--for", "dpdk").returncode
        done = call(*words, "--format", "dpdk")
        assert done.returncode == wanted, done.stderr
        assert ("-a 0000:" in done.stdout) is (wanted == 0)
