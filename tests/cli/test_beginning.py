"""Where a run begins: a version, words for a shell, or a command."""

from __future__ import annotations

import io
import signal
import sys
import time

import pytest

from iommu_inspect import __version__
from iommu_inspect.cli import progress
from iommu_inspect.cli.output import complain
from iommu_inspect.cli.start import start


def test_the_version_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "--version"])
    start()
    assert capsys.readouterr().out == f"iommu-inspect {__version__}\n"
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "--version", "x"])
    with pytest.raises(SystemExit) as end:
        start()
    assert end.value.code == 0
    assert capsys.readouterr().out == f"iommu-inspect {__version__}\n"


def test_a_shell_is_offered_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_IOMMU_INSPECT_COMPLETE", "1")
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "--demo", "wh"])
    start()
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "whatif", "--demo", "claim="])
    start()
    assert capsys.readouterr().out.startswith("claim=0\t")
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "whatif", "type=1,D"])
    start()
    assert capsys.readouterr().out == "type=1,DMA\ntype=1,DMA-FQ\n"


def test_a_command_is_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "explain", "mixed-ownership"])
    with pytest.raises(SystemExit) as end:
        start()
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("mixed-ownership\n")


class Terminal(io.StringIO):
    """Standard error of somebody who looks."""

    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_and_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "_PATIENCE", 0.01)
    monkeypatch.setattr(progress, "_PACE", 0.01)
    with progress.telling(lambda: "reading"):
        ends = time.monotonic() + 10
        while "reading" not in terminal.getvalue() and time.monotonic() < ends:
            time.sleep(0.01)
        with progress.telling(lambda: "more"):  # the outer one goes on
            complain("a word")
    assert "\r\x1b[Kiommu-inspect: reading, 0 s" in terminal.getvalue()
    assert "\r\x1b[Kiommu-inspect: a word\n" in terminal.getvalue()
    assert "more" not in terminal.getvalue()
    assert terminal.getvalue().endswith(("\r\x1b[K", "a word\n"))
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
