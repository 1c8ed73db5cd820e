"""Isolation that the kernel command line makes up or takes away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iommu_inspect.model.fact import known
from iommu_inspect.rules.about import EVERY_PURPOSE, About
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE"]

ID = "acs-override"
_OVERRIDE = re.compile(r"(?:^|\s)(pcie_acs_override=\S*)")
_WIDENING = re.compile(r"(?:^|\s)(pci=\S*(?:disable_acs_redir|config_acs)=\S*)")


def _check(case: Case) -> Iterator[Finding]:
    command_line = case.machine.kernel.command_line
    if not known(command_line):
        return
    override = _OVERRIDE.search(command_line)
    if override is not None:
        yield Finding(
            rule=ID,
            severity=Severity.WARNING,
            certainty=Certainty.DERIVED,
            group=None,
            devices=(),
            message=(
                f"The kernel was booted with {override[1]}. A kernel with the ACS "
                "override patch then takes devices that have no ACS for isolated: "
                "groups look small, but their devices can still reach each other's "
                "memory, and so can the guests that have them. A kernel without the "
                "patch ignores the word."
            ),
            remedy=(
                "Take it off the command line and look at the groups again; those are "
                "the real ones."
            ),
        )
    widening = _WIDENING.search(command_line)
    if widening is not None:
        yield Finding(
            rule=ID,
            severity=Severity.INFO,
            certainty=Certainty.DERIVED,
            group=None,
            devices=(),
            message=(
                f"The kernel was booted with {widening[1]}, which may take ACS away "
                "from ports; groups may be larger than the hardware needs."
            ),
            remedy="Nothing to do if that is wanted (peer-to-peer DMA needs it).",
        )


RULE = Rule(
    About(
        id=ID,
        summary="the kernel command line changes what isolates",
        severity=Severity.ERROR,
        purposes=EVERY_PURPOSE,
    ),
    check_machine=_check,
)
