"""Lines for the files of boot loaders and of what makes an initramfs, read as these do.

GRUB and U-Boot's files are read by a shell, dracut's and mkinitcpio's by bash, NixOS's
by Nix: in a string of its that is not closed, and has no "${", a name is only text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["faults_of_settings"]

# A word for the kernel, as the plan writes it: ids or a switch.
_WORDS = r"(?:[a-z_-]+(?:\.[a-z_]+)?=[A-Za-z0-9_.,:-]*)"
_LINES = re.compile(
    "|".join(
        (
            rf"[A-Z_]+=\"\.\.\. (?:{_WORDS} ?)+\"",
            rf"(?:options )?\.\.\. (?:{_WORDS} ?)+",
            r"vfio-pci|vfio_iommu_type1",
            r"force_drivers\+=\" [a-z0-9_ -]+ \"|install_items\+=\" [a-z0-9_./ -]+ \"",
            r"MODULES\+=\([a-z0-9_ ]+\)|modules_force_load: [a-z0-9_,]+",
            r"boot\.[A-Za-z.]+ = (?:\[ (?:\"[A-Za-z0-9_.,:=-]+\" )+\]|'');?|'';",
            # Within a string of Nix: options, softdep, and commands for a shell.
            r"  # [A-Za-z0-9_.,:@+() -]+",
            r"  (?:options|softdep) [A-Za-z0-9_.,:= -]+",
            r"  d=/sys/bus/pci/devices/[0-9a-f:.]+",
            r"  read v < \$d/vendor && read p < \$d/device && "
            r"\[ \$v:\$p = 0x[0-9a-f]{4}:0x[0-9a-f]{4} \] && "
            r"echo [A-Za-z0-9_.,+-]+ > \$d/driver_override",
            r"  echo [A-Za-z0-9_.,+-]+ > \$d/driver_override",
        )
    )
)


def faults_of_settings(lines: Iterable[str]) -> Iterator[str]:
    """Say which line has more in it than what the plan means to write."""
    for line in sorted(lines):
        title, _, text = line.partition(": ")
        if _LINES.fullmatch(text) is None:
            yield f"for {title}: {text!r}"
