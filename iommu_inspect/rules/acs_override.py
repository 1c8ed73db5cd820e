"""Isolation that the kernel command line makes up or takes away."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.fact import value_or
from iommu_inspect.model.text import shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="acs-override",
    summary="the kernel command line changes what isolates",
    severity=Severity.WARNING,
    purposes=EVERY_PURPOSE,
)
_WIDENING = ("disable_acs_redir=", "config_acs=")


def _check(case: Case) -> Iterator[Finding]:
    words = value_or(case.machine.settings.command_line, ())
    given = [w for w in words if w.key == "pcie_acs_override" and w.value is not None]
    for override in given[:1]:
        yield case.finding(
            None,
            f"The kernel was booted with {shown(override.text)}. A kernel with the ACS "
            "override patch then takes devices that have no ACS for isolated: "
            "groups look small, but their devices can still reach each other's "
            "memory, and so can the guests that have them. A kernel without the "
            "patch ignores the word.",
            "Take it off the command line and look at the groups again; those are "
            "the real ones.",
            certainty=Certainty.DERIVED,
        )
    widening = [w for w in words if w.key == "pci" and _widens(w.value or "")]
    for word in widening[:1]:
        yield case.finding(
            None,
            f"The kernel was booted with {shown(word.text)}, which may take ACS away "
            "from ports; groups may be larger than the hardware needs.",
            "Nothing to do if that is wanted (peer-to-peer DMA needs it).",
            severity=Severity.INFO,
            certainty=Certainty.DERIVED,
        )


def _widens(options: str) -> bool:
    return any(option in options for option in _WIDENING)


RULE = Rule(ABOUT, check_machine=_check)
