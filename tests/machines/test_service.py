"""The service of systemd: sound, closed, and it writes what root would write."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from shared import FIXTURES

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICE, TIMER = UNITS / "iommu-inspect.service", UNITS / "iommu-inspect.timer"
CAPTURE = FIXTURES / "kernels" / "6.12-reference-2.tar.gz"
# What systemd thinks of it; lower needs what hides facts from the audit.
EXPOSURE = 12
NOBODY = 65534
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there"
)
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="needs root, and setpriv of util-linux",
)


class Unit(configparser.RawConfigParser):
    """A unit's file; a key that is there twice has all its values, a line each."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.many: dict[str, list[str]] = {}
        for line in path.read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                self.many.setdefault(key, []).append(value)
        self.read_string(path.read_text())

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def command() -> list[str]:
    """Return what the service starts, without the program's own name."""
    program, *words = shlex.split(Unit(SERVICE)["Service"]["ExecStart"])
    assert program == "/usr/bin/iommu-inspect"
    return words


def audited(folder: Path, *before: str) -> tuple[int, str]:
    """Run the service's command on a capture, with its file in a folder."""
    words = command()
    place = words.index("--output") + 1
    file = folder / Path(words[place]).name
    words[place] = str(file)
    python = [*before, sys.executable]
    settings: dict[str, Any] = {
        "env": {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/"},
        "capture_output": True,
        "text": True,
        "cwd": "/",
    }
    needed = "import iommu_inspect.cli.main, prometheus_client"
    if subprocess.run([*python, "-c", needed], **settings).returncode:
        pytest.skip("an ordinary user cannot read this checkout, or its interpreter")
    done = subprocess.run(
        [*python, "-m", "iommu_inspect", *words, "--from", CAPTURE], **settings
    )
    assert done.returncode in (0, 1, 3), done.stderr
    return done.returncode, file.read_text()


def without_time(text: str) -> list[str]:
    name = "iommu_inspect_audit_timestamp_seconds"
    return [line for line in text.splitlines() if not line.startswith(name)]


@needs_root
def test_a_user_without_rights_writes_what_root_writes() -> None:
    # Not in tmp_path, which pytest keeps from others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        _writes_the_same(Path(folder))


def _writes_the_same(place: Path) -> None:
    folders = [place / "root", place / "nobody"]
    for folder in folders:
        folder.mkdir()
    os.chown(folders[1], NOBODY, NOBODY)
    ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    root = audited(folders[0])
    nobody = audited(
        folders[1], "setpriv", *ids, "--no-new-privs", "--bounding-set=-all"
    )
    assert (root[0], without_time(root[1])) == (nobody[0], without_time(nobody[1]))
    (file,) = folders[1].iterdir()
    assert file.stat().st_uid == NOBODY
    umask = int(Unit(SERVICE)["Service"]["UMask"], 8)
    assert 0o666 & ~umask == 0o644  # the collector is another user


def test_what_the_audit_ends_with_is_no_failure_of_the_service() -> None:
    assert Unit(SERVICE)["Service"]["SuccessExitStatus"] == "1 3"


def test_nothing_hides_the_host_from_the_audit() -> None:
    """Each of these makes of a fact one that is not there, and not one unknown."""
    service = Unit(SERVICE)["Service"]
    for name in ("PrivateNetwork", "ProtectProc", "ProcSubset", "ProtectKernelModules"):
        assert name not in service
    assert service["ProtectHome"] == "read-only"


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for unit in (SERVICE, TIMER):
        text = unit.read_text().replace("/usr/bin/iommu-inspect", sys.executable)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_the_service_can_do_next_to_nothing() -> None:
    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true", "--no-pager"),
            *(f"--threshold={EXPOSURE}", str(SERVICE)),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def filters() -> set[str]:
    """Return the system calls that the service's filter lets through."""
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"],
        capture_output=True,
        text=True,
        check=True,
    )
    sets: dict[str, list[str]] = {}
    name = ""
    for line in done.stdout.splitlines():
        if line.startswith("@"):
            name = line.strip()
        elif name and line.startswith("    ") and not line.strip().startswith("#"):
            sets.setdefault(name, []).append(line.strip())

    def calls(word: str) -> set[str]:
        if not word.startswith("@"):
            return {word}
        return {call for each in sets.get(word, []) for call in calls(each)}

    allowed = calls("@default")
    for line in Unit(SERVICE).many["SystemCallFilter"]:
        found = {call for word in line.lstrip("~").split() for call in calls(word)}
        allowed = allowed - found if line.startswith("~") else allowed | found
    return allowed


@needs_systemd
@pytest.mark.skipif(shutil.which("strace") is None, reason="install strace")
@pytest.mark.parametrize("source", [["--from", str(CAPTURE)], []], ids=["file", "host"])
def test_the_filter_lets_the_audit_through(tmp_path: Path, source: list[str]) -> None:
    words, log = command(), tmp_path / "calls"
    words[words.index("--output") + 1] = str(tmp_path / "x.prom")
    done = subprocess.run(
        [
            *("strace", "-f", "-qq", "-c", "-U", "name", "-o", str(log)),
            *(sys.executable, "-m", "iommu_inspect", *words, *source),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/"},
        capture_output=True,
        text=True,
    )
    if not log.exists() or not log.read_text():
        pytest.skip(f"strace cannot count here: {done.stderr[-200:]}")
    used = {line.strip() for line in log.read_text().splitlines()}
    used = {name for name in used if name.isidentifier()} - {"syscall", "total"}
    assert "openat" in used
    assert used <= filters()
    assert "socket" not in used  # RestrictAddressFamilies=none


def test_the_timer_repeats_and_starts_by_itself() -> None:
    timer = Unit(TIMER)
    assert {"OnBootSec", "OnUnitInactiveSec"} <= set(timer["Timer"])
    assert timer["Install"]["WantedBy"] == "timers.target"
    # The alert on old audits has to wait longer than the timer does.
    assert timer["Timer"]["OnUnitInactiveSec"] == "5min"


def test_where_the_file_is_linked_to_is_where_it_is_written() -> None:
    link = (UNITS / "iommu-inspect.tmpfiles").read_text().splitlines()[-1].split()
    assert link[0] == "L"
    assert link[-1] == command()[command().index("--output") + 1]
    folder = Unit(SERVICE)["Service"]["RuntimeDirectory"]
    assert link[-1] == f"/run/{folder}/iommu-inspect.prom"
    user = (UNITS / "iommu-inspect.sysusers").read_text().splitlines()[-1].split()
    assert user[1] == Unit(SERVICE)["Service"]["User"]
