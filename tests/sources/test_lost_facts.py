"""What could not be read is missing: no list gets silently shorter than the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from running import document
from shared import SYSFS

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.directory import DirTree

FIXTURES = ("sriov-one-group", "host-lives-here", "half-a-group", "platform-members")
# What only makes a verdict worse, and never decides one.
MINOR = (UseKind.CONSOLE, UseKind.FRAMEBUFFER, UseKind.NETWORK)


class Refusing(DirTree):
    """A capture that the kernel refuses to show one path of; it writes down all."""

    def __init__(self, root: Path, refused: str = "") -> None:
        super().__init__(str(root), "a capture")
        self._refused = refused
        self.asked: set[str] = set()

    def _is_refused(self, path: str) -> bool:
        self.asked.add(path)
        return path == self._refused

    def _link(self, path: str) -> Fact[str]:
        return Missing.DENIED if self._is_refused(path) else super()._link(path)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        # A file of a device holds a fact of its own, and no entry of a list.
        if path.startswith("sys/devices/pci"):
            return super()._content(path, limit)
        refused = self._is_refused(path)
        return Missing.DENIED if refused else super()._content(path, limit)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        return Missing.DENIED if self._is_refused(path) else super()._names(path)


def shorter(whole: Fact[Iterable[object]], lost: Fact[Iterable[object]]) -> bool:
    """Say whether a list pretends to be whole, and is not."""
    return known(whole) and known(lost) and bool(set(whole) - set(lost))


def silent(whole: Machine, lost: Machine) -> Iterator[str]:
    """Yield the lists that got shorter and do not say so."""
    there = {device.address: device for device in lost.devices}
    for device in whole.devices:
        if device.address not in there:
            if not lost.notes:
                yield f"{device.address} itself"
        else:
            yield from silent_about(device, there[device.address])
    for group in whole.groups:
        after = lost.group(group.id)
        if after is None or not after.whole:
            continue
        names, left = ({d.address for d in g.devices} for g in (group, after))
        if shorter(names, left):
            yield f"members of {group.id}"
    if shorter(_units(whole), _units(lost)):
        yield "iommus"
    if shorter(whole.firmware_tables, lost.firmware_tables):
        yield "firmware_tables"
    for name in ("disks", "interfaces"):
        if shorter(getattr(whole.host, name), getattr(lost.host, name)):
            yield f"host.{name}"
    untold = {kind for kind, _ in lost.host.untold}
    untold |= {use.kind for use in lost.host.uses if not known(use.needs)}
    for use in whole.host.uses:
        if use.kind in untold or use.kind in MINOR:
            continue
        kept = {p for u in lost.host.uses if u.kind is use.kind for p in u.paths}
        if shorter(use.paths, kept):
            yield f"{use.kind.value} {use.what}"


def _units(machine: Machine) -> Fact[list[str]]:
    return map_fact(machine.iommus, lambda units: [unit.name for unit in units])


def silent_about(device: Device, lost: Device) -> Iterator[str]:
    for name in ("vfio_devices", "reset_methods"):
        if shorter(getattr(device, name), getattr(lost, name)):
            yield f"{device.address} {name}"
    if shorter(device.pci.virtfns, lost.pci.virtfns):
        yield f"{device.address} virtfns"
    if known(lost.pci.physfn) and lost.pci.physfn != device.pci.physfn:
        yield f"{device.address} physfn"


@pytest.mark.parametrize("name", FIXTURES)
def test_no_list_is_silently_shorter_for_what_was_refused(name: str) -> None:
    tree = Refusing(SYSFS / name)
    whole = read_machine(tree)
    assert list(silent(whole, whole)) == []
    found = {
        path: pretended
        for path in sorted(tree.asked)
        if (
            pretended := list(silent(whole, read_machine(Refusing(SYSFS / name, path))))
        )
    }
    assert found == {}


def test_a_virtual_function_whose_link_is_refused_spoils_the_list() -> None:
    physical = "sys/devices/pci0000:00/0000:00:03.0/0000:3b:00.0"
    for refused in (physical, f"{physical}/virtfn1"):
        machine = read_machine(Refusing(SYSFS / "sriov-one-group", refused))
        (card,) = [d for d in machine.devices if d.path == physical]
        assert card.pci.virtfns is Missing.DENIED


@pytest.mark.parametrize("note", ["(my note)", "<- this is the card", "its driver?"])
def test_a_note_below_a_device_does_not_say_that_it_has_no_driver(
    tmp_path: Path, note: str
) -> None:
    text = tmp_path / "paste.txt"
    text.write_text(
        "IOMMU Group 2:\n"
        "\t00:1c.0 PCI bridge [0604]: Intel Corporation Device [8086:7ab8] (rev 11)\n"
        f"\t\t{note}\n"
        "\t03:00.0 Ethernet controller [0200]: Intel I210 [8086:1533] (rev 03)\n"
        "\t\tKernel driver in use: igb\n"
    )
    (found,) = document("list", "--from", text)["groups"]
    drivers = [(d["driver"], "driver" in d["missing"]) for d in found["devices"]]
    assert drivers == [(None, True), ("igb", False)]
