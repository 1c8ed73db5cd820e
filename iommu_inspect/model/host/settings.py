"""What somebody configured: modprobe.d, the kernel command line, modules."""

from __future__ import annotations

import enum
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TypeAlias

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, value_or

__all__ = [
    "ListedModule",
    "ModprobeConfig",
    "ModprobeLine",
    "ModuleState",
    "Settings",
    "Word",
]


class ModuleState(enum.Enum):
    """Where a module's code is now."""

    LOADED = "loaded"
    BUILT_IN = "built-in"
    NOT_LOADED = "not-loaded"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the kernel command line, or of the options given to a module.

    ``key`` has "_" for "-", which the kernel does not tell apart in names (see
    ``parameq()`` in kernel/params.c); ``value`` is ``None`` where there is no "=".
    ``text`` is the word as it was written, quotes taken off.
    """

    text: str
    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class ModprobeLine:
    """One line of modprobe.d that is no comment: where it is, and its words.

    Continued lines are joined; ``number`` is that of the first of them, from 1.
    ``options`` are the words that an ``options`` line hands to the module, as the
    kernel takes them apart, which is not how modprobe splits its own lines.
    """

    file: str
    number: int
    command: str
    arguments: tuple[str, ...]
    options: tuple[Word, ...] = ()

    @property
    def module(self) -> str:
        """The module that the line is about, with "_" for "-"."""
        return self.arguments[0].replace("-", "_") if self.arguments else ""


@dataclass(frozen=True, slots=True)
class ModprobeConfig:
    """All lines of modprobe.d in the order in which modprobe takes them.

    ``unread`` are files and directories that are there and could not be read, and
    ``passed_over`` those whose name does not end in ``.conf``, with their lines:
    modprobe does not look into them.
    """

    lines: tuple[ModprobeLine, ...] = ()
    unread: tuple[str, ...] = ()
    passed_over: tuple[ModprobeLine, ...] = ()

    def about(self, command: str, module: str) -> tuple[ModprobeLine, ...]:
        """Return the lines of one command about a module (named with "_")."""
        return tuple(
            line
            for line in self.lines
            if line.command == command and fnmatchcase(module, line.module)
        )

    def loaded_before(self, module: str) -> tuple[str, ...]:
        """Return the modules that ``softdep MODULE pre: ...`` puts before one."""
        before = []
        for line in self.about("softdep", module):
            mode = ""
            for word in line.arguments[1:]:
                if word in ("pre:", "post:"):
                    mode = word
                elif mode == "pre:":
                    before.append(word.replace("-", "_"))
        return tuple(before)


@dataclass(frozen=True, slots=True)
class ListedModule:
    """A module in a list of those to load, or to have in the initramfs.

    ``text`` is the line that it stands in.
    """

    name: str
    text: str
    file: str
    number: int


Alias: TypeAlias = tuple[str, str]
"""A line of modules.alias: its pattern, and the module."""


@dataclass(frozen=True)
class Settings:
    """What was configured, and which modules there are to obey it.

    ``command_line`` has the kernel's words only, not those for init behind ``--``.
    ``modprobe`` is absent where the source holds no modprobe.d at all; the initramfs
    has a copy of its own, which no source shows. ``modules`` holds the states that
    could be told, of the modules asked for; ``driver_modules`` the module that each
    bound PCI driver belongs to, by the driver's name. ``vfio_aliases`` are the lines of
    modules.alias for vfio drivers, pattern and module; they are read only where a
    device is to be handed over. ``existing`` says of the names that are near vfio's
    whether the kernel has such a module.
    """

    modprobe: Fact[ModprobeConfig] = Missing.ABSENT
    command_line: Fact[tuple[Word, ...]] = Missing.ABSENT
    modules: tuple[tuple[str, ModuleState], ...] = ()
    driver_modules: tuple[tuple[str, str], ...] = ()
    vfio_aliases: Fact[tuple[Alias, ...]] = Missing.ABSENT
    module_lists: tuple[ListedModule, ...] = ()
    existing: tuple[tuple[str, bool], ...] = ()

    def module(self, name: str) -> Fact[ModuleState]:
        """Return the state of a module (named with "_")."""
        return self._states.get(name, Missing.ABSENT)

    @cached_property
    def _states(self) -> dict[str, ModuleState]:
        return dict(self.modules)

    def has_module(self, name: str) -> Fact[bool]:
        """Say whether the kernel has a module of this name (with "_")."""
        return dict(self.existing).get(name, Missing.ABSENT)

    def module_of(self, driver: str) -> Fact[str]:
        """Return the module of a bound driver, which may have another name."""
        return self._modules.get(driver, Missing.ABSENT)

    @cached_property
    def _modules(self) -> dict[str, str]:
        return dict(self.driver_modules)

    def aliases_by_start(self, *lengths: int) -> dict[str, tuple[Alias, ...]]:
        """Return ``vfio_aliases`` by what they begin with, without wildcards.

        The longest start counts; those with a wildcard in the shortest are under "".
        """
        found = self._by_start.get(lengths)
        if found is None:
            lists: dict[str, list[Alias]] = {}
            for pattern, module in value_or(self.vfio_aliases, ()):
                starts = (pattern[:length] for length in sorted(lengths, reverse=True))
                plain = (s for s in starts if not any(sign in s for sign in "*?["))
                lists.setdefault(next(plain, ""), []).append((pattern, module))
            found = {start: tuple(some) for start, some in lists.items()}
            self._by_start[lengths] = found
        return found

    @cached_property
    def _by_start(
        self,
    ) -> dict[tuple[int, ...], dict[str, tuple[Alias, ...]]]:
        return {}
