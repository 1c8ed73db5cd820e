"""Fuzz the parser of lspci's text: ``python -m fuzz.lspci_text``.

It must not raise, must end, and the machine must hang together: every function in one
group or ungrouped, none twice. Real captures beside the checkout are damaged as well.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path

from fuzz.mutate import mutated
from fuzz.run import Target, chosen, main
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.machine import read_texts

__all__ = ["TARGET", "check", "make"]

_SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
_SAMPLE = """\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:a700] (rev 01)
\tControl: I/O- Mem+
\tIOMMU group: 1
00:1c.0 PCI bridge [0604]: Intel Corporation Device [8086:7ab8] (rev 11)
\tControl: I/O- Mem+
\tIOMMU group: 2
\tBus: primary=00, secondary=01, subordinate=01, sec-latency=0
\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00
\t\tSltCap: AttnBtn- PwrCtrl- MRL- AttnInd- PwrInd- HotPlug+ Surprise+
\tCapabilities: [220 v1] Access Control Services
\t\tACSCap: SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- \
DirectTrans-
\t\tACSCtl: SrcValid+ TransBlk- ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- \
DirectTrans-
\tKernel driver in use: pcieport

01:00.0 Ethernet controller [0200]: Intel Corporation 82576 [8086:10c9] (rev 01)
\tFlags: bus master, fast devsel, latency 0, IRQ 1, IOMMU group 3
\tCapabilities: [a0] Express Endpoint, MSI 00
\tCapabilities: [160] Single Root I/O Virtualization (SR-IOV)
\t\tInitial VFs: 8, Total VFs: 8, Number of VFs: 2, Function Dependency Link: 00
\t\tVF offset: 128, stride: 2, Device ID: 10ca
00: 86 80 c9 10 06 04 10 00 01 00 00 02 10 00 80 00
"""
_PIECES = (
    b"00:00.0 PCI bridge: x\n",
    b"\tBus: primary=00, secondary=00, subordinate=ff, sec-latency=0\n",
    b"\tCapabilities: <access denied>\n",
    b"\t!!! Unknown header type 7f\n",
    b"\tIOMMU group: 999999999999\n",
    b"Number of VFs: 99999",
    b"> > ",
    b"\n\n",
    b"\x1b[31m",
)
_MAX_SAMPLE = 70_000


@cache
def _samples() -> tuple[bytes, ...]:
    files = sorted([*_SHARED.glob("machines/*/lspci*"), *_SHARED.glob("pciutils/*")])
    found = [path.read_bytes() for path in files if path.stat().st_size < _MAX_SAMPLE]
    return (_SAMPLE.encode(), _SAMPLE.encode(), *found)


def make(dice: random.Random) -> bytes:
    """Return a text that something is wrong with."""
    return mutated(chosen(_samples(), dice), dice, _PIECES)


def check(data: bytes) -> None:
    """Raise if the text is not read, or the machine contradicts itself."""
    text = data.decode("utf-8", "replace")
    try:
        machine = read_texts([(text, "fuzz")])
    except SourceError:
        return
    addresses = [device.address for device in machine.devices]
    if len(addresses) != len(set(addresses)):
        raise AssertionError("a function is there twice")
    found = recompute(machine)
    for group in machine.groups:
        found.agreement(group)


TARGET = Target("lspci_text", make, check)

if __name__ == "__main__":
    sys.exit(main(TARGET))
