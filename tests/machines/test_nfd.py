"""Features of a node: lines that Node Feature Discovery makes labels of."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from examples import each
from hypothesis import given
from hypothesis import strategies as st
from machines.audited import NOW, SOURCES, both, tally
from running import call
from shared import SYSFS

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.render.machines.nfd import (
    HOLDS,
    _value,
    nfd_text,
    unread_nfd_text,
)

# Labels and their values, as Kubernetes has them.
PREFIX = "feature.node.kubernetes.io/"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
HALF = SYSFS / "half-a-group"


def features(text: str) -> dict[str, str]:
    """Read a file as nfd-worker does: what begins with # is a comment."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            key, _, value = line.partition("=")
            assert key.startswith(PREFIX)
            assert NAME.fullmatch(key.removeprefix(PREFIX))
            assert NAME.fullmatch(value)
            assert key not in found
            found[key.removeprefix(f"{PREFIX}iommu-inspect.")] = value
    return found


@each("source", SOURCES)
def test_every_line_can_be_a_label(source: Path) -> None:
    for found in both(source):
        told = features(nfd_text(found, now=NOW))
        assert told["verdict"] == found.result.verdict.value
        assert len(told) <= 24


@each("source", SOURCES)
def test_groups_that_are_not_known_have_no_counts(source: Path) -> None:
    for found in both(source):
        told = features(nfd_text(found, now=NOW))
        counted = {name for name in told if name.startswith(("groups.", "ready."))}
        assert bool(counted) == found.machine.groups_known
        if not found.machine.groups_known:
            assert told["conflict"] == "unknown"


def test_a_conflict_is_told() -> None:
    told = features(nfd_text(tally(HALF), now=NOW))
    assert told["conflict"] == "true"
    assert told["groups.conflict"] == "1"
    assert told["iommu"] == "true"
    fine = features(nfd_text(tally(SYSFS / "groups-of-one"), now=NOW))
    assert fine["conflict"] == "false"


def test_where_an_owner_is_not_known_a_conflict_may_be() -> None:
    found = tally(SYSFS / "no-driver-links")
    assert found.ownership is not None
    assert found.ownership[Ownership.UNKNOWN]
    assert not found.ownership[Ownership.CONFLICT]
    assert features(nfd_text(found, now=NOW))["conflict"] == "unknown"


def test_a_host_without_an_iommu_has_none() -> None:
    told = features(nfd_text(tally(SYSFS / "no-iommu-firmware"), now=NOW))
    assert told["iommu"] == "false"


def test_the_command_prints_the_same() -> None:
    done = call("audit", "--from", HALF, "--format", "nfd")
    assert done.returncode == 1
    assert features(done.stdout) == features(nfd_text(tally(HALF), now=NOW))


def test_what_does_not_fit_into_a_label_is_not_cut_into_something_else() -> None:
    """Half of a list of kernels would name fewer than may be meant."""
    assert _value("v" * 63) == "v" * 63
    assert _value("v" * 64) == "unknown"


def test_a_file_says_until_when_it_holds() -> None:
    line = nfd_text(tally(HALF), now=NOW).splitlines()[0]
    until = datetime.fromisoformat(line.removeprefix("# +expiry-time="))
    assert until == datetime.fromtimestamp(int(NOW) + HOLDS, UTC)


def test_a_host_that_cannot_be_read_is_unknown() -> None:
    assert features(unread_nfd_text(now=NOW)) == {"verdict": "unknown"}
    done = call("audit", "--from", "/nowhere", "--format", "nfd")
    assert done.returncode == 4
    assert features(done.stdout) == {"verdict": "unknown"}


@given(st.text())
def test_any_text_is_a_value_or_unknown(text: str) -> None:
    assert NAME.fullmatch(_value(text))
