"""What named values say of a device: a row of a table, an entry of YAML or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.parts.forms import ADDRESS
from iommu_inspect.sources.text.said import DeviceFacts

__all__ = ["WHAT", "column", "device_of"]

# What programs and people call a value, without case, spaces and marks.
WHAT = {
    "address": "address",
    "addr": "address",
    "bdf": "address",
    "slot": "address",
    "pciaddress": "address",
    "pcislot": "address",
    "group": "group",
    "iommugroup": "group",
    "iommugrp": "group",
    "grp": "group",
    "driver": "driver",
    "kerneldriver": "driver",
    "kerneldriverinuse": "driver",
    "driverinuse": "driver",
    "vendor": "vendor",
    "vendorid": "vendor",
    "device": "device",
    "deviceid": "device",
    "productid": "device",
    "class": "class",
    "classid": "class",
    "id": "id",
    "ids": "ids",
    "pciid": "ids",
    "pciids": "ids",
    "vendordevice": "ids",
}

_PAIR = re.compile(r"\[?([0-9a-f]{4}):([0-9a-f]{4})\]?", re.I)
_NUMBER = re.compile(r"(?:0x)?([0-9a-f]{4})", re.I)
_CLASS = re.compile(r"(?:0x)?([0-9a-f]{4})([0-9a-f]{2})?")
_DRIVER = re.compile(r"[\w.+]+(?:-[\w.+]+)*")
_NO_DRIVER = frozenset({"none", "n/a", "null", "unknown", "no"})


def column(heading: str) -> str | None:
    """Return what a column or key holds, ``None`` where its name does not say it."""
    return WHAT.get(re.sub(r"[\W_]", "", heading).lower())


def device_of(
    values: Iterable[tuple[str, str]],
) -> tuple[PciAddress, DeviceFacts] | None:
    """Return the device that named values are of, and what they say.

    Args:
        values: What each value is (`column`), and the value. A name that comes twice
            says nothing.

    Returns:
        ``None`` unless just one value is the address of a function.
    """
    found: dict[str, str] = {}
    twice: set[str] = set()
    for what, value in values:
        if found.setdefault(what, value) != value:
            twice.add(what)
    for what in twice:
        del found[what]
    addresses = {
        value
        for what, value in found.items()
        if what in ("address", "id", "device") and re.fullmatch(ADDRESS, value)
    }
    address = PciAddress.parse(addresses.pop()) if len(addresses) == 1 else None
    if address is None:
        return None
    vendor, device = _ids(found)
    return address, DeviceFacts(
        ids=PciIds(vendor, device, class_code=_class(found.get("class", ""))),
        driver=_driver(found.get("driver", "")),
        group=_group(found.get("group", "")),
    )


def _ids(found: dict[str, str]) -> tuple[Fact[int], Fact[int]]:
    for what in ("ids", "id"):
        pair = _PAIR.fullmatch(found.get(what, ""))
        if pair:
            return int(pair[1], 16), int(pair[2], 16)
    vendor = _NUMBER.fullmatch(found.get("vendor", ""))
    device = _NUMBER.fullmatch(found.get("device", ""))
    return (
        int(vendor[1], 16) if vendor else Missing.ABSENT,
        int(device[1], 16) if device else Missing.ABSENT,
    )


def _class(text: str) -> Fact[int]:
    found = _CLASS.fullmatch(text)
    if found is None:
        return Missing.ABSENT
    return int(found[1], 16) << 8 | int(found[2] or "0", 16)


def _driver(text: str) -> Fact[str | None]:
    if text.lower() in _NO_DRIVER or not _DRIVER.fullmatch(text):
        return Missing.ABSENT
    return text


def _group(text: str) -> Fact[str | None]:
    if text == "-1":  # so Proxmox says that there is none
        return None
    return str(int(text)) if re.fullmatch(r"\d{1,6}", text) else Missing.ABSENT
