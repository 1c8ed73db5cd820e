"""What the class codes of PCI functions are called (PCI Code and ID Assignment)."""

from __future__ import annotations

from iommu_inspect.model.fact import Fact, known

__all__ = ["CLASSES", "class_name", "is_called"]

_SUBCLASSES = {
    0x0101: "IDE controller",
    0x0104: "RAID controller",
    0x0106: "SATA controller",
    0x0107: "SAS controller",
    0x0108: "NVMe controller",
    0x0200: "Ethernet controller",
    0x0207: "InfiniBand controller",
    0x0280: "Network controller",
    0x0300: "VGA controller",
    0x0302: "3D controller",
    0x0380: "Display controller",
    0x0401: "Audio device",
    0x0403: "HD audio device",
    0x0580: "Memory controller",
    0x0600: "Host bridge",
    0x0601: "ISA bridge",
    0x0604: "PCI bridge",
    0x0607: "CardBus bridge",
    0x0700: "Serial controller",
    0x0780: "Communication controller",
    0x0805: "SD host controller",
    0x0806: "IOMMU",
    0x0880: "System peripheral",
    0x0C03: "USB controller",
    0x0C05: "SMBus",
    0x0C80: "Serial bus controller",
    0x0D80: "Wireless controller",
    0x1180: "Signal processing controller",
}
_BASE_CLASSES = {
    0x01: "Mass storage controller",
    0x02: "Network controller",
    0x03: "Display controller",
    0x04: "Multimedia controller",
    0x05: "Memory controller",
    0x06: "Bridge",
    0x07: "Communication controller",
    0x08: "System peripheral",
    0x09: "Input device",
    0x0B: "Processor",
    0x0C: "Serial bus controller",
    0x0D: "Wireless controller",
    0x10: "Encryption controller",
    0x11: "Signal processing controller",
    0x12: "Processing accelerator",
    0x13: "Instrumentation",
}

# What people call classes, by the beginnings of their codes. A 3D controller is a GPU
# without a plug; Wi-Fi is "Network controller" or "Wireless controller".
CLASSES = {
    "gpu": ("03",),
    "display": ("03",),
    "network": ("02", "0d"),
    "storage": ("01", "0805"),
    "usb": ("0c03",),
    "audio": ("0401", "0403"),
    "accelerator": ("12", "0b40"),
    "bridge": ("06",),
}


def class_name(class_code: Fact[int]) -> str | None:
    """Return the name of a 24-bit class code, ``None`` for one without a name."""
    if not known(class_code):
        return None
    return _SUBCLASSES.get(class_code >> 8) or _BASE_CLASSES.get(class_code >> 16)


def is_called(class_code: int, name: str) -> bool:
    """Say whether people call a 24-bit class code by a name of ``CLASSES``."""
    return f"{class_code:06x}".startswith(CLASSES[name])
