"""Run the requests inside this process; a source is read once for all of them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tools.net.requests import Request, of_device, of_group, of_host
from tools.net.sources import ROOT

__all__ = ["answer", "cast", "file_name"]


def file_name(source: str) -> str:
    """Return the name of the file that a source's answers are kept in."""
    return f"{source.removeprefix('../').replace('/', '+')}.jsonl.gz"


def cast(source: str, into: Path, every: int) -> int:
    """Write all answers about one source; return how many there are.

    Args:
        source: as ``--from`` takes it, from the checkout's root.
        into: the directory of the set.
        every: ask about one target of so many, always the same ones.
    """
    os.chdir(ROOT)
    count = 0
    with _read_once(), gzip.open(into / file_name(source), "wt", 1) as kept:
        for request in _requests(source, every):
            code, out, err = answer(*request, "--from", source)
            entry = {"request": request, "exit": code, "out": out, "err": err}
            kept.write(json.dumps(entry) + "\n")
            count += 1
    return count


def _requests(source: str, every: int) -> Iterator[Request]:
    code, out, _ = answer("list", "--format", "json", "--from", source)
    if code not in (0, 3) or not out:
        yield ("list",)
        return
    yield from of_host()
    document = json.loads(out)
    for group in document["groups"]:
        if _chosen(group["id"], every):
            yield from of_group(group["id"])
    members = [d for group in document["groups"] for d in group["devices"]]
    for device in [*members, *document["ungrouped"]]:
        if _chosen(device["address"], every):
            yield from of_device(device["address"])


def _chosen(name: str, every: int) -> bool:
    return zlib.crc32(name.encode(errors="surrogateescape")) % every == 0


def answer(*words: str) -> tuple[int, str, str]:
    """Return the exit code and what a run of the program prints; a crash is code 70."""
    from iommu_inspect.cli.main import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["iommu-inspect", *words]),
        mock.patch.dict(os.environ, {"COLUMNS": "80"}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    texts = []
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        texts.append(stream.read())
    return int(str(code)), texts[0], texts[1]


@contextlib.contextmanager
def _read_once() -> Iterator[None]:
    """Keep what a source was read to; what reading says is said each time."""
    from iommu_inspect.cli import session

    kept: dict[object, tuple[Any, str]] = {}
    load: Callable[..., Any] = session.load

    def once(source: list[str] | None, **options: bool) -> object:
        key = (tuple(source or ()), *sorted(options.items()))
        if key not in kept:
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                kept[key] = (load(source, **options), "")
            kept[key] = (kept[key][0], said.getvalue())
        sys.stderr.write(kept[key][1])
        return kept[key][0]

    with mock.patch.object(session, "load", once):
        yield
