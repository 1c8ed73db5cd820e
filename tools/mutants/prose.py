"""Tells text that only people read from commands, settings and names."""

from __future__ import annotations

import re

__all__ = ["is_prose"]

_TWO_WORDS = re.compile(r"[A-Za-z0-9,;:.)]\s+[(A-Za-z0-9]")
# Signs by which a command, a path or a setting is known, and how other commands begin.
_FOR_MACHINES = re.compile(r"[/$|<>=&`{}\[\]\\]")
_COMMANDS = re.compile(
    r"\s*(cat|dmesg|driverctl|dracut|echo|exit|grep|if|for|lspci|ls|modprobe|mkinitcpio"
    r"|printf|qm|reboot|return|set|sudo|systemctl|test|then|udevadm|umount|update-\w+"
    r"|virsh)\b"
)


def is_prose(text: str, path: str) -> bool:
    """Tell whether only people read it: several words, and no command.

    Only ``plan/`` writes commands; elsewhere a text of several words is a sentence.
    """
    if not _TWO_WORDS.search(text):
        return False
    if "/plan/" not in path:
        return True
    return not _FOR_MACHINES.search(text) and not _COMMANDS.match(text)
