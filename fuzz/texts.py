"""Fuzz all commands on pasted texts: ``python -m fuzz.texts``.

The texts are those of `fuzz.pastes`, of all that people pasted for the tests, and logs,
settings, XML and lists of other programs; here they are asked about.
"""

from __future__ import annotations

import random
import re
import runpy
import sys
from functools import cache
from pathlib import Path

from fuzz import pastes
from fuzz.asking import check
from fuzz.mutate import mutated
from fuzz.run import Target, main

__all__ = ["TARGET", "make"]

_TESTS = Path(__file__).resolve().parents[1] / "tests"
_ADDRESS = re.compile(rb"\b(?:[0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")
_FORMS = ("table", "shell", "json", "libvirt", "qemu", "proxmox", "driverctl", "dpdk")
_PIECES = (
    b"[    0.000000] Linux version 6.12.0 (x@y) (gcc)\n",
    b"[    0.000000] Command line: root=/x intel_iommu=on vfio-pci.ids=10de:1e04\n",
    b"[    0.4] DMAR: IOMMU enabled\n[    0.5] AMD-Vi: AMD IOMMUv2 loaded\n",
    b"[    1.0] pci 0000:00:01.0: Adding to iommu group 1\n",
    b"options vfio-pci ids=10de:1e04,10de:10f7\nsoftdep nvidia pre: vfio-pci\n",
    b"<device><name>pci_0000_01_00_0</name><capability type='pci'><domain>0</domain>",
    b"<iommuGroup number='1'><address domain='0x0000' bus='0x01' slot='0x00' ",
    b"function='0x0'/></iommuGroup>",
    b"  *-display\n       bus info: pci@0000:01:00.0\n",
    b"0000:01:00.0 'Device 1e04' drv=vfio-pci unused=nouveau\n",
    b"0000:01:00.0 vfio-pci [*]\n",
    b'{"groups": [{"id": "1", "devices": [{"address": "0000:01:00.0"}]}]}\n',
    b"- address: 0000:01:00.0\n  iommu_group: 1\n  driver: vfio-pci\n",
    # More digits than Python makes a number of, and digits that are none.
    *(b"9" * 5000, b"\xc2\xb2", b"\xd9\xa1", b"0x" + b"f" * 5000),
    b"| group | address |\n|---|---|\n| 1 | 01:00.0 |\n",
)


@cache
def _seen() -> tuple[bytes, ...]:
    found: list[bytes] = []
    for name in ("pastes_seen.py", "pastes_nested.py"):
        sys.path.insert(0, str(_TESTS))
        for value in runpy.run_path(str(_TESTS / name)).values():
            _strings(value, found)
    files = sorted((_TESTS / "fixtures" / "texts").rglob("*"))
    found += [path.read_bytes() for path in files if path.is_file()]
    return tuple(each for each in found if 20 < len(each) < 60_000)


def _strings(value: object, into: list[bytes]) -> None:
    if isinstance(value, str) and "\n" in value:
        into.append(value.encode())
    elif isinstance(value, dict | tuple | list):
        for each in value.values() if isinstance(value, dict) else value:
            _strings(each, into)


def make(dice: random.Random) -> bytes:
    """Return a text that something is wrong with, and commands."""
    if dice.randrange(2):
        text = mutated(dice.choice(_seen()), dice, _PIECES)
        if not dice.randrange(3):
            text += b"\n" + dice.choice(_seen())
    else:
        text = pastes.make(dice)
    text = text[:60_000]
    found = [each.decode() for each in _ADDRESS.findall(text)] or ["01:00.0"]
    one, more = dice.choice(found), dice.choice(found)
    json_ = dice.choice(("", " --format json"))
    every = [
        f"list --predict-groups --from T{json_}",
        f"list --from T{json_}",
        f"audit --from T{json_}",
        f"audit {one} {more} --for {dice.choice(('vfio', 'dpdk', 'attach'))} --from T",
        f"audit {one} --from T --summary"[: None if dice.randrange(2) else -10] + json_,
        f"plan {one} --format {dice.choice(_FORMS)} --from T",
        f"why {one} {more} --from T{json_}",
        f"predict --from T{json_}",
        f"whatif unbind={one} bind={one},vfio-pci unplug={more} --from T{json_}",
        f"diff T A{json_}",
    ]
    asked = "\n".join(f"$ {words}" for words in dice.sample(every, 3))
    return asked.encode() + b"\nsys/kernel/\n@ T\n" + text


TARGET = Target("texts", make, check)

if __name__ == "__main__":
    sys.exit(main(TARGET))
