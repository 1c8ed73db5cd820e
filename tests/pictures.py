"""Scenes of captures and of machines made up, for the tests of pictures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from builders import device, group, machine
from hypothesis import strategies as st
from running import read

from iommu_inspect.audit.picture import picture_of
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.device import Device
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.graph.building import scene_of
from iommu_inspect.render.graph.scene import Node, Scene

__all__ = ["called", "counted", "machines", "scene", "scene_at", "virtual_functions"]

ROOT = "sys/devices/pci0000:00"


def scene(of: Machine, asked: Iterable[Device] = ()) -> Scene:
    return scene_of(picture_of(Inquiry(of, applicable(of.kernel))), tuple(asked))


def scene_at(source: str | Path) -> Scene:
    return scene(read(source))


def counted(of: Scene) -> list[str]:
    """Return the names of all devices that boxes stand for, in order."""
    return sorted(name.name for node in of.walk() for name in node.devices)


def called(of: Scene, title: str) -> Node:
    (found,) = (node for node in of.walk() if node.title == title)
    return found


def virtual_functions(count: int) -> Machine:
    """Return a port, and below it a card with functions alone in their groups."""
    port = at(device("0000:00:01.0", "pcieport", bridge=True), ROOT)
    functions = [
        at(device(f"0000:01:{n // 8:02x}.{n % 8}", "vfio-pci"), f"{ROOT}/0000:00:01.0")
        for n in range(count)
    ]
    return machine(
        group(port, id="1"),
        *(group(each, id=str(10 + n)) for n, each in enumerate(functions)),
    )


def at(what: Device, above: str) -> Device:
    return replace(what, path=f"{above}/{what.address}")


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Return machines of any shape: nested paths, lost ones, groups of any size."""
    names = st.sampled_from(["", "<script>", 'a"b', "new\nline", "\x1b[2J", "&amp;"])
    drivers = st.sampled_from([None, "pcieport", "e1000", "vfio-pci", "</svg>", '"];'])
    groups: dict[int, list[Device]] = {}
    ungrouped = []
    paths = [ROOT, "sys/devices/platform", "sys/bus/pci/devices"]
    for number in range(draw(st.integers(0, 24))):
        address = f"0000:{number // 8:02x}:{draw(st.integers(0, 3)):02x}.{number % 8}"
        bus = draw(st.sampled_from(["pci", "pci", "pci", "platform"]))
        made = device(
            address if bus == "pci" else f"{draw(names)}{number}",
            draw(drivers),
            bus=bus,
            bridge=draw(st.booleans()),
            name=draw(names),
            vendor_name=draw(names),
        )
        made = at(made, draw(st.sampled_from(paths)))
        assert isinstance(made.path, str)
        paths.append(made.path)
        place = draw(st.integers(-1, 6))
        if place < 0:
            ungrouped.append(made)
        else:
            groups.setdefault(place, []).append(made)
    return machine(
        *(group(*members, id=str(n)) for n, members in sorted(groups.items())),
        ungrouped=ungrouped,
    )
