"""One decision for each member of the groups that were asked for, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.variants import known_variant
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import FATAL, UseKind
from iommu_inspect.model.uses.losses import (
    Loss,
    host_losses,
    is_in,
    perhaps_lost,
    perhaps_untold,
)
from iommu_inspect.model.uses.words import described
from iommu_inspect.plan.decision import neighbours
from iommu_inspect.plan.decision.dpdk import (
    asks_nothing_of_group,
    stays_for_dpdk,
    without_group,
)
from iommu_inspect.plan.decision.moves import NO_GROUP, Decision, Move, Refusal
from iommu_inspect.plan.decision.refusals import of_asked, of_group, strange_names
from iommu_inspect.rules._words import addresses, caution
from iommu_inspect.rules.case import Case

__all__ = ["Decided", "decide"]


@dataclass(frozen=True, slots=True)
class Decided:
    """The decisions in the machine's order, and all that stands in the way."""

    moves: tuple[Move, ...]
    refusals: tuple[Refusal, ...]


def decide(case: Case, accept: frozenset[str] = frozenset()) -> Decided:
    """Decide about every member of the targets' groups.

    ``accept`` names rules whose errors are not to stand in the way: ``host-loss`` lets
    what the host lives on go.
    """
    deciding = _Deciding(case, accept)
    moves = tuple(
        deciding.move(group, device, asked)
        for group in case.groups
        for asked in [deciding.together(_asked(case, group))]
        for device in group.devices
    ) + tuple(
        deciding.move(NO_GROUP, d, deciding.together((d,))) for d in without_group(case)
    )
    moves = deciding.not_lived_on(moves)
    refusals = [refusal for group in case.groups for refusal in of_group(group)]
    refusals += _of_moves(moves)
    refusals += [refusal for move in moves for refusal in strange_names(move)]
    return Decided(moves, tuple(dict.fromkeys(refusals)))


def _of_moves(moves: Iterable[Move]) -> Iterator[Refusal]:
    """Yield the refusals, the surest first; what the host may live on is one reason."""
    blocking = [move for move in moves if move.refusal is not None]
    order = (Decision.NEVER, Decision.STAYS, Decision.UNTOLD)
    perhaps: dict[str, list[Move]] = {}
    for move in sorted(blocking, key=lambda m: order.index(m.decision)):
        if move.refusal is None:
            continue
        may_be_lived_on = move.refusal.rule == "host-loss" and not move.asked
        if may_be_lived_on and not move.refusal.certain:
            perhaps.setdefault(move.group.id, []).append(move)
        else:
            yield move.refusal
    for several in perhaps.values():
        devices = [move.device for move in several]
        yield neighbours.perhaps_lived_on(several[0].group, devices)


def _asked(case: Case, group: Group) -> tuple[Device, ...]:
    """Return what was asked for: devices, or for ``group:N`` what can be handed over.

    Of a group without a driver of the host one device has to go to vfio-pci, or
    there is nothing to open. What serves the board itself is handed over by its own
    name only.
    """
    by_name = case.targets_in(group)
    if group.id not in case.whole_groups:
        return by_name
    fit = [d for d in group.devices if neighbours.fits(d)]
    fit = [d for d in fit if not neighbours.serves_the_host(d)] or fit
    bound = [d for d in fit if case.role(d) in (Role.KERNEL, Role.VFIO)]
    if not bound and not by_name and not case.having(group, Role.VFIO):
        bound = fit[:1]
    named = {device.id for device in by_name}
    return (*by_name, *(d for d in bound if d.id not in named))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for of a group, and by what each device would be taken along."""

    ids: frozenset[DeviceId]
    takers: dict[DeviceId, list[Device]]
    ask_nothing: bool


class _Deciding:
    """Decides about devices of one case, one after the other."""

    def __init__(self, case: Case, accept: frozenset[str]) -> None:
        self._case = case
        self._accept = accept
        self._relations = Relations(case.machine)
        self._wanted = {device.id for device in case.asked if case.is_target(device)}

    def move(self, group: Group, device: Device, together: _Asked) -> Move:
        """Decide about one member; ``together`` is what was asked for of its group."""
        case = self._case
        role = case.role(device)
        is_asked = device.id in together.ids

        def stays(why: str, refusal: Refusal | None = None) -> Move:
            return Move(
                device, group, Decision.STAYS, why, asked=is_asked, refusal=refusal
            )

        if is_asked and (why := stays_for_dpdk(case, device)):
            return stays(why)
        if is_asked and asks_nothing_of_group(case, device):
            return self._asked_for(group, device)
        if together.ask_nothing:
            return stays("DPDK asks nothing of the others in the group")
        if role is Role.VFIO:
            driver = device.driver
            name = f" ({shown(driver)})" if isinstance(driver, str) else ""
            return stays(f"on a vfio driver already{name}")
        if parent := together.takers.get(device.id):
            why = f"goes with {addresses(parent)}, which has it below it"
            # By whatever name it was asked for: it is there for nobody any more.
            return replace(stays(why), asked=False)
        if is_asked:
            return self._asked_for(group, device)
        if role is Role.KERNEL:
            return self._of_the_host(group, device)
        if role is Role.UNKNOWN:
            why = "what its driver is to the group cannot be told"
            move = Move(device, group, Decision.UNTOLD, why, asked=False)
            return replace(move, refusal=neighbours.untold(move))
        if role is Role.MANAGED:
            return stays(_managed(case, device))
        if role is Role.UNENFORCED:
            return stays(f"the bus {shown(str(device.bus))} asks for no ownership")
        if device.is_bridge is True:
            return stays("a bridge without a driver: it does not count")
        if case.may_crash and device.is_pci:
            why = (
                "no driver, and none may come: on a kernel before v5.19 a driver that "
                "binds here while user space has the group kills the host"
            )
            return Move(device, group, Decision.RELEASED, why, asked=False)
        return stays("no driver: it goes along and is in nobody's way")

    def not_lived_on(self, moves: Sequence[Move]) -> tuple[Move, ...]:
        """Keep from moving what the host lives on, alone or with others that move.

        One disk of a mirror may go; both may not.
        """
        if "host-loss" in self._accept:
            return tuple(moves)
        changed = [move.device for move in moves if move.changes]
        losses = [
            loss
            for loss in host_losses(self._case.machine, changed)
            if loss.whole and loss.use.kind in FATAL
        ]
        return tuple(self._if_lived_on(move, losses) for move in moves)

    def _if_lived_on(self, move: Move, losses: Iterable[Loss]) -> Move:
        if not move.changes:
            return move
        if not losses or not host_losses(self._case.machine, [move.device]):
            return move
        taken = (move.device, *self._relations.below(move.device))
        places = frozenset(d.path for d in taken if known(d.path))
        mine = [
            loss for loss in losses if any(is_in(path, places) for path in loss.paths)
        ]
        if not mine:
            return move
        uses = [loss.use for loss in mine]
        why = f"the host lives on it: {described(uses)}"
        return replace(
            move,
            decision=Decision.NEVER,
            why=why,
            costs=(),
            refusal=neighbours.lived_on(self._case, move, uses),
        )

    def together(self, asked: tuple[Device, ...]) -> _Asked:
        """Look once for a group at those that were asked for."""
        takers: dict[DeviceId, list[Device]] = {}
        for device in asked:
            for below in self._relations.below(device):
                if below.id != device.id:
                    takers.setdefault(below.id, []).append(device)
        return _Asked(
            frozenset(device.id for device in asked),
            takers,
            bool(asked) and all(asks_nothing_of_group(self._case, d) for d in asked),
        )

    def _asked_for(self, group: Group, device: Device) -> Move:
        becomes = neighbours.driver_for(self._case, device)
        refusal = next(of_asked(self._case, device), None)
        if refusal is not None:
            why = _of_itself(device, refusal.message)
            return Move(device, group, Decision.STAYS, why, asked=True, refusal=refusal)
        costs = list(filter(None, self._costs(device)))
        if neighbours.serves_the_host(device):
            costs.append("It serves the board itself: a guest may harm the host by it.")
        return Move(
            device,
            group,
            Decision.MOVES,
            "asked for",
            asked=True,
            becomes=becomes,
            costs=tuple(costs),
        )

    def _of_the_host(self, group: Group, device: Device) -> Move:
        """A driver of the host keeps user space out of the whole group."""
        below = self._relations.below(device)
        if taken := [d for d in below if d.id in self._wanted]:
            why = f"{addresses(taken)} would go with its driver ({_driver(device)})"
            move = Move(device, group, Decision.NEVER, why, asked=False)
            return replace(move, refusal=neighbours.takes_target(move, taken))
        decision, why, refusal = neighbours.decision(self._case, group, device, below)
        move = Move(device, group, decision, why, asked=False, refusal=refusal)
        if not move.changes:
            return move
        return replace(
            move,
            becomes=neighbours.driver_for(self._case, device),
            costs=tuple(filter(None, self._costs(device))),
        )

    def _costs(self, device: Device) -> Iterator[str]:
        """Say what goes with the driver of a device that is to be handed over."""
        machine = self._case.machine
        if (variant := known_variant(machine, device)) is not None:
            yield (
                f"This kernel may have a vfio driver of its own for it, {variant}: "
                "where it has, that is the one to bind."
            )
        below = self._relations.below(device)
        if below and device.driver is not None:
            names = [d.address for d in below[:3]]
            more = len(below) - len(names)
            names += [f"{more} more"] if more > 0 else []
            verb = "goes" if len(below) == 1 else "go"
            yield f"{listed(map(shown, names))} {verb} with its driver."
        losses = [
            loss
            for loss in host_losses(machine, [device])
            if loss.use.kind is not UseKind.FRAMEBUFFER  # boot-display says that
        ]
        ends = [loss.use for loss in losses if loss.whole]
        parts = [loss.use for loss in losses if not loss.whole]
        if ends:
            yield f"The host uses it for {described(ends)}: that ends with its driver."
        if parts:
            yield f"It is one of several that carry {described(parts)}."
        if not losses and (
            perhaps_lost(machine, device) or perhaps_untold(machine, device)
        ):
            yield caution(device)


def _of_itself(device: Device, message: str) -> str:
    """Return a sentence about a device as words to stand beside its name."""
    name = shown(device.address)
    for start in (f"{name} is ", f"{name}: ", f"{name} "):
        if message.startswith(start):
            return message.removeprefix(start).rstrip(".")
    return message.rstrip(".")


def _managed(case: Case, device: Device) -> str:
    if case.may_crash and device.is_bridge is True:
        return f"a bridge: the kernel does not mind {_driver(device)} on it"
    return f"{_driver(device)} manages its own DMA: it does not count"


def _driver(device: Device) -> str:
    return neighbours.driver_name(device)
