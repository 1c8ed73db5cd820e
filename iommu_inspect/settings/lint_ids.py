"""Ids that are lost: bad entries, entries behind a space, settings replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile

from iommu_inspect.model.host.dynamic_ids import DynamicId, parse_id, split_ids
from iommu_inspect.model.host.settings import ModprobeConfig, Word
from iommu_inspect.model.text import listed, shown
from iommu_inspect.settings.ids import COMMAND_LINE, ID_DRIVERS, IdSetting, place_of
from iommu_inspect.settings.oddity import Fix, Oddity, entries_of, ids_in, write

__all__ = ["bad_entries", "replaced", "split_by_space"]

_ADDRESS = re.compile(r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]")
# ids[1024] in drivers/vfio/pci/vfio_pci.c and drivers/pci/pci-stub.c, of which
# param_set_copystring() wants one for the end.
_MOST_CHARACTERS = 1023
_LOOKS_LIKE_ID = re.compile(
    r",?[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(?::[0-9a-fA-F:]*)?(?:,.*)?"
)


def bad_entries(setting: IdSetting) -> Iterator[Oddity]:
    """Yield entries that are no ids, or say more than the kernel reads."""
    for text in split_ids(setting.value):
        entry = parse_id(text)
        driver = ID_DRIVERS[setting.module]
        if _ADDRESS.fullmatch(text):
            yield Oddity(
                where=setting.where,
                text=setting.text,
                why=(
                    f"{shown(text)} is an address, and ids= takes vendor:device as in "
                    "lspci -nn"
                ),
                fix=Fix(
                    "Write its vendor:device there, or choose the driver by address "
                    "(driverctl keeps that over boots)."
                ),
                lost_addresses=(_full(text),),
                driver=driver,
            )
        elif entry is None:
            yield Oddity(
                where=setting.where,
                text=setting.text,
                why=(
                    f"{shown(text)} is no vendor:device in hexadecimal; the kernel "
                    f'logs invalid id string "{shown(text)}" and goes on'
                ),
                fix=_as_in_lspci(setting, driver),
                lost=ids_in(text),
            )
        elif entry.rest.strip(":") or _too_wide(entry):
            yield Oddity(
                where=setting.where,
                text=setting.text,
                why=_why_odd(entry),
                fix=_as_in_lspci(setting, driver),
                lost=ids_in(text)[1:],
            )


def _as_in_lspci(setting: IdSetting, driver: str) -> Fix:
    """Show the form, with ids that nobody may take for the right ones."""
    form = f"options {driver} ids" if setting.from_modprobe else f"{driver}.ids"
    return Fix(
        "Write each entry as lspci -nn shows it (vendor:device, four hexadecimal "
        f"digits each), with a comma and no space between: {form}=VVVV:DDDD,VVVV:DDDD."
    )


def _too_wide(entry: DynamicId) -> bool:
    """Say whether no device can have that number; 0xffffffff means any."""
    return any(0xFFFF < n < 0xFFFFFFFF for n in entry.numbers[:4])


def _why_odd(entry: DynamicId) -> str:
    if entry.rest.strip(":"):
        return (
            f"in {shown(entry.text)} the kernel does not read {shown(entry.rest)}, "
            "and does not say so"
        )
    return f"{shown(entry.text)} has a number of more than 16 bits: no device has it"


def replaced(configured: tuple[IdSetting, ...]) -> Iterator[Oddity]:
    """Yield settings that a later one replaces, where that loses ids."""
    last = next((s for s in configured if s.in_force), None)
    if last is None:
        return
    kept = {entry.numbers for entry in last.entries}
    fix = _in_one(configured, last)
    for setting in configured[: configured.index(last)]:
        if {entry.numbers for entry in setting.entries} <= kept:
            continue  # to say the same twice does no harm
        driver = ID_DRIVERS[setting.module]
        yield Oddity(
            where=setting.where,
            text=setting.text,
            why=(
                f"{shown(last.text)} {last.where} comes after it, and each ids= "
                "replaces those before it; they do not add up"
                if setting.reaches
                else f"{driver} is built in, and modprobe.d is for modules"
            ),
            fix=fix,
            lost=setting.entries,
        )


def _in_one(configured: tuple[IdSetting, ...], last: IdSetting) -> Fix:
    """Have everything where it counts."""
    driver = ID_DRIVERS[last.module]
    ids = ",".join(_unique(configured))
    if len(ids) > _MOST_CHARACTERS:
        return Fix(
            f"All of them do not fit into the {_MOST_CHARACTERS} characters that "
            f"{driver} takes: choose by address (driverctl keeps that over boots)."
        )
    if last.from_modprobe:
        line = f"options {driver} ids={ids}"
        return write("Put all into one line", line, last.file)
    return write("Put all into one, on the kernel command line", f"{driver}.ids={ids}")


def _unique(configured: tuple[IdSetting, ...]) -> tuple[str, ...]:
    found = (entry for s in configured for entry in split_ids(s.value))
    return tuple(dict.fromkeys(found))


def split_by_space(
    words: tuple[Word, ...], modprobe: ModprobeConfig
) -> Iterator[Oddity]:
    """Yield lists of ids that a space cuts in two."""
    for module, driver in ID_DRIVERS.items():
        yield from _tails(words, f"{module}.ids", f"{driver}.ids", COMMAND_LINE, "")
        for line in modprobe.about("options", module):
            yield from _tails(
                line.options, "ids", f"options {driver} ids", place_of(line), line.file
            )


def _tails(
    words: tuple[Word, ...], key: str, name: str, where: str, file: str
) -> Iterator[Oddity]:
    """Find ids behind a space: they are words of their own, and nobody's."""
    for at, word in enumerate(words):
        if word.key != key:
            continue
        behind = (words[place].text for place in range(at + 1, len(words)))
        tail = list(takewhile(_LOOKS_LIKE_ID.fullmatch, behind))
        if not tail:
            continue
        whole = ",".join(split_ids(",".join([word.value or "", *tail])))
        yield Oddity(
            where=where,
            text=" ".join((word.text, *tail)),
            why=f"the value ends at the space, and {listed(tail)} {_is(tail)} ignored",
            fix=write("Leave the space out", f"{name}={whole}", file),
            lost=entries_of(",".join(tail)),
        )


def _is(things: list[str]) -> str:
    return "is" if len(things) == 1 else "are"


def _full(address: str) -> str:
    return address if address.count(":") == 2 else f"0000:{address}"
