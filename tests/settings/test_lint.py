"""What is odd in settings, and what nearly is and is not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from examples import each
from hypothesis import given
from hypothesis import strategies as st
from shared import SHARED, needs_shared

from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.host.dynamic_ids import parse_id
from iommu_inspect.model.host.settings import ModuleState, Settings
from iommu_inspect.settings.iommu_options import OPTIONS
from iommu_inspect.settings.lint import Oddity, lint
from iommu_inspect.settings.maker import Maker
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe


def on_command_line(text: str, maker: Maker | None = None) -> tuple[Oddity, ...]:
    return lint(Settings(command_line=parse_command_line(text)), maker)


def in_modprobe(text: str) -> tuple[Oddity, ...]:
    return lint(Settings(modprobe=parse_modprobe(text)))


def lost(odd: tuple[Oddity, ...]) -> list[str]:
    return [entry.text for oddity in odd for entry in oddity.lost]


@each(
    "text, meant",
    [
        ("vfio-pci-ids=10de:1e04", ["10de:1e04"]),
        ("vfio_pci_ids=10de:1e04,10de:10f7", ["10de:1e04", "10de:10f7"]),
        ("vfio.ids=10de:1e04", ["10de:1e04"]),
        ("vfio-pc.ids=10de:1e04", ["10de:1e04"]),
        ("vfio-pci.id=10de:1e04", ["10de:1e04"]),
        ("pci-stub-ids=10de:1e04", ["10de:1e04"]),
        ("vfio-pci.ids=1:2, 10de:1e04", ["10de:1e04"]),
        ("vfio-pci.ids=1:2 ,10de:1e04 quiet", ["10de:1e04"]),
        ("vfio-pci.ids=1:2, 10de:1e04, 10de:10f7", ["10de:1e04", "10de:10f7"]),
        ("vfio-pci.ids=10de:1e04 vfio-pci.ids=10de:10f7", ["10de:1e04"]),
        ("vfio-pci.ids=10de-1e04", ["10de:1e04"]),
        ("vfio-pci.ids=1234:5678;10de:1e04", ["10de:1e04"]),
        ("vfio-pci.ids=xyz", []),
        ("vfio-pci.ids=110de:1e04", []),
    ],
)
def test_a_command_line_that_loses_ids(text: str, meant: list[str]) -> None:
    odd = on_command_line(text)
    assert len(odd) == 1
    assert lost(odd) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("options vfio-pci ids=1:2, 10de:1e04", ["10de:1e04"]),
        ("option vfio-pci ids=10de:1e04", ["10de:1e04"]),
        ("vfio-pci ids=10de:1e04", ["10de:1e04"]),
        # Danilop95/Proxmox-Enhanced-Configuration-Utility issue 34
        (
            "options vfio-pci ids=1:2\n8086:6f99\n8086:6f03\n",
            ["8086:6f99", "8086:6f03"],
        ),
        ("options vfio-pci.ids=10de:1e04", ["10de:1e04"]),
        ("options vfio-pci-ids=10de:1e04", ["10de:1e04"]),
        ("options vfio ids=10de:1e04", ["10de:1e04"]),
        ("options vfio-pci id=10de:1e04", ["10de:1e04"]),
        ("options vfio_pci ids=10de:1e04\noptions vfio-pci ids=1:2", ["10de:1e04"]),
    ],
)
def test_a_modprobe_d_that_loses_ids(text: str, meant: list[str]) -> None:
    odd = in_modprobe(text)
    assert len(odd) == 1
    assert lost(odd) == meant


@each(
    "text",
    [
        "quiet intel_iommu=on iommu=pt",
        "intel-iommu=on,sm_on iommu.passthrough=1 iommu.strict=0",
        "vfio-pci.ids=10de:1e04,10de:10f7",
        "vfio_pci.ids=10de:1e04,10de:10f7, quiet",
        'vfio-pci.ids="10de:1e04,10de:10f7"',
        "vfio-pci.ids=10de:ffffffff:ffffffff:ffffffff:00030000:ffff00ff",
        "vfio-pci.ids=10de:1e04 vfio-pci.ids=10DE:1E04",  # twice the same
        "vfio-pci.disable_vga=1 vfio.enable_unsafe_noiommu_mode=0",
        "kvm.ignore_msrs=1 pcie_acs_override=downstream,multifunction",
        "module_blacklist=nouveau modprobe.blacklist=nouveau,nvidia",
        "quiet -- vfio-pci-ids=10de:1e04",
        "iommu=on",  # whose IOMMU it is is not known
        "amd_iommu=force_isolation,pgtbl_v2 amd_iommu_intr=vapic",
    ],
)
def test_nothing_is_odd_here(text: str) -> None:
    assert on_command_line(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "options vfio-pci ids=10de:1e04,10de:10f7 disable_vga=1\n"
        "softdep nouveau pre: vfio-pci\nblacklist nouveau\n"
        "install nvidia /bin/false\nalias nvidia off\n",
        "options vfio_iommu_type1 allow_unsafe_interrupts=1",
        "options kvm_amd nested=1\noptiosn somebody else=1",
        "# option vfio-pci ids=10de:1e04\n",
        "options vfio-pci ids=10de:1e04,\\\n10de:10f7\n",
    ],
)
def test_nothing_is_odd_in_these_lines(text: str) -> None:
    assert in_modprobe(text) == ()


def test_ids_that_are_an_address_name_the_device_that_was_meant() -> None:
    for text in ("0000:01:00.0", "01:00.0"):
        (odd,) = on_command_line(f"vfio-pci.ids={text}")
        assert odd.lost_addresses == ("0000:01:00.0",)


@pytest.mark.parametrize(
    ("text", "maker", "words"),
    [
        ("amd_iommu=on", Maker.AMD, "does not know on"),
        ("amd_iommu=on", None, "does not know on"),
        ("amd_iommu=on", Maker.INTEL, "for IOMMUs of AMD"),
        ("amd_iommu=force_isolation", Maker.INTEL, "for IOMMUs of AMD"),
        ("intel_iommu=on", Maker.AMD, "for IOMMUs of Intel"),
        ("intel_iommu=on,pt", Maker.INTEL, "does not know pt"),
        ("iommu=on", Maker.INTEL, "does not know on"),
    ],
)
def test_options_of_the_iommu(text: str, maker: Maker | None, words: str) -> None:
    (odd,) = on_command_line(text, maker)
    assert words in odd.why
    assert odd.about_iommu
    assert odd.lost == ()


@each(
    "text, line",
    [
        ("iommu=pt", "iommu.passthrough=1"),
        ("iommu=pt iommu.passthrough=1", ""),
        ("iommu=on", ""),
        ("intel_iommu=on", ""),
        ("amd_iommu=on", ""),
    ],
)
def test_arm_has_none_of_the_options_of_x86(text: str, line: str) -> None:
    (odd,) = on_command_line(text, Maker.ARM)
    assert "Arm has none of that name" in odd.why
    assert (odd.fix.line, odd.about_iommu) == (line, True)
    if line:
        assert on_command_line(line, Maker.ARM) == ()


@each(
    "text, patched, found",
    [
        ("intel_iommu=on,relax_rmrr", True, []),
        ("intel_iommu=on,relax_rmrr", False, [("does not know relax_rmrr", True)]),
        ("intel_iommu=relax_rmrr", Missing.ABSENT, [("cannot be told", False)]),
        (
            "intel_iommu=relax_rmrr,pt",
            Missing.ABSENT,
            [("cannot be told", False), ("does not know pt", True)],
        ),
        ("intel_iommu=relax_rmrr,pt", True, [("does not know pt", True)]),
    ],
)
def test_an_option_that_only_patched_kernels_have(
    text: str, patched: Fact[bool], found: list[tuple[str, bool]]
) -> None:
    settings = Settings(command_line=parse_command_line(text))
    odd = lint(settings, Maker.INTEL, patched)
    assert [o.sure for o in odd] == [sure for _, sure in found]
    for oddity, (words, _) in zip(odd, found, strict=True):
        assert words in oddity.why


@each("maker", [None, *Maker])
def test_nobody_is_told_that_an_iommu_is_on(maker: Maker | None) -> None:
    """Whether it is, the groups say; the host may have none."""
    for text in ("amd_iommu=on", "intel_iommu=on", "iommu=on"):
        for odd in on_command_line(text, maker):
            assert "is on" not in odd.fix.prose


@pytest.mark.parametrize("parameter", OPTIONS)
def test_no_option_of_the_kernel_is_odd(parameter: str) -> None:
    maker = Maker.AMD if parameter == "amd_iommu" else Maker.INTEL
    assert on_command_line(f"{parameter}={','.join(OPTIONS[parameter])}", maker) == ()


def test_what_modprobe_d_says_is_lost_only_where_the_command_line_replaces_it() -> None:
    both = Settings(
        modprobe=parse_modprobe("options vfio-pci ids=10de:1e04", "/etc/a.conf"),
        command_line=parse_command_line("vfio-pci.ids=10de:10f7"),
    )
    assert lost(lint(both)) == ["10de:1e04"]
    built_in = replace(both, modules=(("vfio_pci", ModuleState.BUILT_IN),))
    assert "built in" in lint(built_in)[0].why
    same = replace(both, command_line=parse_command_line("vfio-pci.ids=10de:1e04"))
    assert lint(same) == ()


def test_what_is_written_right_elsewhere_is_not_lost() -> None:
    odd = on_command_line("vfio-pci-ids=10de:1e04 vfio-pci.ids=10de:1e04")
    assert len(odd) == 1
    assert lost(odd) == []


NUMBER = st.integers(0, 0xFFFF).map(lambda n: f"{n:04x}")
IDS = st.lists(st.tuples(NUMBER, NUMBER).map(":".join), min_size=1, unique=True)


@given(IDS)
def test_what_is_written_by_the_book_is_never_odd(ids: list[str]) -> None:
    value = ",".join(ids)
    assert on_command_line(f"quiet vfio-pci.ids={value} iommu=pt", Maker.INTEL) == ()
    assert in_modprobe(f"options vfio-pci ids={value}\n") == ()


@given(IDS.filter(lambda ids: len(ids) > 1), st.data())
def test_a_space_anywhere_loses_what_is_behind_it(
    ids: list[str], data: st.DataObject
) -> None:
    at = data.draw(st.integers(1, len(ids) - 1))
    value = f"{','.join(ids[:at])}, {','.join(ids[at:])}"
    for odd in (
        on_command_line(f"vfio-pci.ids={value}"),
        in_modprobe(f"options vfio-pci ids={value}"),
    ):
        assert lost(odd) == ids[at:]


@given(st.text(), st.text())
def test_no_text_breaks_the_linter(modprobe: str, command_line: str) -> None:
    settings = Settings(
        modprobe=parse_modprobe(modprobe),
        command_line=parse_command_line(command_line),
    )
    for maker in (None, *Maker):
        lint(settings, maker)
    lint(Settings(modprobe=parse_modprobe(f"options vfio-pci ids={modprobe}")))
    parse_id(modprobe)


def test_each_remedy_is_not_odd_itself() -> None:
    """What we print to mend a line has to be right."""
    for text in (
        "vfio-pci-ids=10de:1e04",
        "vfio-pci.ids=1:2, 10de:1e04",
        "amd_iommu=on",
    ):
        for odd in on_command_line(text, Maker.INTEL):
            assert on_command_line(odd.fix.line, Maker.INTEL) == ()
    for text in (
        "option vfio-pci ids=10de:1e04",
        "options vfio-pci.ids=10de:1e04",
        "options vfio ids=10de:1e04",
        "options vfio-pci ids=1:2, 10de:1e04",
    ):
        for odd in in_modprobe(text):
            assert in_modprobe(odd.fix.line) == ()
            assert odd.fix.line


@pytest.mark.parametrize("evil", ["`id`", "$(id)", ";id", "|id", "\x1b[2J", "\u202e"])
def test_nothing_that_a_shell_would_run_is_put_on_a_line_to_copy(evil: str) -> None:
    odd = [
        *on_command_line(f"vfio-pci-ids=10de:1e04{evil}"),
        *on_command_line(f"vfio-pci.ids=1:2, 10de:1e04,{evil}"),
        *on_command_line(f"vfio-pci.ids={evil} vfio-pci.ids=10de:1e04"),
        *in_modprobe(f"option vfio-pci ids=10de:1e04 {evil}"),
        *in_modprobe(f"options vfio-pci.ids={evil}"),
        *in_modprobe(f"options vfio ids={evil}"),
        *in_modprobe(f"10de:1e04,{evil}\n10de:1e04 {evil}"),
    ]
    assert len(odd) >= 7
    for oddity in odd:
        assert evil not in oddity.fix.prose + oddity.fix.line


@needs_shared
def test_no_command_line_of_a_real_machine_is_odd() -> None:
    """Those of the kernel logs that people posted; none of them was for vfio."""
    found = 0
    for log in sorted((SHARED / "machines").glob("*/dmesg.txt")):
        text = log.read_text(errors="replace")
        for line in set(re.findall(r"Kernel command line: (.*)", text)):
            found += 1
            amd, intel = "AMD-Vi" in text, "DMAR" in text
            maker = Maker.AMD if amd else Maker.INTEL if intel else None
            assert on_command_line(line, maker) == (), log
    assert found >= 10
