"""Random machines with what real ones have: cards, bridges, VMD, SR-IOV, host uses.

Each follows from its seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping, IommuUnit
from iommu_inspect.model.host.kernel import Kernel, VfioSettings
from iommu_inspect.model.host.settings import ModuleState, Settings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.pci.regs import PciExpType, PciHeaderType
from iommu_inspect.model.uses.host import Carrier, Host, HostUse, UseKind
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe

__all__ = ["every", "machine"]

# Class, usual driver, vendor and device of what sits in slots, function by function.
_CARDS = (
    ((0x030000, "nvidia", 0x10DE, 0x1E04), (0x040300, "snd_hda_intel", 0x10DE, 0x10F7)),
    (
        (0x030000, "nouveau", 0x10DE, 0x2206),
        (0x040300, "snd_hda_intel", 0x10DE, 0x1AEF),
        (0x0C0330, "xhci_hcd", 0x10DE, 0x1AD8),
        (0x0C8000, "nvidia-gpu", 0x10DE, 0x1AD9),
    ),
    ((0x030000, "amdgpu", 0x1002, 0x73BF), (0x040300, "snd_hda_intel", 0x1002, 0xAB28)),
    ((0x020000, "e1000e", 0x8086, 0x10D3),),
    ((0x020000, "i40e", 0x8086, 0x1572), (0x020000, "i40e", 0x8086, 0x1572)),
    ((0x020000, "mlx5_core", 0x15B3, 0x1017), (0x020000, "mlx5_core", 0x15B3, 0x1017)),
    ((0x010802, "nvme", 0x144D, 0xA808),),
    ((0x010601, "ahci", 0x1B21, 0x0612),),
    ((0x0C0330, "xhci_hcd", 0x1912, 0x0014),),
    ((0x0B4000, "c6xx", 0x8086, 0x37C8),),
)
_CHIPSET = (
    (0x060100, "lpc_ich", 0x8086, 0xA144),
    (0x0C0500, "i801_smbus", 0x8086, 0xA123),
    (0x0C8000, "intel-spi", 0x8086, 0xA124),
    (0x040300, "snd_hda_intel", 0x8086, 0xA170),
    (0x020000, "e1000e", 0x8086, 0x15B7),
)
_RELEASES = (
    *("4.15.0-1", "5.10.0-32-amd64", "5.15.0-91-generic", "6.1.0-18-amd64"),
    *("6.6.30", "6.12.107+deb13-amd64", "7.3.4+deb13-amd64"),
)
_MIRRORED = 0.2


@dataclass
class _Growing:
    """A machine that is put together: members by group, in the order they came."""

    dice: Random
    groups: dict[str, list[Device]] = field(default_factory=dict)
    alone: list[Device] = field(default_factory=list)
    number: int = 0

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def group(self) -> str:
        self.number += self.dice.choice((1, 1, 1, 2))
        self.groups[str(self.number)] = []
        return str(self.number)

    def add(self, device: Device, group: str) -> Device:
        placed = replace(device, group=group)
        self.groups[group].append(placed)
        return placed

    def function(
        self, address: str, above: str, kind: tuple[int, str, int, int]
    ) -> Device:
        code, driver, vendor, model = kind
        bound: str | None = self.dice.choice(
            (driver, driver, driver, driver, "vfio-pci", None)
        )
        override: str | None = None
        if bound == "vfio-pci" or self.chance(0.05):
            override = self.dice.choice(("vfio-pci", None, "vfio-pci"))
        if self.chance(0.03):
            override = self.dice.choice(("none", "pci-stub"))
        return Device(
            DeviceId(address, "pci"),
            path=f"{above}/{address}",
            driver=bound,
            ids=PciIds(vendor, model, vendor, 1, code, 1),
            pci=PciPlacement(
                PciHeaderType.NORMAL,
                multifunction=False,
                pcie_type=PciExpType.ENDPOINT,
                physfn=None,
                virtfns=(),
                acs=None,
                sriov=None,
            ),
            driver_override=override,
            boot_vga=code == 0x030000 and self.chance(0.3),
            reset_methods=("flr",) if self.chance(0.7) else ("bus",),
        )


def _bridge(
    address: str, above: str, driver: str | None, kind: PciExpType | None
) -> Device:
    return Device(
        DeviceId(address, "pci"),
        path=f"{above}/{address}",
        driver=driver,
        ids=PciIds(0x8086, 0x1901, class_code=0x060400),
        pci=PciPlacement(
            PciHeaderType.BRIDGE,
            multifunction=False,
            pcie_type=kind,
            physfn=None,
            virtfns=(),
            acs=None,
            sriov=None,
        ),
        driver_override=None,
    )


def machine(seed: int) -> Machine:
    """Return the machine of a seed."""
    growing = _Growing(Random(seed))
    root = "sys/devices/pci0000:00"
    _chipset(growing, root)
    _slots(growing, root)
    if growing.chance(0.2):
        _vmd(growing, root)
    if growing.chance(0.1):
        _platform(growing)
    if growing.chance(0.15):
        for name in list(growing.groups)[-2:]:
            growing.alone += [replace(d, group=None) for d in growing.groups.pop(name)]
    return _with_facts(growing, seed)


def _chipset(growing: _Growing, root: str) -> None:
    group = growing.group()
    for number, kind in enumerate(_CHIPSET):
        if number == 0 or growing.chance(0.6):
            address = f"0000:00:1f.{number}"
            growing.add(growing.function(address, root, kind), group)
    for device in growing.groups[group]:
        if device.driver == "vfio-pci" and device.is_chipset:
            growing.groups[group].remove(device)
            break


def _slots(growing: _Growing, root: str) -> None:
    shared: str | None = None
    for number in range(growing.dice.randint(1, 6)):
        bus = number + 1
        isolates = growing.chance(0.7)
        if shared is None or growing.chance(0.5):
            shared = growing.group()
        port_group = growing.group() if isolates else shared
        driver = "shpchp" if growing.chance(0.05) else "pcieport"
        port = _bridge(
            f"0000:00:{number + 1:02x}.0", root, driver, PciExpType.ROOT_PORT
        )
        growing.add(port, port_group)
        card_group = growing.group() if isolates else shared
        _card(growing, f"{root}/{port.address}", bus, card_group)


def _card(growing: _Growing, above: str, bus: int, group: str) -> None:
    card = growing.dice.choice(_CARDS)
    added = []
    for number, kind in enumerate(card):
        function = growing.function(f"0000:{bus:02x}:00.{number}", above, kind)
        added.append(growing.add(function, group))
    physical = added[0]
    if physical.base_class == 0x0200 and growing.chance(0.3):
        _virtual_functions(growing, physical, above, bus, group)


def _virtual_functions(
    growing: _Growing, physical: Device, above: str, bus: int, group: str
) -> None:
    names = []
    for number in range(growing.dice.randint(1, 3)):
        address = f"0000:{bus:02x}:10.{number}"
        kind = (0x020000, "iavf", 0x8086, 0x154C)
        function = growing.function(address, above, kind)
        placement = replace(function.pci, physfn=physical.id)
        own = group if growing.chance(0.3) else growing.group()
        growing.add(replace(function, pci=placement), own)
        names.append(function.id)
    members = growing.groups[group]
    at = next(i for i, d in enumerate(members) if d.id == physical.id)
    placement = replace(physical.pci, virtfns=tuple(names))
    driver = physical.driver if growing.chance(0.5) else "i40e"
    members[at] = replace(physical, pci=placement, driver=driver)


def _vmd(growing: _Growing, root: str) -> None:
    group = growing.group()
    kind = (0x010400, "vmd", 0x8086, 0x201D)
    vmd = replace(
        growing.function("0000:00:0e.0", root, kind), driver="vmd", driver_override=None
    )
    growing.add(vmd, group)
    inside = f"{root}/{vmd.address}/pci10000:e0"
    port = _bridge("10000:e0:06.0", inside, "pcieport", PciExpType.ROOT_PORT)
    growing.add(port, group)
    disk = growing.function(
        "10000:e1:00.0", f"{inside}/{port.address}", (0x010802, "nvme", 0x8086, 0x2522)
    )
    growing.add(replace(disk, driver="nvme", driver_override=None), group)


def _platform(growing: _Growing) -> None:
    group = growing.group()
    for name in ("axi:gpu", "soc:crypto"):
        found = Device(
            DeviceId(name, "platform"),
            path=f"sys/devices/platform/{name}",
            driver=growing.dice.choice(("v3d", None)),
            driver_override=None,
        )
        growing.add(found, group)


def _with_facts(growing: _Growing, seed: int) -> Machine:
    dice = growing.dice
    uses, untold = _host(growing)
    groups = []
    for name, members in growing.groups.items():
        if not members:
            continue
        regions: Fact[tuple[ReservedRegion, ...]] = (
            ReservedRegion(0xFEE00000, 0xFEEFFFFF, "msi"),
        )
        if growing.chance(0.04):
            regions = (ReservedRegion(0x1000, 0x1FFF, "direct"),)
        if growing.chance(0.05):
            regions = Missing.ABSENT
        devices = tuple(
            sorted((_lost(growing, d) for d in members), key=lambda d: d.id)
        )
        groups.append(
            Group(
                name,
                devices,
                type="DMA",
                reserved_regions=regions,
                whole=not growing.chance(0.02),
            )
        )
    remapping: Fact[InterruptRemapping] = InterruptRemapping.ON
    if growing.chance(0.1):
        remapping = dice.choice((Missing.ABSENT, InterruptRemapping.OFF))
    release: Fact[str] = dice.choice(_RELEASES)
    if growing.chance(0.05):
        release = Missing.ABSENT
    loaded: Fact[bool] = dice.choice((True, True, False, Missing.ABSENT))
    return Machine(
        source=Source("tree", f"seed {seed}"),
        kernel=Kernel(release=release, command_line="quiet"),
        groups=tuple(groups),
        ungrouped=tuple(sorted(growing.alone, key=lambda d: d.id)),
        iommus=(IommuUnit("dmar0"),),
        firmware_tables=("DMAR",),
        guest=False,
        interrupt_remapping=remapping,
        settings=_settings(growing),
        vfio=VfioSettings(False, False, False, type1_loaded=loaded),
        host=Host(
            uses=uses, untold=untold, disks=_of(growing, 1), interfaces=_of(growing, 2)
        ),
    )


def _settings(growing: _Growing) -> Settings:
    """Have some hosts name ids already, in one of the two places, well or not."""
    every_one = [d for members in growing.groups.values() for d in members]
    pairs = [d.ids.pair for d in every_one if d.is_bridge is False and d.ids.pair]
    if not pairs or not growing.chance(0.3):
        return Settings()
    ids = ",".join(growing.dice.choice(pairs) for _ in range(2))
    key = growing.dice.choice(("ids", "ids", "id"))
    place = growing.dice.choice(("line", "file"))
    line = f"options vfio-pci {key}={ids}" if place == "file" else ""
    word = f"quiet vfio-pci.{key}={ids}" if place == "line" else "quiet"
    return Settings(
        modprobe=parse_modprobe(line, "/etc/modprobe.d/vfio.conf"),
        command_line=parse_command_line(word),
        modules=(("vfio_pci", ModuleState.LOADED),),
    )


def _lost(growing: _Growing, device: Device) -> Device:
    """Lose a fact of a few devices."""
    if growing.chance(0.03):
        return replace(device, driver=Missing.ABSENT)
    if growing.chance(0.02):
        return replace(device, driver_override=Missing.DENIED)
    if growing.chance(0.01):
        placement = replace(device.pci, header_type=Missing.TRUNCATED)
        ids = replace(device.ids, class_code=Missing.ABSENT)
        return replace(device, pci=placement, ids=ids)
    return device


def _of(growing: _Growing, base: int) -> tuple[str, ...]:
    return tuple(
        sorted(
            d.path
            for members in growing.groups.values()
            for d in members
            if known(d.path) and known(d.base_class) and d.base_class >> 8 == base
        )
    )


_Untold = tuple[tuple[UseKind, Missing], ...]


def _host(growing: _Growing) -> tuple[tuple[HostUse, ...], _Untold]:
    every: _Untold = (
        (UseKind.FILE_SYSTEM, Missing.ABSENT),
        (UseKind.SWAP, Missing.ABSENT),
        (UseKind.DEFAULT_ROUTE, Missing.ABSENT),
    )
    if growing.chance(0.25):
        return (), every
    uses = list(_on(growing, 1, UseKind.FILE_SYSTEM, ("/", "/home"), Carrier.DISK))
    uses += _on(growing, 2, UseKind.DEFAULT_ROUTE, ("br0",), Carrier.INTERFACE)
    return tuple(uses), ()


def _on(
    growing: _Growing, base: int, kind: UseKind, what: tuple[str, ...], by: Carrier
) -> Iterator[HostUse]:
    bound = {
        d.path
        for members in growing.groups.values()
        for d in members
        if d.driver not in (None, "vfio-pci") and known(d.path)
    }
    paths = [path for path in _of(growing, base) if path in bound]
    if growing.chance(0.1):
        yield HostUse(kind, what, Missing.ABSENT, carrier=by)
    elif paths and growing.chance(0.8):
        some = growing.dice.sample(paths, 2 if len(paths) > 1 else 1)
        mirrored = growing.chance(_MIRRORED)
        needs = (tuple(sorted(some)),) if mirrored else ((some[0],),)
        yield HostUse(kind, what, needs, carrier=by)


def every(count: int) -> Iterator[tuple[int, Machine]]:
    """Yield the machines of the first seeds."""
    for seed in range(count):
        yield seed, machine(seed)
