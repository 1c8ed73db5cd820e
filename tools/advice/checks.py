"""What holds of all advice, whatever the machine: each fault is a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.kernel.answers import OK
from iommu_inspect.kernel.eras import Semantics, applicable
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.step import Override, Probe, Rebind, Step, Unbind
from iommu_inspect.model.asked.target import Target, same_target
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.dynamic_ids import matches, parse_id, split_ids
from iommu_inspect.model.host.settings import ModprobeConfig
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.losses import is_fatal, perhaps_lost, perhaps_untold
from iommu_inspect.plan.decision.moves import NOT_TOLD, Decision
from iommu_inspect.plan.steps.making import Outcome, Plan, make_plan
from iommu_inspect.plan.writing import Written, written
from iommu_inspect.render.audits.verdict import audit_text
from iommu_inspect.render.plans.plan import plan_text
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.outcome import Verdict
from tools.advice.printed import (
    Printed,
    UnknownCommandError,
    of_boot,
    of_script,
    printed,
)

__all__ = ["Counts", "faults", "faults_of_host", "targets_of"]

# Lines that are there to be copied are indented, and begin with one of these.
_COMMAND = re.compile(
    r"^ {4,}((?:echo|modprobe|driverctl|umount|swapoff) .*|\[ ! -e .*)$"
)
_CHANGING = ("umount", "swapoff")
_USB = 0x0C03
_IDS = ("id", "ids", "vfio_pci.id", "vfio_pci.ids")


@dataclass
class Counts:
    """How much was looked at."""

    targets: int = 0
    plans: int = 0
    conditional: int = 0
    refused: int = 0


def targets_of(machine: Machine) -> Iterator[Target]:
    """Yield every device and every group as a target."""
    for group in machine.groups:
        yield Target(f"group:{group.id}", None, group)
    for device in machine.devices:
        yield Target(device.address, device, machine.group_of(device))


def faults_of_host(machine: Machine) -> Iterator[str]:
    """Yield what is wrong with the advice about a whole host."""
    rules = applicable(machine.kernel)
    for purpose in (Purpose.VFIO, Purpose.DPDK):
        result = audit(machine, rules, purpose=purpose)
        text = audit_text(result, notes=True)
        lines = _commands(text)
        yield from _helped(machine, text)
        try:
            for step in printed(x for x in lines if not x.startswith(_CHANGING)):
                yield from _of_touched(machine, machine, step, set())
                if step.touches and _supposes(machine, rules, step, purpose):
                    yield f"{step}: the plan supposes something, and it is not said"
        except UnknownCommandError as error:
            yield f"unknown command: {error}"


def _helped(machine: Machine, text: str) -> Iterator[str]:
    """No line for a file helps ids that name what the host lives on."""
    if not re.search(r"^ {4,}(softdep|options vfio-pci|vfio-pci\.ids=)", text, re.M):
        return
    settings = machine.settings
    config = value_or(settings.modprobe, ModprobeConfig())
    words = [w for line in config.about("options", "vfio_pci") for w in line.options]
    words += value_or(settings.command_line, ())
    for word in words:
        for entry in split_ids(word.value or "") if word.key in _IDS else ():
            parsed = parse_id(entry)
            for device in machine.devices if parsed else ():
                if parsed and matches(parsed, device) and is_fatal(machine, device):
                    yield f"a setting helps ids that name {device.address}"


def _supposes(
    machine: Machine, rules: Semantics, step: Printed, purpose: Purpose
) -> bool:
    """Say whether the plan for what is on vfio already in the group is conditional."""
    device = machine.device(DeviceId(step.device, step.bus))
    group = machine.group_of(device) if device else None
    members = [d for d in group.devices if has_vfio_driver(d) is True] if group else []
    targets = [Target(d.address, d, group) for d in members if d.is_pci]
    return bool(
        targets and make_plan(machine, rules, targets, purpose=purpose).conditions
    )


def faults(
    machine: Machine, target: Target, purpose: Purpose, counts: Counts
) -> Iterator[str]:
    """Yield what is wrong with the advice about one target."""
    rules = applicable(machine.kernel)
    plan = make_plan(machine, rules, (target,), purpose=purpose)
    words = written(plan, rules)
    result = audit(machine, rules, (target,), purpose=purpose)
    counts.targets += 1
    counts.refused += bool(plan.refusals)
    counts.conditional += plan.has_steps and bool(plan.conditions)
    counts.plans += plan.has_steps
    try:
        yield from _touching(machine, plan, words, rules, result)
        if plan.has_steps:
            yield from _leading(plan, words, rules, target)
        yield from _agreeing(plan, words, result, purpose)
    except UnknownCommandError as error:
        yield f"unknown command: {error}"


def _commands(text: str) -> list[str]:
    return [found[1] for line in text.splitlines() if (found := _COMMAND.match(line))]


def _touching(
    machine: Machine, plan: Plan, words: Written, rules: Semantics, result: Audit
) -> Iterator[str]:
    """No command touches a device that stays or never moves."""
    may = {m.device.id for m in plan.moves if m.changes}
    on_vfio = {m.device.id for m in plan.moves if has_vfio_driver(m.device)}
    lines = [
        *_commands(plan_text(plan, words, rules)),
        *_commands(audit_text(result, notes=True)),
    ]
    steps = printed(x for x in lines if not x.startswith(_CHANGING))
    if words.script:
        steps += of_script(words.script, "there") + of_script(words.script, "back")
    boot = words.boot
    if boot is not None:
        ids, overrides = of_boot((*boot.modprobe, *boot.kernel_words))
        for device in machine.devices:
            named = device.is_pci and device.ids.pair in ids
            taken = device.id in may or has_vfio_driver(device) is True
            if named and not taken:
                yield f"ids of every boot take {device.address}"
            if ids and device.is_pci and device.ids.pair is None:
                yield f"ids of every boot may take {device.address}"
        steps += [Printed("override", d, drv) for d, drv in overrides.items()]
    asked = {m.device.id for m in plan.moves if m.asked}
    yield from _unlooked(machine, plan)
    for step in steps:
        device_id = DeviceId(step.device, step.bus)
        # These two are what a refused plan names to be done first.
        if not step.touches or step.verb in ("vfs", "remove"):
            continue
        settled = device_id in on_vfio and step.driver in ("vfio-pci", "")
        if device_id not in may and not (settled and step.verb == "override"):
            yield f"{step} touches what stays"
        yield from _of_touched(machine, plan.machine, step, asked)


def _unlooked(machine: Machine, plan: Plan) -> Iterator[str]:
    """What the host may live on moves only where somebody is told to look at it."""
    looked = {look.about for c in plan.conditions for look in c.looks}
    for move in plan.moves:
        device = machine.device(move.device.id) or move.device
        untold = perhaps_lost(machine, device) or perhaps_untold(machine, device)
        goes = plan.has_steps and move.asked and move.changes
        if goes and untold and device.id not in looked:
            yield f"{device.address} moves, and nobody is told to look at it"


def _of_touched(
    machine: Machine, _supposed: Machine, step: Printed, asked: set[DeviceId]
) -> Iterator[str]:
    """Whatever the plan says: what the host lives on is not touched."""
    device = machine.device(DeviceId(step.device, step.bus))
    if device is None or step.verb in ("vfs", "remove"):
        return
    if is_fatal(machine, device):
        yield f"{step}: the host lives on it"
    if device.id in asked or _is_small(machine, device):
        return
    if perhaps_lost(machine, device) or perhaps_untold(machine, device):
        yield f"{step}: the host may live on it, and nobody asked for it"


def _is_small(machine: Machine, device: Device) -> bool:
    """Serial buses: released, or the USB port of a graphics card."""
    code, address = device.base_class, device.pci_address
    if not known(code) or code >> 8 not in (0x0C, 0x08):
        return False
    return code != _USB or any(
        known(other.base_class) and other.base_class >> 8 == 0x03
        for other in machine.devices
        if (at := other.pci_address) and address and at.slot_name == address.slot_name
    )


def _leading(
    plan: Plan, words: Written, rules: Semantics, target: Target
) -> Iterator[str]:
    """The printed steps lead to what was said, and the printed undo leads back."""
    for there, back, name in (
        (printed(words.there), printed(words.back), "text"),
        (
            of_script(words.script or "", "there"),
            of_script(words.script or "", "back"),
            "script",
        ),
    ):
        after, wrong = _taken(plan.machine, rules, there)
        yield from (f"{name} there: {fault}" for fault in wrong)
        found = same_target(after, target)
        result = audit(after, rules, (found,), purpose=plan.purpose)
        if result.verdict is not Verdict.READY and plan.purpose is not Purpose.ATTACH:
            yield f"{name}: after the steps audit says {result.verdict.value}"
        again, wrong = _taken(after, rules, back)
        yield from (f"{name} back: {fault}" for fault in wrong)
        yield from _same(plan.machine, again, name)


def _taken(
    machine: Machine, rules: Semantics, steps: Iterable[Printed]
) -> tuple[Machine, list[str]]:
    """Take steps one after the other; return where they lead, and what fails."""
    wrong = []
    for step in steps:
        taken = _step(step)
        if taken is None:
            machine = _with_modules(machine, step)
            continue
        simulation = simulate(machine, rules, [taken])
        answer = simulation.outcomes[0].answer
        if answer.result != OK:
            wrong.append(f"{taken.text} returns {answer.result} ({answer.because})")
        machine = simulation.after
    return machine, wrong


def _with_modules(machine: Machine, step: Printed) -> Machine:
    vfio = machine.vfio
    if step.verb == "load" and step.driver == "vfio_iommu_type1":
        vfio = replace(vfio, type1_loaded=True)
    elif step.verb == "unsafe":
        vfio = replace(vfio, type1_allow_unsafe_interrupts=step.driver == "Y")
    return replace(machine, vfio=vfio)


def _step(step: Printed) -> Step | None:
    name = step.device
    match step.verb:
        case "override":
            return Override(f"override={name}", name, step.driver or None)
        case "unbind":
            return Unbind(f"unbind={name}", name)
        case "bind":
            return Rebind(f"rebind={name},{step.driver}", name, step.driver)
        case "probe":
            return Probe(f"probe={name}", name, NOT_TOLD)
    return None


def _same(before: Machine, after: Machine, name: str) -> Iterator[str]:
    for device in before.devices:
        now = after.device(device.id)
        if now is None:
            yield f"{name}: after the undo {device.address} is gone"
        elif now.driver != device.driver:
            yield f"{name}: after the undo {device.address} has {now.driver}"
        elif known(device.driver_override) and (
            now.driver_override != device.driver_override
        ):
            yield f"{name}: the undo loses the override of {device.address}"


def _agreeing(
    plan: Plan, words: Written, result: Audit, purpose: Purpose
) -> Iterator[str]:
    """``audit`` and ``plan`` say the same."""
    advice = result.advice
    if purpose is Purpose.ATTACH:
        return
    ready = result.verdict is Verdict.READY
    # Before v5.19 idle neighbours are kept from getting a driver, ready or not.
    idle = all(m.device.driver is None and not m.asked for m in plan.moves if m.changes)
    nothing = plan.outcome is Outcome.PLANNED and idle and not plan.load
    if ready is not nothing:
        yield f"audit says {result.verdict.value}, plan {plan.outcome.value}"
    if not ready and plan.has_steps and advice.steps != words.there:
        yield "the steps of audit are not those of plan"
    if plan.refusals and advice.steps:
        yield "audit has steps where plan has none"
    if plan.refusals and not ready and not advice.because:
        yield "neither steps nor a reason"
    if advice.decision is Decision.MOVES and not advice.steps:
        yield "it moves, without a step"
