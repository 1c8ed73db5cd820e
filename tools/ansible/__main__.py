"""Proves the collection on hosts that Ansible reaches by SSH: ``make ansible``.

    python -m tools.ansible

Three hosts are in the inventory: one whose groups conflict, one that is clean, and one
that is not there. What is asserted is what a user sees, and what lies on the disks. It
needs root, for network namespaces; without it says so and does nothing.

Exit code: 0 all held, or it cannot be done here; 1 something did not hold.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import tempfile
import time
from pathlib import Path

from tools.ansible.collection import ROOT, TOOL
from tools.ansible.hosts import Host, missing, network
from tools.ansible.playing import Play, Player

__all__ = ["main"]

_KERNELS = ROOT / "tests" / "fixtures" / "kernels"
# The same machine, before and after one of two functions went to vfio-pci.
_CLEAN = _KERNELS / "6.12-two-functions-0.tar.gz"
_CONFLICT = _KERNELS / "6.12-two-functions-1.tar.gz"
_MESSAGE = "mixed-ownership: 0000:01:00.1 is bound to xhci_hcd, a driver of the host"
_DIFFERENCE = "owner: conflict, was kernel: 1 group"
_MODULE = ("-m", "iommu_inspect.host.audit", "-a")


class Asserted:
    """What was asserted, told as it happens, and how much of it did not hold."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.count = self.failed = 0
        self._play: Play | None = None

    def about(self, title: str, play: Play) -> None:
        """Name the run that is looked at."""
        print(f"{title}: ansible ended with {play.code}")
        self._play = play

    def that(self, holds: bool, what: str) -> None:
        """Count a claim; one that fails is told with what Ansible printed."""
        self.count += 1
        print(f"  {'holds' if holds else 'FAILS'}: {what}")
        if not holds:
            self.failed += 1
            print(self._play.output if self._play else "")


def main() -> int:
    """Set the hosts up, play, and say how much held."""
    # What ends the program undoes what it made, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lacking = missing()
    if lacking or not TOOL.is_file():
        print(f"skipped: {lacking or f'there is no {TOOL}: make zipapp'}")
        return 0
    begun = time.monotonic()
    asserted = Asserted()
    # Not in /tmp: each host has its own there.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="iommu-inspect-") as name:
        folder = Path(name)
        with network(folder) as net:
            hosts = (net.host("conflict", _CONFLICT), net.host("clean", _CLEAN))
            gone = net.host("gone", _CLEAN)
            net.cut_off(gone)
            player = Player(folder, net, (*hosts, gone))
            _prove(asserted, player, *hosts, gone)
    taken = time.monotonic() - begun
    print(
        f"{asserted.count} claims, {asserted.failed} failed; 3 hosts by SSH, one of "
        f"them cut off; {taken:.0f} s"
    )
    return 1 if asserted.failed else 0


def _prove(
    asserted: Asserted, player: Player, conflict: Host, clean: Host, gone: Host
) -> None:
    that = asserted.that
    before = _state(player, conflict, clean)

    play = player.play("--check", "--diff")
    asserted.about("the first run, in check mode", play)
    _told_apart(asserted, play, conflict, clean, gone)
    that(_state(player, conflict, clean) == before, "no file changed on either side")
    that(not player.kept.exists(), "no folder was made on the controller")
    that(play.output.count("the first snapshot") == 2, "--diff: the first snapshots")

    play = player.play()
    asserted.about("the first run", play)
    _told_apart(asserted, play, conflict, clean, gone)
    names = ["baseline/clean.tgz", "baseline/conflict.tgz", "clean.tgz", "conflict.tgz"]
    that(_files(player.kept) == names, "a snapshot and a baseline of each host")
    _hosts_untouched(asserted, before, player, conflict, clean)

    play = player.play("--diff")
    asserted.about("the second run", play)
    _told_apart(asserted, play, conflict, clean, gone)
    counts = [play.counts[host.name]["changed"] for host in (conflict, clean)]
    that(counts == [0, 0], "it reports no change")
    that("since " not in play.output, "--diff shows no difference")

    clean.put(_CONFLICT)
    changed = _state(player, conflict, clean)
    play = player.play("--check", "--diff")
    asserted.about("another capture on the clean host, in check mode", play)
    that(play.of(clean) == "failed", "it fails now as the other one")
    that(play.output.count(_DIFFERENCE) == 1, "--diff shows what changed, of it alone")
    that(_state(player, conflict, clean) == changed, "no file changed on either side")

    play = player.run(
        "ansible", "all", *_MODULE, "baseline=play/iommu-inspect/baseline/clean.tgz"
    )
    asserted.about("the module, since the baseline of the clean host", play)
    that(
        play.output.count("mixed-ownership: 0000:01:00.1") >= 2, "what is new is wrong"
    )
    play = player.run(
        "ansible", "clean", *_MODULE, "baseline=play/iommu-inspect/conflict.tgz"
    )
    asserted.about("the module, since a state that was as bad", play)
    that("clean | SUCCESS" in play.output, "nothing is new, and nothing fails")

    play = player.play("--diff")
    asserted.about("the same, for real", play)
    that(play.output.count(_DIFFERENCE) == 1, "--diff shows the same")
    that(play.counts["clean"]["changed"] == 1, "the snapshot is replaced")
    kept = player.kept
    same = _digest(kept / "clean.tgz") == _digest(kept / "conflict.tgz")
    that(same, "and is that of the other host: the same capture")
    old = _digest(kept / "baseline/clean.tgz")
    that(old != _digest(kept / "clean.tgz"), "the baseline stays")

    play = player.play("--diff", "-e", "audit_accept=true", "-e", "audit_fail_on=never")
    asserted.about("accepted", play)
    that(play.of(clean) == "changed", "the baseline is replaced, and nothing fails")
    play = player.play("--diff", "-e", "audit_accept=true", "-e", "audit_fail_on=never")
    asserted.about("accepted again", play)
    that(play.of(clean) == "ok", "nothing is left to accept")
    that("since " not in play.output, "--diff shows no difference")

    play = player.play("-e", '{"audit_source": ["/nowhere"]}')
    asserted.about("a source that is not there", play)
    said = "iommu-inspect: cannot read /nowhere: no such file or directory"
    that(play.output.count(f'"msg": "{said}"') == 2, "the tool's line, and no more")

    play = player.run("ansible", "clean", *_MODULE, "targets=--demo fail_on=never")
    asserted.about("a target that looks like an option", play)
    that("clean | FAILED" in play.output, "it is a target, and there is none such")
    _hosts_untouched(asserted, before, player, conflict, clean)


def _told_apart(
    asserted: Asserted, play: Play, conflict: Host, clean: Host, gone: Host
) -> None:
    asserted.that(play.of(conflict) == "failed", "the host that conflicts fails")
    said = f'"msg": "{_MESSAGE}'
    asserted.that(play.output.count(said) == 1, "with the message of the rule")
    asserted.that(play.of(clean) in ("ok", "changed"), "the clean host does not")
    asserted.that(play.of(gone) == "unreachable", "the host that is not there is named")


def _hosts_untouched(
    asserted: Asserted, before: dict[str, str], player: Player, *hosts: Host
) -> None:
    now = _state(player, *hosts)
    for host in hosts:
        place = f"hosts/{host.name}/"
        written = {
            path
            for path in before.keys() ^ now.keys()
            if path.startswith((f"{place}tmp", f"{place}root"))
        }
        asserted.that(not written, f"nothing is left on the host {host.name}")


def _state(player: Player, *hosts: Host) -> dict[str, str]:
    """Return a checksum of each file, folder and link of the controller and hosts."""
    roots = [player.folder / "play"]
    for host in hosts:
        roots += [host.folder / part for part in ("root", "tmp", "tree")]
    return {
        str(path.relative_to(player.folder)): _digest(path)
        for root in roots
        for path in sorted(root.rglob("*"))
    }


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link {path.readlink()}"
    if path.is_dir():
        return "folder"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in found)


if __name__ == "__main__":
    sys.exit(main())
