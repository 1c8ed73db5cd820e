"""Which one command shows what was not seen."""

from __future__ import annotations

from builders import device
from examples import each

from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen
from iommu_inspect.plan.host.looking_closer import Look, again_as_root, look

ONE, TWO = "0000:00:1c.0", "10000:e1:00.0"


@each(
    "missing, line, as_root",
    [
        ([(ONE, Unseen.ACS)], "lspci -vvvnn -s 0000:00:1c.0", True),
        ([(ONE, Unseen.KIND), (ONE, Unseen.IDS)], f"lspci -vvvnn -s {ONE}", True),
        ([(ONE, Unseen.ACS), (TWO, Unseen.ACS)], "lspci -vvvnn", True),
        ([(ONE, Unseen.PLACE)], "lspci -vvvnn", True),
        ([(TWO, Unseen.IDS)], f"lspci -nn -s {TWO}", False),
        ([(ONE, Unseen.IDS), (TWO, Unseen.IDS)], "lspci -nn", False),
        ([(ONE, Unseen.FUNCTIONS)], f"lspci -x -s {ONE}", False),
        ([(ONE, Unseen.FUNCTIONS), (TWO, Unseen.IDS)], "lspci -nnx", False),
        ([(ONE, Unseen.FUNCTIONS), (ONE, Unseen.ACS)], f"lspci -vvvnnx -s {ONE}", True),
        ([(ONE, Unseen.BYTES)], f"lspci -vvvnnxxxx -s {ONE}", True),
        ([(ONE, Unseen.LOG)], "dmesg | grep 'ACS workaround'", True),
        ([(ONE, Unseen.OPTIONS)], "cat /proc/cmdline", False),
        # What only a boot or the hardware tells goes with no command of its own.
        ([(ONE, Unseen.REACH), (TWO, Unseen.ACS)], f"lspci -vvvnn -s {TWO}", True),
    ],
)
def test_one_command_shows_what_is_missing(
    missing: list[tuple[str, Unseen]], line: str, as_root: bool
) -> None:
    doubts = [Doubt(device(address), what, "") for address, what in missing]
    assert look(doubts) == Look(line, as_root)


@each("what", [None, Unseen.REACH, Unseen.HARDWARE])
def test_what_no_command_shows_has_none(what: Unseen | None) -> None:
    assert look([Doubt(device(ONE), what, "")] if what else []) is None


def test_names_that_are_none_are_in_no_command() -> None:
    told, untold = device(ONE), device("0000:00:1c.0;reboot")
    assert again_as_root("why", [told]) == f"sudo iommu-inspect why {ONE}"
    assert again_as_root("why", [told, untold]) == "sudo iommu-inspect why DEVICE"
    assert look([Doubt(untold, Unseen.ACS, "")]) == Look("lspci -vvvnn", True)
