"""Each file that is read, by its kind; what is of no known kind is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from iommu_inspect.sources.host.mounts import routes4, routes6
from iommu_inspect.sources.snapshot.capture import UNREAD, Capture, Entry, Link
from iommu_inspect.sources.snapshot.redaction import mounts, settings
from iommu_inspect.sources.snapshot.redaction.command_line import command_line
from iommu_inspect.sources.snapshot.redaction.config_space import without_serial
from iommu_inspect.sources.snapshot.redaction.names import Names
from iommu_inspect.sources.snapshot.redaction.pseudonyms import Pseudonyms
from iommu_inspect.sources.snapshot.redaction.routes import (
    Addresses,
    written4,
    written6,
)
from iommu_inspect.sources.snapshot.redaction.secrets import Words
from iommu_inspect.sources.sysfs.machine import HYPERVISOR_VENDORS

__all__ = ["scrubbed"]

# Attributes of sysfs that the kernel or firmware makes, by the last part of the path.
_ATTRIBUTES = frozenset(
    (
        *(
            "active",
            "address",
            "boot_vga",
            "cap",
            "chip_name",
            "class",
            "degraded",
            "device",
        ),
        *("driver_override", "enabled", "initstate", "label", "level", "maxchild"),
        *("name", "numa_node"),
        *("power_state", "raid_disks", "removable", "reserved_regions"),
        *("reset_method", "resource", "revision", "runtime_status", "status"),
        *("subsystem_device", "subsystem_vendor", "type", "uuid", "vendor"),
        *("bInterfaceClass", "bInterfaceProtocol", "bInterfaceSubClass"),
    )
)
_PARAMETERS = re.compile(r"sys/module/\w+/parameters/\w+", re.ASCII)
_DM = re.compile(r"(?:part[0-9]+-)?(?:mpath|LVM|CRYPT)-")
_PROCESSES = re.compile(
    r"Xorg|Xwayland|X|Hyprland|sway|weston|gnome-shell|kwin_(?:x11|wayland)|cinnamon"
    r"|mutter.*|gdm.*|sddm.*|lightdm.*|plasmashell|systemd(?:-\w+)?|init|upowerd|acpid"
    r"|qemu-(?:system-\w+|kvm)|kvm|CPU [0-9]+/KVM|libvirtd|virtqemud|virtlogd|dpdk-\w+"
    r"|testpmd|spdk_tgt|nvmf_tgt|pipewire|wireplumber|pulseaudio|nvidia-\w+"
    r"|cloud-hyperviso|firecracker|ollama|python3?|steam|firefox|chrome|mpv|nvtop"
)
_LISTS = re.compile(
    r"etc/modules|etc/initramfs-tools/modules|(?:etc|usr/lib)/modules-load\.d/.*"
)
_SHELLS = re.compile(r"etc/(?:mkinitcpio|dracut)\.conf(?:\.d/.*)?")
_MODPROBE = re.compile(
    r"(?:etc|run|lib|usr/lib|usr/local/lib)/modprobe\.d/.*", re.DOTALL
)
_REDUCED = re.compile(
    r"proc/(?:cpuinfo|interrupts|iomem|modules|self/limits|sys/kernel/osrelease)"
    r"|sys/bus/pci/slots/[^/]+/address|proc/xen/capabilities|proc/driver/nvidia/gpus/[^/]+/information"
    r"|(?:etc|usr/lib)/os-release|(?:usr/)?lib/modules/[^/]+/modules\.\w+"
)
# Bytes, in which nothing is a text.
_BINARY = re.compile(r".*/config|sys/firmware/acpi/tables/IORT|sys/kernel/btf/vmlinux")


def scrubbed(capture: Capture, secrets: Mapping[str, str], *, strict: bool) -> Capture:
    """Return a capture in which other names stand for those that are people's."""
    return _Scrubber(capture, secrets, strict=strict).capture()


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


class _Scrubber:
    def __init__(
        self, capture: Capture, secrets: Mapping[str, str], *, strict: bool
    ) -> None:
        self._capture = capture
        self._strict = strict
        texts = [
            *capture.entries,
            *(
                e.text if isinstance(e, Link) else _decoded(e)
                for p, e in capture.entries.items()
                if isinstance(e, Link)
                or (isinstance(e, bytes) and not _BINARY.fullmatch(p))
            ),
        ]
        self._pseudonyms = Pseudonyms(texts)
        self._words = Words(secrets, self._pseudonyms)
        self._names = Names(self._pseudonyms, self._words, strict=strict)
        self._names.settings_files(sorted(capture.entries))
        self._addresses = Addresses.of(
            self._text("proc/net/route"), self._text("proc/net/ipv6_route")
        )

    def _text(self, path: str) -> str:
        """Return a file's text; /proc/net is a link to what is in /proc/self."""
        name = path.removeprefix("proc/")
        for place in (path, f"proc/self/{name}"):
            entry = self._capture.entries.get(place)
            if isinstance(entry, bytes):
                return _decoded(entry)
        return ""

    def capture(self) -> Capture:
        old, path = self._capture, self._names.path
        entries = {
            path(place): self._entry(place, entry)
            for place, entry in sorted(old.entries.items())
        }
        return replace(
            old,
            entries=entries,
            refused={path(p): why for p, why in sorted(old.refused.items())},
            absent=frozenset(map(path, sorted(old.absent))),
            listed=frozenset(map(path, sorted(old.listed))),
            nodes={path(p): node for p, node in sorted(old.nodes.items())},
        )

    def _entry(self, path: str, entry: Entry) -> Entry:
        if isinstance(entry, Link):
            return Link(self._names.link(path, entry.text))
        if not isinstance(entry, bytes):
            return entry
        if _BINARY.fullmatch(path):
            return without_serial(entry) if path.endswith("/config") else entry
        scrub = self._scrub_for(path)
        if scrub is None:
            return UNREAD
        text = self._pseudonyms.swept(scrub(_decoded(entry)))
        return text.encode("utf-8", "surrogateescape")

    def _scrub_for(self, path: str) -> Callable[[str], str] | None:
        name = path.rpartition("/")[2]
        if path.startswith("sys/"):
            return self._of_sysfs(path, name)
        if path == "proc/cmdline":
            return self._command_line
        if path.startswith("proc/") and name in ("mountinfo", "mounts"):
            parse = mounts.mountinfo if name == "mountinfo" else mounts.mounts
            return lambda text: parse(text, self._names, self._addresses.address)
        if path == "proc/swaps":
            return lambda text: mounts.swaps(text, self._names)
        if path.startswith("proc/") and name in ("route", "ipv6_route"):
            return self._routes4 if name == "route" else self._routes6
        if path.startswith("proc/") and name == "comm":
            return self._process
        if _MODPROBE.fullmatch(path):
            return lambda text: self._words.without(settings.modprobe(text))
        if _LISTS.fullmatch(path):
            return lambda text: self._words.without(settings.module_list(text))
        if _SHELLS.fullmatch(path):
            return lambda text: self._words.without(settings.shell_list(text))
        return self._words.without if _REDUCED.fullmatch(path) else None

    def _of_sysfs(self, path: str, name: str) -> Callable[[str], str] | None:
        if path.endswith("/dm/name"):
            return lambda text: f"{self._names.label(text.strip())}\n"
        if path.endswith("/dm/uuid"):
            return _kind_of_map
        if path.endswith("/bonding/slaves"):
            return self._slaves
        if name == "uevent":
            return _device_type
        if name == "device_name":
            return (lambda _: "device\n") if self._strict else self._words.without
        if name == "sys_vendor":
            return self._vendor
        known = name in _ATTRIBUTES or path == "sys/hypervisor/type"
        return self._same if known or _PARAMETERS.fullmatch(path) else None

    @staticmethod
    def _same(text: str) -> str:
        return text

    def _vendor(self, text: str) -> str:
        told = not self._strict or HYPERVISOR_VENDORS.search(text)
        return text if told else "redacted\n"

    def _command_line(self, text: str) -> str:
        return command_line(text, self._names, self._words, strict=self._strict)

    def _process(self, text: str) -> str:
        usual = _PROCESSES.fullmatch(text.strip()) and not self._strict
        return text if usual else "process\n"

    def _slaves(self, text: str) -> str:
        return f"{' '.join(map(self._names.interface, text.split()))}\n"

    def _routes4(self, text: str) -> str:
        if not text.strip():
            return ""
        return written4(
            (self._names.interface(route.interface), *self._addresses.shown(route))
            for route in routes4(text)
        )

    def _routes6(self, text: str) -> str:
        return written6(
            (self._names.interface(route.interface), *self._addresses.shown(route))
            for route in routes6(text)
        )


def _kind_of_map(text: str) -> str:
    """Keep what a map of device-mapper is; the rest is a serial number or a label."""
    found = _DM.match(text)
    return f"{found[0]}redacted\n" if found else "redacted\n"


def _device_type(text: str) -> str:
    return "".join(f"{n}\n" for n in text.splitlines() if n.startswith("DEVTYPE="))
