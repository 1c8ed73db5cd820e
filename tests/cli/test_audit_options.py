"""The options of ``audit`` from outside: exit codes, lines, and the document."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from running import call, document
from shared import SYSFS

HALF, DPDK = SYSFS / "half-a-group", SYSFS / "dpdk-drivers"
EXPECT = SYSFS.parent / "expect"


def validate(*words: str | Path) -> dict[str, Any]:
    schema = resources.files("iommu_inspect").joinpath("schemas/audit-1.json")
    found = document("audit", *words)
    jsonschema.validate(found, json.loads(schema.read_text()))
    return found


def fleet(tmp_path: Path, *rules: str) -> Path:
    file = tmp_path / "fleet.toml"
    file.write_text(
        "".join(f'[[ignore]]\nrule = "{r}"\nreason = "tried on {r}"\n' for r in rules)
    )
    return file


@pytest.mark.parametrize(
    ("purpose", "target", "code", "words"),
    [
        ("vfio", "00:06.0", 0, "0000:00:06.0 can be handed to user space now."),
        ("vfio", "00:02.0", 1, "0000:00:02.0 cannot be handed to user space now."),
        ("dpdk", "00:02.0", 0, "can be used by DPDK now, but mind the 1 warning."),
        ("dpdk", "00:03.0", 1, "0000:00:03.0 cannot be used by DPDK now."),
        ("dpdk", "00:05.0", 0, "can be used by DPDK now, but mind the 1 warning."),
        ("attach", "00:07.0", 0, "can be attached by iommu_attach_device() now."),
        ("one-per-group", "00:06.0", 0, "can be handed out one by one now."),
    ],
)
def test_the_purpose_decides(purpose: str, target: str, code: int, words: str) -> None:
    done = call("audit", target, "--for", purpose, "--from", DPDK)
    assert done.returncode == code
    assert words in " ".join(done.stdout.split())


def test_attach_says_the_kernels_answer_where_no_rule_speaks() -> None:
    words = ("audit", "00:08.0", "--for", "attach", "--from", DPDK)
    (target,) = document(*words)["targets"]
    assert target["answers"][0]["operation"] == "iommu_attach_device"
    assert target["answers"][0]["result"] == "-ENODEV"
    assert call(*words).returncode == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--for", "xdp"), "'xdp' is not one of"),
        (("--ignore", "no-iomu"), "no rule 'no-iomu'; close matches: no-iommu"),
        (("--config", "nowhere.toml"), "cannot read nowhere.toml of --config: no such"),
        (("--expect", ""), "of --expect: no such file"),
        (("--expect", str(EXPECT)), "of --expect: is a directory"),
        (("--expect", "/dev/zero"), "a file or a pipe is expected"),
        (("--summary", "00:06.0"), "without targets"),
    ],
)
def test_wrong_use_ends_in_code_2_before_anything_is_printed(
    options: tuple[str, ...], words: str
) -> None:
    done = call("audit", *options, "--from", DPDK)
    assert done.returncode == 2
    assert done.stdout == ""
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cards").write_bytes(b"\xff\xfe0\x00")
    done = call("audit", "--expect", tmp_path / "cards", "--from", DPDK)
    assert done.returncode == 2
    assert "it is no UTF-8 text" in done.stderr


def test_a_reason_is_not_optional(tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('[[ignore]]\nrule = "no-iommu"\n')
    done = call("audit", "--config", file, "--from", HALF)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "reason is missing" in done.stderr


def test_what_is_ignored_is_counted_in_one_line_and_shown_with_notes(
    tmp_path: Path,
) -> None:
    words = ("audit", "--config", fleet(tmp_path, "mixed-ownership"), "--from", HALF)
    text = call(*words).stdout
    assert "(1 finding ignored: mixed-ownership; the reasons: --notes)" in text
    assert "tried on mixed-ownership" not in text
    notes = call(*words, "--notes").stdout
    assert "(1 finding ignored: mixed-ownership)" in notes
    assert "ignored error: mixed-ownership  group 15" in notes
    assert "Ignored: tried on mixed-ownership" in notes


def test_what_is_ignored_is_in_the_document(tmp_path: Path) -> None:
    config = fleet(tmp_path, "mixed-ownership")
    words = ("--config", config, "--ignore", "partial-group", "--from", HALF)
    found = validate(*words)
    reasons = {entry["rule"]: entry["reason"] for entry in found["ignored"]}
    assert reasons == {
        "mixed-ownership": "tried on mixed-ownership",
        "partial-group": "--ignore on the command line",
    }
    assert not set(reasons) & {entry["rule"] for entry in found["findings"]}


def test_the_sentence_names_what_blocks_though_it_is_ignored() -> None:
    words = ("audit", "00:03.0", "--ignore", "mixed-ownership", "--from", HALF)
    done = call(*words)
    assert done.returncode == 1
    assert "echo 0000:00:03.1 > /sys/bus/pci/drivers/" in done.stdout


def test_a_host_whose_errors_are_ignored_is_told_what_the_kernel_refuses() -> None:
    done = call("audit", "--ignore", "mixed-ownership", "--from", HALF)
    assert done.returncode == 1
    last = " ".join(done.stdout.rsplit("\n\n", 1)[-1].split())
    assert last.endswith("The kernel refuses groups that are on vfio already.")


def test_the_order_of_options_and_files_decides_no_reason(tmp_path: Path) -> None:
    config = fleet(tmp_path, "mixed-ownership")
    words = ("--ignore", "mixed-ownership", "--config", config, "--from", HALF)
    (entry,) = document("audit", *words)["ignored"]
    assert entry["reason"] == "tried on mixed-ownership"


def test_the_whole_host_in_a_few_lines_and_in_a_table() -> None:
    text = call("audit", "--for", "dpdk", "--from", DPDK).stdout
    assert "What could be used by DPDK (more about it: --summary):" in text
    assert "  now: 0000:00:02.0, 0000:00:05.0, 0000:00:06.0, " in text
    table = call("audit", "--for", "dpdk", "--summary", "--from", DPDK).stdout
    assert table.startswith("WHEN     GROUP  DEVICE        WHAT IT IS, AND WHAT COMES")
    assert "bind 0000:00:03.0 to vfio-pci unknown 4" in " ".join(table.split())
    # A name folds it where the machine that runs this has pci.ids.
    (row,) = (r for r in re.split(r"\n(?=\w|\n)", table) if "0000:00:08.0" in r)
    assert row.split()[:3] == ["now", "-", "0000:00:08.0"]
    assert row.endswith("[8086:1521]")


def test_many_devices_are_cut_short_in_the_lines_only(tmp_path: Path) -> None:
    from builders import SINCE_6_6, device, group, machine, only

    from iommu_inspect.audit.auditing import audit
    from iommu_inspect.render.audits.verdict import audit_text

    groups = [
        group(device(f"0000:{n:02x}:00.0", "vfio-pci", group=str(n)), id=str(n))
        for n in range(1, 13)
    ]
    result = audit(machine(*groups), only(SINCE_6_6))
    text = audit_text(result)
    assert "0000:08:00.0 (Ethernet controller), 4 more" in " ".join(text.split())
    assert "0000:0c:00.0" not in text
    assert "0000:0c:00.0" in audit_text(result, summary=True)


@pytest.mark.parametrize("purpose", ["vfio", "dpdk", "attach", "one-per-group"])
@pytest.mark.parametrize("tree", [HALF, DPDK, SYSFS / "platform-members"])
def test_documents_for_every_purpose_are_valid(tree: Path, purpose: str) -> None:
    found = validate("--for", purpose, "--from", tree)
    assert found["purpose"] == purpose
    assert found["summary"]
    target = f"group:{found['summary'][0]['group']}"
    with_target = validate(target, "--for", purpose, "--from", tree)
    assert with_target["summary"] == []


@pytest.mark.parametrize("delay", [0, 0.3])
def test_a_pipe_will_do_for_a_file(tmp_path: Path, delay: float) -> None:
    import os
    import threading
    import time

    fifo = tmp_path / "cards"
    os.mkfifo(fifo)
    text = (EXPECT / "moved.txt").read_text()

    def write() -> None:
        time.sleep(delay)
        fifo.write_text(text)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    done = call("audit", "--expect", fifo, "--from", DPDK)
    writer.join(10)
    assert not writer.is_alive()
    assert "error: expectation" in done.stdout


@pytest.mark.parametrize("option", ["--config", "--expect"])
def test_a_file_of_an_option_is_read_up_to_a_bound(option: str, tmp_path: Path) -> None:
    file = tmp_path / "long"
    file.write_text("# a comment\n" * 100_000)
    done = call("audit", option, file, "--from", DPDK)
    assert done.returncode == 2
    assert "longer than 1 MiB" in " ".join(done.stderr.split())
