"""``audit --output``: any format, whole or not at all."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import call
from shared import SYSFS
from terminal import on_terminal

from iommu_inspect.cli.commands.audit import AuditFormat

HALF, ONE = SYSFS / "half-a-group", SYSFS / "groups-of-one"
TIMELESS = [f for f in AuditFormat if f not in (AuditFormat.METRICS, AuditFormat.NFD)]


@pytest.mark.parametrize("form", TIMELESS)
def test_a_file_has_what_would_have_been_printed(tmp_path: Path, form: str) -> None:
    file = tmp_path / "out"
    printed = call("audit", "--from", HALF, "--format", form)
    written = call("audit", "--from", HALF, "--format", form, "-o", file)
    assert written.returncode == printed.returncode
    assert written.stdout == ""
    assert written.stderr == f"{printed.stderr}iommu-inspect: wrote {file}\n"
    assert file.read_text() == printed.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("form", list(AuditFormat))
def test_names_of_a_hostile_capture_obey_nothing(form: str) -> None:
    words = ("--from", SYSFS / "hostile-names", "--notes", "--strict")
    done = call("audit", *words, "--format", form)
    assert done.stdout
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", done.stdout
    )


def test_a_file_has_no_colours_unless_they_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "out"
    call("audit", "--from", HALF, "-o", file, "--color", "always")
    assert "\x1b[" in file.read_text()


def test_a_file_that_is_written_on_a_terminal_is_as_what_is_piped(
    tmp_path: Path,
) -> None:
    """Neither coloured, nor as wide as somebody's window."""
    file = tmp_path / "out"
    words = ("audit", "--from", HALF, "--summary")
    shown = on_terminal(*words, "--output", file, columns=40)
    assert shown == ""
    assert file.read_text() == call(*words, columns=80).stdout


@pytest.mark.parametrize("where", ["/sys/x", "/proc/x", "/dev/x"])
def test_nothing_is_written_where_nothing_is_ever_written(where: str) -> None:
    done = call("audit", "--from", HALF, "-o", where)
    assert done.returncode == 2
    assert "nothing is ever written below" in done.stderr


def test_a_source_that_cannot_be_read_replaces_what_was_fine(tmp_path: Path) -> None:
    """The file of an hour ago would say that all is well."""
    file = tmp_path / "host.prom"
    call("audit", "--from", ONE, "--format", "metrics", "-o", file)
    assert "iommu_inspect_source_readable 1.0" in file.read_text()
    done = call("audit", "--from", "/nowhere", "--format", "metrics", "-o", file)
    assert done.returncode == 4
    assert "iommu_inspect_source_readable 0.0" in file.read_text()
    assert 'verdict="unknown"} 1.0' in file.read_text()


def test_who_reads_all_the_time_never_sees_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "host.prom"
    call("audit", "--from", ONE, "--format", "metrics", "-o", file)
    reads, ended, broken = 0, threading.Event(), []

    def read() -> None:
        nonlocal reads
        while not ended.is_set():
            text = file.read_text()
            names = {f.name for f in text_string_to_metric_families(text)}
            reads += 1
            if "iommu_inspect_error_groups_left_out" not in names:
                broken.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    for source in (HALF, ONE) * 6:
        call("audit", "--from", source, "--format", "metrics", "-o", file)
    ended.set()
    reader.join()
    assert broken == []
    assert reads > 5
