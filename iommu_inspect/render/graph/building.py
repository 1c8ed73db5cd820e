"""From a machine and what is known of its groups to the scene."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from iommu_inspect.audit.picture import Picture
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.text import listed, natural_key
from iommu_inspect.render.devices import driver_mark
from iommu_inspect.render.graph.notes import notes_of, summary_of
from iommu_inspect.render.graph.places import Place, places
from iommu_inspect.render.graph.scene import Kind, Node, Scene
from iommu_inspect.render.graph.words import brief_what, noun_of, short_kind, what_is
from iommu_inspect.render.uses import use_line

__all__ = ["scene_of"]


def scene_of(picture: Picture, asked: Sequence[Device] = ()) -> Scene:
    """Return the whole picture: every device once, below what it is plugged into.

    Args:
        picture: The machine and its groups.
        asked: Devices to be marked.
    """
    builder = _Builder(picture, asked)
    return Scene(
        f"IOMMU groups of {picture.machine.source.name}",
        summary_of(picture),
        builder.roots(),
        notes_of(picture),
    )


@dataclass(frozen=True, slots=True)
class _Ways:
    """What may come below a device: how, and the groups that would take it in."""

    how: str
    groups: tuple[str, ...]


class _Builder:
    """Makes the nodes of one machine."""

    def __init__(self, picture: Picture, asked: Sequence[Device]) -> None:
        machine = picture.machine
        self._picture = picture
        self._asked = {device.id for device in asked}
        self._relations = Relations(machine)
        shared = [group for group in machine.groups if len(group.devices) > 1]
        self._hues = {group.id: number for number, group in enumerate(shared)}
        self._marks = _marks(picture)
        self._ways = _ways(picture)
        self._below: dict[int, list[tuple[Device, Place]]] = defaultdict(list)
        self._at_root: list[tuple[Device, Place]] = []
        for device, place in places(machine):
            below = self._at_root if place.above is None else self._beneath(place.above)
            below.append((device, place))
        # What may come is told of an address, which two devices can have.
        self._told: set[str] = set()

    def _beneath(self, above: Device) -> list[tuple[Device, Place]]:
        return self._below[id(above)]

    def roots(self) -> tuple[Node, ...]:
        """Return the root buses, and what is on no bus that is shown."""
        return tuple(self._with_roots(self._at_root))

    def _with_roots(self, found: Sequence[tuple[Device, Place]]) -> Iterator[Node]:
        """Yield what is plugged in directly, then root buses with what is on them."""
        by_root: dict[tuple[str, str], list[Device]] = defaultdict(list)
        for device, place in found:
            if place.root:
                by_root[place.root, place.what].append(device)
            else:
                yield self._node(device)
        for title, what in sorted(by_root, key=_order):
            on_it = tuple(map(self._node, by_root[title, what]))
            yield Node(Kind.ROOT, title, what, children=on_it)

    def _node(self, device: Device) -> Node:
        group = self._picture.machine.group_of(device)
        first = device.address not in self._told
        self._told.add(device.address)
        below = [*self._with_roots(self._below.get(id(device), ()))]
        if first:
            below += [
                Node(
                    Kind.GROWTH,
                    "may come",
                    way.how,
                    groups=way.groups,
                    hue=self._hues.get(way.groups[0]) if len(way.groups) == 1 else None,
                )
                for way in self._ways.get(device.address, ())
            ]
        return Node(
            Kind.BRIDGE if device.is_bridge is True else Kind.DEVICE,
            device.address,
            what_is(device),
            short_kind(device),
            brief_what(device),
            driver_mark(device),
            use_line(self._relations, device),
            (group.id,) if group else (),
            untold=group is None and not known(device.group),
            hue=self._hues.get(group.id) if group else None,
            ownership=self._picture.owners[group.id] if group else None,
            marks=self._marks.get(device.id, ()),
            asked=device.id in self._asked,
            noun=noun_of(device),
            devices=(device.id,),
            children=tuple(below),
        )


def _order(root: tuple[str, str]) -> tuple[bool, object]:
    title, _ = root
    return not title.startswith("pci"), natural_key(title)


def _marks(picture: Picture) -> dict[DeviceId, tuple[str, ...]]:
    """Return by device where isolation is lost; one reason of several groups once."""
    groups: dict[tuple[DeviceId, str], list[str]] = defaultdict(list)
    for group_id, found in picture.losses.items():
        for loss in found.places:
            groups[loss.at.id, loss.evidence].append(group_id)
    marks: dict[DeviceId, tuple[str, ...]] = {}
    for (name, evidence), ids in groups.items():
        whose = f"{'groups' if len(ids) > 1 else 'group'} {listed(ids)}"
        words = f"isolation of {whose} is lost here: {evidence}"
        marks[name] = (*marks.get(name, ()), words)
    return marks


def _ways(picture: Picture) -> dict[str, tuple[_Ways, ...]]:
    """Return by address what may come there, one way of several groups once."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group_id, growth in picture.growth.items():
        for way in growth.through:
            groups[way.address, way.how].append(group_id)
    found: dict[str, tuple[_Ways, ...]] = {}
    for (address, how), ids in groups.items():
        ways = _Ways(how, tuple(dict.fromkeys(ids)))
        found[address] = (*found.get(address, ()), ways)
    return found
