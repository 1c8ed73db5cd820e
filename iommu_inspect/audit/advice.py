"""The one advice of an audit, as data; `audit/advising.py` finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.plan.decision.moves import Decision

if TYPE_CHECKING:  # an audit that finds nothing wrong makes no plan
    from iommu_inspect.plan.steps.making import Plan
    from iommu_inspect.plan.writing import Written

__all__ = ["Advice", "Look", "Mending"]


@dataclass(frozen=True, slots=True)
class Look:
    """What to look at first: which answer lets go on, and what another means.

    ``harmless`` is false where one of the commands changes something.
    """

    commands: tuple[str, ...]
    supposed: str
    otherwise: str = ""
    harmless: bool = True


@dataclass(frozen=True, slots=True)
class Mending:
    """What mends one thing that is wrong on a host: prose, and lines to be copied."""

    rule: str
    prose: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do now.

    ``decision`` is the plan's about what was asked for, ``None`` for a whole host.
    ``steps`` are its commands in the order in which they were tried; where ``looks``
    are named, they hold if all is as supposed. Without steps ``because`` says why
    there are none, and ``then`` is the command that goes on where the looks allow it;
    ``whole`` is the one that has all of the plan.
    ``words`` is all that the plan has written.
    """

    decision: Decision | None
    steps: tuple[str, ...] = ()
    because: str = ""
    looks: tuple[Look, ...] = ()
    mending: tuple[Mending, ...] = ()
    then: str = ""
    whole: str = ""
    plan: Plan | None = None
    words: Written | None = None
