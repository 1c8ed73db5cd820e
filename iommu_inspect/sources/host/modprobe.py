"""Settings of a tree: modprobe.d, the command line, modules loaded or built in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, value_or
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.module_names import meant, mentions
from iommu_inspect.model.host.settings import (
    ModprobeConfig,
    ModprobeLine,
    ModuleState,
    Settings,
    Word,
)
from iommu_inspect.sources.host.command_line import parse_command_line, parse_words
from iommu_inspect.sources.host.module_lists import (
    module_names,
    modules_of_kernel,
    of_release,
    read_module_lists,
)
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["parse_modprobe", "read_settings"]

# modprobe.d(5): a file shadows those of the same name further down.
_DIRECTORIES = (
    "etc/modprobe.d",
    "run/modprobe.d",
    "usr/local/lib/modprobe.d",
    "usr/lib/modprobe.d",
    "lib/modprobe.d",
)
_READ = (".conf", ".alias")
# What may be asked of though no device is bound to it.
_ALWAYS_ASKED = ("pci_stub", "vfio_pci")
# A module of kernels before v6.2.
_OUTDATED = ("vfio_virqfd",)
_BLANKS = re.compile(r"[ \t]+")


def parse_modprobe(text: str, file: str = "") -> ModprobeConfig:
    r"""Take apart one file of modprobe.d; ``file`` is only repeated in the lines.

    Only a line that *begins* with "#" is a comment, and "\" at its end joins it with
    the next one (``freadline_wrapped()`` and ``kmod_config_parse()`` in kmod).
    """
    return ModprobeConfig(lines=tuple(_lines(text, file)))


def read_settings(
    tree: Tree, kernel: Kernel, devices: Iterable[Device], *, aliases: bool = False
) -> Settings:
    """Read what is configured, and the state of vfio-pci and of the bound drivers.

    With ``aliases`` also which vfio drivers there are for which devices: that is in a
    file of more than a megabyte.
    """
    drivers = {d.driver for d in devices if d.is_pci and isinstance(d.driver, str)}
    driver_modules = tuple(
        (driver, name.replace("-", "_"))
        for driver in sorted(drivers)
        if known(name := tree.link_name(f"sys/bus/pci/drivers/{driver}/module"))
    )
    asked = sorted({*_ALWAYS_ASKED, *(module for _, module in driver_modules)})
    settings = Settings(
        modprobe=_modprobe(tree),
        command_line=map_fact(kernel.command_line, parse_command_line),
        modules=tuple(_module_states(tree, kernel, asked)),
        driver_modules=driver_modules,
        vfio_aliases=_vfio_aliases(tree, kernel.release) if aliases else Missing.ABSENT,
        module_lists=read_module_lists(tree),
    )
    return replace(settings, existing=tuple(_existing(tree, kernel, settings)))


def _existing(
    tree: Tree, kernel: Kernel, settings: Settings
) -> Iterator[tuple[str, bool]]:
    """Look the odd names up in the kernel's list, which is long: if there are any."""
    odd = {m.key for m in mentions(settings) if meant(m.name) or m.key in _OUTDATED}
    if odd:
        modules = modules_of_kernel(tree, kernel.release)
        if known(modules):
            yield from ((name, name in modules) for name in sorted(odd))


def _vfio_aliases(tree: Tree, release: Fact[str]) -> Fact[tuple[tuple[str, str], ...]]:
    """Read the lines ``alias vfio_pci:PATTERN MODULE`` of modules.alias."""
    return map_fact(of_release(tree, release, "modules.alias"), _aliases)


def _aliases(content: bytes) -> tuple[tuple[str, str], ...]:
    lines = (
        line.decode("ascii", "replace").split()
        for line in content.splitlines()
        if line.startswith(b"alias vfio_pci:")
    )
    return tuple(sorted((line[1], line[2]) for line in lines if len(line) == 3))


def _lines(text: str, file: str) -> Iterator[ModprobeLine]:
    for number, line in _logical_lines(text):
        if line.startswith("#"):
            continue
        parts = [part for part in _BLANKS.split(line) if part]
        if parts:
            yield ModprobeLine(
                file, number, parts[0], tuple(parts[1:]), _options(line, parts)
            )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    r"""Yield each line and its number; "\" joins lines and is dropped elsewhere."""
    number, first, line = 1, 1, ""
    characters = iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            number += escaped == "\n"
            line += escaped.replace("\n", "")
        elif character == "\n":
            yield first, line
            number += 1
            first, line = number, ""
        else:
            line += character
    yield first, line


def _options(line: str, parts: list[str]) -> tuple[Word, ...]:
    if parts[0] != "options" or len(parts) < 3:
        return ()
    return parse_words(_BLANKS.split(line.lstrip(" \t"), maxsplit=2)[2])


def _modprobe(tree: Tree) -> Fact[ModprobeConfig]:
    found: dict[str, str] = {}
    unread = []
    passed_over = []
    seen = tree.whole
    for directory in _DIRECTORIES:
        names = tree.names(directory)
        if names is Missing.ABSENT:
            continue
        seen = True
        if not known(names):
            unread.append(f"/{directory}")
            continue
        for name in names:
            if name.startswith("."):
                continue
            if name.endswith(_READ):
                found.setdefault(name, f"{directory}/{name}")
            elif "." not in name and not name.endswith("~") and name != "README":
                passed_over.append(f"{directory}/{name}")
    if not seen:
        return Missing.ABSENT
    lines: list[ModprobeLine] = []
    for _, path in sorted(found.items()):
        text = _content(tree, path)
        if not known(text):
            unread.append(f"/{path}")
        else:
            lines += _lines(text, f"/{path}")
    ignored = [
        line
        for path in passed_over
        for line in _lines(value_or(tree.text(path), ""), f"/{path}")
    ]
    return ModprobeConfig(tuple(lines), tuple(unread), tuple(ignored))


def _content(tree: Tree, path: str) -> Fact[str]:
    """Return a file's text; a link to /dev/null, or to nowhere, makes it empty."""
    text = tree.text(path)
    if text is Missing.ABSENT or tree.target(path) == "dev/null":
        return ""
    return text


def _module_states(
    tree: Tree, kernel: Kernel, asked: Iterable[str]
) -> Iterator[tuple[str, ModuleState]]:
    loaded = map_fact(tree.text("proc/modules"), _first_words)
    built_in = module_names(tree, kernel.release, "modules.builtin")
    shown = [m for m in asked if tree.exists(f"sys/module/{m}")]
    # Only what came as a module has this file. A capture may lack it altogether.
    with_state = [m for m in shown if tree.exists(f"sys/module/{m}/initstate")]
    states_known = tree.whole or bool(with_state) or known(loaded)
    for module in asked:
        if module in value_or(loaded, ()) or module in with_state:
            yield module, ModuleState.LOADED
        elif module in value_or(built_in, ()) or (module in shown and states_known):
            yield module, ModuleState.BUILT_IN
        elif module in shown:
            continue  # there, but whether as a module is not told
        elif _is_nowhere(tree, module, loaded, built_in):
            yield module, ModuleState.NOT_LOADED


def _is_nowhere(
    tree: Tree,
    module: str,
    loaded: Fact[frozenset[str]],
    built_in: Fact[frozenset[str]],
) -> bool:
    """Say whether a module that sys/module does not show is in no other way there.

    Built-in code is in sys/module only if it has parameters that can be seen:
    vfio-pci has, pci-stub has not.
    """
    whole = _lists_modules(tree)
    not_loaded = whole or known(loaded)
    not_built_in = (whole and module == "vfio_pci") or known(built_in)
    return not_loaded and not_built_in


def _lists_modules(tree: Tree) -> bool:
    """Say whether sys/module is whole enough to tell that something is not in it.

    All of its entries are kernel code with parameters or modules; every kernel has
    "kernel" or "printk" there, a capture of chosen modules has not.
    """
    if not tree.whole:
        return any(tree.exists(f"sys/module/{name}") for name in ("kernel", "printk"))
    return tree.exists("sys/module")


def _first_words(text: str) -> frozenset[str]:
    return frozenset(line.split()[0] for line in text.splitlines() if line.split())
