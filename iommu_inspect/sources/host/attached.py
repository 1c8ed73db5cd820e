"""What hangs on devices and goes with them: mediated devices, USB, Thunderbolt."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.text import natural_key
from iommu_inspect.model.uses.host import HostUse, UseKind
from iommu_inspect.sources.host.needs import Locate
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["mediated", "thunderbolt", "usb"]

_MDEVS = "sys/bus/mdev/devices"
_USB = "sys/bus/usb/devices"
_THUNDERBOLT = "sys/bus/thunderbolt/devices"
# "1-4.2:1.0": port, configuration, interface.
_INTERFACE = re.compile(r"[0-9]+-[0-9.]+:[0-9]+\.[0-9]+")
# "0-301": domain and route; "0-0" is the host's own controller.
_ATTACHED = re.compile(r"[0-9]+-0*[1-9a-f][0-9a-f]*")
# Classes of USB interfaces that people miss (usb.org, "Defined Class Codes"), and the
# protocols of the boot interface of those for input.
_CLASSES = {
    "01": "audio",
    "06": "camera",
    "07": "printer",
    "08": "storage",
    "0b": "smart card reader",
    "0e": "camera",
    "e0": "Bluetooth",
}
_BOOT_INPUT = {("01", "01"): "keyboard", ("01", "02"): "mouse"}
_ORDER = ("keyboard", "mouse", "input", "storage", "network")


def mediated(
    tree: Tree, locate: Locate, devices: Iterable[Device], *, all_members: bool
) -> Fact[list[HostUse]]:
    """Find the mediated devices of each parent.

    Those with a group are among ``devices`` even where the bus was not captured, if
    ``all_members`` of the groups are.
    """
    paths = {
        d.address: d.path
        for d in devices
        if d.bus == "mdev" and isinstance(d.path, str)
    }
    names = tree.names(_MDEVS)
    if names is Missing.ABSENT and not all_members:
        return Missing.UNREADABLE
    if not known(names) and (names is not Missing.ABSENT or not paths):
        return names
    for name in names if known(names) else ():
        path = tree.target(f"{_MDEVS}/{name}")
        if known(path):
            paths[name] = path
        elif path is not Missing.ABSENT:
            return path
    below: dict[str, list[str]] = {}
    for name in sorted(paths):
        # A device of its own group would else be found on itself.
        holder = locate(paths[name].rpartition("/")[0])
        if isinstance(holder, str):
            below.setdefault(holder, []).append(name)
    return [
        HostUse(UseKind.MEDIATED, tuple(uuids), ((path,),))
        for path, uuids in below.items()
    ]


def usb(tree: Tree, locate: Locate) -> Fact[list[HostUse]]:
    """Find what is plugged into each USB controller, in words."""
    names = tree.names(_USB)
    if not known(names):
        return names
    below: dict[str, set[str]] = {}
    for name in names:
        if not _INTERFACE.fullmatch(name):
            continue
        path = tree.target(f"{_USB}/{name}")
        if not known(path):
            if path is not Missing.ABSENT:
                return path
            continue
        holder = locate(path)
        if isinstance(holder, str):
            word = _of_interface(tree, path)
            if word is not None:
                below.setdefault(holder, set()).add(word)
    return [
        HostUse(UseKind.USB, tuple(sorted(words, key=_rank)), ((path,),))
        for path, words in below.items()
    ]


def _of_interface(tree: Tree, path: str) -> str | None:
    """Say what an interface is for; its class, and what its driver made of it."""
    code = tree.text(f"{path}/bInterfaceClass")
    if code == "03":
        files = ("bInterfaceSubClass", "bInterfaceProtocol")
        subclass, protocol = (tree.text(f"{path}/{file}") for file in files)
        return _BOOT_INPUT.get((str(subclass), str(protocol)), "input")
    if known(code) and code in _CLASSES:
        return _CLASSES[code]
    # Network adapters are of the class for communication, or of the maker's own.
    return "network" if tree.exists(f"{path}/net") else None


def _rank(word: str) -> tuple[int, str]:
    return (_ORDER.index(word) if word in _ORDER else len(_ORDER), word)


def thunderbolt(tree: Tree, locate: Locate) -> Fact[list[HostUse]]:
    """Find what is plugged into each Thunderbolt or USB4 controller, by name."""
    names = tree.names(_THUNDERBOLT)
    if not known(names):
        return names
    below: dict[str, list[str]] = {}
    for name in sorted(names, key=natural_key):
        if not _ATTACHED.fullmatch(name):
            continue
        path = tree.target(f"{_THUNDERBOLT}/{name}")
        if not known(path) and path is not Missing.ABSENT:
            return path
        holder = locate(path) if known(path) else None
        if isinstance(holder, str):
            label = tree.text(f"{_THUNDERBOLT}/{name}/device_name")
            text = label if known(label) and label else name
            below.setdefault(holder, []).append(text)
    return [
        HostUse(UseKind.THUNDERBOLT, tuple(dict.fromkeys(labels)), ((path,),))
        for path, labels in below.items()
    ]
