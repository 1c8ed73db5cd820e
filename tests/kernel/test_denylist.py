"""Where nobody can ask vfio-pci, what is configured says whether its denylist is on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import device, group, machine
from examples import each

from iommu_inspect.kernel.denylist import denial
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.host.settings import ModprobeConfig, ModprobeLine, Settings
from iommu_inspect.sources.host.command_line import parse_command_line

CARD = replace(device("0000:b1:01.0"), ids=PciIds(0x8086, 0x37C8))


def line(command: str, module: str, option: str) -> ModprobeLine:
    words = parse_command_line(option)
    assert isinstance(words, tuple)
    return ModprobeLine("a.conf", 1, command, (module, option), words)


def booted(words: str) -> Any:
    return parse_command_line(words)


ON = line("options", "vfio-pci", "disable_denylist=1")
OFF = line("options", "vfio-pci", "disable_denylist=0")


@each(
    "now, words, lines, denied",
    [
        (Missing.ABSENT, "quiet", (), True),
        (Missing.ABSENT, "quiet", (ON,), False),
        (Missing.ABSENT, "quiet", (ON, OFF), True),
        (Missing.ABSENT, "quiet", (line("softdep", "vfio-pci", "x"),), True),
        (Missing.ABSENT, "quiet", (replace(ON, arguments=("vfio",)),), True),
        (Missing.ABSENT, "vfio-pci.disable_denylist=1", (), False),
        (Missing.ABSENT, "vfio.disable_denylist=1", (), True),
        # What is, is; what was configured may have come too late.
        (False, "quiet", (ON,), True),
        (True, "quiet", (OFF,), False),
    ],
)
def test_the_denylist_is_off_where_an_option_says_so(
    now: Any, words: str, lines: tuple[ModprobeLine, ...], denied: bool
) -> None:
    host = machine(
        group(CARD),
        vfio=VfioSettings(False, False, False, True, disable_denylist=now),
        settings=Settings(command_line=booted(words), modprobe=ModprobeConfig(lines)),
    )
    assert denial(host, CARD, applicable(host.kernel)).denied is denied
