"""Runs plays against the hosts, and tells what a user is told of each."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from iommu_inspect.model.dataclass import dataclass
from tools.ansible.collection import ROOT, laid_out
from tools.ansible.hosts import Host, Network

__all__ = ["Play", "Player"]

_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+.*)$", re.MULTILINE)
_COUNT = re.compile(r"(\w+)=(\d+)")
_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  roles:
    - role: iommu_inspect.host.audit
"""
_OPTIONS = (
    "-o ConnectTimeout=5 -o ConnectionAttempts=1 -o StrictHostKeyChecking=no "
    "-o UserKnownHostsFile=/dev/null -o ControlMaster=no -o IdentitiesOnly=yes"
)


@dataclass(frozen=True, slots=True)
class Play:
    """What a run printed, its exit code, and its counts for each host."""

    output: str
    code: int
    counts: Mapping[str, Mapping[str, int]]

    def of(self, host: Host) -> str:
        """Return how a host fared, in a word, as the recap counts it."""
        counts = self.counts.get(host.name, {})
        for word in ("unreachable", "failed", "changed"):
            if counts.get(word):
                return word
        return "ok" if counts.get("ok") else "not played"


class Player:
    """Ansible from a folder of its own, with the collection and an inventory."""

    def __init__(self, folder: Path, network: Network, hosts: Sequence[Host]) -> None:
        """Lay out the collection, the inventory and the play."""
        self.folder = folder
        self.kept = folder / "play" / "iommu-inspect"
        self._network = network
        laid_out(folder)
        (folder / "play").mkdir()
        (folder / "play" / "audit.yml").write_text(_PLAYBOOK)
        (folder / "hosts.ini").write_text(_inventory(network, hosts))

    def play(self, *words: str) -> Play:
        """Run the role on all hosts."""
        return self.run("ansible-playbook", "play/audit.yml", *words)

    def run(self, program: str, *words: str) -> Play:
        """Run a program of Ansible with our inventory."""
        bin_folder = ROOT / ".venv-ansible" / "bin"
        done = subprocess.run(
            self._network.command(str(bin_folder / program), *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            timeout=300,
            check=False,
            env={
                "PATH": f"{bin_folder}:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self.folder / "home"),
                "LC_ALL": "C.UTF-8",
                "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
                "ANSIBLE_INVENTORY": str(self.folder / "hosts.ini"),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_FORKS": "4",
            },
        )
        counts = {
            name: {word: int(number) for word, number in _COUNT.findall(rest)}
            for name, rest in _RECAP.findall(done.stdout)
        }
        return Play(done.stdout, done.returncode, counts)


def _inventory(network: Network, hosts: Sequence[Host]) -> str:
    lines = [f"{host.name} ansible_host={host.address}" for host in hosts]
    lines += [
        "[all:vars]",
        "ansible_user=root",
        f"ansible_ssh_private_key_file={network.key}",
        f"ansible_ssh_common_args='{_OPTIONS}'",
        "ansible_python_interpreter=/usr/bin/python3",
    ]
    return "\n".join(lines) + "\n"
