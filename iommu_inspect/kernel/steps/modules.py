"""Modules of VFIO come and go, and their parameters are written.

What a module of another kind binds to, and who uses it, no source tells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.steps.drivers import lets_go
from iommu_inspect.kernel.steps.ids import WITHOUT_IDS, take_what_fits
from iommu_inspect.kernel.steps.state import Taken, done, with_ids
from iommu_inspect.kernel.steps.step import Load, SetParameter, Unload
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.group import Held
from iommu_inspect.model.host.settings import ModprobeConfig, ModuleState
from iommu_inspect.model.machine import Machine

__all__ = ["load", "set_parameter", "unload"]

_RULE = "vfio-access"
_TYPE1 = "vfio_iommu_type1"
# Parameters that root may write, and the fact that each is.
_WRITABLE = {
    (_TYPE1, "allow_unsafe_interrupts"): "type1_allow_unsafe_interrupts",
    ("iommufd", "allow_unsafe_interrupts"): "iommufd_allow_unsafe_interrupts",
    ("vfio", "enable_unsafe_noiommu_mode"): "enable_unsafe_noiommu_mode",
    ("vfio_pci", "enable_sriov"): "enable_sriov",
}
# Those that change no answer of ours.
_OTHERS = {
    (_TYPE1, "disable_hugepages"),
    ("vfio_pci", "disable_idle_d3"),
    ("vfio_pci", "nointxmask"),
}
# Those that are for reading only (module_param(..., 0444)).
_READ_ONLY = {("vfio_pci", "disable_denylist"), ("vfio_pci", "disable_vga")}
# kstrtobool() in lib/kstrtox.c, by the first letter (two after an "o"): 5.10 takes
# these, 6.1 and 6.12 t and f too, and 7.3 e and d.
_TRUE, _FALSE = frozenset("yY1"), frozenset("nN0")
_TAKEN_LATER = frozenset("tTfFeEdD")


def load(machine: Machine, era: Era, step: Load) -> Taken:
    """Load a module: a driver then tries every device without one that fits it."""
    module = normalised(step.subject)
    there = _is_loaded(machine, module)
    if there is True:
        because = f"{step.subject} is there already: modprobe leaves it as it is"
        return done(machine, step, Answer(OK, _RULE, because), None)
    if module == _TYPE1 and machine.vfio_groups is False:
        # VFIO_IOMMU_TYPE1 is of VFIO_CONTAINER, and that of VFIO_GROUP.
        because = "a kernel without CONFIG_VFIO_GROUP has no such module"
        return done(machine, step, Answer("-ENOENT", _RULE, because), None)
    if module == _TYPE1 and machine.vfio_groups is None:
        because = "whether this kernel has such a module is not told"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    if module == _TYPE1:
        unsafe = _configured(machine, module, "allow_unsafe_interrupts")
        vfio = replace(
            machine.vfio, type1_loaded=True, type1_allow_unsafe_interrupts=unsafe
        )
        because = "VFIO_SET_IOMMU has a type to set"
        return done(replace(machine, vfio=vfio), step, Answer(OK, _RULE, because), None)
    if module not in WITHOUT_IDS or there is None:
        because = f"which devices {step.subject} binds to is not known"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    after = _with_state(machine, module, ModuleState.LOADED)
    driver = module.replace("_", "-") if module in ("vfio_pci", "pci_stub") else module
    after, answer = take_what_fits(after, era, step, driver)
    return done(after, step, answer, None)


def unload(machine: Machine, era: Era, step: Unload) -> Taken:
    """Remove a module: its driver lets go of every device that it has.

    Not while somebody uses it: a container VFIO's type 1, an open device its driver.
    """
    module = normalised(step.subject)
    if _is_loaded(machine, module) is False:
        because = f"{step.subject} is not loaded"
        return done(machine, step, Answer("-ENOENT", _RULE, because), None)
    if module == _TYPE1 and machine.vfio.type1_loaded is True:
        return _without_type1(machine, step)
    if module not in WITHOUT_IDS or _is_loaded(machine, module) is None:
        because = f"whether {step.subject} is loaded, and who uses it, is not known"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    nodes = [name for group in machine.groups for name in sorted(group.nodes)]
    if module == "vfio_pci" and nodes:
        because = f"{nodes[0]} is open: it keeps its driver"
        return done(machine, step, Answer("-EAGAIN", _RULE, because), None)
    after = machine
    for device in tuple(machine.devices):
        name = device.driver
        if not isinstance(name, str) or normalised(name) != module:
            continue
        current = after.device(device.id)
        if current is None or current.driver != name:
            continue
        after, outcome = lets_go(after, era, step, current)
        if outcome.answer.result != OK:
            return done(after, step, outcome.answer, None)
    after = _with_state(after, module, ModuleState.NOT_LOADED)
    told = (pair for pair in after.aftermath.given_ids if pair[0] != module)
    after = with_ids(after, frozenset(told))
    because = f"{step.subject} lets go of all that it has"
    return done(after, step, Answer(OK, _RULE, because), None)


def _without_type1(machine: Machine, step: Unload) -> Taken:
    users = [
        group.id
        for group in machine.groups
        if group.held is Held.BY_USER and group.is_noiommu is not True
    ]
    if users:
        because = f"the container of group {users[0]} uses it"
        return done(machine, step, Answer("-EAGAIN", _RULE, because), None)
    vfio = replace(
        machine.vfio, type1_loaded=False, type1_allow_unsafe_interrupts=Missing.ABSENT
    )
    after = replace(machine, vfio=vfio)
    because = "nobody uses it; VFIO_SET_IOMMU has no type to set then"
    return done(after, step, Answer(OK, _RULE, because), None)


def set_parameter(machine: Machine, step: SetParameter) -> Taken:
    """Write a module's parameter below /sys/module, as root."""
    module, _, name = step.subject.partition(".")
    key = (normalised(module), name)
    if key in _READ_ONLY and _is_loaded(machine, key[0]) is True:
        because = "it is set when the module is loaded, and read-only then"
        return done(machine, step, Answer("-EACCES", _RULE, because), None)
    there = _has_parameter(machine, *key)
    if there is None:
        because = f"whether there is a parameter {step.subject} is not known"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    if not there:
        because = f"{module} is not loaded: there is no parameter {name}"
        return done(machine, step, Answer("-ENOENT", _RULE, because), None)
    value = _bool(step.value)
    if value is Missing.UNREADABLE:
        because = f"whether this kernel takes {step.value!r} for Y or N is not known"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    if value is None:
        because = f"{step.value!r} is neither Y nor N"
        return done(machine, step, Answer("-EINVAL", _RULE, because), None)
    changes: dict[str, Any] = {_WRITABLE[key]: value} if key in _WRITABLE else {}
    after = replace(machine, vfio=replace(machine.vfio, **changes))
    because = "it counts from now on; what was set up before stays as it is"
    return done(after, step, Answer(OK, _RULE, because), None)


def _has_parameter(machine: Machine, module: str, name: str) -> bool | None:
    """Say whether a parameter is there to be written; ``None`` where not known."""
    loaded = _is_loaded(machine, module)
    if (module, name) in _OTHERS:
        return loaded
    if (module, name) not in _WRITABLE:
        return None
    now: Fact[bool] = getattr(machine.vfio, _WRITABLE[module, name])
    if known(now):
        return True
    # A capture may leave out the parameters of a module that is there.
    return False if now is Missing.ABSENT and loaded is False else None


def _bool(text: str) -> Fact[bool | None]:
    """Read a word as a kernel does; some are none to all kernels."""
    if text[:1] in _TAKEN_LATER:
        return Missing.UNREADABLE
    if text[0] in _TRUE or text.lower().startswith("on"):
        return True
    return False if text[0] in _FALSE or text.lower().startswith("of") else None


def _is_loaded(machine: Machine, module: str) -> bool | None:
    """Say whether a module is there; ``None`` where the source does not tell."""
    if module == _TYPE1:
        return value_or(machine.vfio.type1_loaded, None)
    state = machine.settings.module(module)
    if known(state):
        return state is not ModuleState.NOT_LOADED
    bound = (d.driver for d in machine.devices)
    if any(isinstance(n, str) and normalised(n) == module for n in bound):
        return True
    return None


def _with_state(machine: Machine, module: str, state: ModuleState) -> Machine:
    others = [pair for pair in machine.settings.modules if pair[0] != module]
    modules = tuple(sorted([*others, (module, state)], key=lambda pair: pair[0]))
    removed = machine.aftermath.removed_modules - {module}
    if state is ModuleState.NOT_LOADED:
        removed |= {module}
    settings = replace(machine.settings, modules=modules)
    vfio = machine.vfio
    if module == "vfio_pci":
        loaded = state is ModuleState.LOADED
        vfio = replace(
            vfio,
            enable_sriov=_configured(machine, module, "enable_sriov")
            if loaded
            else Missing.ABSENT,
            disable_denylist=_configured(machine, module, "disable_denylist")
            if loaded
            else Missing.ABSENT,
        )
    aftermath = replace(machine.aftermath, removed_modules=removed)
    return replace(machine, settings=settings, vfio=vfio, aftermath=aftermath)


def _configured(machine: Machine, module: str, name: str) -> Fact[bool]:
    """Say what modprobe gives a module that it loads; the last word counts."""
    config = value_or(machine.settings.modprobe, ModprobeConfig())
    words = [w for line in config.about("options", module) for w in line.options]
    values = [word.value or "y" for word in words if word.key == name]
    value = _bool(values[-1]) if values else False
    return value if isinstance(value, Missing) else value is True
