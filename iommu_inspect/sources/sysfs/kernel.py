"""What a tree tells of its kernel: release, features, settings of its VFIO."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, value_or
from iommu_inspect.model.host.kernel import (
    NO_VFIO_GROUP,
    VFIO_GROUP,
    Kernel,
    VfioSettings,
)
from iommu_inspect.model.host.kernel_release import carries_code_back
from iommu_inspect.sources.sysfs.listing import GROUPS
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["TELLING_NAMES", "read_kernel", "vfio_settings"]

TELLING_NAMES = (
    "driver_managed_dma",
    "iommu_device_claim_dma_owner",
    "require_direct",
)
"""Members and functions of the core that came with a change of the rules."""
# param_get_bool() in kernel/params.c
_VFIO = "sys/module/vfio"
_FLAGS = {"Y": True, "N": False}


def read_kernel(
    tree: Tree, devices: Iterable[Device], group_ids: Fact[tuple[str, ...]]
) -> Kernel:
    """Return the kernel's release and the features that the tree shows it has."""
    features = set()
    if tree.exists("sys/class/vfio-dev") or any(
        value_or(d.vfio_devices, ()) for d in devices
    ):
        features.add("vfio-dev")
    # vfio makes this class as soon as it is there, in vfio_group_init(), if it has
    # groups; without them it has nodes of devices alone.
    of_groups = tree.has("sys/class/vfio")
    nodes = any(d.vfio_cdev is True for d in devices)
    if of_groups is True:
        features.add(VFIO_GROUP)
    elif of_groups is False and tree.whole and (nodes or tree.exists(_VFIO)):
        features.add(NO_VFIO_GROUP)
    if tree.exists("sys/class/misc/iommu") or tree.exists("sys/module/iommufd"):
        features.add("iommufd")
    for group_id in group_ids[:1] if known(group_ids) else ():
        if tree.exists(f"{GROUPS}/{group_id}/reserved_regions"):
            features.add("reserved-regions")
    release = tree.whole_lines("proc/sys/kernel/osrelease")
    if release == "":
        # A kernel has a name: the file was not read to its end.
        release = Missing.UNREADABLE
    if not known(release) or carries_code_back(release):
        features |= _built_in_names(tree)
    return Kernel(
        release=release,
        command_line=tree.text("proc/cmdline"),
        features=frozenset(features),
    )


def _built_in_names(tree: Tree) -> set[str]:
    """Look into the kernel's type information for names that tell its rules.

    It is several megabytes and so is read only where the release number does not
    tell. ``btf`` is among the result if it could be read.
    """
    btf = tree.large_data("sys/kernel/btf/vmlinux")
    if not known(btf):
        return set()
    return {
        "btf",
        *(name for name in TELLING_NAMES if b"\0%b\0" % name.encode() in btf),
    }


def vfio_settings(tree: Tree) -> VfioSettings:
    """Return the parameters of VFIO's modules, and whether its type 1 is loaded."""

    def flag(module: str, parameter: str) -> Fact[bool]:
        text = tree.text(f"sys/module/{module}/parameters/{parameter}")
        found = map_fact(text, _FLAGS.get)
        return Missing.UNREADABLE if found is None else found

    type1_loaded = tree.has("sys/module/vfio_iommu_type1")
    if type1_loaded is False and tree.has("sys/module") is not True:
        type1_loaded = Missing.ABSENT
    return VfioSettings(
        type1_loaded=type1_loaded,
        disable_denylist=flag("vfio_pci", "disable_denylist"),
        enable_sriov=flag("vfio_pci", "enable_sriov"),
        enable_unsafe_noiommu_mode=flag("vfio", "enable_unsafe_noiommu_mode"),
        type1_allow_unsafe_interrupts=flag(
            "vfio_iommu_type1", "allow_unsafe_interrupts"
        ),
        iommufd_allow_unsafe_interrupts=flag("iommufd", "allow_unsafe_interrupts"),
    )
