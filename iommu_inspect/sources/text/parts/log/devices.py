"""What kernel messages about one device tell, and nothing of what they suggest.

A log tells the past. The driver in front of an address is what drove the device then,
so no message says which one does now; nor is a device that was taken out of its group
told of as if it were there.
"""

from __future__ import annotations

import re

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import PciExpType

__all__ = ["Bridge", "Direct", "Enumerated", "Event", "Group", "Slot", "read_event"]

_ADDRESS = r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]"
_NAME = r"[\w.,@+-]+(?::[\w.,@+-]+)*"
# dev_printk() (drivers/base/core.c) writes the driver or the bus, then the name.
_ABOUT = re.compile(rf"(?P<driver>[\w.+-]+) (?P<name>{_NAME}): +(?P<what>\S.*)")
# iommu_group_alloc_device(), __iommu_group_remove_device() (drivers/iommu/iommu.c)
# since v5.3; pr_info() before.
_GROUP = re.compile(r"(?P<way>Adding to|Removing from) iommu group (?P<group>\d{1,9})")
_OLD_GROUP = re.compile(
    r"(?:(?P<said>iommu|iommu_group_(?:add|remove)_device): )?"
    rf"(?P<way>Adding|Removing) device (?P<name>{_NAME}) (?:to|from) group "
    r"(?P<group>\d{1,9})"
)
# pci_setup_device() (drivers/pci/probe.c); newer kernels add the kind of device. All
# that write two digits of the type write all three bytes of the class: 0x000200 and
# 0x00ff00 are unclassified devices (virtio's, for one).
_ENUMERATED = re.compile(
    r"\[(?P<vendor>[0-9a-f]{4}):(?P<device>[0-9a-f]{4})\] type (?P<type>0[0-2]) "
    r"class (?P<class>0x[0-9a-f]{6})(?: (?P<kind>\w.*))?"
)
# pci_type_str() (drivers/pci/probe.c)
_KINDS: dict[str, int | None] = {
    "PCIe Endpoint": PciExpType.ENDPOINT,
    "PCIe Legacy Endpoint": PciExpType.LEG_END,
    "PCIe Root Port": PciExpType.ROOT_PORT,
    "PCIe Switch Upstream Port": PciExpType.UPSTREAM,
    "PCIe Switch Downstream Port": PciExpType.DOWNSTREAM,
    "PCIe to PCI/PCI-X bridge": PciExpType.PCI_BRIDGE,
    "PCI/PCI-X to PCIe bridge": PciExpType.PCIE_BRIDGE,
    "PCIe Root Complex Integrated Endpoint": PciExpType.RC_END,
    "PCIe Root Complex Event Collector": PciExpType.RC_EC,
    "conventional PCI endpoint": None,
    "conventional PCI bridge": None,
    "CardBus bridge": None,
}
# pci_read_bridge_windows(), pci_read_bridge_bases() (drivers/pci/probe.c),
# __pci_setup_bridge() (drivers/pci/setup-bus.c)
_BRIDGE = re.compile(
    r"(?:PCI|CardBus) bridge to "
    r"\[bus (?P<first>[0-9a-f]{2})(?:-(?P<last>[0-9a-f]{2}))?\]"
    r"(?: \(subtractive decode\))?"
)
# domain_prepare_identity_map() (drivers/iommu/intel-iommu.c) of older kernels
_RANGE = r"\[0x(?P<first>[0-9a-f]{1,16}) - 0x(?P<last>[0-9a-f]{1,16})\]"
_DIRECT = re.compile(rf"DMAR: Setting identity map {_RANGE}")
_OLD_DIRECT = re.compile(
    rf"(?:IOMMU|DMAR): Setting identity map for device (?P<name>{_ADDRESS}) {_RANGE}"
)
# The workaround for floppy controllers, not the firmware's: iommu_prepare_isa().
_FLOPPY = (0, 0xFFFFFF)
# pcie_init() (drivers/pci/hotplug/pciehp_hpc.c)
_SLOT = re.compile(
    r"pciehp: Slot #\d+ AttnBtn[+-] PwrCtrl[+-] MRL[+-] AttnInd[+-] PwrInd[+-] "
    r"HotPlug(?P<hotplug>[+-]) Surprise[+-].*"
)


@dataclass(frozen=True, slots=True)
class Group:
    """It was put into a group, or taken out of one."""

    group: str
    joins: bool


@dataclass(frozen=True, slots=True)
class Enumerated:
    """The kernel found it."""

    ids: PciIds
    header_type: int
    pcie_type: Fact[int | None]


@dataclass(frozen=True, slots=True)
class Bridge:
    """The first and the last bus below it; they may be moved later."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Direct:
    """Firmware wants this memory mapped one to one for it."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Whether the slot of a port takes cards while the host runs."""

    hotplug: bool


Event = Group | Enumerated | Bridge | Direct | Slot


def read_event(text: str, *, marked: bool) -> tuple[DeviceId, Event] | None:
    """Read a message that is about a device.

    Args:
        text: The message, all of it.
        marked: Whether the line shows that it is a log's.
    """
    old = _OLD_GROUP.fullmatch(text)
    if old:
        device = _device(old["name"]) if marked or old["said"] else None
        way = Group(str(int(old["group"])), old["way"] == "Adding")
        return None if device is None else (device, way)
    old = _OLD_DIRECT.fullmatch(text)
    if old:
        return _with(_device(old["name"]), _direct(old))
    about = _ABOUT.fullmatch(text)
    if about is None:
        return None
    device = _device(about["name"])
    if device is None or (device.pci is None and not _is_sure(about["name"], marked)):
        return None
    return _with(device, _event(about["what"], is_pci=device.pci is not None))


def _with(
    device: DeviceId | None, event: Event | None
) -> tuple[DeviceId, Event] | None:
    return None if device is None or event is None else (device, event)


def _is_sure(name: str, marked: bool) -> bool:
    """Say whether a line about something that is no PCI function is the kernel's.

    Names of devices have numbers, words of people have none.
    """
    return marked or (any(c.isdigit() for c in name) and any(c in ".:" for c in name))


def _device(name: str) -> DeviceId | None:
    if re.fullmatch(_ADDRESS, name):
        address = PciAddress.parse(name)
        return None if address is None else DeviceId.of_pci(address)
    # What looks like an address and is none lost a part on its way.
    if re.fullmatch(r"[0-9a-fA-F.:]*[:.][0-9a-fA-F]*", name):
        return None
    return DeviceId(name, Missing.ABSENT)


def _event(what: str, *, is_pci: bool) -> Event | None:
    found = _GROUP.fullmatch(what)
    if found:
        return Group(str(int(found["group"])), found["way"] == "Adding to")
    if not is_pci:
        return None
    if found := _ENUMERATED.fullmatch(what):
        return _enumerated(found)
    if found := _BRIDGE.fullmatch(what):
        first = int(found["first"], 16)
        last = int(found["last"] or found["first"], 16)
        return Bridge(first, last) if 0 < first <= last else None
    if found := _DIRECT.fullmatch(what):
        return _direct(found)
    if found := _SLOT.fullmatch(what):
        return Slot(found["hotplug"] == "+")
    return None


def _enumerated(found: re.Match[str]) -> Enumerated:
    return Enumerated(
        PciIds(
            vendor=int(found["vendor"], 16),
            device=int(found["device"], 16),
            class_code=int(found["class"], 16),
        ),
        int(found["type"], 16),
        _KINDS.get(found["kind"] or "", Missing.ABSENT),
    )


def _direct(found: re.Match[str]) -> Direct | None:
    first, last = int(found["first"], 16), int(found["last"], 16)
    if first > last or (first, last) == _FLOPPY:
        return None
    return Direct(first, last)
