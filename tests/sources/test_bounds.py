"""What is far more than any machine has is refused in one line, not waited for."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from examples import each

from bench.inputs import Capture
from bench.texts import listing, one_group
from iommu_inspect.sources import bounds
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree import inflating, opening, tar, tar_members
from iommu_inspect.sources.tree.opening import open_source


def refused(path: Path) -> str:
    with pytest.raises(SourceError) as error:
        read_source(open_source(str(path)))
    message = str(error.value)
    assert "\n" not in message
    return message.removeprefix(f"cannot read {path}: ")


def capture(path: Path, count: int, members: int = 1) -> Path:
    made = Capture()
    made.functions(count, members)
    made.write(path)
    return path


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


Write = Callable[[Path], Path]
CASES: tuple[tuple[str, Write, str], ...] = (
    ("MAX_DEVICES", lambda at: capture(at / "a.tar", 6), "it has 6 devices, and 5 are"),
    ("MAX_GROUPS", lambda at: capture(at / "b.tar", 6), "it has 6 IOMMU groups"),
    (
        "MAX_GROUP",
        lambda at: capture(at / "c.tar", 6, 6),
        "it has 6 devices in group 0",
    ),
    ("MAX_DEVICES", lambda at: text(at / "d", listing(6)), "it has 6 devices, and"),
    ("MAX_GROUP", lambda at: text(at / "e", one_group(6)), "6 devices in group 1"),
    ("MAX_LINES", lambda at: text(at / "f", listing(6)), "it has 6 lines, and 5 are"),
)


@each("name, write, says", CASES)
def test_more_than_a_machine_has_is_refused(
    name: str, write: Write, says: str, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, name, 5)
        assert says in refused(write(tmp_path))
        patch.setattr(bounds, name, 6)
        assert tuple(read_source(open_source(str(write(tmp_path)))).devices)


def test_a_machine_of_a_whole_segment_is_read(tmp_path: Path) -> None:
    assert bounds.MAX_DEVICES >= 256 * 256
    found = read_source(open_source(str(capture(tmp_path / "a.tar", 300, 300))))
    assert len(found.groups[0].devices) == 300


ARCHIVES = (
    (inflating, "RATIO_FREE", 1 << 14, "it inflates to more than 64 times its size"),
    (tar_members, "FREE_MEMBERS", 100, "far more members than its size lets expect"),
    (tar, "MAX_IMPLIED", 100, "its names imply more than 100 directories"),
)


@each("room, name, most, says", ARCHIVES)
def test_a_small_archive_of_very_much_is_refused(
    room: object, name: str, most: int, says: str, tmp_path: Path
) -> None:
    made = Capture()
    made.function("0000:01:00.0", "0")
    for number in range(2000):
        made.file(f"sys/x{number}/" + "a/" * 30, bytes(2000))
    path = Path(made.write(tmp_path / "a.tar.gz"))
    assert open_source(str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, name, most)
        assert says in refused(path)


def test_a_compressed_text_is_as_long_as_it_may_take(tmp_path: Path) -> None:
    path = tmp_path / "text.gz"
    line = b"IOMMU Group 1 01:00.0 VGA compatible controller [0300]: A [10de:1c03]\n"
    with gzip.open(path, "wb") as file:
        file.write(line + b"\n" * opening.MAX_INFLATED_TEXT)
    assert refused(path).startswith(
        "a compressed text of more than 2 MiB; give the part"
    )
