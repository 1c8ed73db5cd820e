"""``vfio-pci.ids`` names a device, and yet another driver, or none, is bound to it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.dynamic_ids import DynamicId
from iommu_inspect.model.host.settings import ModprobeConfig, ModuleState
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import (
    ByAddress,
    Cure,
    LoadModule,
    Look,
    Looking,
    ProbeAgain,
    WriteLine,
)
from iommu_inspect.rules._ids import not_to_be_taken, warned
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.settings.ids import IdSetting, named_by
from iommu_inspect.settings.oddity import is_plain

ABOUT = About(
    id="ids-without-effect",
    summary="vfio-pci.ids names a device that another driver has",
    severity=Severity.WARNING,
)
_MODULE, _DRIVER = "vfio_pci", "vfio-pci"
_FILE = "/etc/modprobe.d/vfio.conf"
_REBUILD = (
    "Rebuild the initramfs, which has a copy of modprobe.d of its own "
    "(update-initramfs -u, dracut -f or mkinitcpio -P), and boot again."
)
# What to do: prose, and what would help as data.
_Remedy = tuple[str, tuple[Cure, ...]]


def _check(case: Case) -> Iterator[Finding]:
    setting = _counting(case.ids(_MODULE))
    if setting is None:
        return
    twins = _Twins(case, setting)
    for device in case.asked if case.targets else case.machine.devices:
        if not any(named for _, named in named_by(setting, device)):
            continue
        if has_vfio_driver(device) is not False:
            continue  # it is where it should be, or mixed-ownership says "cannot tell"
        if isinstance(device.driver_override, str):
            continue  # the override decides, not the ids: driver-override, or nothing
        if twins.of(device):
            continue  # ids-take-others speaks of those
        yield _judge(case, setting, device)


def _counting(settings: tuple[IdSetting, ...]) -> IdSetting | None:
    """Return the setting to speak of: in force, or never reaching.

    One that a later one replaces is settings-typo's.
    """
    in_force = next((s for s in settings if s.in_force), None)
    return in_force or (settings[-1] if settings else None)


class _Twins:
    """What the ids took and nobody asked for now, by the entries that name it."""

    def __init__(self, case: Case, setting: IdSetting) -> None:
        self._setting = setting
        self._taken: dict[DynamicId, set[DeviceId]] = {}
        for device in case.machine.devices:
            if has_vfio_driver(device) is True and not case.is_target(device):
                for entry, _ in named_by(setting, device):
                    self._taken.setdefault(entry, set()).add(device.id)

    def of(self, device: Device) -> bool:
        """Say whether there is one like a device."""
        mine = (entry for entry, named in named_by(self._setting, device) if named)
        taken = (self._taken.get(entry, set()) for entry in mine)
        return any(len(some) > (device.id in some) for some in taken)


def _judge(case: Case, setting: IdSetting, device: Device) -> Finding:
    entry = next(entry for entry, named in named_by(setting, device) if named)
    why, (remedy, cures) = _cause(case.machine, setting, device)
    lost, sure = case.inquiry.once(
        ("not to be taken", setting.where, setting.text),
        lambda: not_to_be_taken(case.machine, setting.entries),
    )
    if lost:
        remedy, cures = " ".join(warned(lost, sure=sure)), ()
    quiet = device.driver is None and not case.targets
    told = known(case.machine.settings.module(_MODULE))
    return case.finding(
        device,
        f"vfio-pci's ids {setting.where} name {shown(device.address)} "
        f"({shown(entry.text)}), but the device is {bound_to(device)}: {why}",
        remedy,
        severity=Severity.INFO if quiet else None,
        certainty=Certainty.DERIVED if told else Certainty.UNKNOWN,
        cures=cures,
    )


def _cause(machine: Machine, setting: IdSetting, device: Device) -> tuple[str, _Remedy]:
    """Say why, and what to do."""
    state = machine.settings.module(_MODULE)
    if state is ModuleState.BUILT_IN and setting.from_modprobe:
        return (
            "vfio-pci is built into this kernel, and modprobe.d is for modules.",
            _on_command_line(setting),
        )
    if state is ModuleState.NOT_LOADED:
        return (
            f"vfio-pci is not loaded{_kept_out(machine)}, and no device makes the "
            "kernel load it.",
            _load_first(machine, device),
        )
    if device.driver is None:
        look, again = Look(Looking.KERNEL_LOG, "vfio"), ProbeAgain(device.id, _DRIVER)
        return (
            "vfio-pci has not taken it, or somebody unbound it since.",
            (
                "Look what the kernel log has of vfio-pci, and let it probe again.",
                (look, again),
            ),
        )
    if not known(state):
        return (
            "that driver was there first, or vfio-pci is not loaded, or it is built "
            "in and does not see modprobe.d; the source does not tell.",
            _load_first(machine, device),
        )
    return _lost_race(machine, device)


def _on_command_line(setting: IdSetting) -> _Remedy:
    line = f"vfio-pci.ids={setting.value}"
    if not is_plain(line):
        return "Put it on the kernel command line instead.", ()
    return "Put it on the kernel command line instead:", (WriteLine("", line),)


def _lost_race(machine: Machine, device: Device) -> tuple[str, _Remedy]:
    """vfio-pci is there, with these ids, and came too late."""
    module = _module_of(machine, device)
    if machine.settings.module(_MODULE) is ModuleState.BUILT_IN:
        return (
            "vfio-pci is built into this kernel, but that driver was there first, or "
            "somebody has bound it since.",
            _by_address(device),
        )
    if machine.settings.module(module) is ModuleState.BUILT_IN:
        return (
            "that driver is built into the kernel and was there before any module.",
            _by_address(device),
        )
    if _MODULE in _modprobe(machine).loaded_before(module):
        return (
            f"that driver was there first, although a softdep of {shown(module)} asks "
            "for vfio-pci before it: the initramfs may not have that line yet.",
            (_REBUILD, ()),
        )
    return "that driver was there first.", _load_first(machine, device)


def _load_first(machine: Machine, device: Device) -> _Remedy:
    if device.driver is None:
        return "Have vfio-pci loaded; it then probes the device.", (
            LoadModule(_DRIVER),
        )
    module = _module_of(machine, device)
    if machine.settings.module(module) is ModuleState.BUILT_IN:
        return _by_address(device)
    if _MODULE in _modprobe(machine).loaded_before(module):
        return _REBUILD, ()
    line = f"softdep {module} pre: vfio-pci"
    if not is_plain(line):
        return f"Let vfio-pci be loaded before that driver. {_REBUILD}", ()
    return (
        f"Let vfio-pci be loaded before {shown(module)}, with this line in {_FILE}. "
        f"{_REBUILD}",
        (WriteLine(_FILE, line),),
    )


def _by_address(device: Device) -> _Remedy:
    """No softdep helps against a driver that is built in."""
    return (
        "Choose the driver by address (driverctl keeps that over boots).",
        (ByAddress(device.id, _DRIVER),),
    )


def _kept_out(machine: Machine) -> str:
    """Name what keeps vfio-pci from being loaded at all."""
    for word in value_or(machine.settings.command_line, ()):
        names = normalised(word.value or "").split(",")
        if word.key == "module_blacklist" and _MODULE in names:
            return f" ({shown(word.text)} on the kernel command line forbids it)"
    for line in _modprobe(machine).about("install", _MODULE):
        return f" ({shown(line.file)} runs another command in its place)"
    return ""


def _module_of(machine: Machine, device: Device) -> str:
    """Return the module of the bound driver, by the driver's name if it is not told."""
    driver = str(device.driver)
    return value_or(machine.settings.module_of(driver), normalised(driver))


def _modprobe(machine: Machine) -> ModprobeConfig:
    return value_or(machine.settings.modprobe, ModprobeConfig())


RULE = Rule(ABOUT, check_machine=_check)
