"""A name reaches a shell checked or quoted, or there is no command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from builders import SINCE_6_6, device, group, machine, only
from examples import each
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.dynamic_ids import split_ids
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.text import printable_lines
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.plan import shell
from iommu_inspect.plan.host.again import plan_command
from iommu_inspect.plan.host.boot import boot
from iommu_inspect.plan.host.cures import cure_lines
from iommu_inspect.plan.host.ids import ids_word, left_out
from iommu_inspect.plan.host.script import refusing_script
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.rules import _cures as cures
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.host.command_line import parse_command_line

SHELLS = [
    words for words in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(words[0])
]
HOSTILE = [
    *("$(touch X)", "`touch X`", "a;touch X", "a&touch X", "a|touch X", "a>X", "a<X"),
    *("a b", "a\nb", "a\\nb", "a'b", 'a"b', "a\\", "-n", "--help", "-", "*", "~root"),
    *("..", ".", "", "a/b", "/", "a/../b", "#a", "!!", "a!b", "{a,b}", "$HOME", "=ls"),
    *("\x1b[31m", "\u202ea", "\udcff", "\x00", "a\r", "a\tb", "[a]", "?", "é", "(a)"),
    *("%s", "^a", "a=b;c"),
]
PLAIN = ["vfio-pci", "e1000e", "snd_hda_intel", "3w-9xxx", "none", "8250_mid"]


def test_it_is_said_why_there_is_no_command() -> None:
    with pytest.raises(shell.UnwritableError, match="which bus dev0 is on is not in"):
        shell.device(DeviceId("dev0", Missing.DENIED))
    with pytest.raises(shell.UnwritableError, match="a name that it needs is not in"):
        shell.name(Missing.DENIED)
    with pytest.raises(shell.UnwritableError, match="'x y' is no name that a command"):
        shell.driver("x y")


@each("text", HOSTILE)
def test_no_check_lets_a_name_through_that_a_shell_would_read(text: str) -> None:
    checks = (shell.name, shell.driver, shell.module, shell.group)
    for check in checks:
        with pytest.raises(shell.UnwritableError):
            check(text)
    for bus in ("pci", "platform", text, Missing.ABSENT):
        with pytest.raises(shell.UnwritableError):
            shell.device(DeviceId(text, bus))
    with pytest.raises(shell.UnwritableError):
        shell.device(DeviceId("0000:01:00.0", text))
    with pytest.raises(shell.UnwritableError):
        shell.sysfs(DeviceId(text, "platform"), "driver")


@each("text", PLAIN)
def test_names_that_the_kernel_gives_are_written_as_they_are(text: str) -> None:
    assert shell.driver(text) == shell.module(text) == shell.name(text) == text


@each(
    "name, bus",
    [
        ("0000:01:00.0", "pci"),
        ("10000:e1:00.7", "pci"),
        ("ARMH0011:00", "platform"),
        ("1c20800.pinctrl", "platform"),
        ("f0000000.gpu", "platform"),
        ("dprc.1", "fsl-mc"),
        ("83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "mdev"),
    ],
)
def test_devices_of_every_bus_are_written(name: str, bus: str) -> None:
    assert shell.device(DeviceId(name, bus)) == name
    assert shell.sysfs(DeviceId(name, bus), "driver_override") == (
        f"/sys/bus/{bus}/devices/{name}/driver_override"
    )


def test_what_is_no_address_is_no_pci_function() -> None:
    for name in ("0000:01:00.8", "0000:01:00", "e1000", "0000:01:00.0.1"):
        with pytest.raises(shell.UnwritableError):
            shell.device(DeviceId(name, "pci"))


NAMES = st.text(st.characters(exclude_characters="\x00"), max_size=30)


@pytest.mark.parametrize("words", SHELLS, ids=lambda words: words[0])
def test_what_is_quoted_is_one_word_to_every_shell(words: list[str]) -> None:
    """And what cannot be quoted so that a terminal shows it is no word at all."""
    seen: list[str] = []

    @trying(max_examples=300, database=None, derandomize=True, deadline=None)
    @given(NAMES | st.sampled_from(HOSTILE))
    def collect(text: str) -> None:
        seen.append(text)

    collect()
    expected, lines = "", []
    for text in seen:
        try:
            quoted = shell.word(text)
        except shell.UnwritableError:
            continue
        assert quoted.isprintable()
        lines.append(f"printf '<%s>\\n' {quoted}")
        expected += f"<{text}>\n"
    assert len(lines) > 100
    done = subprocess.run(
        [*words], input="\n".join(lines).encode(), capture_output=True
    )
    assert done.stdout.decode() == expected


@each("text", ["", "-n", "--", "a\nb", "a\x1b", "\udcff", "\u202e", "\u2028", "a\x00"])
def test_free_text_that_no_terminal_shows_is_no_word(text: str) -> None:
    for path in (text, f"/{text}"):
        if path in ("/", "/-n", "/--"):
            continue
        with pytest.raises(shell.UnwritableError):
            shell.path(path)
    with pytest.raises(shell.UnwritableError):
        shell.word(text)


@pytest.mark.parametrize("words", SHELLS, ids=lambda words: words[0])
def test_reasons_are_said_as_they_are(words: list[str], tmp_path: Path) -> None:
    """The echo of dash would make a newline, or an end, of what follows a backslash."""
    reasons = [r"a\nb", r"\c c", "$(touch X)", "`touch X`", "-n", "it's", r"\033[31m"]
    text = refusing_script(reasons)
    done = subprocess.run(
        words, input=text, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == reasons
    assert list(tmp_path.iterdir()) == []


def cures_about(text: str) -> list[cures.Cure]:
    looks = [what for what in Looking if what is not Looking.POOL]
    one, two = DeviceId(text, "pci"), DeviceId("0000:01:00.0", text)
    return [
        *(Look(what, about) for what in looks for about in (one, two, text)),
        cures.SetParameter(text, "a", on=True),
        cures.SetParameter("a", text, on=True),
        cures.LoadModule(text),
        cures.StopUsing(UseKind.MEDIATED, text),
        cures.ByAddress(DeviceId("0000:01:00.0", "pci"), text),
        cures.ByAddress(one, "vfio-pci"),
        cures.ProbeAgain(two, "vfio-pci"),
        cures.ProbeAgain(DeviceId("0000:01:00.0", "pci"), text),
        cures.ClearOverride(one),
        cures.RemoveVirtualFunctions(one),
        cures.WriteLine("", f'SUBSYSTEM=="vfio", KERNEL=="{text}", GROUP="kvm"'),
    ]


@each("evil", [x for x in HOSTILE if "/" not in x])
def test_a_cure_with_a_name_that_is_none_is_a_sentence(evil: str) -> None:
    """Only what is about no name at all is the same for this one and for another."""
    written = 0
    for cure, plain in zip(cures_about(evil), cures_about("a;b"), strict=True):
        lines = cure_lines(cure)
        if not all(line.startswith("# no command") for line in lines):
            assert lines == cure_lines(plain)
            written += 1
    assert written < 3 * len(Looking)


def test_a_mount_point_is_quoted_and_one_with_control_characters_is_told() -> None:
    evil = "/mnt/$(touch X)'`\\n`"
    assert cure_lines(cures.StopUsing(UseKind.FILE_SYSTEM, evil)) == (
        f"umount {shell.word(evil)}",
    )
    for text in ("/mnt/a\nreboot", "/mnt/\x1b[31m", "/mnt/\udcff", "-a"):
        (line,) = cure_lines(cures.StopUsing(UseKind.FILE_SYSTEM, text))
        assert line.startswith("# no command")
        assert text not in line


@each(
    "line",
    [
        "options vfio-pci ids=10de:1e04",
        "softdep nouveau pre: vfio-pci",
        "weakdep nouveau vfio-pci",
        "alias vfio-gpu vfio-pci",
        "blacklist nouveau",
        "vfio-pci.ids=10de:1e04,10de:10f0",
        "intel_iommu=on",
        'SUBSYSTEM=="vfio", KERNEL=="13", GROUP="kvm", MODE="0660"',
        "@kvm  -  memlock  unlimited",
    ],
)
def test_lines_for_files_are_written(line: str) -> None:
    assert shell.file_line(line) == line


@each(
    "line",
    [
        "reboot vfio-pci",
        "PATH=/tmp reboot",
        "reboot",
        "options vfio-pci ids=$(reboot)",
        "options vfio-pci\nreboot",
        'SUBSYSTEM=="vfio", KERNEL=="$(reboot)", GROUP="kvm", MODE="0660"',
        "",
    ],
)
def test_a_line_for_a_file_does_nothing_in_a_shell(line: str) -> None:
    with pytest.raises(shell.UnwritableError):
        shell.file_line(line)


def of_evil(evil: str) -> str:
    """The modprobe.d file for a function, whose twin the host keeps."""
    mine = replace(device(evil, "e1000e"), ids=PciIds(0x8086, 0x1234))
    twin = device("0000:02:00.0", "e1000e", group="2")
    host = machine(group(mine), group(twin, id="2"))
    target = Target(evil, mine, host.group_of(mine))
    plan = make_plan(host, only(SINCE_6_6), [target])
    if plan.refusals:
        return ""
    found = boot(plan)
    assert found is not None
    return "\n".join(found.modprobe)


def test_no_install_line_has_a_name_that_is_no_address() -> None:
    """modprobe runs it as root, at every boot."""
    assert "install vfio-pci d=/sys/bus/pci/devices/0000:01:00.0;" in of_evil(
        "0000:01:00.0"
    )
    for evil in HOSTILE:
        assert of_evil(evil) == ""
        assert of_evil(f"0000:01:00.0{evil or ' '}") == ""


def test_ids_of_the_command_line_that_are_none_are_not_written_again() -> None:
    text = "vfio-pci.ids=10de:1e04,$(reboot),8086:1234;reboot,`x`"
    words = parse_command_line(text)
    host = machine(group(device("0000:01:00.0")), settings=Settings(command_line=words))
    assert split_ids(words[0].value or "")[1] == "$(reboot)"
    assert ids_word(host, ()) == "vfio-pci.ids=10de:1e04"
    assert len([*left_out(host, ())]) == 3


def test_the_line_that_asks_again_names_what_can_be_named() -> None:
    host = machine(group(device("0000:01:00.0")))
    source = ("--from", "/a b/$(touch X)")
    named = replace(host, source=replace(host.source, option=source))
    assert plan_command(named, Purpose.DPDK, ["01:00.0"]) == (
        "iommu-inspect plan 01:00.0 --for dpdk --from '/a b/$(touch X)'"
    )
    named = replace(host, source=replace(host.source, option=("--from", "a\nb")))
    assert plan_command(named, Purpose.VFIO, ["\x1b", "-x", "a"]) == (
        "iommu-inspect plan DEVICE DEVICE a --from SOURCE"
    )


def test_what_a_comment_shows_of_a_name_means_nothing() -> None:
    assert (
        shell.comment("6.12$(touch X)\nreboot;`x`'\"!")
        == "6.12??touch X??reboot??x????"
    )


def test_lines_keep_their_newlines_and_colours_and_nothing_else_is_obeyed() -> None:
    text = "a\x1b[31mred\x1b[0m\nb\x1b[2Jc\rd\u202e\udcff\x1b]0;t\x07é"
    assert printable_lines(text) == (
        "a\x1b[31mred\x1b[0m\nb\\x1b[2Jc\\x0dd\\u202e\\xff\\x1b]0;t\\x07é"
    )
