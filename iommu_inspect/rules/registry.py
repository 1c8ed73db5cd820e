"""The rules, in the order in which their findings are shown."""

from __future__ import annotations

from iommu_inspect.rules import (
    acs_override,
    address_width,
    attach_user,
    boot_display,
    bridge_driver,
    companion_functions,
    denylist,
    direct_mapping,
    dma_alias_quirk,
    driver_override,
    expectation,
    host_loss,
    ids_name_nothing,
    ids_take_others,
    ids_without_effect,
    interrupt_remapping,
    iommufd_node,
    mixed_ownership,
    no_answer,
    no_iommu,
    no_iommu_mode,
    not_on_vfio,
    numa_distance,
    partial_group,
    power_d3cold,
    proposed_single_driver,
    reset_scope,
    settings_typo,
    singleton_assumption,
    singleton_can_grow,
    sriov_mix,
    uio_driver,
    vfio_access,
    xen_dom0,
)
from iommu_inspect.rules.base import Rule

__all__ = ["RULES", "find_rule"]

RULES: tuple[Rule, ...] = (
    expectation.RULE,
    no_answer.RULE,
    xen_dom0.RULE,
    no_iommu.RULE,
    no_iommu_mode.RULE,
    host_loss.RULE,
    mixed_ownership.RULE,
    bridge_driver.RULE,
    denylist.RULE,
    not_on_vfio.RULE,
    uio_driver.RULE,
    direct_mapping.RULE,
    interrupt_remapping.RULE,
    boot_display.RULE,
    partial_group.RULE,
    settings_typo.RULE,
    ids_without_effect.RULE,
    ids_name_nothing.RULE,
    ids_take_others.RULE,
    driver_override.RULE,
    acs_override.RULE,
    singleton_assumption.RULE,
    singleton_can_grow.RULE,
    attach_user.RULE,
    sriov_mix.RULE,
    reset_scope.RULE,
    power_d3cold.RULE,
    companion_functions.RULE,
    address_width.RULE,
    numa_distance.RULE,
    dma_alias_quirk.RULE,
    vfio_access.RULE,
    iommufd_node.RULE,
    proposed_single_driver.RULE,
)


def find_rule(rule_id: str) -> Rule | None:
    """Return the rule of this id, ``None`` if there is none."""
    return next((rule for rule in RULES if rule.id == rule_id), None)
