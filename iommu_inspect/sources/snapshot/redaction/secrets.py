"""Words that must not be in a snapshot: the host's name and those of its users.

No command reads the files that have them, and none of them goes into a snapshot; they
are looked at to know what to look for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from iommu_inspect.model.fact import known
from iommu_inspect.sources.snapshot.redaction.pseudonyms import Pseudonyms
from iommu_inspect.sources.sysfs.numbers import decimal
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Words", "secret_words"]

_SHORTEST = 3
# Names of hosts and users that say nothing, and that other things are called as well.
_COMMON = frozenset(
    (
        *("admin", "arch", "archlinux", "debian", "fedora", "generic", "gentoo"),
        *("guest", "host", "hypervisor", "kernel", "kvm", "linux", "live"),
        *("localdomain", "localhost", "nixos", "nobody", "opensuse", "proxmox"),
        *("pve", "qemu", "root", "server", "ubuntu", "unraid", "user", "vfio"),
        *("xen"),
    )
)
_PERSONS = range(1000, 60000)


def secret_words(tree: Tree) -> Mapping[str, str]:
    """Return the words, each with the kind of stand-in that it gets."""
    found = dict.fromkeys(_users(tree), "user")
    found |= dict.fromkeys(_hosts(tree), "host")
    return {
        word: kind
        for word, kind in found.items()
        if len(word) >= _SHORTEST
        and word.lower() not in _COMMON
        and not word.isdecimal()
    }


def _hosts(tree: Tree) -> Iterator[str]:
    for file in ("proc/sys/kernel/hostname", "etc/hostname"):
        text = tree.text(file)
        for name in text.split() if known(text) else ():
            yield name
            yield name.partition(".")[0]


def _users(tree: Tree) -> Iterator[str]:
    names = tree.names("home")
    yield from names if known(names) else ()
    content = tree.large_data("etc/passwd")
    if known(content):
        for line in content.decode("utf-8", "replace").splitlines():
            name, *rest = line.split(":")
            number = decimal(rest[1]) if len(rest) > 1 else None
            if number in _PERSONS:
                yield name


class Words:
    """Replaces such words where any word may stand."""

    def __init__(self, words: Mapping[str, str], pseudonyms: Pseudonyms) -> None:
        self._words = {word.lower(): kind for word, kind in words.items()}
        self._pseudonyms = pseudonyms
        longest_first = sorted(self._words, key=lambda word: (-len(word), word))
        any_of = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(
            f"(?<![A-Za-z0-9])(?:{any_of})(?![A-Za-z0-9])", re.IGNORECASE
        )

    def without(self, text: str) -> str:
        """Return a text with what stands for UUIDs, MAC addresses and these words."""
        swept = self._pseudonyms.swept(text)
        if not self._words:
            return swept
        return self._pattern.sub(self._stand_in, swept)

    def _stand_in(self, match: re.Match[str]) -> str:
        word = match[0].lower()
        return self._pseudonyms.of(self._words[word], word)
