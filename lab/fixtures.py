"""Cuts small fixtures for the tests out of what guests showed and answered.

A fixture is a capture with only what the tool reads, and a manifest beside it: which
machine, kernel and commands, who read it, and what the kernel answered.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from iommu_inspect.sources.errors import SourceError
from lab.cache import REPOSITORY
from lab.errors import LabError
from lab.evidence import Evidence, State, load
from lab.kernels.known import OWN_KERNELS
from tools.trim import pack, trim

__all__ = ["FIXTURES", "Choice", "manifest", "write_fixture", "write_fixtures"]

FIXTURES = REPOSITORY / "tests" / "fixtures" / "kernels"
Choice = tuple[str, int, str]

# Machine, state, and who read it: what differs most, a few for each kernel.
CHOICES: tuple[Choice, ...] = (
    ("reference", 2, "root"),
    ("two-functions", 1, "user"),
    ("sriov-no-acs", 1, "root"),
    ("sriov-vfio", 3, "root"),
    ("empty-slot", 2, "root"),
    ("no-remapping", 1, "root"),
    ("reserved", 1, "root"),
    ("arm-functions", 1, "root"),
    ("arm-sriov", 1, "user"),
)

# What docs/why.md explains: as booted, on one kernel.
_EXPLAINED_ON = "6.12-"
_EXPLAINED: tuple[Choice, ...] = tuple(
    (machine, 0, "root")
    for machine in (
        "two-functions",
        "bridges",
        "switch-no-acs",
        "arm-ports",
        "disable-acs-redir",
        "config-acs",
    )
)

# What only our own builds have: nodes of devices, and no-IOMMU mode.
_OF_OWN: tuple[Choice, ...] = (
    ("two-functions", 1, "root"),
    ("no-remapping", 1, "root"),
    ("no-iommu-unsafe", 1, "root"),
    ("sriov-vfio", 3, "root"),
)


def write_fixtures(
    root: Path,
    into: Path = FIXTURES,
    choices: Iterable[Choice] = CHOICES,
    say: Callable[[str], None] = lambda _: None,
) -> int:
    """Write the fixtures that the evidence below ``root`` has; return how many.

    Raises:
        LabError: a fixture cannot be written; it is not there then, nor half of it.
    """
    count = 0
    choices = tuple(choices)
    for folder in sorted(root.glob("[!.]*")):
        wanted = choices
        if folder.name.startswith(_EXPLAINED_ON):
            wanted = (*choices, *_EXPLAINED)
        if any(folder.name.startswith(f"{name}-") for name in OWN_KERNELS):
            wanted = _OF_OWN
        for machine, number, reader in wanted:
            if not folder.name.endswith(f"-{machine}"):
                continue
            evidence = load(folder)
            capture = folder / f"{number}-{reader}.tar.gz"
            if evidence.machine == machine and capture.is_file():
                name = write_fixture(evidence, number, reader, capture, into)
                say(f"wrote {name}")
                count += 1
    return count


def write_fixture(
    evidence: Evidence, number: int, reader: str, capture: Path, into: Path
) -> str:
    """Write one fixture: both of its files, or none; return its name."""
    name = f"{evidence.kernel}-{evidence.machine}-{number}"
    text = json.dumps(manifest(evidence, number, reader), indent=1) + "\n"
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=into) as folder:
            draft = Path(folder)
            trim(str(capture), draft / "tree")
            pack(draft / "tree", draft / "capture")
            (draft / "manifest").write_text(text)
            for kind, suffix in (("capture", "tar.gz"), ("manifest", "json")):
                (draft / kind).chmod(0o644)
                (draft / kind).replace(into / f"{name}.{suffix}")
    except (OSError, ValueError, SourceError) as error:
        for suffix in ("tar.gz", "json"):
            (into / f"{name}.{suffix}").unlink(missing_ok=True)
        raise LabError(f"cannot write the fixture {name}: {error}") from error
    return name


def manifest(evidence: Evidence, number: int, reader: str) -> dict[str, object]:
    """Return what a test needs to know about one state of a machine."""
    state = evidence.states[number]
    truth = state.truth
    if truth is None:
        raise LabError(f"{evidence.name} was not asked in state {number}")
    later = evidence.states[number + 1 : number + 2]
    return {
        "machine": evidence.machine,
        "description": evidence.description,
        "kernel": evidence.release,
        "state": number,
        "commands": [c for s in evidence.states[: number + 1] for c in _commands(s)],
        "privileged": reader == "root",
        "groups": {group: sorted(found) for group, found in truth.groups.items()},
        "drivers": dict(sorted(truth.drivers.items())),
        "claimed": truth.claimed,
        "answers": sorted([*key, result] for key, result in truth.answers.items()),
        "steps": [
            [list(taken.steps), taken.answer]
            for following in later
            for taken in following.taken
            if taken.answer is not None
        ],
    }


def _commands(state: State) -> list[str]:
    return [taken.command for taken in state.taken]
