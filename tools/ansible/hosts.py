"""Hosts to reach by SSH, each a network namespace with a captured tree as its /sys.

All addresses are on a bridge in a namespace of our own; nothing outside of it is
touched. What a host can see of files is a mount namespace: its own /root, /tmp and
/run, and the capture over /sys and the files of /proc that the capture has.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Host", "Network", "missing", "network"]

_PROGRAMS = ("ip", "ssh", "ssh-keygen", "mount", "/usr/sbin/sshd")
_NET = "10.77.0"
_SSHD = """\
Port 22
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""
# What is made in the mount namespace that `ip netns exec` gives, before sshd starts.
# The files of /proc that a capture has are put over the running kernel's.
_BEGIN = """\
set -eu
cd {folder}
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
(cd tree && find proc -type f ! -path 'proc/self/*') | while read -r file
do
    [ ! -e "/$file" ] || mount --bind "tree/$file" "/$file"
done
mount --bind tree/sys /sys
mount --bind tmp /tmp
mount --bind root /root
exec /usr/sbin/sshd -D -e -f {folder}/sshd_config
"""


def missing() -> str | None:
    """Say what is not there that hosts need, or ``None``."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            return f"there is no {program} (packages iproute2, openssh-server)"
    probe = f"iommu-inspect-probe-{os.getpid()}"
    done = _call("ip", "netns", "add", probe, check=False)
    if done.returncode:
        return f"ip netns: {done.stderr.strip()}"
    _call("ip", "netns", "delete", probe)
    return None


@dataclass(frozen=True, slots=True)
class Host:
    """A host: its name, its address, and the folder with all that it can write to."""

    name: str
    address: str
    folder: Path

    def put(self, capture: Path) -> None:
        """Make another capture what the host's /sys shows; it need not be started."""
        tree = self.folder / "tree"
        for part in ("sys", "proc"):
            # The folder itself is mounted, and stays.
            (tree / part).mkdir(parents=True, exist_ok=True)
            for old in (tree / part).iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        with tarfile.open(capture) as archive:
            # Ours, from the fixtures. Filters came to Python with 3.11.4, and newer
            # ones refuse links that lead out if none is named.
            if hasattr(tarfile, "fully_trusted_filter"):
                archive.extraction_filter = tarfile.fully_trusted_filter
            archive.extractall(tree)


class Network:
    """A namespace with a bridge, from which hosts are reached."""

    def __init__(self, folder: Path, started: ExitStack) -> None:
        """Make the namespace; what ``started`` holds undoes it."""
        self.folder = folder
        self._prefix = f"iommu-inspect-{os.getpid()}"
        self._started = started
        self._count = 0
        self.name = self._space("controller")
        self._in(self.name, "ip", "link", "add", "bridge", "type", "bridge")
        self._in(self.name, "ip", "address", "add", f"{_NET}.1/24", "dev", "bridge")
        self._in(self.name, "ip", "link", "set", "bridge", "up")
        self._in(self.name, "ip", "link", "set", "lo", "up")
        self.key = folder / "key"
        _key(self.key)

    def host(self, name: str, capture: Path) -> Host:
        """Start a host that shows a capture as its own."""
        self._count += 1
        folder = self.folder / "hosts" / name
        host = Host(name, f"{_NET}.{self._count + 1}", folder)
        for part in ("tmp", "root/.ansible/tmp"):
            (host.folder / part).mkdir(parents=True)
        host.put(capture)
        self._connect(host)
        _key(host.folder / "host_key")
        shutil.copy(self.key.with_suffix(".pub"), host.folder / "authorized_keys")
        texts = {"folder": host.folder, "address": host.address}
        (host.folder / "sshd_config").write_text(_SSHD.format(**texts))
        begin = _BEGIN.format(folder=shlex.quote(str(host.folder)))
        space = f"{self._prefix}-{name}"
        with (host.folder / "sshd.log").open("wb") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", space, "sh", "-c", begin],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.callback(_end, process)
        self._wait_for(host, process)
        return host

    def cut_off(self, host: Host) -> None:
        """Pull the plug of a host that runs: nobody reaches it any more."""
        self._in(f"{self._prefix}-{host.name}", "ip", "link", "set", "net0", "down")

    def command(self, *words: str) -> list[str]:
        """Return a command line that runs where the hosts can be reached."""
        return ["ip", "netns", "exec", self.name, *words]

    def _space(self, name: str) -> str:
        space = f"{self._prefix}-{name}"
        _call("ip", "netns", "add", space)
        self._started.callback(_remove, space)
        return space

    def _connect(self, host: Host) -> None:
        space, link = self._space(host.name), f"host{self._count}"
        self._in(
            *(self.name, "ip", "link", "add", link, "type", "veth"),
            *("peer", "name", "net0", "netns", space),
        )
        self._in(self.name, "ip", "link", "set", link, "master", "bridge", "up")
        self._in(space, "ip", "address", "add", f"{host.address}/24", "dev", "net0")
        self._in(space, "ip", "link", "set", "net0", "up")

    def _in(self, space: str, *words: str) -> None:
        _call("ip", "netns", "exec", space, *words)

    def _wait_for(self, host: Host, process: subprocess.Popen[bytes]) -> None:
        """Return when sshd answers, which it says in its log."""
        log = host.folder / "sshd.log"
        for _ in range(100):
            if b"listening on" in log.read_bytes():
                return
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"{host.name}: sshd did not start: {log.read_text()}")


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """Give a network, and take it and its hosts away whatever happens."""
    with ExitStack() as started:
        yield Network(folder, started)


def _remove(space: str) -> None:
    """Delete a namespace and end what runs in it: ssh keeps connections a minute."""
    for number in _call("ip", "netns", "pids", space, check=False).stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)
    _call("ip", "netns", "delete", space, check=False)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a host's sshd and all that it started; its mounts go with it."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sent)
            process.wait(5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _key(path: Path) -> None:
    _call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))


def _call(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(words), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{shlex.join(words)}: {done.stderr.strip()}")
    return done
