"""What is opened as a text, and what is called what it is."""

from __future__ import annotations

import gzip
from pathlib import Path

from examples import each
from pastes import WIKI
from running import call


@each("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_is_read_in_the_encoding_of_its_editor(
    tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "paste"
    file.write_text(WIKI, encoding=encoding)
    assert "10de:1c03" in call("list", "--from", file).stdout


def test_a_compressed_text_is_read(tmp_path: Path) -> None:
    file = tmp_path / "attachment"
    file.write_bytes(gzip.compress(WIKI.encode()))
    assert "10de:1c03" in call("list", "--from", file).stdout


@each(
    "content, kind",
    [
        (b"%PDF-1.7\n%\xe2\xe3\0", "a PDF document"),
        (b"%PDF-1.7\ntext\n", "a PDF document"),
        (b"\x89PNG\r\n\x1a\n\0\0", "an image (PNG)"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "an image (JPEG)"),
        (b"\x7fELF\2\1\1\0", "a program"),
        (b"<!DOCTYPE html>\n<p>hello</p>\n", "a web page"),
        (b"\n\n", "an empty text"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    file = tmp_path / "screenshot"
    file.write_bytes(content)
    done = call("list", "--from", file)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert kind in done.stderr
    assert "send " in done.stderr
