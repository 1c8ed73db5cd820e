"""What ``predict --compare`` looks like on a terminal."""

from __future__ import annotations

from builders import device, group, machine

from iommu_inspect.kernel.eras import named
from iommu_inspect.kernel.ownership.comparison import compare
from iommu_inspect.render.comparison import comparison_text
from iommu_inspect.render.layout import Style


def test_colour_is_on_the_result_and_not_on_a_release_that_has_it_in_its_name() -> None:
    mixed = group(device("0000:01:00.0", "vfio-pci"), device("0000:01:00.1", "e1000e"))
    rules = [named("5.10"), named("6.12")]
    style = Style(80, lambda text, colour: f"<{colour} {text}>")
    text = comparison_text(compare(machine(mixed), rules), rules, style)
    assert "    5.10  <green 0>       this kernel" in text
    assert "    6.12  <red -EPERM>  0000:01:00.1 is bound to e1000e" in text
