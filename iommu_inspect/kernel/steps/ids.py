"""A driver is told of an id, and told to forget it: ``new_id`` and ``remove_id``.

new_id_store() and remove_id_store() of drivers/pci/pci-driver.c, read in 5.10, 6.1,
6.12 and 7.3. No file shows the ids that a driver was told: what was written before the
source was read is not known, and an answer says so where that matters.
"""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.answers import HOST_CRASH, OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import NO_ID_TWICE
from iommu_inspect.kernel.eras import Era, has_since
from iommu_inspect.kernel.steps.binding import NO_IDS
from iommu_inspect.kernel.steps.drivers import bound
from iommu_inspect.kernel.steps.state import Taken, device_named, done, with_ids
from iommu_inspect.kernel.steps.step import Load, NewId, RemoveId
from iommu_inspect.model.asked.naming import is_pair_of_ids
from iommu_inspect.model.asked.target import UnknownTargetError
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.dynamic_ids import DynamicId, matches, parse_id, split_ids
from iommu_inspect.model.host.settings import ModprobeConfig
from iommu_inspect.model.machine import Machine

__all__ = ["WITHOUT_IDS", "given_id", "new_id", "removed_id", "take_what_fits"]

_RULE = "driver-override"
_NO_ID_TWICE_SINCE = (5, 11)
# vfio-pci's own count only where an override names it.
WITHOUT_IDS = NO_IDS | {"vfio_pci"}


def new_id(machine: Machine, era: Era, step: NewId) -> Taken:
    """Tell a driver of an id: it takes every device without a driver that fits now.

    Those are the ones that have the id and no other override, and those whose override
    names the driver. What its probe refuses is not told.
    """
    driver, pair = step.subject, _pair(machine, step)
    if normalised(driver) in machine.aftermath.removed_modules:
        answer = Answer("-ENOENT", _RULE, f"{driver} was removed")
        return done(machine, step, answer, None)
    if normalised(driver) not in WITHOUT_IDS:
        because = f"whether that id is among {driver}'s own is not known"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    release = value_or(machine.kernel.release, "")
    refuses = has_since(release, era, _NO_ID_TWICE_SINCE)
    known_already = given_id(machine, driver, pair)
    # Told before or now: afterwards it knows the id.
    told = (normalised(driver), pair)
    after = with_ids(machine, machine.aftermath.given_ids | {told})
    if known_already is not False and refuses is not False:
        sure = known_already and refuses
        because = f"{driver} has been told of that id before: nothing is bound"
        if not sure:
            because = f"whether {driver} has been told of that id before is not known"
        result = "-EEXIST" if sure else UNKNOWN
        answer = Answer(result, _RULE, because, (NO_ID_TWICE,))
        return done(after, step, answer, None)
    after, answer = take_what_fits(after, era, step, driver)
    return done(after, step, answer, None)


def removed_id(machine: Machine, step: RemoveId) -> Taken:
    """Have a driver forget an id; what it has it keeps."""
    driver, pair = step.subject, _pair(machine, step)
    if normalised(driver) in machine.aftermath.removed_modules:
        answer = Answer("-ENOENT", _RULE, f"{driver} was removed")
        return done(machine, step, answer, None)
    there = given_id(machine, driver, pair)
    if there is None:
        because = f"whether {driver} has been told of that id is not known"
        return done(machine, step, Answer(UNKNOWN, _RULE, because), None)
    if not there:
        because = f"nothing shows that {driver} has been told of that id"
        return done(machine, step, Answer("-ENODEV", _RULE, because), None)
    told = (normalised(driver), pair)
    after = with_ids(machine, machine.aftermath.given_ids - {told})
    because = f"{driver} forgets it; what is bound stays bound"
    return done(after, step, Answer(OK, _RULE, because), None)


def given_id(machine: Machine, driver: str, pair: str) -> bool | None:
    """Say whether a driver has been told of an id; ``None`` where that cannot be told.

    A device that it has without an override shows that it was, and a setting may have
    told it.
    """
    name = normalised(driver)
    if (name, pair) in machine.aftermath.given_ids:
        return True
    vendor, device = (int(word, 16) for word in pair.split(":"))
    for entry in _configured(machine, name):
        if (entry.vendor, entry.device) == (vendor, device):
            return None
    for each in machine.devices:
        has_it = isinstance(each.driver, str) and normalised(each.driver) == name
        if has_it and each.ids.pair == pair and each.driver_override is None:
            return None  # it has it by that id, or by an override that is gone
    return False


def take_what_fits(
    machine: Machine, era: Era, step: NewId | Load, driver: str
) -> tuple[Machine, Answer]:
    """Have a driver try every device without a driver: driver_attach()."""
    taken: list[str] = []
    refused: list[str] = []
    for device in _free(machine):
        fits = _fits(machine, device, driver)
        if fits is False:
            continue
        current = machine.device(device.id) or device
        if fits is None:
            because = f"whether {driver} takes {device.address} is not known"
            if not known(device.driver_override):
                because = f"whether {device.address} has a driver_override is not told"
            return machine, Answer(UNKNOWN, _RULE, because)
        machine, outcome = bound(machine, era, step, current, current, driver)
        if outcome.answer.result == UNKNOWN and not outcome.answer.probe:
            because = f"{device.address}: {outcome.answer.because}"
            return machine, Answer(UNKNOWN, _RULE, because)
        if outcome.answer.result == HOST_CRASH:
            return machine, outcome.answer
        (taken if outcome.answer.result == OK else refused).append(device.address)
    says = [f"{driver} takes {', '.join(taken)}"] if taken else []
    says += [f"it refuses {', '.join(refused)}, which is not told"] if refused else []
    return machine, Answer(OK, _RULE, "; ".join(says) or f"{driver} finds nothing")


def _free(machine: Machine) -> Iterator[Device]:
    return (d for d in tuple(machine.devices) if d.is_pci and d.driver is None)


def _fits(machine: Machine, device: Device, driver: str) -> bool | None:
    """Say whether the bus matches a driver with a device: pci_match_device()."""
    override, name = device.driver_override, normalised(driver)
    if isinstance(override, str):
        return override == driver
    if not known(override):
        return None
    if (name, device.ids.pair) in machine.aftermath.given_ids:
        # pci_device_can_probe() looks at sriov_drivers_autoprobe of its card.
        return None if device.pci.is_virtual else True
    # What a setting names it may have been told of, or has been told to forget.
    unsure = any(matches(e, device) is not False for e in _configured(machine, name))
    told = any(each == name for each, _ in machine.aftermath.given_ids)
    return None if unsure or (told and device.ids.pair is None) else False


def _configured(machine: Machine, module: str) -> Iterator[DynamicId]:
    """Yield every id that some setting names for a module, in force or not."""
    settings = machine.settings
    words = [w for w in value_or(settings.command_line, ()) if w.key == f"{module}.ids"]
    config = value_or(settings.modprobe, ModprobeConfig())
    for line in config.about("options", module):
        words += [word for word in line.options if word.key == "ids"]
    for word in words:
        found = map(parse_id, split_ids(word.value or ""))
        yield from (entry for entry in found if entry is not None)


def _pair(machine: Machine, step: NewId | RemoveId) -> str:
    """Return the id that a step is about: as it is written, or the named device's."""
    if is_pair_of_ids(step.id):
        return step.id.lower()
    device = device_named(machine, step, step.id)
    if device.ids.pair is None:
        raise UnknownTargetError(f"{step.text!r}: the ids of {step.id} are not told")
    return device.ids.pair
