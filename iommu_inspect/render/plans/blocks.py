"""The parts of a plan's text that are to be copied: settings, and the guest's side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.model.text import listed, printable
from iommu_inspect.plan.host.systems import MODPROBE_FILE, Place
from iommu_inspect.plan.writing import Written
from iommu_inspect.render.layout import Style
from iommu_inspect.render.text import fold

__all__ = ["block", "boot_blocks", "guest_blocks", "loader_lines"]


def boot_blocks(words: Written, style: Style) -> list[str]:
    """Return what to write down for every boot."""
    settings = words.boot
    if settings is None:
        return []
    blocks = [fold(f"For every boot ({settings.why}):", style.width)]
    if settings.modprobe:
        blocks.append(block(f"  {MODPROBE_FILE}:", settings.modprobe))
        blocks.append(
            fold(
                "There can be one such file: plan all devices of a host together, and "
                "look for other files that have 'vfio-pci' in them.",
                style.width,
                "  ",
            )
        )
    if settings.initramfs:
        blocks.append(
            "\n".join(["  and in the initramfs:", *_places(settings.initramfs)])
        )
    if settings.kernel_words:
        head = fold(
            "or, where vfio-pci is built into the kernel, on its command line:",
            style.width,
            "  ",
        )
        blocks.append(
            "\n".join(
                [head, *loader_lines(settings.kernel_words, settings.command_line)]
            )
        )
    files = bool(settings.modprobe or settings.initramfs or settings.kernel_words)
    head = "or, by address, with driverctl alone:" if files else "with driverctl:"
    if settings.driverctl:
        blocks.append(block(f"  {head}", settings.driverctl))
    blocks += [fold(note, style.width, "  ") for note in settings.notes]
    if settings.own_system:
        text = "(This is for the system that the source shows; more: --all-systems)"
        blocks.append(fold(text, style.width, "  "))
    if not files and not settings.driverctl:
        return blocks
    text = "Undo: driverctl unset-override DEVICE."
    if files:
        text = (
            "Undo: take the lines and words out again, rebuild the initramfs, boot. "
            "With driverctl: driverctl unset-override DEVICE."
        )
    return [*blocks, fold(text, style.width, "  ")]


def _places(places: Iterable[Place]) -> list[str]:
    """Show files with their lines, each followed by what to run."""
    lines: list[str] = []
    for place in places:
        verb = "add to" if place.how == "add" else "create"
        lines.append(f"    {place.title}")
        if place.path:
            lines.append(f"      {verb} {place.path}:")
        lines += [f"        {line}" for line in place.lines]
        lines += [f"      run: {command}" for command in place.commands]
    return lines


def loader_lines(words: Sequence[str], places: Sequence[Place]) -> list[str]:
    """Show the words, then for each boot loader where they go and what to run."""
    width = max(len(place.title) for place in places)
    lines = [f"      {' '.join(words)}"]
    for place in places:
        what = "; ".join(filter(None, (place.path, *place.commands)))
        lines.append(f"    {place.title:{width}}  {what}")
    return lines


def guest_blocks(words: Written, style: Style) -> list[str]:
    """Return what the guest's side needs, in the words of libvirt and QEMU."""
    if not words.qemu:
        return []
    blocks = []
    if words.libvirt:
        blocks.append(
            block(
                "libvirt, inside <devices> (managed='no': the steps above have bound "
                "it):",
                words.libvirt.split("\n"),
            )
        )
    if words.without_xml:
        names = listed(map(str, words.without_xml))
        text = (
            f"No XML for {names}: libvirt hands it to QEMU as host=, which "
            "takes PCI domains up to ffff. The arguments below use sysfsdev=."
        )
        blocks.append(fold(text, style.width))
    if words.locked:
        text = (
            f"No XML for {listed(map(str, words.locked))}: it has no place for a VF "
            "token."
        )
        blocks.append(fold(text, style.width))
    blocks.append(block("QEMU:", words.qemu))
    blocks += [fold(words.token, style.width)] if words.token else []
    blocks += [fold(words.window.note, style.width)] if words.window else []
    if words.qemu_iommufd:
        blocks.append(
            block(
                "QEMU 9.0 or newer, by way of iommufd (needs vfio-dev files):",
                words.qemu_iommufd,
            )
        )
    if words.only_held:
        names = listed(map(str, words.only_held))
        one = len(words.only_held) == 1
        verb = "will be" if words.there else "is" if one else "are"
        text = (
            f"{names} {verb} on vfio-pci only because of the group: the guest need not "
            f"get {'it' if one else 'them'}, but nobody else can."
        )
        blocks.append(fold(text, style.width))
    return blocks


def block(head: str, lines: Sequence[str]) -> str:
    """Return lines to be copied: they are not folded."""
    indent = " " * (len(head) - len(head.lstrip()))
    return "\n".join([head, *(f"{indent}    {printable(line)}" for line in lines)])
