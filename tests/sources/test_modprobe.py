"""modprobe.d and the kernel command line, taken apart as modprobe and the kernel do."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shared import SYSFS

from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.host.settings import ModuleState, Settings
from iommu_inspect.sources.host.command_line import parse_command_line, parse_words
from iommu_inspect.sources.host.modprobe import parse_modprobe
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path

MODPROBE = shutil.which("modprobe") or shutil.which("modprobe", path="/usr/sbin:/sbin")


def read(root: Path) -> Settings:
    (root / "sys").mkdir(exist_ok=True)
    return read_machine(open_path(str(root))).settings


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def options(found: Settings) -> list[tuple[str, str, str]]:
    assert known(found.modprobe)
    return [
        (line.file, line.module, " ".join(w.text for w in line.options))
        for line in found.modprobe.lines
        if line.command == "options"
    ]


def test_lines_are_joined_numbered_and_comments_left_out() -> None:
    config = parse_modprobe(
        "# options a b=1\n\noptions vfio-pci ids=10de:1e04,\\\n10de:10f7 x\n"
        "\tsoftdep nvidia-drm pre: vfio-pci other post: z\nblacklist a-b\n",
        "/etc/modprobe.d/vfio.conf",
    )
    first = config.lines[0]
    assert (first.file, first.number) == ("/etc/modprobe.d/vfio.conf", 3)
    assert [w.text for w in first.options] == ["ids=10de:1e04,10de:10f7", "x"]
    assert config.lines[1].number == 5
    assert config.loaded_before("nvidia_drm") == ("vfio_pci", "other")
    assert config.loaded_before("nvidia") == ()
    assert [line.module for line in config.about("blacklist", "a_b")] == ["a_b"]


def test_a_file_shadows_its_namesakes_and_all_are_taken_by_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "etc/modprobe.d/b.conf": "options m at=etc",
            "run/modprobe.d/b.conf": "options m at=run",
            "run/modprobe.d/c.conf": "options m at=run",
            "usr/local/lib/modprobe.d/c.conf": "options m at=local",
            "usr/lib/modprobe.d/c.conf": "options m at=usr",
            "usr/lib/modprobe.d/a.conf": "options m at=usr",
            "lib/modprobe.d/a.conf": "options m at=lib",
            "lib/modprobe.d/d.conf": "options m at=lib",
            "lib/modprobe.d/.hidden.conf": "options m at=hidden",
            "lib/modprobe.d/x.conf.bak": "options m at=backup",
        },
    )
    assert options(read(tmp_path)) == [
        ("/usr/lib/modprobe.d/a.conf", "m", "at=usr"),
        ("/etc/modprobe.d/b.conf", "m", "at=etc"),
        ("/run/modprobe.d/c.conf", "m", "at=run"),
        ("/lib/modprobe.d/d.conf", "m", "at=lib"),
    ]


def test_a_link_to_dev_null_masks_a_file(tmp_path: Path) -> None:
    write(tmp_path, {"usr/lib/modprobe.d/a.conf": "options m x=1"})
    (tmp_path / "etc/modprobe.d").mkdir(parents=True)
    (tmp_path / "etc/modprobe.d/a.conf").symlink_to("/dev/null")
    found = read(tmp_path)
    assert options(found) == []
    assert known(found.modprobe)
    assert found.modprobe.unread == ()


def test_what_cannot_be_read_is_named_and_not_taken_for_empty(tmp_path: Path) -> None:
    write(tmp_path, {"etc/modprobe.d/big.conf": "#" * (65 << 10)})
    (tmp_path / "etc/modprobe.d/folder.conf").mkdir()
    found = read(tmp_path).modprobe
    assert known(found)
    assert found.unread == (
        "/etc/modprobe.d/big.conf",
        "/etc/modprobe.d/folder.conf",
    )


def test_a_capture_without_modprobe_d_says_nothing_about_it(tmp_path: Path) -> None:
    assert read(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"proc/modules": "vfio_pci 1 0 - Live 0x0\n"}, ModuleState.LOADED),
        ({"sys/module/vfio_pci/initstate": "live"}, ModuleState.LOADED),
        (
            {"lib/modules/6.1/modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko"},
            ModuleState.BUILT_IN,
        ),
        (
            {"proc/modules": "", "sys/module/vfio_pci/parameters/disable_vga": "N"},
            ModuleState.BUILT_IN,
        ),
        # A capture of some modules' parameters: whether it is a module is not told.
        ({"sys/module/vfio_pci/parameters/disable_vga": "N"}, Missing.ABSENT),
        ({"proc/modules": ""}, Missing.ABSENT),  # it may be built in
        (
            {"proc/modules": "", "lib/modules/6.1/modules.builtin": ""},
            ModuleState.NOT_LOADED,
        ),
        ({"sys/module/printk/parameters/time": "Y"}, ModuleState.NOT_LOADED),
        ({"sys/module/vfio/parameters/x": "N"}, Missing.ABSENT),
        ({}, Missing.ABSENT),
    ],
)
def test_whether_vfio_pci_is_a_module_built_in_or_nowhere(
    files: dict[str, str], state: object, tmp_path: Path
) -> None:
    write(tmp_path, {"proc/sys/kernel/osrelease": "6.1\n", **files})
    assert read(tmp_path).module("vfio_pci") is state


def test_a_release_that_is_a_path_leads_nowhere(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/sys/kernel/osrelease": "../../elsewhere",
            "elsewhere/modules.builtin": "kernel/vfio-pci.ko",
        },
    )
    assert read(tmp_path).module("vfio_pci") is Missing.ABSENT


def test_the_module_of_a_driver_is_its_link_not_its_name() -> None:
    found = read_machine(open_path(str(SYSFS / "ids-lost-race"))).settings
    assert found.module_of("vfio-pci") == "vfio_pci"
    assert found.module_of("nouveau") == "nouveau"
    assert found.module("igb") is ModuleState.BUILT_IN
    assert found.module_of("nobody") is Missing.ABSENT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=b c", [("a", "b"), ("c", None)]),
        ('vfio-pci.ids="10de:1e04" q', [("vfio_pci.ids", "10de:1e04"), ("q", None)]),
        ('"vfio-pci.ids=10de:1e04" q', [("vfio_pci.ids", "10de:1e04"), ("q", None)]),
        ('a="b c"d', [("a", 'b c"d')]),
        ("a='b c'", [("a", "'b"), ("c'", None)]),
        ("a=b=c", [("a", "b=c")]),
        ("=x", [("=x", None)]),
        ('a="b', [("a", "b")]),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_taken_apart_as_the_kernel_does(
    text: str, words: list[tuple[str, str | None]]
) -> None:
    assert [(w.key, w.value) for w in parse_words(text)] == words


def test_what_is_behind_two_dashes_is_for_init() -> None:
    words = parse_command_line("quiet -- vfio-pci.ids=10de:1e04")
    assert [w.text for w in words] == ["quiet"]


@given(st.text())
def test_no_command_line_breaks_the_parser_and_no_word_is_empty(text: str) -> None:
    for word in parse_words(text):
        assert word.key == word.key.replace("-", "_")
        assert (word.value is None) == ("=" not in word.text[1:])


@given(
    st.lists(
        st.from_regex(r"[a-z]+(-[a-z]+)*=[0-9a-f:,.]*", fullmatch=True), max_size=4
    )
)
def test_plain_words_come_back_as_they_went_in(words: list[str]) -> None:
    assert [w.text for w in parse_words("  ".join(words))] == words


PIECES = st.sampled_from(
    [
        *("options", "blacklist", "install", "softdep", "vfio-pci", "ids=1:2", "a_b-c"),
        *("pre:", "#", "#x", " ", "  ", "\t", "\n", "\n", "\\\n", "\\x", '"', "\r"),
    ]
)


@pytest.mark.skipif(MODPROBE is None, reason="there is no modprobe on this host")
@settings(max_examples=12, deadline=None)
# A backslash before the end makes modprobe 30 read one character too many.
@given(st.lists(PIECES, max_size=80).map(lambda pieces: "".join(pieces) + "\n"))
@example("options vfio-pci ids=10de:1e04,\\\n10de:10f7 # not a comment\n")
def test_modprobe_itself_reads_the_same(text: str) -> None:
    """``modprobe --showconfig`` prints what it understood."""
    with tempfile.TemporaryDirectory() as folder:
        # newline="" keeps a carriage return what it is.
        with (Path(folder) / "x.conf").open("w", newline="") as file:
            file.write(text)
        shown = subprocess.run(
            [str(MODPROBE), "-C", folder, "--showconfig"], capture_output=True
        ).stdout.decode()
    own = shown.partition("\n# End of configuration files")[0]
    from_proc = len(parse_command_line(Path("/proc/cmdline").read_text()))
    theirs: dict[str, list[list[str]]] = {"options": [], "blacklist": [], "install": []}
    for line in own.split("\n"):
        command, *rest = re.split(r" ", line, maxsplit=2)
        if command in theirs:
            theirs[command].append([rest[0], *_tokens(" ".join(rest[1:]))])
    ours: dict[str, list[list[str]]] = {"options": [], "blacklist": [], "install": []}
    for parsed in parse_modprobe(text).lines:
        needed = 1 if parsed.command == "blacklist" else 2
        if parsed.command in ours and len(parsed.arguments) >= needed:
            rest = list(parsed.arguments[1:]) if needed == 2 else []
            ours[parsed.command].append([parsed.module, *rest])
    assert theirs["blacklist"][: len(ours["blacklist"])] == ours["blacklist"]
    assert theirs["install"] == ours["install"]
    # The kernel's own command line comes last.
    assert theirs["options"][: len(ours["options"])] == ours["options"]
    assert len(theirs["options"]) - len(ours["options"]) <= from_proc


def _tokens(text: str) -> list[str]:
    return [token for token in re.split(r"[ \t]+", text) if token]
