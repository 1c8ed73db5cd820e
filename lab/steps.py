"""The lab's commands as steps of ``whatif``, and the kernel's answers to them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from iommu_inspect.kernel.answers import NOT_APPLICABLE
from lab.guest import Answer, Guest
from lab.machines import Machine as Hardware
from lab.truth import result_of

# The module's own answer: it keeps nothing for this device, and called nobody.
_NOTHING_KEPT = f"-{errno.ENOENT}"

__all__ = ["answer_of", "newcomers_with_drivers", "whatif_steps"]


def whatif_steps(
    hardware: Hardware, command: str, resolve: Callable[[str], str], guest: Guest
) -> list[str] | None:
    """Write one command of a state as the steps that ``whatif`` takes.

    Called before the command runs. ``None`` for what is no step (waiting, looking).
    """
    words = command.split(" ")
    match words:
        case ["give", name, driver]:
            device = resolve(name)
            bound = guest.command(
                f"shell readlink /sys/bus/pci/devices/{device}/driver"
            )
            unbind = [f"unbind={device}"] if bound.lines else []
            return [*unbind, f"bind={device},{driver}"]
        case ["bind", name, driver]:
            return [f"bind={resolve(name)},{driver}"]
        case ["unbind", name]:
            return [f"unbind={resolve(name)}"]
        case ["override", name, driver]:
            return [f"override={resolve(name)},{driver}"]
        case ["hold", "claim", group]:
            return [f"claim={resolve(group)}"]
        case ["release", "claim", group]:
            return [f"release={resolve(group)}"]
        case ["oracle", "attach", name]:
            return [f"attach={resolve(name)}"]
        case ["oracle", "drop", name]:
            return [f"detach={resolve(name)}"]
        case ["sriov", name, count]:
            return [f"sriov={resolve(name)},{count}"]
        case ["plug", name]:
            port = hardware.device(name).bus
            return [f"hotplug={resolve(port)}"] if port else None
        case ["unplug", name]:
            return [f"unplug={resolve(name)}"]
        case _:
            return None


def newcomers_with_drivers(steps: list[str], guest: Guest) -> list[str]:
    """Add the driver that bound by itself to a card that was plugged in."""
    found = []
    for step in steps:
        verb, _, port = step.partition("=")
        driver = _driver_below(port, guest) if verb == "hotplug" else None
        found.append(f"{step},0200,{driver}" if driver else step)
    return found


def _driver_below(port: str, guest: Guest) -> str | None:
    pattern = f"/sys/bus/pci/devices/{port}/0000:*/driver"
    links = guest.command(f"shell ls -d {pattern}").lines
    links = tuple(line for line in links if line.startswith("/sys"))
    if not links:
        return None
    lines = guest.command(f"shell readlink {links[-1]}").lines
    return lines[0].rpartition("/")[2] if lines else None


def answer_of(command: str, answer: Answer) -> str | None:
    """Return what the kernel answered to a command, ``None`` if it does not say.

    A claim that is not held says which call refused it.
    """
    facts: list[Mapping[str, str]] = list(answer.facts())
    verb = command.partition(" ")[0]
    if verb in ("plug", "unplug"):
        return "0"
    if verb == "hold":
        return _held(facts)
    if verb == "release":
        return "0" if any(fact.get("done") == "1" for fact in facts) else None
    for fact in reversed(facts):
        if fact["kind"] == "drop" and fact.get("ret") == _NOTHING_KEPT:
            return NOT_APPLICABLE
        if "ret" in fact:
            return result_of(fact["ret"])
    return None


def _held(facts: list[Mapping[str, str]]) -> str | None:
    if any(fact["kind"] == "held" for fact in facts):
        return "0"
    for fact in facts:
        for key in ("open", "set_container", "set_iommu"):
            value = fact.get(key, "0")
            if value not in ("0", "na"):
                return result_of(value)
    return None
