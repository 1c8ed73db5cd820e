"""The advice about a whole host is no shorter than what it stands on."""

from __future__ import annotations

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.rules.finding import Purpose

HALF = group(
    device("0000:01:00.0", "vfio-pci", driver_override="vfio-pci"),
    device("0000:01:00.1", "snd_hda_intel"),
)


@each(
    "remapping, first",
    [
        (InterruptRemapping.ON, "echo vfio-pci > "),
        (Missing.ABSENT, "iommu-inspect plan 0000:01:00.0"),
    ],
)
def test_steps_that_suppose_something_are_left_to_the_plan(
    remapping: Fact[InterruptRemapping], first: str
) -> None:
    host = machine(HALF, remapping=remapping)
    steps = audit(host, only(SINCE_6_6)).advice.steps
    assert steps[0].startswith(first)


def test_the_command_for_the_rest_keeps_the_purpose() -> None:
    host = machine(HALF, remapping=Missing.ABSENT)
    advice = audit(host, only(SINCE_6_6), purpose=Purpose.DPDK).advice
    assert "iommu-inspect plan 0000:01:00.0 --for dpdk" in advice.steps
