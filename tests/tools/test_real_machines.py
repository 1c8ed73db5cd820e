"""Groups recomputed from captures of machines that nobody here has."""

from __future__ import annotations

from running import read
from shared import SHARED, needs_shared

from tools.real_machines import outcomes


@needs_shared
def test_no_group_of_a_real_machine_is_wrong_with_certainty() -> None:
    found = {outcome.name: outcome for outcome in outcomes(read)}
    assert len(found) > 30
    assert {name: o.different for name, o in found.items() if o.different} == {}
    enough = [outcome for outcome in found.values() if outcome.enough]
    equal = sum(outcome.equal for outcome in enough)
    assert equal / sum(o.equal + o.unknown for o in enough) >= 0.95
    # Bytes of a whole laptop, and the words of a root user on a farm of switches.
    laptop = found["machines/laptop-asus-alderlake-rtx-hexdump/lspci-vvxxxx.txt"]
    assert (laptop.equal, laptop.unknown) == (22, 0)
    farm = found["machines/mtca-e3-1505-pex8748-switch-farm/report.txt"]
    assert farm.equal >= 9
    # Without root, no isolation is seen: what is told needs none.
    laptop = found["machines/laptop-lenovo-21g2-meteorlake/lspci-v.txt"]
    assert laptop.equal < laptop.unknown / 10


def test_the_collection_is_where_the_program_looks() -> None:
    from tools import real_machines

    assert real_machines.SHARED == SHARED
