"""What ``plan`` says: on a device that is ready, that QEMU cannot name, and so on."""

from __future__ import annotations

from builders import SINCE_6_6, device, group, machine, only
from examples import each

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel, VfioSettings
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import Host
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.layout import Style
from iommu_inspect.render.plans.plan import plan_text, qemu_text

NEW = only(SINCE_6_6)
IOMMUFD = Kernel("6.12.1", command_line="quiet", features=frozenset({"iommufd"}))
CARD = group(device("0000:01:00.0", "nouveau"))
READY = group(device("0000:01:00.0", "vfio-pci"))
NOT_LOADED = VfioSettings(False, False, False, type1_loaded=False)


def text_for(host: Machine, word: str) -> str:
    """Return the text with its lines unfolded: blocks are one line each."""
    plan = make_plan(host, NEW, (find_target(host, word),))
    return plan_text(plan, written(plan, NEW), NEW, Style(1000))


UNDO = "Undo (shut the guest down first):"
UNTOLD = "does not tell the driver_override of 0000:01:00.0: the undo clears it."
NO_XML = "No XML for 10000:e1:00.0: libvirt hands it to QEMU as host="
SUPPOSED = "(Supposed that vfio-pci and vfio_iommu_type1 can be loaded.)"
BY_IOMMUFD = "    -device vfio-pci,iommufd=iommufd0,host=0000:01:00.0"
OVERRIDE_UNTOLD = group(
    device("0000:01:00.0", "nouveau", driver_override=Missing.ABSENT)
)


@each(
    "host, word, says, says_not",
    [
        (machine(CARD), "01:00.0", [UNDO], [UNTOLD, NO_XML, SUPPOSED, BY_IOMMUFD]),
        (machine(CARD, kernel=IOMMUFD), "01:00.0", [BY_IOMMUFD], []),
        (machine(OVERRIDE_UNTOLD), "01:00.0", [UNTOLD, UNDO], []),
        (
            machine(READY),
            "01:00.0",
            ["Nothing to do now: 0000:01:00.0 can be handed", "For every boot ("],
            [UNDO, "Now, until the next boot", SUPPOSED],
        ),
        # Only a module is lacking: nothing moves, and there is nothing to undo.
        (
            machine(READY, vfio=NOT_LOADED),
            "01:00.0",
            ["Now, until the next boot (as root):", "modprobe vfio_iommu_type1"],
            [UNDO, "driverctl --nosave", "Supposed that vfio-pci"],
        ),
        (machine(CARD, vfio=NOT_LOADED), "01:00.0", [SUPPOSED, UNDO], []),
        (
            machine(group(device("10000:e1:00.0", "nvme"))),
            "10000:e1:00.0",
            [NO_XML, "sysfsdev=/sys/bus/pci/devices/10000:e1:00.0"],
            ["<hostdev"],
        ),
    ],
)
def test_the_plan_says_what_this_machine_needs_and_no_more(
    host: Machine, word: str, says: list[str], says_not: list[str]
) -> None:
    text = text_for(host, word)
    assert [part for part in says if part not in text] == [], text
    assert [part for part in says_not if part in text] == [], text


@each(
    "kernel, lines",
    [
        (Kernel("6.12.1"), ["-device vfio-pci,host=0000:01:00.0"]),
        (
            IOMMUFD,
            [
                "-device vfio-pci,host=0000:01:00.0",
                "# or, by way of iommufd (QEMU 9.0 or newer):",
                "# -object iommufd,id=iommufd0",
                "# -device vfio-pci,iommufd=iommufd0,host=0000:01:00.0",
            ],
        ),
    ],
)
def test_the_way_by_iommufd_is_a_comment_for_the_shell(
    kernel: Kernel, lines: list[str]
) -> None:
    host = machine(CARD, kernel=kernel)
    plan = make_plan(host, NEW, (find_target(host, "01:00.0"),))
    assert qemu_text(written(plan, NEW)).splitlines() == lines


@each(
    "host, word, says",
    [
        (machine(CARD), "group:1", ""),
        (
            machine(group(device("0000:01:00.0", None, bridge=True))),
            "01:00.0",
            "(more about it: iommu-inspect explain not-on-vfio)",
        ),
        (
            machine(
                group(
                    device("0000:01:00.0", "e1000e"),
                    device("0000:01:00.1", "e1000e"),
                ),
                host=Host(),
            ),
            "01:00.0",
            "No plan for 01:00.0: it cannot be told.",
        ),
    ],
)
def test_without_a_plan_it_says_where_to_read_on(
    host: Machine, word: str, says: str
) -> None:
    text = text_for(host, word)
    assert ("No plan for" in text) is bool(says)
    assert says in text
