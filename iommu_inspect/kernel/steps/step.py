"""Hypothetical steps: what each is about, and how it is written on a command line.

Whom a step is about stays text until it is taken: a step may name a device that an
earlier one brings.
"""

from __future__ import annotations

from typing import TypeAlias

from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing

__all__ = [
    "DOMAIN_TYPES",
    "STEP_WORDS",
    "Attach",
    "BadStepError",
    "Bind",
    "Claim",
    "Detach",
    "Hotplug",
    "Load",
    "NewId",
    "Override",
    "Probe",
    "Rebind",
    "Release",
    "RemoveId",
    "SetParameter",
    "SetType",
    "Sriov",
    "Step",
    "Unbind",
    "Unload",
    "Unplug",
    "parse_step",
]

# What follows the "=": the words' names; those in brackets may be left out.
STEP_WORDS: dict[str, tuple[str, ...]] = {
    "bind": ("DEV", "DRIVER"),
    "unbind": ("DEV",),
    "override": ("DEV", "[DRIVER]"),
    "probe": ("DEV",),
    "rebind": ("DEV", "DRIVER"),
    "claim": ("GROUP", "[iommufd]"),
    "release": ("GROUP", "[iommufd]"),
    "attach": ("DEV",),
    "detach": ("DEV",),
    "sriov": ("DEV", "N"),
    "hotplug": ("PORT", "[CLASS]", "[DRIVER]"),
    "unplug": ("DEV",),
    "new_id": ("DRIVER", "ID"),
    "remove_id": ("DRIVER", "ID"),
    "type": ("GROUP", "TYPE"),
    "load": ("MODULE",),
    "unload": ("MODULE",),
    "parameter": ("MODULE.NAME", "VALUE"),
}
DOMAIN_TYPES = ("identity", "DMA", "DMA-FQ", "auto")
"""What iommu_group_store_type() takes, whatever else is -EINVAL."""
_LONGEST_NUMBER = 9


class BadStepError(BadRequestError):
    """A step is not written as ``whatif`` takes it; the message says how."""


@dataclass(frozen=True, slots=True)
class _Step:
    """Any step: how it was written, and the words for what it is done to."""

    text: str
    subject: str


@dataclass(frozen=True, slots=True)
class Bind(_Step):
    """Write to ``driver_override``, then to the driver's ``bind``."""

    driver: str


@dataclass(frozen=True, slots=True)
class Probe(_Step):
    """Write to the bus's ``drivers_probe``; ``driver`` where no override names one."""

    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Rebind(_Step):
    """Write to a driver's ``bind`` and nothing else."""

    driver: str


@dataclass(frozen=True, slots=True)
class Unbind(_Step):
    """Write to the ``unbind`` of the device's driver."""


@dataclass(frozen=True, slots=True)
class Override(_Step):
    """Write ``driver_override``; ``None`` clears it."""

    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Claim(_Step):
    """User space takes a group: opens it, sets the container and the IOMMU.

    ``by_iommufd``: it binds a device's own node to an iommufd in their place.
    """

    by_iommufd: bool = False


@dataclass(frozen=True, slots=True)
class Release(_Step):
    """User space lets go of a group, or of a device that it had by iommufd."""

    by_iommufd: bool = False


@dataclass(frozen=True, slots=True)
class Attach(_Step):
    """A driver of the host calls ``iommu_attach_device()``."""


@dataclass(frozen=True, slots=True)
class Detach(_Step):
    """A driver of the host calls ``iommu_detach_device()``."""


@dataclass(frozen=True, slots=True)
class Sriov(_Step):
    """Write the number of virtual functions to ``sriov_numvfs``."""

    count: int


@dataclass(frozen=True, slots=True)
class Hotplug(_Step):
    """Plug a card in below a port; ``driver`` binds to it by itself."""

    class_code: Fact[int] = Missing.ABSENT
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Unplug(_Step):
    """Pull a device out, with what is below it."""


@dataclass(frozen=True, slots=True)
class NewId(_Step):
    """Write an id to a driver's ``new_id``: VENDOR:DEVICE, or a device that has it."""

    id: str


@dataclass(frozen=True, slots=True)
class RemoveId(_Step):
    """Write an id to a driver's ``remove_id``; whoever is bound stays so."""

    id: str


@dataclass(frozen=True, slots=True)
class SetType(_Step):
    """Write one of ``DOMAIN_TYPES`` to a group's ``type``, its default domain's."""

    type: str


@dataclass(frozen=True, slots=True)
class Load(_Step):
    """Load a module, as modprobe does: what is loaded already stays as it is."""


@dataclass(frozen=True, slots=True)
class Unload(_Step):
    """Remove a module, as ``modprobe -r`` and ``rmmod`` do: without force."""


@dataclass(frozen=True, slots=True)
class SetParameter(_Step):
    """Write a parameter of a module that is loaded, as MODULE.NAME."""

    value: str


Step: TypeAlias = (
    Bind
    | Probe
    | Rebind
    | Unbind
    | Override
    | Claim
    | Release
    | Attach
    | Detach
    | Sriov
    | Hotplug
    | Unplug
    | NewId
    | RemoveId
    | SetType
    | Load
    | Unload
    | SetParameter
)
# Those that need no further word.
_PLAIN: dict[str, type[Probe | Unbind | Attach | Detach | Unplug | Load | Unload]] = {
    "probe": Probe,
    "unbind": Unbind,
    "attach": Attach,
    "detach": Detach,
    "unplug": Unplug,
    "load": Load,
    "unload": Unload,
}


def parse_step(text: str) -> Step:
    """Read ``bind=01:00.0,vfio-pci``.

    Raises:
        BadStepError: no such verb, or too few or too many words.
    """
    verb, equals, rest = text.partition("=")
    if verb not in STEP_WORDS or not equals:
        usages = ", ".join(map(_usage, STEP_WORDS))
        raise BadStepError(f"{text!r} is no step; steps are {usages}")
    subject, *words = rest.split(",")
    if subject and all(words):
        match verb, words:
            case "bind", [driver]:
                return Bind(text, subject, driver)
            case "rebind", [driver]:
                return Rebind(text, subject, driver)
            case "claim" | "release", [] | ["iommufd"]:
                return (Claim if verb == "claim" else Release)(
                    text, subject, bool(words)
                )
            case "override", [*drivers] if len(drivers) < 2:
                return Override(text, subject, *drivers)
            case "sriov", [count]:
                return Sriov(text, subject, _number(text, count))
            case "hotplug", [*more] if len(more) < 3:
                return Hotplug(text, subject, _class_code(*more[:1]), *more[1:])
            case "new_id", [name]:
                return NewId(text, subject, name)
            case "remove_id", [name]:
                return RemoveId(text, subject, name)
            case "type", [kind] if kind in DOMAIN_TYPES:
                return SetType(text, subject, kind)
            case "parameter", [value] if all(subject.partition(".")):
                return SetParameter(text, subject, value)
            case _, [] if plain := _PLAIN.get(verb):
                return plain(text, subject)
    types = f" (TYPE is {', '.join(DOMAIN_TYPES)})" if verb == "type" else ""
    raise BadStepError(f"{text!r} is not written as {_usage(verb)}{types}")


def _number(text: str, word: str) -> int:
    if not word.isdecimal() or len(word) > _LONGEST_NUMBER:
        raise BadStepError(f"{text!r}: {word!r} is no number of virtual functions")
    return int(word)


def _class_code(word: str = "") -> Fact[int]:
    """Read ``0200`` or ``020000``; a name of a class counts as not known."""
    try:
        return int(word, 16) << (24 - 4 * len(word))
    except ValueError:
        return Missing.ABSENT


def _usage(verb: str) -> str:
    first, *more = STEP_WORDS[verb]
    tail = (f"[,{w[1:-1]}]" if w.startswith("[") else f",{w}" for w in more)
    return f"{verb}={first}{''.join(tail)}"
