"""What is alike is one box, so that a large machine stays readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.text import natural_key
from iommu_inspect.render.graph.ranges import addresses
from iommu_inspect.render.graph.scene import Kind, Node, Scene

__all__ = ["cut", "fold", "folded_for", "size"]

_FEWEST = 3
# More boxes than these, and what has nothing to say, then what has little, is one.
_MANY, _TOO_MANY = 100, 400
_MOST_KINDS = 3
_Key = Callable[[Node], Hashable]


def size(scene: Scene) -> int:
    """Return how many boxes there are."""
    return sum(1 for _ in scene.walk())


def folded_for(scene: Scene) -> Scene:
    """Fold as much as the size of the machine asks for."""
    found = fold(scene, 1)
    if size(found) > _MANY:
        found = fold(found, 2)
    return fold(found, 3) if size(found) > _TOO_MANY else found


def fold(scene: Scene, level: int) -> Scene:
    """Put together what is beside each other.

    At level 1 that is what is equal but for addresses and groups, with all that is
    below; at 2 also devices without a driver and anything to say, whatever they are;
    at 3 all devices of one owner that have nothing below them. Nothing at which
    isolation is lost, that is used, or that was asked for, is put together unless it
    is equal.
    """
    return replace(scene, roots=tuple(_folded(each, level) for each in scene.roots))


def cut(scene: Scene, depth: int) -> Scene:
    """Let one box stand for all that is below a depth, and be counted with it."""
    return replace(scene, roots=tuple(_cut(each, depth) for each in scene.roots))


def _folded(node: Node, level: int) -> Node:
    below: Sequence[Node] = [_folded(child, level) for child in node.children]
    below = _runs(below, _signature)
    if level > 1:
        below = _gathered(below, _quiet)
    if level > 2:
        below = _gathered(below, _plain)
    return replace(node, children=tuple(below))


def _runs(nodes: Iterable[Node], key: _Key) -> list[Node]:
    """Put together what follows each other and has the same key."""
    found: list[Node] = []
    for _, run in groupby(nodes, key):
        several = [*run]
        if len(several) < _FEWEST or several[0].kind is Kind.ROOT:
            found += several
        else:
            found.append(_merged(several))
    return found


def _gathered(nodes: Sequence[Node], key: _Key) -> list[Node]:
    """Put together what has the same key, where the first of it stands."""
    alike: dict[Hashable, list[Node]] = {}
    for node in nodes:
        alike.setdefault(key(node), []).append(node)
    found = []
    for each, several in alike.items():
        if each is None or len(several) < _FEWEST:
            found += several
        else:
            found.append(_listed(several))
    ranks = {id(node): rank for rank, node in enumerate(nodes)}
    first = {id(made): ranks.get(id(made), _rank(made, nodes)) for made in found}
    return sorted(found, key=lambda node: first[id(node)])


def _rank(made: Node, nodes: Sequence[Node]) -> int:
    return next(
        rank for rank, each in enumerate(nodes) if made.devices[:1] == each.devices[:1]
    )


def _signature(node: Node) -> Hashable:
    """What two boxes have in common that are drawn alike."""
    return (
        node.kind,
        node.what,
        node.driver,
        node.use,
        node.noun,
        _membership(node),
        node.ownership,
        node.marks,
        node.asked,
        tuple(map(_signature, node.children)),
    )


def _membership(node: Node) -> Hashable:
    """A group of several is told by its id; those of one are alike."""
    if node.kind is Kind.GROWTH:
        return len(node.groups)
    return (node.hue, bool(node.groups), node.untold)


def _quiet(node: Node) -> Hashable:
    if node.driver != "-" or node.ownership not in (Ownership.NONE, None):
        return None
    return _plain(node)


def _plain(node: Node) -> Hashable:
    if node.kind is not Kind.DEVICE or node.children:
        return None
    if node.marks or node.use or node.asked or node.ownership is Ownership.CONFLICT:
        return None
    return (_membership(node), node.ownership)


def _merged(several: Sequence[Node]) -> Node:
    """Put equal nodes into one, and so what is below them, child for child."""
    first = several[0]
    devices = tuple(name for node in several for name in node.devices)
    below = tuple(
        _merged(alike)
        for alike in zip(*(node.children for node in several), strict=True)
    )
    return replace(
        first,
        title=addresses(devices) if devices else first.title,
        groups=_groups(several),
        devices=devices,
        children=below,
    )


def _listed(several: Sequence[Node]) -> Node:
    """Put nodes of different kinds into one box that names the kinds."""
    devices = tuple(sorted(name for node in several for name in node.devices))
    kinds = list(dict.fromkeys(node.short for node in several))
    drivers = list(dict.fromkeys(node.driver for node in several))
    if len(kinds) > _MOST_KINDS:
        kinds[_MOST_KINDS:] = ["and others"]
    if len(drivers) > _MOST_KINDS:
        drivers[_MOST_KINDS:] = ["and others"]
    return replace(
        several[0],
        title=f"{several[0].devices[0]} and {len(devices) - 1} more",
        what=", ".join(kinds),
        brief=", ".join(kinds),
        driver=", ".join(drivers),
        groups=_groups(several),
        devices=devices,
        noun="devices",
    )


def _left_out(below: Sequence[Node]) -> str:
    """Say what is known of nodes that are not drawn: owners, isolation, growth."""
    owners: Counter[str] = Counter()
    for node in below:
        owners[node.owner_word] += len(node.devices)
    words = [f"owner {word} of {owners[word]}" for word in sorted(owners) if word]
    if lost := sum(bool(node.marks) for node in below):
        words.append(f"isolation is lost at {lost}")
    if growing := {g for n in below if n.kind is Kind.GROWTH for g in n.groups}:
        words.append(f"{len(growing)} groups can grow")
    return ", ".join(["not drawn one by one", *words])


def _groups(several: Iterable[Node]) -> tuple[str, ...]:
    return tuple(sorted({g for n in several for g in n.groups}, key=natural_key))


def _cut(node: Node, depth: int) -> Node:
    if depth > 0:
        return replace(node, children=tuple(_cut(c, depth - 1) for c in node.children))
    below = [each for child in node.children for each in child.walk()]
    devices = tuple(sorted(name for each in below for name in each.devices))
    if not devices:
        return node
    rest = Node(
        Kind.DEVICE,
        f"{len(devices)} devices" if len(devices) > 1 else str(devices[0]),
        _left_out(below),
        groups=_groups(each for each in below if each.kind is not Kind.GROWTH),
        untold=any(each.untold for each in below),
        devices=devices,
    )
    return replace(node, children=(rest,))
