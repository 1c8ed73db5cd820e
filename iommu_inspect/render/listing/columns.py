"""The columns that ``list`` can show, and what stands in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.asked.usage import BadRequestError, close_matches
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known
from iommu_inspect.model.group import Group
from iommu_inspect.model.pci.place import Place
from iommu_inspect.model.relations import Relations
from iommu_inspect.render.devices import describe, driver_mark, kind_name
from iommu_inspect.render.listing.names import brief_kind, brief_name

__all__ = [
    "COLUMNS",
    "OWNER_COLOURS",
    "STANDARD",
    "Column",
    "Row",
    "columns_named",
    "rows_of",
]

_UNTOLD = "?"
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list: a device, with the group that it is in.

    ``uses`` is what the host does with it, ``where`` where it is in the machine.
    ``device`` is ``None`` where a group has none. ``owned`` is ``None`` for a device
    without a group. ``place`` is the device's among the ``count`` members.
    """

    owned: Owned | None
    device: Device | None
    uses: str = ""
    where: str = ""
    place: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Say whether it is the first line of its group."""
        return self.place == 0


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, what stands in it, and what does where room is short."""

    heading: str
    cell: Callable[[Row], str]
    brief: Callable[[Row], str] | None = None


def rows_of(
    groups: Iterable[Owned],
    ungrouped: Iterable[Device],
    relations: Relations | None = None,
    where: Callable[[Device], Place] = lambda _: Place(),
) -> Iterator[Row]:
    """Yield a row for each device; with ``relations`` it says what uses the device.

    ``where`` tells the place of a device.
    """

    def row(owned: Owned | None, device: Device, place: int = 0, count: int = 1) -> Row:
        found = relations.uses(device) if relations else ()
        used = "; ".join(use.text for use in found)
        return Row(owned, device, used, where(device).text, place, count)

    for owned in groups:
        members = owned.group.devices
        for place, device in enumerate(members):
            yield row(owned, device, place, len(members))
        if not members:
            yield Row(owned, None)
    for device in ungrouped:
        yield row(None, device)


def group_heading(group: Group) -> str:
    """Return a group's number, marked where it is predicted, and may lack members."""
    if not group.predicted:
        return group.id
    return f"{group.id} predicted{'' if group.whole else '?'}"


def _group(row: Row) -> str:
    if row.owned is None:
        return _NONE
    return group_heading(row.owned.group) if row.is_first else ""


def _owner(row: Row) -> str:
    if row.owned is None:
        return _NONE
    return row.owned.ownership.value if row.is_first else ""


def _of_device(cell: Callable[[Device], str]) -> Callable[[Row], str]:
    return lambda row: "" if row.device is None else cell(row.device)


def _fact(fact: Fact[object]) -> str:
    if not known(fact):
        return _UNTOLD
    return _NONE if fact is None else str(fact)


def _briefly(device: Device) -> str:
    pair = f"[{device.ids.pair}]" if device.is_pci and device.ids.pair else ""
    words = (brief_kind(device), pair, brief_name(device) if device.is_pci else "")
    return " ".join(filter(None, words))


def _address(row: Row) -> str:
    return "(no devices)" if row.device is None else row.device.address


def _full_name(device: Device) -> str:
    names = (device.vendor_name, device.name)
    return " ".join(filter(None, names)) if device.is_pci else ""


COLUMNS: Mapping[str, Column] = {
    "group": Column("GROUP", _group),
    "owner": Column("OWNER", _owner),
    "address": Column("DEVICE", _address),
    "driver": Column("DRIVER", _of_device(driver_mark)),
    "class": Column("CLASS", _of_device(kind_name), _of_device(brief_kind)),
    "ids": Column("IDS", _of_device(lambda d: d.ids.pair or _UNTOLD)),
    "name": Column("NAME", _of_device(_full_name), _of_device(brief_name)),
    "description": Column("DESCRIPTION", _of_device(describe), _of_device(_briefly)),
    "uses": Column("USES", lambda row: row.uses),
    "slot": Column("SLOT", lambda row: row.where),
    "numa": Column("NUMA", _of_device(lambda d: _fact(d.numa_node))),
    "iommu": Column("IOMMU", _of_device(lambda d: _fact(d.iommu))),
}
OWNER_COLOURS = {"conflict": "red", "user": "green", "unknown": "yellow"}
STANDARD = ("group", "owner", "address", "driver", "description")


def columns_named(text: str) -> Sequence[str]:
    """Return the columns that a list of names asks for, in its order.

    Raises:
        BadRequestError: there is no such column, or none is named.
    """
    names = [name for name in map(str.strip, text.lower().split(",")) if name]
    for name in names:
        if name not in COLUMNS:
            hint = close_matches(name, COLUMNS) or f"; there are {', '.join(COLUMNS)}"
            raise BadRequestError(f"there is no column {name!r}{hint}")
    if not names:
        raise BadRequestError(f"--columns takes some of {', '.join(COLUMNS)}")
    return tuple(dict.fromkeys(names))
