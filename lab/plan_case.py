"""What one plan that is carried out in a guest is about, as data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PlanCase"]


@dataclass(frozen=True)
class PlanCase:
    """One plan: a machine, what the plan is asked for, and what must come of it.

    ``targets`` are the machine's names, or addresses of what QEMU brings along;
    ``what`` says in a few words what else is special. ``setup`` are commands of the
    guest that come first, or lines of a shell after ``dash``; what they do stays for
    the machine's later cases. ``refused`` names the rule where there must be no plan.
    ``qemu`` says that QEMU is to start in the guest with the printed arguments,
    ``kernels`` that the case is about these alone.

    ``lost`` are patterns of members that the capture loses before the plan is made of
    it, ``paste`` is a line whose output the plan is made of instead. Such a plan is
    conditional: ``answers`` are patterns that the printed checks' answers must fit,
    ``stops`` is what the script says where one of them says no. ``alive`` is a line
    that has to work afterwards.
    """

    machine: str
    targets: tuple[str, ...]
    what: str = ""
    setup: tuple[str, ...] = ()
    accept: str = ""
    refused: str = ""
    qemu: bool = False
    kernels: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    paste: str = ""
    answers: tuple[str, ...] = ()
    stops: str = ""
    alive: str = ""

    def holds_on(self, kernel: str) -> bool:
        """Say whether the case is about this kernel; without a list it is about all."""
        return not self.kernels or kernel in self.kernels

    @property
    def is_conditional(self) -> bool:
        """Say whether the source does not tell all that decides."""
        return bool(self.lost or self.paste)

    @property
    def asked(self) -> str:
        """What is asked for, in words."""
        more = f" (`--accept {self.accept}`)" if self.accept else ""
        told = f": {self.what}" if self.what else ""
        return f"{' '.join(self.targets)}{more}{told}"

    @property
    def name(self) -> str:
        """What the case is called in messages."""
        return f"{self.machine}: {self.asked}"
