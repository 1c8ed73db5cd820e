"""Settings that nobody reads: misspelt parameters, commands and file names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iommu_inspect.model.host.dynamic_ids import split_ids
from iommu_inspect.model.host.settings import ModprobeConfig, ModprobeLine, Word
from iommu_inspect.model.text import shown
from iommu_inspect.settings.ids import COMMAND_LINE, ID_DRIVERS, place_of
from iommu_inspect.settings.oddity import Fix, Oddity, entries_of, ids_in, write

__all__ = ["misnamed_files", "misspelt_lines", "misspelt_words"]

_COMMANDS = frozenset(
    {"alias", "blacklist", "config", "include", "install", "options", "remove"}
    | {"softdep", "weakdep"}
)
# vfio-pci-ids, vfio_pci_ids, vfio-pci:ids, vfio.ids, vfio-pci.id, pci-stub-ids, ...
_NEARLY_IDS = re.compile(
    r"(?P<name>vfio(?:[_.:]?pci?)?|pci[_.:]?stub)[_.:]ids?", re.ASCII
)

_BARE_ID = re.compile(r"[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(?::[0-9a-fA-F:]*)?,?")


def misspelt_words(words: tuple[Word, ...]) -> Iterator[Oddity]:
    """``vfio-pci-ids=``: without the dot it is for init, and init does not care."""
    for word in words:
        near = _NEARLY_IDS.fullmatch(word.key)
        driver = _meant(near)
        if driver is None or word.value is None or _is_right(word.key):
            continue
        meant = f"{driver}.ids={word.value}"
        yield Oddity(
            where=COMMAND_LINE,
            text=word.text,
            why=f"no driver has a parameter of that name; it is {driver}.ids",
            fix=write("Write it so", meant),
            lost=entries_of(word.value),
        )


def misspelt_lines(modprobe: ModprobeConfig) -> Iterator[Oddity]:
    """Lines that modprobe passes over, and options for a module that there is not."""
    bare = [line for line in modprobe.lines if _BARE_ID.fullmatch(line.command)]
    if bare:
        yield _bare_ids(bare)
    for line in modprobe.lines:
        if _BARE_ID.fullmatch(line.command):
            continue
        text = " ".join((line.command, *line.arguments))
        if line.command not in _COMMANDS:
            # Other people's oddities are none of ours.
            if any(name in text.replace("-", "_") for name in ID_DRIVERS):
                yield _bad_line(line, text)
            continue
        if line.command == "options":
            yield from _misspelt_options(line, text)


def _misspelt_options(line: ModprobeLine, text: str) -> Iterator[Oddity]:
    name, *rest = line.arguments or ("",)
    # "options vfio-pci.ids=..." and "options vfio-pci-ids=...": no module there.
    glued = _NEARLY_IDS.fullmatch(name.partition("=")[0].replace("-", "_"))
    if glued is not None and "=" in name:
        value = name.partition("=")[2]
        meant = f"options {_meant(glued)} {' '.join((f'ids={value}', *rest))}"
        yield Oddity(
            where=place_of(line),
            text=text,
            why="the module and its options have to be two words here",
            fix=write("Write it so", meant, line.file),
            lost=entries_of(value),
        )
        return
    for word in line.options:
        if line.module == "vfio" and word.key == "ids":
            driver, key = "vfio-pci", "ids"
        elif line.module in ID_DRIVERS and word.key in ("id", f"{line.module}.ids"):
            driver, key = ID_DRIVERS[line.module], word.key
        else:
            continue
        yield Oddity(
            where=place_of(line),
            text=text,
            why=(
                "the module vfio has no parameter ids; vfio-pci has"
                if line.module == "vfio"
                else f"{driver} has no parameter {shown(key)}; it is ids"
            ),
            fix=write(
                "Write it so", f"options {driver} ids={word.value or ''}", line.file
            ),
            lost=entries_of(word.value or ""),
        )


def _bare_ids(lines: list[ModprobeLine]) -> Oddity:
    """Ids on lines of their own, as lists are written elsewhere."""
    values = [",".join((line.command, *line.arguments)) for line in lines]
    ids = ",".join(entry for value in values for entry in split_ids(value))
    many = f" and {len(lines) - 1} more like it" if len(lines) > 1 else ""
    return Oddity(
        where=place_of(lines[0]),
        text=" ".join((lines[0].command, *lines[0].arguments)),
        why=f"modprobe passes over a line with only ids in it{many}",
        fix=write(
            "Put all into one line", f"options vfio-pci ids={ids}", lines[0].file
        ),
        lost=entries_of(ids),
    )


def _bad_line(line: ModprobeLine, text: str) -> Oddity:
    words = " ".join(line.arguments)
    return Oddity(
        where=place_of(line),
        text=text,
        why=f"modprobe has no command {shown(line.command)} and passes over the line",
        fix=write("If options were meant", f"options {words}", line.file),
        lost=ids_in(words),
    )


def misnamed_files(modprobe: ModprobeConfig) -> Iterator[Oddity]:
    """Yield options in files whose names modprobe passes over."""
    for line in modprobe.passed_over:
        if line.command != "options" or line.module not in ID_DRIVERS:
            continue
        values = [w.value or "" for w in line.options if w.key == "ids"]
        yield Oddity(
            where=place_of(line),
            text=" ".join((line.command, *line.arguments)),
            why="modprobe reads only files whose name ends in .conf",
            fix=Fix(f"Rename it: {shown(line.file)}.conf is read."),
            lost=tuple(entry for value in values for entry in entries_of(value)),
        )


def _meant(near: re.Match[str] | None) -> str | None:
    if near is None:
        return None
    return "pci-stub" if near["name"].startswith("pci") else "vfio-pci"


def _is_right(key: str) -> bool:
    return key.removesuffix(".ids") in ID_DRIVERS and key.endswith(".ids")
