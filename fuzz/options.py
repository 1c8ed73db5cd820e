"""Fuzz what options and arguments take: ``python -m fuzz.options``.

TOML of exceptions, expectations, baselines in JSON, steps, names of targets, releases,
messages to explain: whatever it is, it is taken or refused in one line.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fuzz.asking import Reader, ask
from fuzz.mutate import mutated
from fuzz.run import Target, main
from iommu_inspect.sources.tree.opening import Text, open_source
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["TARGET", "check", "make"]

_TREE = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "sysfs"
_HOSTS = ("half-a-group", "sriov-one-group", "platform-members", "hostile-names")
_TOML = (
    *("[[ignore]]\n", "[ignore]\n", 'rule = "mixed-ownership"\n', 'reason = "x"\n'),
    *(
        'devices = ["0000:01:00.0"]\n',
        "devices = []\n",
        "devices = [1]\n",
        "rule = 1\n",
    ),
    *('devices = ["10de:1e04", "x"]\n', 'rule = "mixed-owner"\n', "x = " + "[" * 3000),
    *("a = 1979-05-27T07:32:00Z\n", "b = 1e999\n", "c = " + "9" * 9000 + "\n", "'''"),
    *("x." * 3000 + "y=1\n", 'reason = "\\u0000\\u001b"\n', "ignore = 1\n", "#\x7f\n"),
)
_EXPECT = (
    *("0000:01:00.0 10de:1e04\n", "01:00.0|10de:1e04\n", "# x\n", "01:00.0\n", "\r\n"),
    *("01:00.0 0x10de:0x1e04\n", "01:00.0 zz:1\n", "\u0661:00.0 1:2\n", "  \t", "|"),
)
_JSON: tuple[object, ...] = (
    *(
        None,
        True,
        -1,
        1e308,
        10**400,
        "",
        "x",
        [],
        {},
        [[]],
        "0x8086",
        "zz",
        "1",
        ["x"],
    ),
    *("0000:01:00.0", "blocked", "\ud800", {"bus": 1}, "9" * 9000, "error", "kernel"),
)
_STEPS = (
    *("bind=", "unbind=", "override=", "probe=", "rebind=", "claim=", "release="),
    *("attach=", "detach=", "sriov=", "hotplug=", "unplug=", "x="),
    *("new_id=", "remove_id=", "type=", "load=", "unload=", "parameter="),
)
_WORDS = (
    *("01:00.0", "0000:01:00.0", "0000:02:00.0", "group:1", "1", "vfio-pci", "", ","),
    *(
        "0",
        "-1",
        "99999999999999999999",
        "01:00",
        "eth0",
        "10de:1e04",
        "\u0661",
        "=",
        "x",
    ),
    *("pci_0000_01_00_0", "10000:e1:00.0", "*", "ffffffff:ff:1f.7", "0302", "\x1b[1m"),
    *(
        "group:",
        "group:\u00b2",
        "driver",
        "card",
        "a" * 3000,
        "0x10",
        ".",
        "\ud800",
        "%s",
    ),
    *("01:00.8", "1:0.0", "01:00.0 ", "\n", "'", '"', "$(id)", "serial", "000", "::"),
)
_RELEASES = (
    *("auto", "6.12", "5.10.0-8-amd64", "6", "6.", ".6", "999.999", "-1.2", "6.12rc1"),
    *("6.1\u0662", "9" * 5000 + ".1", "proposed-single-driver", "proposed", "", "v6.1"),
)
_MESSAGES = (
    *("vfio: error, group 13 is not viable,", "please ensure all devices within the"),
    *(
        "failed to add group",
        "Failed to set iommu for container: Operation not permitted",
    ),
    *(
        "[Errno 22]",
        "error -22",
        "`",
        "code 43",
        "VfioNoIommuGroup",
        "/dev/vfio/13",
        "\n",
    ),
    *(
        "No IOMMU group",
        "EAL:",
        "probe with driver vfio-pci failed",
        "<",
        "0x",
        "the of",
    ),
)


@cache
def _document(host: str) -> dict[str, object]:
    _, out = ask(
        ["audit", "--from", "A", "--format", "json"], Reader(_opened(host, b""))
    )
    found: dict[str, object] = json.loads(out)
    return found


def _opened(host: str, content: bytes) -> Callable[[str], Tree | Text]:
    def opened(name: str) -> Tree | Text:
        if name == "A":
            return open_source(str(_TREE / host))
        return Text(content.decode("utf-8", "replace"), "T")

    return opened


def _joined(words: tuple[str, ...], dice: random.Random, count: int) -> str:
    return "".join(dice.choices(words, k=dice.randint(1, count)))


def _baseline(host: str, dice: random.Random) -> bytes:
    document = json.loads(json.dumps(_document(host)))
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        here: object = document
        while isinstance(here, dict | list) and here:
            key = dice.choice(
                list(here) if isinstance(here, dict) else range(len(here))
            )
            below = here[key]
            if not isinstance(below, dict | list) or not below or not dice.randrange(3):
                # A copy: what is changed in it later is in this document alone.
                here[key] = json.loads(json.dumps(dice.choice(_JSON)))
                break
            here = below
    data = json.dumps(document).encode()
    return mutated(data, dice) if dice.randrange(4) == 0 else data


def _target(dice: random.Random) -> str:
    return "".join(dice.choices(_WORDS, k=dice.choice((1, 1, 1, 2))))


def make(dice: random.Random) -> bytes:
    """Return a command and the file that one of its options names."""
    host, content = dice.choice(_HOSTS), b""
    words: list[str]
    match dice.randrange(9):
        case 0:
            content = _joined(_TOML, dice, 9).encode()
            words = ["audit", "--config", "T"]
        case 1:
            content = _joined(_EXPECT, dice, 9).encode()
            words = ["audit", "--expect", "T"]
        case 2 | 3:
            content = _baseline(host, dice)
            words = ["audit", "--baseline", "T"]
        case 4:
            steps = dice.randint(1, 4)
            words = ["whatif", *(_step(dice) for _ in range(steps))]
        case 5:
            words = ["audit", _target(dice), _target(dice), "--ignore", _target(dice)]
        case 6:
            words = [dice.choice(("why", "plan", "predict")), _target(dice)]
        case 7:
            option = dice.choice(("--semantics", "--compare"))
            rules = ",".join(dice.choices(_RELEASES, k=dice.randint(1, 3)))
            words = ["predict", option, rules]
        case _:
            said = " ".join(dice.choices((*_MESSAGES, *_WORDS), k=dice.randint(1, 9)))
            words = ["explain", said]
    if dice.randrange(6) == 0:
        option = dice.choice(
            ("--device", "--class", "--driver", "--group", "--ownership")
        )
        words = ["list", option, _target(dice)]
    if words[0] != "explain":
        words += ["--from", "A"]
    if content and dice.randrange(3) == 0:
        content = mutated(content, dice)
    if dice.randrange(3) == 0:
        words += ["--format", "json"]
    return json.dumps([host, words]).encode() + b"\n" + content


def _step(dice: random.Random) -> str:
    return dice.choice(_STEPS) + ",".join(dice.choices(_WORDS, k=dice.randint(1, 3)))


def check(data: bytes) -> None:
    """Run the command."""
    head, _, content = data.partition(b"\n")
    try:
        host, words = json.loads(head)
        if host not in _HOSTS or not all(isinstance(word, str) for word in words):
            return
    except ValueError:
        return
    # The kernel hands no such words over.
    words = [word.replace("\0", "") for word in words]
    if words:
        ask(
            [word.encode("utf-8", "replace").decode() for word in words],
            Reader(_opened(host, content)),
        )


TARGET = Target("options", make, check, by_lines=False)

if __name__ == "__main__":
    sys.exit(main(TARGET))
