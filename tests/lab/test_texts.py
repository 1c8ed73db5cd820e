"""What guests' pasted texts say is what their captures say, or less."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from examples import each
from running import document
from shared import FIXTURES

from lab.texts import compared

GUESTS = sorted((FIXTURES / "texts" / "guests").iterdir())


def asked(sources: list[Path], *words: str) -> Any:
    options = [word for source in sources for word in ("--from", str(source))]
    return document(*words, *options)


def unpacked(guest: Path, folder: Path) -> tuple[list[Path], list[Path]]:
    texts = []
    for packed in sorted(guest.glob("*.txt.gz")):
        texts.append(folder / f"{guest.name}-{packed.stem}")
        texts[-1].write_bytes(gzip.decompress(packed.read_bytes()))
    return [guest / "capture.tar.gz"], texts


@each("guest", GUESTS)
def test_the_text_of_a_guest_says_what_its_capture_says(
    tmp_path: Path, guest: Path
) -> None:
    found = list(compared(*unpacked(guest, tmp_path), asked, every=3))
    assert len(found) > 20
    assert [pair for pair in found if pair[1] is not None] == []


def test_that_comparison_sees_what_differs(tmp_path: Path) -> None:
    captures, texts = unpacked(GUESTS[0], tmp_path)
    for text in texts:
        said = text.read_text()
        text.write_text(said.replace("use: pcieport", "use: nvidia"))
    found = compared(captures, texts, asked, every=9)
    wrong = [what for what, difference in found if difference]
    assert any(what.startswith("driver of ") for what in wrong)
