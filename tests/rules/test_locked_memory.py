"""A limit of locked memory is told in the unit in which it is set."""

from __future__ import annotations

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.asked.target import find_target


@each("limit, text", [(8 << 20, "8 MiB"), (1 << 20, "1 MiB"), (64 << 10, "64 KiB")])
def test_the_limit_is_told_in_mib_or_where_it_is_less_in_kib(
    limit: int, text: str
) -> None:
    host = machine(group(device("0000:01:00.0", "vfio-pci")), memlock_limit=limit)
    found = audit(host, only(SINCE_6_6), (find_target(host, "01:00.0"),)).findings
    (told,) = (f for f in found if f.rule == "vfio-access")
    assert f" {text}" in told.message
