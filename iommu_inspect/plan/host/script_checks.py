"""The checks of a conditional plan, as a script makes them before it touches anything.

What only a person can judge is asked for by name: the script then wants to be told
that somebody has looked.
"""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.plan import shell
from iommu_inspect.plan.host.cures import cure_lines
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._cures import Look, Looking

__all__ = ["CHECKS", "check_lines"]

CHECKS = """\
# card BUS DEVICE MEMBER...: is the group these, and bridges, and nothing else?
card() {
    bus=$1 device=$2
    shift 2
    for path in "/sys/bus/$bus/devices/$device/iommu_group/devices"/*; do
        [ -e "$path" ] || fail "$device has no group: the IOMMU is off"
        member=${path##*/}
        case " $* " in *" $member "*) continue ;; esac
        case "$(cat "$path/class")" in 0x0604*) continue ;; esac
        fail "$member is in the group of $device too: make the plan again"
    done
}

# no_direct BUS DEVICE: firmware insists on no 1:1 mapping
no_direct() {
    if grep -q ' direct$' "/sys/bus/$1/devices/$2/iommu_group/reserved_regions"; then
        fail "firmware insists on a 1:1 mapping for the group of $2"
    fi
}

# remapped: interrupts are
remapped() {
    cat /sys/kernel/irq/*/chip_name 2>/dev/null | grep -q -e '^IR-' -e '^ITS-' ||
        fail 'interrupts are not remapped'
}

# looked COMMAND: somebody has
looked() {
    [ "${LOOKED:-}" = yes ] ||
        fail "look first what the host uses: $1 (then: LOOKED=yes sh FILE)"
}
"""


def check_lines(plan: Plan) -> tuple[str, ...]:
    """Return a plan's conditions as calls of the functions of ``CHECKS``."""
    return tuple(
        dict.fromkeys(
            line
            for condition in plan.conditions
            for look in condition.looks
            for line in _checked(plan, look)
        )
    )


def _checked(plan: Plan, look: Look) -> Iterator[str]:
    """Yield the calls for one look; what cannot be checked here fails the script."""
    try:
        yield from tuple(_line(plan, look))
    except shell.UnwritableError:
        yield "fail 'no check is written with a name of this source: plan on the host'"


def _line(plan: Plan, look: Look) -> Iterator[str]:
    about = look.about
    match look.what:
        case Looking.NEIGHBOURS if isinstance(about, DeviceId):
            members = [
                shell.device(move.device)
                for move in plan.moves
                if move.group.id in _groups(plan, about)
            ]
            yield f"card {_name(about)} {' '.join(members)}"
        case Looking.REGIONS_OF if isinstance(about, DeviceId):
            yield f"no_direct {_name(about)}"
        case Looking.INTERRUPTS:
            yield "remapped"
        case Looking.MOUNTS | Looking.SWAPS | Looking.ROUTES | Looking.POOL:
            # Also where no command is written: it is the look that counts.
            for command in cure_lines(look):
                yield f"looked {shell.word(command)}"
        case _:
            return


def _groups(plan: Plan, device: DeviceId) -> set[str]:
    return {move.group.id for move in plan.moves if move.device.id == device}


def _name(device: DeviceId) -> str:
    return f"{shell.name(device.bus)} {shell.device(device)}"
