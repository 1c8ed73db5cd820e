"""A physical function and its virtual ones in one group: a warning where it matters."""

from __future__ import annotations

from dataclasses import replace

from builders import SINCE_6_6, device, functions, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.identity import DeviceId

VF = DeviceId("0000:01:10.0", "pci")


@each(
    "driver, targets, severity",
    [
        ("ixgbevf", (), "info"),
        ("vfio-pci", (), "warning"),
        ("ixgbevf", ("01:10.0",), "warning"),
        ("ixgbevf", ("01:00.0",), "warning"),
    ],
)
def test_one_group_is_a_warning_only_for_who_hands_it_over(
    driver: str, targets: tuple[str, ...], severity: str
) -> None:
    physical = device("0000:01:00.0", "ixgbe")
    physical = replace(
        physical, pci=replace(physical.pci, virtfns=functions(VF.name), physfn=None)
    )
    virtual = device(VF.name, driver)
    virtual = replace(virtual, pci=replace(virtual.pci, physfn=physical.id))
    host = machine(group(physical, virtual))
    wanted = tuple(find_target(host, target) for target in targets)
    told = [
        finding.severity.value
        for finding in audit(host, only(SINCE_6_6), wanted).findings
        if finding.rule == "sriov-mix" and "one group" in finding.message
    ]
    assert told == [severity]
