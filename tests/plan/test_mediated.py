"""Who carries mediated devices stays: its driver would take them along."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.plan.steps.making import Outcome, make_plan

PARENT = device("0000:3d:00.0", "nvidia")


@each("bus, refused", [("mdev", True), ("auxiliary", False)])
def test_only_mediated_devices_keep_their_parent(bus: str, refused: bool) -> None:
    child = replace(
        device("83b8f4f2", "nvidia-vgpu-vfio", bus=bus, group="9"),
        path=f"{PARENT.path}/83b8f4f2",
    )
    host = machine(group(PARENT), group(child, id="9"))
    plan = make_plan(host, only(SINCE_6_6), (find_target(host, "3d:00.0"),))
    said = [r.message for r in plan.refusals if "carries the mediated" in r.message]
    assert bool(said) is refused
    if refused:
        assert plan.outcome is not Outcome.PLANNED
        assert "carries the mediated device 83b8f4f2: " in said[0]
