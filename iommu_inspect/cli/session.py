"""From a command's options to a machine and the rules that apply to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from iommu_inspect.cli.output import complain
from iommu_inspect.cli.progress import telling
from iommu_inspect.kernel.eras import Semantics, applicable, named
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.text import printable
from iommu_inspect.sources import names
from iommu_inspect.sources.capture import read_sources
from iommu_inspect.sources.sysfs.bars import with_bars
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import Text, open_live, open_path, open_source
from iommu_inspect.sources.tree.tree import Tree

if TYPE_CHECKING:  # list needs no rules, and so does not wait for them
    from iommu_inspect.audit.exceptions import Ignore

__all__ = ["ignores_of", "load", "rules_of"]


def load(
    source: str | Sequence[str] | None,
    *,
    numeric: bool = False,
    demo: bool = False,
    processes: bool = False,
    bars: bool = False,
    places: bool = False,
    brief: bool = False,
) -> Machine:
    """Read this host, or what ``--from`` names: one source, or several of one machine.

    With ``processes`` it is also read who has the devices open, and with ``bars`` how
    much memory they have, with ``places`` where they are: all take longer. What is
    ``brief`` is for a list.

    Raises:
        SourceError: the source cannot be read.
    """
    names_given = [source] if isinstance(source, str) else list(source or ())
    if demo and names_given:
        raise BadRequestError("--demo and --from exclude each other")
    if names_given.count("-") > 1:
        raise BadRequestError("--from - can be given once")
    all_opened = [open_source(name) for name in names_given] or [open_live()]
    opened = next((o for o in all_opened if isinstance(o, Tree)), all_opened[0])
    what = ", ".join(names_given) or "this host"
    with telling(lambda: f"reading {printable(what)}"):
        machine = read_sources(all_opened, processes=processes, brief=brief)
    for note in machine.notes:
        complain(f"note: {note}")
    if machine.source.parts:
        from iommu_inspect.plan.host.asking import what_to_ask_for

        if asked := what_to_ask_for(machine):
            complain(f"note: {asked}")
    if demo and not machine.groups:
        opened, machine = _sample()
        complain(f"this host has no IOMMU groups; here is {machine.source.name}")
    if bars and isinstance(opened, Tree):
        machine = with_bars(opened, machine)
    if places and isinstance(opened, Tree):
        from iommu_inspect.sources.sysfs.places import with_places

        machine = with_places(opened, machine)
    machine = _with_option(machine, names_given, demo=demo)
    if numeric:
        return names.without_names(machine)
    return names.with_names(machine, _namer(opened, machine))


def _with_option(machine: Machine, given: list[str], *, demo: bool) -> Machine:
    """Keep how the source was asked for, so that output can name further commands."""
    option: tuple[str, ...] = ("--demo",) if demo else ()
    if given and "-" not in given:
        option = tuple(word for name in given for word in ("--from", name))
    return replace(machine, source=replace(machine.source, option=option))


def rules_of(machine: Machine, semantics: str) -> Semantics:
    """Return the rules that ``--semantics`` asks for.

    Raises:
        UnknownSemanticsError: it names neither a release nor a rule set.
    """
    return applicable(machine.kernel) if semantics == "auto" else named(semantics)


def ignores_of(names: list[str], config: str | None) -> tuple[Ignore, ...]:
    """Return what is ignored; a reason in the file is better than none given.

    Raises:
        BadRequestError: there is no such rule, or the file is not what it should be.
    """
    from iommu_inspect.audit.exceptions import ignore_rule, parse_ignores
    from iommu_inspect.sources.tree.option_files import read_option

    written: tuple[Ignore, ...] = ()
    if config is not None:
        written = parse_ignores(read_option(config, "--config"), config)
    return (*written, *map(ignore_rule, names))


def _namer(opened: Tree | Text, machine: Machine) -> names.Namer:
    is_live = isinstance(opened, Tree) and opened.live
    host = opened if isinstance(opened, Tree) and is_live else open_live()
    from_file = names.from_pci_ids(host, machine)
    if not is_live:
        return from_file
    from iommu_inspect.sources.live import from_udev

    return from_udev(from_file)


def _sample() -> tuple[Tree, Machine]:
    """Read the sample capture that ships with the program.

    It is one of the lab's: Linux 6.12 on an emulated machine, after two of its
    network cards were bound to vfio-pci.
    """
    from importlib import resources
    from io import BytesIO

    sample = resources.files("iommu_inspect").joinpath("demo.tar.gz").read_bytes()
    tree = open_path("-", BytesIO(sample))
    machine = read_machine(tree)
    name = "a sample, Linux 6.12 on an emulated machine"
    return tree, replace(machine, source=Source(machine.source.kind, name))
