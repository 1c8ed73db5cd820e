"""Whether an ordinary user may open the group's node and lock a guest's memory."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.group import Group
from iommu_inspect.rules._cures import Look, Looking, WriteLine
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="vfio-access",
    summary="an ordinary user cannot open the group or lock a guest's memory",
    severity=Severity.INFO,
    joint=True,
)
# Below what the smallest guests have. systemd's default is 8 MiB.
_LEAST = 1 << 30


def _check_group(case: Case, group: Group) -> Iterator[Finding]:
    """Look at the node of a group that was asked for and has one."""
    if not case.targets or not case.having(group, Role.VFIO):
        return
    node, path = group.node, f"/dev/vfio/{group.id}"
    if node is Missing.ABSENT:  # a capture has no nodes
        return
    if not known(node):
        yield case.finding(
            group,
            f"Who may open {path} cannot be told ({node.value}).",
            "Look as root.",
            certainty=Certainty.UNKNOWN,
            cures=[Look(Looking.NODE, group.id)],
        )
        return
    if node.user or node.mode & 0o066:
        return
    yield case.finding(
        group,
        f"{path} belongs to root alone (mode {node.mode:04o}): any other user gets "
        "'Permission denied'. libvirt changes that itself for its guests.",
        "For a user of your own, a udev rule (in /etc/udev/rules.d/), then bind the "
        "device again.",
        cures=[WriteLine("/etc/udev/rules.d/", _udev_rule(group))],
    )


def _udev_rule(group: Group) -> str:
    return f'SUBSYSTEM=="vfio", KERNEL=="{group.id}", GROUP="kvm", MODE="0660"'


def _check_machine(case: Case) -> Iterator[Finding]:
    limit = case.machine.memlock_limit
    if not case.targets or limit is None or not known(limit):
        return
    if limit >= _LEAST or not any(case.having(g, Role.VFIO) for g in case.groups):
        return
    yield case.finding(
        None,
        f"This login may lock {_size(limit)} of memory, and VFIO locks all of a "
        "guest's: without CAP_IPC_LOCK, VFIO_IOMMU_MAP_DMA fails with -ENOMEM "
        "('Cannot allocate memory'). libvirt raises the limit of its guests itself.",
        "For a user of your own, in /etc/security/limits.conf (then log in again), or "
        "LimitMEMLOCK= in the unit.",
        cures=[WriteLine("/etc/security/limits.conf", "@kvm  -  memlock  unlimited")],
    )


def _size(limit: int) -> str:
    return f"{limit >> 20} MiB" if limit >> 20 else f"{limit >> 10} KiB"


RULE = Rule(ABOUT, check_machine=_check_machine, check_group=_check_group)
