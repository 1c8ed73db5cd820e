"""What a host or a capture has that a word can name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from iommu_inspect.cli.declared import Completes
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.machine import Machine

__all__ = ["candidates"]

Offer = tuple[str, str]


def candidates(kind: Completes, current: str, sources: Sequence[str]) -> list[Offer]:
    """Return the words of a kind; none where the source cannot be read.

    ``current`` is what has been typed of the word: a list's earlier names, a step's
    first parts. ``sources`` are those of ``--from``; "" stands for the sample.
    """
    from iommu_inspect.sources.errors import SourceError

    try:
        return list(_WAYS[kind](current, lambda: _machine(sources)))
    except (SourceError, OSError):
        return []


Reader = Callable[[], Machine]


def _machine(sources: Sequence[str]) -> Machine:
    import contextlib
    import io

    from iommu_inspect.cli.session import load

    names = [name for name in sources if name]
    # What is said of a source would be printed over the line that is being typed.
    with contextlib.redirect_stderr(io.StringIO()):
        return load(names, numeric=False, demo=not names and "" in sources, brief=True)


def _devices(current: str, read: Reader) -> Iterator[Offer]:
    """Offer addresses; without the domain where it is 0 and nobody typed it."""
    typed = current.startswith("0000:")
    for device in sorted(read().devices, key=lambda device: device.id):
        address = device.address
        if device.is_pci and not typed:
            address = address.removeprefix("0000:")
        yield address, _said(device)


def _said(device: Device) -> str:
    from iommu_inspect.render.listing.names import brief_kind, brief_name

    driver = value_or(device.driver, None)
    on = f"({driver})" if driver is not None else ""
    words = (brief_kind(device), brief_name(device), on)
    return " ".join(filter(None, words))


def _groups(_: str, read: Reader) -> Iterator[Offer]:
    for group in read().groups:
        first = group.devices[0] if group.devices else None
        more = f", {len(group.devices) - 1} more" if len(group.devices) > 1 else ""
        yield group.id, (_said(first) + more) if first else ""


def _targets(current: str, read: Reader) -> Iterator[Offer]:
    machine = read()
    yield from _devices(current, lambda: machine)
    for group, about in _groups(current, lambda: machine):
        yield f"group:{group}", about


def _drivers(_: str, read: Reader) -> Iterator[Offer]:
    bound = {value_or(device.driver, None) for device in read().devices}
    yield from ((name, "") for name in sorted(filter(None, bound)))


def _classes(_: str, __: Reader) -> Iterator[Offer]:
    from iommu_inspect.cli.selection import CLASSES

    yield from ((name, "") for name in CLASSES)


def _ownership(_: str, __: Reader) -> Iterator[Offer]:
    from iommu_inspect.kernel.ownership.roles import Ownership

    yield from ((state.value, "") for state in Ownership)


def _columns(current: str, _: Reader) -> Iterator[Offer]:
    from iommu_inspect.render.listing.columns import COLUMNS

    yield from _one_more(current, [(name, "") for name in COLUMNS])


def _rules(_: str, __: Reader) -> Iterator[Offer]:
    from iommu_inspect.rules.registry import RULES

    yield from ((rule.id, rule.about.summary) for rule in RULES)


def _semantics(current: str, _: Reader) -> Iterator[Offer]:
    from iommu_inspect.kernel.eras import ERAS, PROPOSALS

    rules = [("auto", "the kernel of the source")]
    rules += [(f"{e.since[0]}.{e.since[1]}", e.name) for e in ERAS if any(e.since)]
    rules += [(each.name, "never merged") for each in PROPOSALS]
    yield from _one_more(current, rules)


def _shells(_: str, __: Reader) -> Iterator[Offer]:
    yield from ((name, "") for name in ("bash", "zsh", "fish"))


def _one_more(current: str, every: Sequence[Offer]) -> Iterator[Offer]:
    """Offer what a list with commas does not have yet."""
    before, comma, _ = current.rpartition(",")
    given = set(before.split(","))
    for name, about in every:
        if name not in given:
            yield f"{before}{comma}{name}", about


def _steps(current: str, read: Reader) -> Iterator[Offer]:
    from iommu_inspect.kernel.steps.step import DOMAIN_TYPES, STEP_WORDS

    name, equals, rest = current.partition("=")
    if not equals:
        for step, words in STEP_WORDS.items():
            yield f"{step}=", ",".join(words)
        return
    takes = STEP_WORDS.get(name, ())
    given = rest.split(",")
    if len(given) > len(takes):
        return
    before = "".join(f"{word}," for word in given[:-1])
    ways: Mapping[str, Callable[[str, Reader], Iterator[Offer]]] = {
        "DEV": _devices,
        "PORT": _devices,
        "ID": _devices,
        "GROUP": _groups,
        "DRIVER": _step_drivers,
        "TYPE": lambda *_: ((each, "") for each in DOMAIN_TYPES),
        "iommufd": lambda *_: iter([("iommufd", "")]),
    }
    way = ways.get(takes[len(given) - 1].strip("[]"))
    for word, about in way(given[-1], read) if way else ():
        yield f"{name}={before}{word}", about


def _step_drivers(current: str, read: Reader) -> Iterator[Offer]:
    yield "vfio-pci", "user space's"
    yield from (each for each in _drivers(current, read) if each[0] != "vfio-pci")


_WAYS: Mapping[Completes, Callable[[str, Reader], Iterator[Offer]]] = {
    Completes.TARGET: _targets,
    Completes.DEVICE: _devices,
    Completes.GROUP: _groups,
    Completes.DRIVER: _drivers,
    Completes.CLASS: _classes,
    Completes.OWNERSHIP: _ownership,
    Completes.COLUMN: _columns,
    Completes.RULE: _rules,
    Completes.SEMANTICS: _semantics,
    Completes.STEP: _steps,
    Completes.SHELL: _shells,
}
