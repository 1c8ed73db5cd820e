"""``list`` as people paste it into forums and issues, and as we read it again.

The shape is that of ``lspci -nnk`` below "IOMMU Group N:", which everybody who answers
knows by heart, and which `sources/text` reads back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iommu_inspect import __version__
from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known
from iommu_inspect.model.text import printable
from iommu_inspect.render.devices import kind_name

__all__ = ["paste"]

_INDENT = "    "


def paste(
    groups: Iterable[Owned], ungrouped: Iterable[Device], release: Fact[str], said: str
) -> str:
    """Return the groups with their devices, ids and drivers, and what was said of them.

    ``release`` is the kernel's; ``said`` the text of an audit of the whole host.
    """
    rest = [line for device in ungrouped for line in _of_device(device)]
    # In front: behind a group they would be read as members of the last one.
    lines = ["Without an IOMMU group:", *rest, ""] if rest else []
    for owned in groups:
        lines.append(f"IOMMU Group {owned.group.id}:")
        for device in owned.group.devices:
            lines += _of_device(device)
    kernel = f"Linux {release}" if known(release) else "a kernel that is not told"
    lines += ["", f"# iommu-inspect {__version__}, {kernel}:"]
    lines += [f"# {line}".rstrip() for line in said.splitlines()]
    return "\n".join(map(printable, lines))


def _of_device(device: Device) -> Iterator[str]:
    ids = device.ids
    if not device.is_pci or not known(ids.class_code):
        yield f"{_INDENT}{device.address}"  # as lists of groups show what has no more
        return
    code = f" [{ids.class_code >> 8:04x}]"
    name = " ".join(filter(None, (device.vendor_name, device.name)))
    words = [f"{kind_name(device)}{code}:", name]
    if ids.pair is not None:
        words.append(f"[{ids.pair}]")
    if known(ids.revision):
        words.append(f"(rev {ids.revision:02x})")
    yield f"{_INDENT}{device.address} {' '.join(filter(None, words))}"
    if not known(device.driver):
        return
    # Below which a missing driver is none; where the driver is not told, neither is it.
    vendor, model = ids.subsystem_vendor, ids.subsystem_device
    if known(vendor) and known(model) and (vendor or model):
        yield f"{_INDENT * 2}Subsystem: [{vendor:04x}:{model:04x}]"
    if device.driver is not None:
        yield f"{_INDENT * 2}Kernel driver in use: {device.driver}"
