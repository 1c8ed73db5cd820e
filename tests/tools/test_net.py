"""The net: what differs between two casts is seen, unless it was meant."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

from shared import SYSFS

from tools.net.casting import cast, file_name
from tools.net.comparing import Intended, compare, read_intended
from tools.net.sources import ROOT

SOURCE = str((SYSFS / "half-a-group").relative_to(ROOT))


def outcome(
    before: Path, after: Path, intended: tuple[Intended, ...] = ()
) -> tuple[list[str], Counter[str]]:
    counts = Counter[str]()
    return list(compare(before, after, intended, counts)), counts


def test_what_changes_is_reported_unless_it_was_meant(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    count = cast(SOURCE, before, every=4)
    kept = gzip.decompress((before / file_name(SOURCE)).read_bytes())
    assert count > 20
    assert outcome(before, before) == ([], Counter(same=count))

    entries = [json.loads(line) for line in kept.splitlines()]
    changed = next(e for e in entries if e["request"] == ["audit", "--notes"])
    changed["out"] += "something new is said\n"
    with gzip.open(after / file_name(SOURCE), "wt") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    said, counts = outcome(before, after)
    assert counts == Counter(same=count - 1, different=1)
    assert len(said) == 1
    assert "audit --notes" in said[0] and "+something new is said" in said[0]

    listed = tmp_path / "intended.toml"
    listed.write_text(
        '[[difference]]\nreason = "more is said"\nsign = "^.some.*said"\n'
    )
    said, counts = outcome(before, after, read_intended(listed))
    assert said == []
    assert counts == Counter({"same": count - 1, "intended: more is said": 1})
    listed.write_text('[[difference]]\nreason = "other"\nsign = "^.nothing"\n')
    assert len(outcome(before, after, read_intended(listed))[0]) == 1
