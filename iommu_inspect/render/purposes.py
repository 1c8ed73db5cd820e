"""What devices are wanted for, in words."""

from __future__ import annotations

from iommu_inspect.rules.finding import Purpose

__all__ = ["PHRASES"]

# What follows "can", "cannot" and "could".
PHRASES = {
    Purpose.VFIO: "be handed to user space",
    Purpose.DPDK: "be used by DPDK",
    Purpose.ATTACH: "be attached by iommu_attach_device()",
    Purpose.ONE_PER_GROUP: "be handed out one by one",
}
