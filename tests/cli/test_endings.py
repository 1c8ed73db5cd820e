"""How commands end: what is said last, where it goes, and the exit code."""

from __future__ import annotations

import io
import os
import pty
import shutil
import sys
from importlib import resources
from pathlib import Path

import pytest
from examples import each
from running import call
from shared import SYSFS

from iommu_inspect.cli.commands import list as list_command
from iommu_inspect.cli.main import main
from iommu_inspect.cli.output import emit, style

DEMO = resources.files("iommu_inspect").joinpath("demo.tar.gz")
BARE, HALF, VMD = (
    SYSFS / name for name in ("bare-capture", "half-a-group", "old-kernel-vmd")
)


@each(
    "words, code",
    [
        (["unbind=03:02.0"], 0),
        (["claim=7"], 1),
        (["unbind=03:02.0", "claim=7", "--semantics", "6.4"], 0),
        (["unbind=00:01.0", "--from", SYSFS / "no-driver-links"], 3),
        (["claim=4", "--from", BARE], 3),
        # One that is refused weighs more than one that cannot be told.
        (["claim=4", "unbind=02:00.0", "unbind=02:00.0", "--from", BARE], 1),
        (["fly=1"], 2),
    ],
)
@each("output", ["table", "json"])
def test_whatif_ends_with_the_code_of_the_worst_step(
    words: list[str | Path], code: int, output: str
) -> None:
    source = [] if "--from" in words else ["--from", str(DEMO)]
    done = call("whatif", *words, *source, "--format", output)
    assert done.returncode == code, done.stdout
    assert bool(done.stdout) is (code != 2)


@each(
    "words, says",
    [
        (["whatif", "unbind=00:19.0"], "--semantics chooses a kernel"),
        (["predict"], "--semantics chooses a kernel"),
        (["predict", "--compare", "6.12,auto"], "name a kernel"),
    ],
)
def test_a_kernel_that_is_not_known_is_said_unless_one_is_chosen(
    words: list[str], says: str
) -> None:
    done = call(*words, "--from", BARE)
    assert done.stderr == (f"iommu-inspect: the kernel release is not known; {says}\n")
    chosen = [word.replace("auto", "5.10") for word in words]
    if chosen == words:
        chosen += ["--semantics", "6.12"]
    assert call(*chosen, "--from", BARE).stderr == ""


def test_what_whatif_shows_is_what_the_steps_changed() -> None:
    crash = ("unbind=03:02.0", "claim=7", "bind=03:02.0,e1000")
    done = call("whatif", *crash, "--from", str(DEMO), "--semantics", "5.10")
    assert done.stdout.endswith("\n\nThe host would have crashed.\n")
    done = call("whatif", "claim=6", "--from", str(DEMO))
    assert "6      user              user, claimed  " in done.stdout
    done = call("whatif", "attach=00:04.0", "--from", HALF)
    assert "\n\nNo group changes hands.\n" in done.stdout
    assert "not-on-vfio  16     error   error" in done.stdout
    done = call("whatif", "unbind=00:19.0", "--from", BARE)
    assert "3      user              none   0000:00:19.0 (-)" in done.stdout
    assert "not-on-vfio  -      unknown  -" in done.stdout


def test_a_device_whose_class_is_not_told_is_in_no_class(tmp_path: Path) -> None:
    source = tmp_path / "tree"
    shutil.copytree(HALF, source, symlinks=True)
    words = ("list", "-n", "--class", "02", "--from", source)
    assert "0000:00:04.0" in call(*words).stdout
    for place in ("04.0", "04.1"):
        (file,) = source.glob(f"sys/devices/**/0000:00:{place}/class")
        file.unlink()
    assert call(*words).stdout == ""


@each("domain, has_xml", [("10000", False), ("0001", True)])
def test_a_device_that_qemu_cannot_name_has_no_xml_and_that_is_said(
    tmp_path: Path, domain: str, has_xml: bool
) -> None:
    source = tmp_path / domain
    address = f"{domain}:e1:00.0"
    place = source / f"sys/devices/pci{domain}:e1/{address}"
    group = source / "sys/kernel/iommu_groups/3"
    files = {
        "vendor": "0x144d\n",
        "device": "0xa80a\n",
        "class": "0x020000\n",
        "driver_override": "(null)\n",
    }
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text)
    (group / "devices").mkdir(parents=True)
    (group / "type").write_text("DMA\n")
    (group / "reserved_regions").write_text("0xfee00000 0xfeefffff msi\n")
    (source / "sys/class/iommu/dmar0").mkdir(parents=True)
    for link, target in {
        source / f"sys/bus/pci/devices/{address}": place,
        group / "devices" / address: place,
        place / "iommu_group": group,
        place / "driver": source / "sys/bus/pci/drivers/vfio-pci",
        place / "subsystem": source / "sys/bus/pci",
    }.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/{target.relative_to(source)}")
    (source / "proc/sys/kernel").mkdir(parents=True)
    (source / "proc/sys/kernel/osrelease").write_text("6.12.1\n")
    (source / "proc/interrupts").write_text("24: 1 IR-PCI-MSI 0-edge x\n")
    done = call("plan", address, "--from", source, "--format", "libvirt")
    said = f"no XML for {address}: QEMU's host= ends at domain ffff" in done.stderr
    assert done.returncode == 0, done.stderr
    assert ("<hostdev" in done.stdout, said) == (has_xml, not has_xml)
    text = call("plan", address, "--from", source).stdout
    assert (f"No XML for {address}:" in text) is not has_xml


def test_a_fault_of_the_program_is_one_line_that_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ValueError("an \x1b[31m impossible thing")

    monkeypatch.setattr(list_command, "list_groups", fail)
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", "list"])
    monkeypatch.delenv("IOMMU_INSPECT_DEBUG", raising=False)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 70
    assert capsys.readouterr().err == (
        "iommu-inspect: internal error (ValueError: an \\x1b[31m impossible thing); "
        "please report it with the output of IOMMU_INSPECT_DEBUG=1\n"
    )
    monkeypatch.setenv("IOMMU_INSPECT_DEBUG", "1")
    with pytest.raises(ValueError, match="impossible"):
        main()


def test_a_result_that_cannot_be_written_is_said_and_one_that_nobody_reads_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch, Path("/dev/full").open("w") as full:
        patch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as end:
            emit("text")
    assert end.value.code == 70
    said = "iommu-inspect: cannot write the result: No space left on device\n"
    assert capsys.readouterr().err == said
    reader, writer = os.pipe()
    os.close(reader)
    with monkeypatch.context() as patch, os.fdopen(writer, "w") as pipe:
        patch.setattr(sys, "stdout", pipe)
        emit("text")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        emit("text")
        assert style().paint("word", "red") == "word"
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
    emit("text")
    assert capsys.readouterr().out == "text\n"


@each("no_color, painted", [(None, True), ("", True), ("1", False)])
def test_colours_are_for_a_terminal_whose_user_wants_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, painted: bool
) -> None:
    here, there = pty.openpty()
    with monkeypatch.context() as patch, os.fdopen(there, "w") as terminal:
        patch.delenv("NO_COLOR", raising=False)
        if no_color is not None:
            patch.setenv("NO_COLOR", no_color)
        patch.setattr(sys, "stdout", terminal)
        assert ("\x1b[31m" in style().paint("word", "red")) is painted
        patch.setattr(sys, "stdout", io.StringIO())
        assert style().paint("word", "red") == "word"
    os.close(here)
