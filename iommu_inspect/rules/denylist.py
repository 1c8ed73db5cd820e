"""vfio-pci refuses a device that guests may harm the host through."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import DENYLIST
from iommu_inspect.kernel.denylist import denial, is_listed
from iommu_inspect.kernel.variants import vfio_driver_for
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.text import shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="denylist",
    summary="vfio-pci refuses the device, since a guest may harm the host through it",
    severity=Severity.ERROR,
    references=(DENYLIST,),
    joint=True,
)


def _check(case: Case) -> Iterator[Finding]:
    for device in case.asked:
        wanted = is_listed(device) and has_vfio_driver(device) is not True
        if wanted and vfio_driver_for(case.machine, device) == "vfio-pci":
            yield from _judge(case, device)


def _judge(case: Case, device: Device) -> Iterator[Finding]:
    found = denial(case.machine, device, case.semantics)
    name, pair = shown(device.address), str(device.ids.pair)
    if found.denied is False:
        return
    message = (
        f"{name} is in the denylist of vfio-pci ({pair}): binding returns -EINVAL, and "
        "the kernel's log says 'exists in vfio-pci device denylist, driver probing "
        "disallowed'."
    )
    if found.denied is None:
        message = f"{name}: {found.because}; where it has, binding returns -EINVAL."
    yield case.finding(
        device,
        message,
        "Use another device. Where the guests are trusted, vfio-pci takes it if it is "
        "loaded with disable_denylist=1.",
        others=case.neighbours(device),
        certainty=Certainty.KERNEL if found.denied else Certainty.UNKNOWN,
        step="" if found.denied else "find out whether vfio-pci has a denylist",
        final=found.denied is True,
    )


RULE = Rule(ABOUT, check_machine=_check)
