"""The plan as a script: it can be read, kept, piped to ``sh`` as root, and undone.

It is written for any POSIX shell, busybox's too, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.text import listed
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import NO_GROUP, NOT_TOLD
from iommu_inspect.plan.host.commands import UNSAFE
from iommu_inspect.plan.host.script_checks import CHECKS, check_lines
from iommu_inspect.plan.steps import acts
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.finding import Purpose

__all__ = ["refusing_script", "script"]

_HEAD = """\
set -eu
export LC_ALL=C

fail() { printf 'plan: %s\\n' "$*" >&2; exit 1; }

# driver_of BUS DEVICE: its driver, or nothing
driver_of() {
    if [ -e "/sys/bus/$1/devices/$2/driver" ]; then
        link=$(readlink "/sys/bus/$1/devices/$2/driver")
        printf '%s\\n' "${link##*/}"
    fi
}

# is BUS DEVICE VENDOR DEVICE-ID: still the device that the plan is about?
is() {
    [ -e "/sys/bus/$1/devices/$2" ] || fail "$2 is gone"
    if [ -n "$3$4" ]; then
        found=$(cat "/sys/bus/$1/devices/$2/vendor" "/sys/bus/$1/devices/$2/device")
        # shellcheck disable=SC2086  # two lines become two words
        [ "$(printf '%s ' $found)" = "$3 $4 " ] ||
            fail "$2 is another device than planned for"
    fi
}

# group BUS DEVICE MEMBER...: still the group that the plan is about?
group() {
    bus=$1 device=$2
    shift 2
    members=$(cd "/sys/bus/$bus/devices/$device/iommu_group/devices" &&
        printf '%s ' *) || fail "$device has no group"
    [ "$members" = "$* " ] ||
        fail "the group of $device has other members now: $members"
}

# load DIRECTORY MODULE: have a module, loaded or built in
load() { [ -d "$1" ] || modprobe "$2" || fail "cannot load $2"; }

# override BUS DEVICE DRIVER: who alone may bind; nothing for whoever fits
override() {
    if [ -e "/sys/bus/$1/devices/$2/driver_override" ]; then
        echo "$3" > "/sys/bus/$1/devices/$2/driver_override"
    fi
}

# release BUS DEVICE [DRIVER]: take the driver off, if it is that one; or any
release() {
    found=$(driver_of "$1" "$2")
    if [ -n "$found" ] && [ "$found" = "${3:-$found}" ]; then
        echo "$2" > "/sys/bus/$1/drivers/$found/unbind" || fail "$found keeps $2"
    fi
}

# probe BUS DEVICE DRIVER: let the driver bind that the override names
probe() {
    if [ "$(driver_of "$1" "$2")" != "$3" ]; then
        echo "$2" > "/sys/bus/$1/drivers_probe" || fail "$3 does not take $2"
        [ "$(driver_of "$1" "$2")" = "$3" ] || fail "$3 does not take $2: see dmesg"
    fi
}

# find BUS DEVICE: let whichever driver fits bind
find() { echo "$2" > "/sys/bus/$1/drivers_probe" || fail "no driver for $2"; }

# bind BUS DEVICE DRIVER: give it back
bind() {
    if [ "$(driver_of "$1" "$2")" != "$3" ]; then
        echo "$2" > "/sys/bus/$1/drivers/$3/bind" || fail "$3 does not take $2"
    fi
}
"""

_FUNCTIONS = {
    acts.SetOverride: "override",
    acts.TakeOff: "release",
    acts.Probe: "probe",
    acts.Rebind: "bind",
}


_WHAT = {
    Purpose.VFIO: "Hands {} to user space",
    Purpose.DPDK: "Gives {} to the driver that DPDK wants",
    Purpose.ATTACH: "Leaves {} as it is",
    Purpose.ONE_PER_GROUP: "Hands {} to user space",
}


def script(plan: Plan, label: str) -> str:
    """Return the script; ``label`` names the kernel that the plan was checked for."""
    names = listed(
        shell.comment(move.device.address) for move in plan.moves if move.asked
    ) or listed(shell.comment(target.text) for target in plan.targets)
    checks = check_lines(plan)
    first = "same_devices; conditions;" if checks else "same_devices; same_groups;"
    return "\n".join(
        [
            "#!/bin/sh",
            f"# {_WHAT[plan.purpose].format(names)}, until the next boot.",
            "# Written by iommu-inspect plan from the state that it found; checked",
            f"# with the rules of {shell.comment(label)}.",
            "# As root:  sh FILE       do it",
            "#           sh FILE undo  go back to the state that was found",
            _HEAD,
            *([CHECKS] if checks else []),
            *([_function("conditions", checks)] if checks else []),
            _function("same_devices", _same_devices(plan)),
            *([] if checks else [_function("same_groups", _same_groups(plan))]),
            _function("there", _there(plan)),
            _function("back", _back(plan)),
            "[ -w /sys/bus/pci/drivers_probe ] || fail 'run this as root'",
            'case "${1:-do}" in',
            f"    do) {first} there ;;",
            "    undo) same_devices; back ;;",
            "    *) fail \"nothing is called '$1' here: do or undo\" ;;",
            "esac",
        ]
    )


def refusing_script(reasons: Iterable[str]) -> str:
    """Return a script that says why there is no plan, and fails.

    An empty one would end well when it is piped to a shell.
    """
    lines = ["#!/bin/sh", "# There is no plan.", *map(shell.saying, reasons), "exit 1"]
    return "\n".join(lines)


def _function(name: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" for line in lines) or "    :"
    return f"{name}() {{\n{body}\n}}\n"


def _same_devices(plan: Plan) -> list[str]:
    return [
        f"is {_name(step.device)} {_ids(step.device)}"
        for step in plan.there
        if isinstance(step, acts.SetOverride)
    ]


def _same_groups(plan: Plan) -> list[str]:
    lines = []
    grouped = [m for m in plan.moves if m.group is not NO_GROUP]
    for group in dict.fromkeys(m.group.id for m in grouped if m.changes):
        moves = [move for move in plan.moves if move.group.id == group]
        # As a shell sorts "*" with LC_ALL=C.
        members = sorted(shell.device(move.device) for move in moves)
        changed = next(move.device for move in moves if move.changes)
        lines.append(f"group {_name(changed)} {' '.join(members)}")
    return lines


def _there(plan: Plan) -> list[str]:
    lines = list(map(_line, plan.there))
    given: dict[str, list[Device]] = {}
    for step in plan.there:
        if isinstance(step, acts.Probe):
            given.setdefault(step.driver, []).append(step.device)
    for driver, devices in given.items():
        lines.append(shell.saying(f"plan: {driver} has {addresses(devices)}"))
    return lines


def _back(plan: Plan) -> list[str]:
    users = "guests" if plan.purpose is not Purpose.DPDK else "programs"
    first = f"# Shut the {users} down first: this waits for them."
    return [first, *map(_line, plan.back), ":"]


def _line(step: acts.PlanStep) -> str:
    """Return a step as a call of one of the functions above."""
    match step:
        case acts.Load(module):
            return f"load {_loaded(module)} {shell.module(module)}"
        case acts.AllowUnsafe(allowed=True):
            return shell.echo("Y", UNSAFE)
        case acts.AllowUnsafe():
            # Without the module there is nothing to take back.
            return f"[ ! -e {UNSAFE} ] || {shell.echo('N', UNSAFE)}"
        case acts.Probe(device, driver) if driver == NOT_TOLD:
            return f"find {_name(device)}"
        case acts.TakeOff(device, driver) if driver == NOT_TOLD:
            return f"release {_name(device)}"
        case _:
            driver = "''" if step.driver == "" else shell.driver(step.driver)
            return f"{_FUNCTIONS[type(step)]} {_name(step.device)} {driver}"


def _loaded(module: str) -> str:
    """Return what is there when a module is: a driver shows itself even built in."""
    if module == "vfio_iommu_type1":
        return "/sys/module/vfio_iommu_type1"
    return f"/sys/bus/pci/drivers/{shell.driver(module)}"


def _name(device: Device) -> str:
    return f"{shell.name(device.bus)} {shell.device(device)}"


def _ids(device: Device) -> str:
    vendor, model = device.ids.vendor, device.ids.device
    if not known(vendor) or not known(model):
        return "'' ''"
    return f"{vendor:#06x} {model:#06x}"
