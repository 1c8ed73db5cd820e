"""What a command costs a running machine: time, and accesses to configuration space.

``python -m bench.guest`` boots a machine of the lab, lets its devices sleep, and runs
our commands and lspci on its live ``/sys``, as root. QEMU counts the accesses to
configuration space. Whatever slept has to sleep on: a device whose time awake grew was
woken.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from lab.cache import REPOSITORY
from lab.campaign import declared, find_kernels
from lab.guest import Guest, boot
from lab.host import SECONDS, mount_host, shell, with_host
from lab.needs import images

__all__ = ["main"]

_OURS = shlex.join([sys.executable, "-m", "iommu_inspect"])
_TOOLS = {
    "lspci -Dvmmnnk": "lspci -Dvmmnnk",
    "lspci -Dvvvnnk": "lspci -Dvvvnnk",
    "list": f"{_OURS} list",
    "audit": f"{_OURS} audit",
    "audit of one": f"{_OURS} audit 0000:01:00.0",
    "snapshot": f"{_OURS} snapshot -",
}
_SLEEP = (
    "for file in /sys/bus/pci/devices/*/power/control; do echo auto > $file; done;"
    " sleep 3"
)
# Of those that sleep: a device that is woken, and falls asleep again, was awake.
_ASLEEP = (
    "for one in /sys/bus/pci/devices/*; do read state < $one/power/runtime_status;"
    " read awake < $one/power/runtime_active_time;"
    " [ $state = suspended ] && echo $one $awake; done; true"
)


def main() -> int:
    """Boot, measure each tool, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", default="reference")
    parser.add_argument("--kernel", default="6.12")
    options = parser.parse_args()
    ((machine, kernel, _),) = declared(options.machine, find_kernels(options.kernel))
    image = images([kernel], print)[kernel.name]
    with tempfile.TemporaryDirectory() as scratch:
        trace = Path(scratch) / "trace"
        told = ("-trace", "pci_cfg_*", "-D", str(trace))
        machine = replace(machine, qemu_arguments=(*machine.qemu_arguments, *told))
        with boot(with_host(machine), image, print) as guest:
            mount_host(guest)
            shell(guest, _SLEEP)
            print(f"\n{machine.name}, Linux {guest.release}")
            for name, words in _TOOLS.items():
                print(_line(guest, trace, name, words), flush=True)
    return 0


def _line(guest: Guest, trace: Path, name: str, words: str) -> str:
    _run(guest, words)  # what it is made of comes over 9p, once
    asleep, accesses = _asleep(guest), _count(trace)
    seconds = _run(guest, words)
    reads, writes = map(int.__sub__, _count(trace), accesses)
    still = _asleep(guest)
    woken = sorted(one for one, awake in asleep.items() if still.get(one) != awake)
    return (
        f"  {name:16} {seconds:6.2f} s {reads:6} reads {writes:4} writes;"
        f" {len(asleep)} sleep, woken: {' '.join(woken) or 'none'}"
    )


def _count(trace: Path) -> tuple[int, int]:
    text = trace.read_bytes()
    return text.count(b"pci_cfg_read"), text.count(b"pci_cfg_write")


def _asleep(guest: Guest) -> dict[str, str]:
    """Return the time that each device which sleeps now was awake, by its name."""
    lines = guest.command(f"shell {_ASLEEP}", SECONDS).lines
    return dict(line.rpartition("/")[2].split() for line in lines if "/" in line)


def _run(guest: Guest, words: str) -> float:
    """Run a command in the guest, and return the seconds it takes there."""
    inner = (
        f"cd {shlex.quote(str(REPOSITORY))}; read before _ < /proc/uptime;"
        f" {words} > /dev/null 2>&1; read after _ < /proc/uptime;"
        " echo $before $after"
    )
    chroot = f"chroot /host /bin/sh -c {shlex.quote(inner)}"
    script = f"env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 {chroot}"
    before, after = guest.command(f"shell {script}", SECONDS).lines[-1].split()
    return float(after) - float(before)


if __name__ == "__main__":
    sys.exit(main())
