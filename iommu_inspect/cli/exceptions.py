"""What a person sets aside or expects: ``--ignore``, ``--config`` and ``--expect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Completes, Option

if TYPE_CHECKING:  # help needs no rules, and so does not wait for them
    from iommu_inspect.audit.exceptions import Ignore
    from iommu_inspect.model.asked.expectation import Expectation

__all__ = [
    "ConfigOption",
    "ExpectOption",
    "IgnoreOption",
    "StrictOption",
    "expectations",
    "ignores",
]

ExpectOption = Annotated[
    str | None,
    Option(
        "--expect",
        metavar="FILE",
        help="Lines of 'address vendor:device'; another device there is an error.",
    ),
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


def ignores(names: list[str] | None, config: str | None) -> tuple[Ignore, ...]:
    """Return what is ignored; a reason in the file is better than none given.

    Raises:
        BadRequestError: a rule is not known, or the file is no such configuration.
        SourceError: the file cannot be read.
    """
    from iommu_inspect.audit.exceptions import ignore_rule, parse_ignores
    from iommu_inspect.sources.tree.option_files import read_option

    written: tuple[Ignore, ...] = ()
    if config is not None:
        written = parse_ignores(read_option(config, "--config"), config)
    return (*written, *map(ignore_rule, names or ()))


def expectations(file: str | None) -> tuple[Expectation, ...]:
    """Return what a file expects to be at which address.

    Raises:
        BadRequestError: a line is no expectation.
        SourceError: the file cannot be read.
    """
    from iommu_inspect.audit.expectations import parse_expectations
    from iommu_inspect.sources.tree.option_files import read_option

    if file is None:
        return ()
    return parse_expectations(read_option(file, "--expect"), file)
