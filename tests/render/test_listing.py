"""``list`` for people: a line a device, however wide the terminal is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import SINCE_6_6, device, group, machine, only
from hypothesis import given
from hypothesis import strategies as st
from running import call, document
from shared import FIXTURES, SHARED, needs_shared
from terminal import on_terminal

from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.classes import class_name
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.render.layout import ASCII_MARKS, PLAIN, Style
from iommu_inspect.render.listing.columns import COLUMNS, rows_of
from iommu_inspect.render.listing.names import brief_name, brief_vendor
from iommu_inspect.render.listing.table import list_text
from iommu_inspect.render.width import columns_of, shortened

X570 = SHARED / "machines/desktop-amd-x570-starship-matisse/lspci-v.txt"
POST = FIXTURES / "texts/forum-post.txt"
NEW = only(SINCE_6_6)
COLOUR = re.compile(r"\x1b\[[0-9]+m")


def text_of(host: Machine, style: Style = PLAIN, *columns: str) -> str:
    inquiry = Inquiry(host, NEW)
    rows = rows_of(map(inquiry.owned, host.groups), host.ungrouped, Relations(host))
    return list_text(rows, style, columns or ("group", "owner", "address", "name"))


NAMES = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("你好e\u0301\x1b\n"),
    max_size=90,
)


@given(st.integers(34, 200), st.lists(NAMES, min_size=1, max_size=4))
def test_whatever_devices_are_called_no_line_is_wider_than_the_terminal(
    width: int, names: list[str]
) -> None:
    devices = [
        replace(device(f"0000:01:00.{number}", "vfio-pci"), name=name)
        for number, name in enumerate(names)
    ]
    text = text_of(machine(group(*devices)), Style(width))
    assert max(map(columns_of, text.split("\n"))) <= width
    for each in devices:
        assert text.count(each.address) == 1


@given(st.text(max_size=40), st.integers(1, 40))
def test_what_is_shortened_fits_and_begins_as_it_did(text: str, width: int) -> None:
    found = shortened(text, width)
    assert columns_of(found) <= width
    assert text.startswith(found.removesuffix("…"))
    assert (found == text) or columns_of(text) > width


def test_members_of_a_group_are_marked_and_its_owner_is_said_once() -> None:
    one, two, three = (device(f"0000:01:00.{n}", "vfio-pci") for n in range(3))
    host = machine(group(one, two, three, id="4"), group(device("0000:02:00.0")))
    lines = text_of(host).splitlines()
    assert [line[:6].strip() for line in lines[1:4]] == ["4", "├", "└"]
    assert [line.split()[1] for line in lines[1:4]] == [
        "user",
        two.address,
        three.address,
    ]
    plain = text_of(host, Style(marks=ASCII_MARKS))
    assert plain.isascii()


def test_in_a_pipe_nothing_is_cut() -> None:
    name = "a very long name " * 12
    host = machine(group(replace(device("0000:01:00.0"), name=name.strip())))
    assert name.strip() in text_of(host, Style(cut=False))
    assert name.strip() not in text_of(host, Style())


def test_what_the_host_uses_stands_below_or_in_its_column() -> None:
    disk = device("0000:01:00.0", "nvme")
    use = HostUse(UseKind.FILE_SYSTEM, ("/",), ((str(disk.path),),), "nvme0n1p2")
    host = machine(group(disk), host=Host((use,), ()))
    below = text_of(host).splitlines()
    assert below[2].split() == ["in", "use:", "nvme0n1p2:", "/"]
    assert below[2].startswith(" " * below[0].index("DEVICE"))
    beside = text_of(host, PLAIN, "address", "uses").splitlines()
    assert beside[1:] == [f"{disk.address}  nvme0n1p2: /"]


def test_every_column_can_be_shown_alone() -> None:
    host = machine(group(device("0000:01:00.0", "nvme")))
    for name, column in COLUMNS.items():
        assert text_of(host, PLAIN, name).splitlines()[0] == column.heading


def test_a_column_that_is_not_there_is_a_usage_error() -> None:
    done = call("list", "--demo", "--columns", "adress")
    assert done.returncode == 2
    assert "close matches: address" in done.stderr
    assert call("list", "--demo", "--columns", ",").returncode == 2


@pytest.mark.parametrize(
    ("name", "brief"),
    [
        ("NVIDIA Corporation", "NVIDIA"),
        ("Advanced Micro Devices, Inc. [AMD/ATI]", "AMD/ATI"),
        ("Realtek Semiconductor Co., Ltd.", "Realtek"),
        ("Red Hat, Inc.", "Red Hat"),
        ("Corporation", "Corporation"),
        ("Samsung Electronics Co Ltd", "Samsung"),
    ],
)
def test_vendors_are_called_as_people_call_them(name: str, brief: str) -> None:
    assert brief_vendor(name) == brief
    card = replace(device("0000:01:00.0"), vendor_name=name, name="X")
    assert brief_name(card) == f"{brief} X"


@pytest.mark.parametrize(
    ("name", "brief"),
    [
        ("Advanced Micro Devices, Inc. [AMD/ATI] Navi 21", "AMD/ATI Navi 21"),
        ("Realtek Semiconductor Co., Ltd. RTL8125", "Realtek RTL8125"),
        ("NVIDIA Corporation Device", "NVIDIA Device"),
        ("Matisse Switch Upstream", "Matisse Switch Upstream"),
        ("Technology", "Technology"),
    ],
)
def test_a_name_that_has_the_vendor_in_front_is_shortened_too(
    name: str, brief: str
) -> None:
    card = replace(device("0000:01:00.0"), vendor_name=None, name=name)
    assert brief_name(card) == brief


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("gpu", {0x0300, 0x0302, 0x0380}),
        ("network", {0x0200, 0x0280, 0x0D80, 0x0207}),
        ("storage", {0x0101, 0x0106, 0x0107, 0x0108, 0x0104, 0x0805}),
        ("usb", {0x0C03}),
        ("audio", {0x0401, 0x0403}),
        ("accelerator", {0x1200}),
    ],
)
def test_classes_are_asked_for_as_people_call_them(word: str, codes: set[int]) -> None:
    from iommu_inspect.cli.selection import Selection

    every = [code for code in range(0x0100, 0x1400) if class_name(code << 8)]
    cards = {
        code: replace(
            device("0000:01:00.0"),
            ids=replace(device("0000:01:00.0").ids, class_code=code << 8),
        )
        for code in every
    }
    wanted = Selection(pci_class=word)
    found = {code for code, card in cards.items() if wanted.fits(card)}
    assert codes <= found
    assert {code >> 8 for code in found} <= {code >> 8 for code in codes} | {0x0B}


@needs_shared
def test_a_desktop_of_49_functions_is_a_screen_or_two() -> None:
    text = on_terminal("list", "--from", X570, columns=80)
    assert len(text.splitlines()) <= 60
    assert max(map(columns_of, COLOUR.sub("", text).splitlines())) <= 80


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_a_terminal_shows_what_was_looked_at(columns: int) -> None:
    shown = on_terminal("list", "--from", POST, columns=columns)
    kept = FIXTURES / "terminal" / f"list-{columns}.txt"
    assert shown == kept.read_text()


@pytest.mark.parametrize(
    ("environment", "words", "coloured"),
    [
        ({}, (), True),
        ({"NO_COLOR": "1"}, (), False),
        ({"NO_COLOR": ""}, (), True),
        ({"TERM": "dumb"}, (), False),
        ({}, ("--color", "never"), False),
        ({"NO_COLOR": "1", "TERM": "dumb"}, ("--color", "always"), True),
    ],
)
def test_a_terminal_is_coloured_as_the_conventions_say(
    environment: dict[str, str], words: tuple[str, ...], coloured: bool
) -> None:
    text = on_terminal("list", "--demo", "-n", *words, environment=environment)
    assert ("\x1b[31mconflict\x1b[0m" in text) is coloured
    assert ("\x1b" in text) is coloured


def test_a_pipe_is_not_coloured_unless_asked() -> None:
    assert "\x1b" not in call("list", "--demo", "-n").stdout
    assert "\x1b[31m" in call("list", "--demo", "-n", "--color", "always").stdout


PASTED = [
    *sorted((FIXTURES / "kernels").rglob("*.tar.gz"))[::9],
    # Those names are escaped, and there is no PCI function.
    *(
        path
        for path in sorted(FIXTURES.glob("sysfs/*/"))
        if path.name not in ("hostile-names", "same-name-two-buses")
    ),
    POST,
]


@pytest.mark.parametrize("source", PASTED, ids=lambda path: path.name[:40])
def test_what_is_pasted_is_read_again_and_never_better_than_it_was(
    tmp_path: Path, source: Path
) -> None:
    done = call("list", "--from", source, "--format", "paste")
    if done.returncode == 3:
        pytest.skip("the source shows no groups")
    assert done.returncode == 0
    then = document("list", "--from", source)
    pasted = tmp_path / "pasted.txt"
    pasted.write_text(done.stdout)
    now = document("list", "--from", pasted)
    pci = {d["address"]: d for d in _devices(then) if d["bus"] == "pci"}
    for after in _devices(now):
        before = pci.pop(after["address"])
        assert after["group"] == before["group"]
        assert after["driver"] in (before["driver"], None)
        if "driver" in before["missing"]:
            assert "driver" in after["missing"]
        for name in ("vendor", "device", "class"):
            told = after[name] and after[name][: 4 if name == "class" else None]
            assert told is None or before[name].startswith(told)
    assert not pci


def _devices(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for one in document["groups"]:
        yield from one["devices"]
    yield from document["ungrouped"]
