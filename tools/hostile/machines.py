"""Machines with such names, in any field that holds text."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.settings import ListedModule, ModprobeConfig, Settings
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import HostUse, UseKind
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe
from iommu_inspect.sources.tree.opening import open_source
from tools.advice.machines import machine as random_machine
from tools.hostile.names import hostile

__all__ = ["Made", "made", "text_fields"]

_FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "sysfs"
# How many fields of a machine get such names.
_FEW, _MOST = 4, 24
# Rarely replaced: with one of these a machine has no plan at all.
_DECISIVE = frozenset({"DeviceId.name", "DeviceId.bus", "Device.path", "Group.id"})


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A machine, and which name stands where which text was."""

    machine: Machine
    names: dict[str, str]
    fields: frozenset[str]


@cache
def _bases() -> tuple[Machine, ...]:
    """Read the fixtures once."""
    trees = sorted(p for p in _FIXTURES.iterdir() if p.is_dir())
    return tuple(read_source(open_source(str(tree))) for tree in trees)


def made(seed: int) -> Made:
    """Make a machine that follows from its seed alone."""
    dice = Random(seed)
    bases = _bases()
    base = random_machine(seed) if seed % 2 else bases[seed // 2 % len(bases)]
    base = _rich(base, dice)
    texts: dict[str, list[str]] = {}
    for field, text in text_fields(base):
        texts.setdefault(field, []).append(text)
    chosen = dice.sample(sorted(texts), dice.randint(_FEW, min(_MOST, len(texts))))
    names: dict[str, str] = {}
    for field in chosen:
        if field in _DECISIVE and dice.random() < 0.8:
            continue
        for text in dice.sample(texts[field], min(2, len(texts[field]))):
            if text not in names and not _decides(text, texts, dice):
                names[text] = hostile(dice)
    fields = {field for field, there in texts.items() if names.keys() & {*there}}
    return Made(_rebuilt(base, names, {}), names, frozenset(fields))


def _decides(text: str, texts: dict[str, list[str]], dice: Random) -> bool:
    """Say whether a text is better left, as it is what makes a plan."""
    return dice.random() < 0.8 and any(text in texts.get(f, ()) for f in _DECISIVE)


def _rich(base: Machine, dice: Random) -> Machine:
    """Add what few sources have, so that every field holds some text."""
    named: dict[str, Any] = {
        "name": "GeForce RTX",
        "vendor_name": "NVIDIA",
        "removable": "fixed",
    }
    groups = tuple(
        replace(g, devices=tuple(replace(d, **named) for d in g.devices))
        for g in base.groups
    )
    uses = tuple(_uses(base, dice))
    return replace(
        base,
        groups=groups,
        host=replace(base.host, uses=(*base.host.uses, *uses)),
        settings=_settings(base, dice) if dice.random() < 0.6 else base.settings,
        source=replace(base.source, option=("--from", "/tmp/a capture")),
        notes=("a note",),
    )


def _uses(base: Machine, dice: Random) -> Iterator[HostUse]:
    """Yield uses of every kind; of some the devices are not told."""
    paths = [d.path for d in base.devices if isinstance(d.path, str)]
    what = {UseKind.SWAP: "/dev/dm-3", UseKind.FILE_SYSTEM: "/srv/data"}
    for kind in UseKind:
        if not paths or dice.random() < 0.6:
            continue
        told = ((dice.choice(paths),),) if dice.random() < 0.8 else Missing.ABSENT
        via = dice.choice(("zfs tank", "/dev/dri/card0", "dm-0"))
        yield HostUse(kind, (what.get(kind, "a-use"),), told, via)


_MODPROBE = """\
options vfio-pci ids=10de:1e04,8086:1234
options vfio ids=10de:1e04
option vfio-pci ids=1234:5678
softdep nvidia pre: vfio-pci
install vfio-pci /bin/true
options vfio-pci.ids=1234:5678
"""
_COMMAND_LINE = (
    "quiet vfio-pci.ids=10de:1e04,8086:1234 vfio-pci-ids=10de:1e04 intel_iommu=on "
    "pcie_acs_override=downstream module_blacklist=vfio_pci"
)


def _settings(base: Machine, dice: Random) -> Settings:
    lines = parse_modprobe(_MODPROBE, "/etc/modprobe.d/vfio.conf").lines
    drivers = [d.driver for d in base.devices if isinstance(d.driver, str)]
    aliases = (("vfio_pci:v*d*sv*sd*bc*sc*i*", "mlx5_vfio_pci"),)
    return replace(
        base.settings,
        modprobe=ModprobeConfig(lines, ("/etc/modprobe.d/secret.conf",), lines[:1]),
        command_line=parse_command_line(_COMMAND_LINE),
        driver_modules=tuple((name, name) for name in drivers[:4]),
        vfio_aliases=aliases if dice.random() < 0.5 else base.settings.vfio_aliases,
        module_lists=(
            ListedModule("vfio_cpi", "vfio_cpi ids=1", "/etc/modules", 3),
            ListedModule("vfio_virqfd", "vfio_virqfd", "/etc/modules", 4),
        ),
        existing=(("vfio_pci", True), ("vfio_cpi", False)),
    )


def text_fields(thing: object, field: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of the model, with the class and the field that hold it."""
    if isinstance(thing, enum.Enum):
        return
    if isinstance(thing, str):
        yield field, thing
    elif dataclasses.is_dataclass(thing):
        for each in dataclasses.fields(thing):
            if each.init:
                name = f"{type(thing).__name__}.{each.name}"
                yield from text_fields(getattr(thing, each.name), name)
    elif isinstance(thing, tuple | frozenset):
        for each in thing if isinstance(thing, tuple) else sorted(thing):
            yield from text_fields(each, field)


def _rebuilt(thing: Any, names: dict[str, str], done: dict[int, Any]) -> Any:
    """Return the model with names in place of texts; what was one thing stays one."""
    if isinstance(thing, enum.Enum):
        return thing
    if isinstance(thing, str):
        return _renamed(thing, names)
    if id(thing) in done:
        return done[id(thing)][1]
    if dataclasses.is_dataclass(thing):
        values = {
            f.name: _rebuilt(getattr(thing, f.name), names, done)
            for f in dataclasses.fields(thing)
            if f.init
        }
        kind: Any = type(thing)
        result = kind(**values)
    elif isinstance(thing, tuple | frozenset):
        result = type(thing)(_rebuilt(each, names, done) for each in thing)
    else:
        return thing
    done[id(thing)] = (thing, result)
    return result


def _renamed(text: str, names: dict[str, str]) -> str:
    """Rename a text, or a part of a path that is one."""
    if text in names:
        return names[text]
    if "/" not in text:
        return text
    return "/".join(names.get(part, part) if part else part for part in text.split("/"))
