"""The options that several commands share, and what they stand for."""

from __future__ import annotations

import enum
from typing import Annotated

from iommu_inspect.cli.declared import Argument, Completes, Option
from iommu_inspect.cli.output import Color

__all__ = [
    "NAMES",
    "NO_GROUPS",
    "Color",
    "ColorOption",
    "ConfigOption",
    "Demo",
    "For",
    "ForOption",
    "Format",
    "FormatOption",
    "From",
    "IgnoreOption",
    "Numeric",
    "SemanticsOption",
    "StrictOption",
    "Targets",
]


# How a device can be named; docs/targets.md has it all.
NAMES = (
    "01:00.0, 01:00 (the whole slot), group:13, 10de:1e04, enp3s0, nvme0n1, or a part "
    "of one device's name"
)
NO_GROUPS = (
    "the source holds no trace of IOMMU groups: it cannot tell them; made on that "
    "host, 'iommu-inspect snapshot FILE' has them"
)


class Format(enum.StrEnum):
    """What to print."""

    TABLE = "table"
    JSON = "json"


class For(enum.StrEnum):
    """The purposes, as `rules.Purpose` has them."""

    VFIO = "vfio"
    DPDK = "dpdk"
    ATTACH = "attach"
    ONE_PER_GROUP = "one-per-group"


From = Annotated[
    list[str] | None,
    Option(
        "--from",
        metavar="SOURCE",
        help="Read this instead of this host: a snapshot, a directory or a tar that "
        "holds sys/ (and proc/), or text, as pasted: lspci in any form (best "
        "'lspci -vvvnnk' as root), lists of IOMMU groups, dmesg and more; - is "
        "standard input. Several of one machine are joined.",
    ),
]
Demo = Annotated[
    bool,
    Option(
        "--demo",
        help="Read a sample capture of a real kernel where this host has no IOMMU "
        "groups.",
    ),
]
SemanticsOption = Annotated[
    str,
    Option(
        "--semantics",
        metavar="auto|RELEASE|proposed-single-driver",
        completes=Completes.SEMANTICS,
        help="Whose rules apply: those of the source's kernel, of a kernel release "
        "such as 6.12, or of the proposal of 2021 (as it was sketched first: "
        "sketched-single-driver).",
    ),
]
FormatOption = Annotated[
    Format, Option("--format", help="A table for people, or JSON.")
]
IgnoreOption = Annotated[
    list[str] | None,
    Option(
        "--ignore",
        metavar="RULE",
        completes=Completes.RULE,
        help="Do not show what this rule finds; count it. May be repeated.",
    ),
]
ConfigOption = Annotated[
    str | None,
    Option(
        "--config",
        metavar="FILE",
        help="TOML with [[ignore]] tables: rule, reason, and devices if only some.",
    ),
]
StrictOption = Annotated[bool, Option("--strict", help="Make errors of warnings.")]
ColorOption = Annotated[
    Color,
    Option(
        "--color",
        help="Colours: on a terminal, unless NO_COLOR is set or it is a dumb one; "
        "always; or never.",
    ),
]
Numeric = Annotated[
    bool, Option("--numeric", "-n", help="Ids only, no names of devices.")
]
Targets = Annotated[
    list[str] | None,
    Argument(
        metavar="[DEVICE|group:ID]...",
        completes=Completes.TARGET,
        help=f"What is to be handed over: {NAMES}. Without any, the whole host is "
        "looked at.",
    ),
]
ForOption = Annotated[
    For,
    Option(
        "--for",
        help="What they are wanted for: a virtual machine or the like, DPDK, a "
        "driver that calls iommu_attach_device(), a manager that gives devices out one "
        "by one.",
    ),
]
