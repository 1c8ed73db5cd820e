"""One device of sysfs, read without waking or blocking it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import (
    Fact,
    Missing,
    complete,
    known,
    map_fact,
    unread,
    value_or,
)
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.sysfs.numbers import hexadecimal
from iommu_inspect.sources.sysfs.pci_config import ConfigSpace
from iommu_inspect.sources.tree.directory import IDS, REMEMBERED
from iommu_inspect.sources.tree.tree import Inside, Tree

__all__ = ["DeviceReader", "only_named"]

T = TypeVar("T")

_SUSPENDED = ("suspended", "suspending")
# What is read of every device of a running host, whatever state it is in. None of it
# wakes anything up; configuration space does.
_FILES = ("uevent", *(name for name in REMEMBERED if name not in IDS))
_BRIEF = ("uevent", "boot_vga")
_LINKS = ("subsystem", "driver", "iommu_group", "iommu", "physfn", "virtfn*")
# pci_uevent() in drivers/pci/pci-driver.c, which writes this at the end.
_MODALIAS = re.compile(
    r"^MODALIAS=pci:v0000([0-9A-F]{4})d0000([0-9A-F]{4})"
    r"sv0000([0-9A-F]{4})sd0000([0-9A-F]{4})"
    r"bc([0-9A-F]{2})sc([0-9A-F]{2})i([0-9A-Fa-f]{2})$",
    re.MULTILINE,
)


class DeviceReader:
    """Reads devices of one tree.

    ``drivers_known``: whether a missing ``driver`` link means that no driver is
    bound; in a capture without any driver it may mean that links were not taken.
    ``groups_known``: the same for the ``iommu_group`` link. ``brief``: see
    `read_machine`.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        drivers_known: bool,
        groups_known: bool,
        brief: bool = False,
    ) -> None:
        self._tree = tree
        self._drivers_known = drivers_known
        self._groups_known = groups_known
        self._brief = brief
        self._asleep: dict[str, bool] = {}
        self._power: dict[str, Fact[str]] = {}

    def prepare(self, paths: Sequence[str], following: Sequence[str] = ()) -> None:
        """Read files of devices ahead that are going to be read one after the other.

        Configuration space comes last, and soon after it was seen who is awake. Those
        ``following`` are looked at meanwhile.
        """
        if not self._tree.looks_ahead:
            return
        files = _BRIEF if self._brief else _FILES
        inside = Inside(files, _LINKS, ("",))
        self._tree.look_ahead(paths, inside)
        if not self._brief:
            self._read_configs(paths)
        if following:
            self._tree.begin_to_look(following, inside)

    def _read_configs(self, paths: Sequence[str]) -> None:
        above = {path.rpartition("/")[0] for path in paths} - self._asleep.keys()
        self._tree.read_ahead(
            f"{path}/power/runtime_status"
            for path in sorted(above)
            if path.startswith("sys/devices/")
        )
        awake = [path for path in paths if not self._is_asleep(path)]
        self._tree.read_configs(f"{path}/config" for path in awake)

    def read(
        self, path: str, overrides: dict[str, Fact[str]], listed_on: str | None = None
    ) -> Device:
        """Read the device whose directory is ``path`` (links resolved).

        ``overrides`` holds the ``driver_override`` texts by path: they are read
        apart, because old kernels take the device lock for them. ``listed_on`` is the
        bus that lists the device, if one does.
        """
        told_bus: Fact[str] = listed_on or _bus_of_path(path)
        address = path.rpartition("/")[2]
        there = self._tree.has(path)
        if there is not True or self._is_hollow(path):
            # Of a device without its directory nothing is known, links neither.
            why = Missing.ABSENT if known(there) else there
            place: Fact[str] = path
            if unread(why) and not path.startswith("sys/devices/"):
                place = why  # a list names it, by a link that leads elsewhere
            return only_named(DeviceId(address, told_bus), place, why=why)
        inside = self._tree.names(path)
        bus = self._link_name(f"{path}/subsystem")
        power_state = Missing.ABSENT if self._brief else self._power_state(path)
        vfio_devices = self._vfio_devices(path, inside)
        return Device(
            DeviceId(address, bus if known(bus) else told_bus),
            path,
            driver=self._optional(path, "driver", inside, self._drivers_known),
            group=self._optional(path, "iommu_group", inside, self._groups_known),
            iommu=self._optional(path, "iommu", inside, self._groups_known),
            ids=self._ids(path),
            pci=self._placement(path, inside),
            vfio_devices=vfio_devices,
            driver_override=_override(overrides.get(path, Missing.ABSENT)),
            boot_vga=self._parsed(f"{path}/boot_vga", lambda text: text == "1"),
            power_state=power_state,
            reset_methods=self._rest(path, "reset_method", _words),
            numa_node=self._rest(path, "numa_node", _numa_node),
            removable=self._rest(path, "removable", str),
            runtime_status=(
                self._tree.text(f"{path}/power/runtime_status")
                if power_state == "D3cold"
                else Missing.ABSENT
            ),
            vfio_cdev=self._vfio_cdev(path, vfio_devices),
        )

    def _is_hollow(self, path: str) -> bool:
        """Say whether a capture has no more of a device than its directory.

        Then that there is no driver link says nothing about the driver.
        """
        if self._tree.whole:
            return False
        return all(
            self._tree.has(f"{path}/{name}") is False
            for name in ("uevent", "vendor", "subsystem")
        )

    def _rest(self, path: str, name: str, parse: Callable[[str], T]) -> Fact[T]:
        """Parse a file that no list needs."""
        return Missing.ABSENT if self._brief else self._parsed(f"{path}/{name}", parse)

    def _parsed(self, path: str, parse: Callable[[str], T]) -> Fact[T]:
        text = self._tree.text(path)
        if not known(text):
            return text
        try:
            return parse(text)
        except ValueError:
            return Missing.UNREADABLE

    def _link_name(self, path: str) -> Fact[str]:
        """Return what a link points to; a copy of it does not say that any more."""
        found = self._tree.link_name(path)
        if found is Missing.ABSENT and self._tree.has(path) is not False:
            return Missing.UNREADABLE
        return found

    def _optional(
        self, path: str, name: str, inside: Fact[tuple[str, ...]], absence_counts: bool
    ) -> Fact[str | None]:
        """Return what an optional link points to, ``None`` if there is none.

        That one is missing is believed only where the device's directory does not list
        it either: on it hangs whether a driver counts.
        """
        if known(inside) and name not in inside:
            # Nothing is there that could be a copy of the link.
            found = self._tree.link_name(f"{path}/{name}")
        else:
            found = self._link_name(f"{path}/{name}")
        if found is not Missing.ABSENT:
            return found
        if unread(inside) or name in value_or(inside, ()):
            return Missing.UNREADABLE
        return None if absence_counts else found

    def _vfio_devices(
        self, path: str, inside: Fact[tuple[str, ...]]
    ) -> Fact[tuple[str, ...]]:
        if self._tree.looks_ahead and known(inside) and "vfio-dev" not in inside:
            return ()
        names = self._tree.names(f"{path}/vfio-dev")
        if names is not Missing.ABSENT:
            return names
        return Missing.UNREADABLE if "vfio-dev" in value_or(inside, ()) else ()

    def _vfio_cdev(self, path: str, names: Fact[tuple[str, ...]]) -> Fact[bool]:
        """Say whether the first entry of ``vfio-dev`` has a device number.

        An entry of which a capture has only the directory tells nothing. In no-IOMMU
        mode v7.3 calls it "noiommu-vfio0" (drivers/vfio/vfio_main.c).
        """
        entries = names if known(names) else ()
        for name in (n for n in entries if n.startswith(("vfio", "noiommu-vfio"))):
            inside = self._tree.names(f"{path}/vfio-dev/{name}")
            if not known(inside):
                return inside
            return "dev" in inside if inside else Missing.ABSENT
        return Missing.ABSENT

    def _ids(self, path: str) -> PciIds:
        found = None
        if self._tree.looks_ahead:
            # All in one: each file costs a running host three system calls.
            uevent = self._tree.text(f"{path}/uevent")
            found = _MODALIAS.search(uevent) if known(uevent) else None

        def number(name: str, digits: int) -> Fact[int]:
            text = self._tree.text(f"{path}/{name}")
            # pci_config_attr() in drivers/pci/pci-sysfs.c: "0x%04x" and its like.
            return map_fact(
                text, lambda value: hexadecimal(value, digits, exactly=True)
            )

        if found is not None:
            vendor, device, subsystem_vendor, subsystem, *code = found.groups()
            return PciIds(
                vendor=int(vendor, 16),
                device=int(device, 16),
                subsystem_vendor=int(subsystem_vendor, 16),
                subsystem_device=int(subsystem, 16),
                class_code=int("".join(code), 16),
                revision=Missing.ABSENT if self._brief else number("revision", 2),
            )
        if self._tree.looks_ahead:
            self._tree.read_ahead(f"{path}/{name}" for name in IDS)
        return PciIds(
            vendor=number("vendor", 4),
            device=number("device", 4),
            subsystem_vendor=number("subsystem_vendor", 4),
            subsystem_device=number("subsystem_device", 4),
            class_code=number("class", 6),
            revision=number("revision", 2),
        )

    def _placement(self, path: str, inside: Fact[tuple[str, ...]]) -> PciPlacement:
        config = self._config(path)
        physfn = map_fact(
            self._optional(path, "physfn", inside, absence_counts=True),
            lambda name: None if name is None else DeviceId(name, "pci"),
        )
        virtfns = self._virtfns(path, inside)
        if known(config):
            return PciPlacement(
                header_type=config.header_type,
                multifunction=config.multifunction,
                pcie_type=config.pcie_type,
                physfn=physfn,
                virtfns=virtfns,
                acs=config.acs,
                sriov=config.sriov,
                hotplug_slot=config.hotplug_slot,
                secondary_bus=config.secondary_bus,
                answers=config.answers,
            )
        # A sleeping device is not asked, which is no failure of its registers.
        asleep = config is Missing.UNREADABLE and self._is_asleep(path)
        return PciPlacement(
            header_type=config,
            multifunction=config,
            pcie_type=config,
            physfn=physfn,
            virtfns=virtfns,
            acs=config,
            sriov=config,
            hotplug_slot=config,
            secondary_bus=config,
            answers=Missing.ABSENT if asleep else config,
        )

    def _virtfns(
        self, path: str, names: Fact[tuple[str, ...]]
    ) -> Fact[tuple[DeviceId, ...]]:
        # Counting the links tells how many there are; sriov_numvfs would take the
        # device lock.
        if not known(names):
            return names
        links = (name for name in names if name.startswith("virtfn"))
        targets = complete(self._listed(f"{path}/{name}") for name in links)
        return map_fact(
            targets, lambda found: tuple(sorted(DeviceId(n, "pci") for n in found))
        )

    def _listed(self, path: str) -> Fact[str]:
        """Return what a link points to that a directory was seen to hold."""
        found = self._link_name(path)
        return Missing.UNREADABLE if found is Missing.ABSENT else found

    def _config(self, path: str) -> Fact[ConfigSpace]:
        if self._brief:
            return Missing.ABSENT
        if self._tree.hot and self._is_asleep(path):
            return Missing.UNREADABLE
        return map_fact(self._tree.data(f"{path}/config"), ConfigSpace)

    def _is_asleep(self, path: str) -> bool:
        """Say whether reading configuration space could wake something.

        The kernel resumes a device in D3cold, and the bridge above any device in
        whatever state, to read it (``pci_config_pm_runtime_get()``).
        """
        return self._sleeps(path) or self._bridge_sleeps(path.rpartition("/")[0])

    def _bridge_sleeps(self, path: str) -> bool:
        if not path.startswith("sys/devices/"):
            return False
        asleep = self._asleep.get(path)
        if asleep is None:
            asleep = (
                self._tree.text(f"{path}/power/runtime_status") in _SUSPENDED
                or self._sleeps(path)
                or self._bridge_sleeps(path.rpartition("/")[0])
            )
            self._asleep[path] = asleep
        return asleep

    def _power_state(self, path: str) -> Fact[str]:
        state = self._power.get(path)
        if state is None:
            state = self._power[path] = self._tree.text(f"{path}/power_state")
        return state

    def _sleeps(self, path: str) -> bool:
        state = self._power_state(path)
        if state is Missing.ABSENT:  # before v5.11
            return self._tree.text(f"{path}/power/runtime_status") in _SUSPENDED
        return state == "D3cold"


def only_named(
    device_id: DeviceId,
    path: Fact[str],
    group: Fact[str | None] = Missing.ABSENT,
    why: Missing = Missing.ABSENT,
) -> Device:
    """Return a device of which nothing but its name is known, and why no more is."""
    return Device(
        device_id,
        path,
        driver=why,
        group=group,
        pci=PciPlacement(answers=why),
        vfio_devices=why,
    )


def _numa_node(text: str) -> int | None:
    node = int(text)
    return None if node < 0 else node


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _override(text: Fact[str]) -> Fact[str | None]:
    return None if text in ("", "(null)") else text


def _bus_of_path(path: str) -> Fact[str]:
    """Tell the bus where no ``subsystem`` link was captured: PCI roots say it."""
    parts: Sequence[str] = path.split("/")
    if len(parts) == 5 and parts[:2] == ["sys", "bus"] and parts[3] == "devices":
        return parts[2]
    if len(parts) > 3 and parts[:2] == ["sys", "devices"] and parts[2][:3] == "pci":
        # What is below a function is not on its bus, mediated devices are an example.
        on_bus = PciAddress.parse(parts[-1]) is not None
        return "pci" if on_bus else Missing.ABSENT
    if parts[:3] == ["sys", "devices", "platform"] and len(parts) == 4:
        return "platform"
    return Missing.ABSENT
