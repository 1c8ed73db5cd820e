"""Whether it can be told that a function gets a group at all."""

from __future__ import annotations

from builders import machine
from examples import each
from placed import at

from iommu_inspect.kernel.grouping.making.covered import Reach
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.platform import Architecture, Processor

COMPLEX = at(
    "0000:00:00.0", group=None, ids=PciIds(0x1022, 0x1480, class_code=0x060000)
)
AMD, INTEL = (Processor(Architecture.X86, maker) for maker in ("amd", "intel"))


@each(
    "tables, processor, told",
    [
        (("IVRS",), INTEL, False),
        (("DMAR",), AMD, True),
        (("DMAR", "IVRS"), AMD, False),
        ((), AMD, False),
        ((), INTEL, True),
        (Missing.ABSENT, Missing.ABSENT, False),
    ],
)
def test_amds_root_complex_is_left_out_by_an_ivrs_alone(
    tables: object, processor: object, told: bool
) -> None:
    host = machine(ungrouped=[COMPLEX], firmware_tables=tables, processor=processor)
    assert (Reach(host).doubt(COMPLEX) is None) is told
