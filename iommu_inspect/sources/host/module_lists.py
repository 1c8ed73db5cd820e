"""Files that only list modules: to load at boot, or to put into the initramfs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.host.settings import ListedModule
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["module_names", "modules_of_kernel", "of_release", "read_module_lists"]

# A name a line (systemd, initramfs-tools, Debian's /etc/modules).
_PLAIN = ("etc/modules", "etc/initramfs-tools/modules")
_PLAIN_IN = ("etc/modules-load.d", "usr/lib/modules-load.d")
# Assignments of a shell: mkinitcpio's MODULES, dracut's lists of drivers.
_SHELL = ("etc/mkinitcpio.conf", "etc/dracut.conf")
_SHELL_IN = ("etc/mkinitcpio.conf.d", "etc/dracut.conf.d")
_ASSIGNED = re.compile(
    r"^\s*(?:MODULES|add_drivers|force_drivers|add_modules)\s*\+?=\s*[(\"']?([^)\"'#]*)"
)
_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_RELEASE = re.compile(r"\w[\w.+~-]*")


def read_module_lists(tree: Tree) -> tuple[ListedModule, ...]:
    """Return the modules that such files list, in the files' order."""
    found: list[ListedModule] = []
    for path in (*_PLAIN, *_inside(tree, _PLAIN_IN)):
        found += _read(tree, path, assigned=False)
    for path in (*_SHELL, *_inside(tree, _SHELL_IN)):
        found += _read(tree, path, assigned=True)
    return tuple(found)


def _inside(tree: Tree, directories: tuple[str, ...]) -> Iterator[str]:
    for directory in directories:
        names = tree.names(directory)
        for name in names if known(names) else ():
            if name.endswith(".conf"):
                yield f"{directory}/{name}"


def _read(tree: Tree, path: str, *, assigned: bool) -> Iterator[ListedModule]:
    text = tree.text(path)
    for number, line in enumerate(text.splitlines() if known(text) else (), 1):
        bare = line.strip()
        if bare.startswith(("#", ";")):
            continue
        if assigned:
            found = _ASSIGNED.match(line)
            words = found[1].split() if found else []
        else:
            # initramfs-tools takes options behind the name.
            words = bare.split()[:1]
        for word in words:
            if _NAME.fullmatch(word):
                yield ListedModule(word, bare, f"/{path}", number)


def modules_of_kernel(tree: Tree, release: Fact[str]) -> Fact[frozenset[str]]:
    """Return the names of all modules of the kernel, those built in among them.

    ``modules.dep`` has what depmod found: ``kernel/drivers/vfio/vfio.ko.xz: ...``.
    """
    loadable = module_names(tree, release, "modules.dep")
    built_in = module_names(tree, release, "modules.builtin")
    if not known(loadable):
        return loadable
    return map_fact(built_in, lambda names: names | loadable)


def module_names(tree: Tree, release: Fact[str], file: str) -> Fact[frozenset[str]]:
    """Return the modules that a file of ``lib/modules/RELEASE`` lists."""
    return map_fact(of_release(tree, release, file), _names)


def of_release(tree: Tree, release: Fact[str], file: str) -> Fact[bytes]:
    """Return the content of a file of ``lib/modules/RELEASE``."""
    if not known(release) or not _RELEASE.fullmatch(release):
        return Missing.ABSENT
    content: Fact[bytes] = Missing.ABSENT
    for directory in ("lib/modules", "usr/lib/modules"):
        content = tree.large_data(f"{directory}/{release}/{file}")
        if content is not Missing.ABSENT:
            break
    return content


def _names(content: bytes) -> frozenset[str]:
    lines = content.decode("ascii", "replace").splitlines()
    paths = (line.partition(":")[0].strip() for line in lines)
    return frozenset(
        path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")
        for path in paths
        if path
    )
