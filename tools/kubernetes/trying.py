"""Runs the container of the DaemonSet without a container engine.

A mount namespace with the mounts of the manifest, a root that cannot be written to, a
network of its own, and the user of the manifest without a capability. In place of the
image's files are those of this machine's /usr.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.kubernetes.manifests import FOLDER, Pod

__all__ = ["missing", "run"]

_PROGRAMS = ("unshare", "mount", "chroot", "setpriv")
_OF_THE_IMAGE = ("usr", "bin", "sbin", "lib", "lib64")
_DEVICES = ("null", "zero", "urandom")
_PYTHON = "/usr/bin/python3"
_TOOL = "opt/iommu-inspect"


def missing() -> str | None:
    """Say what is not there that this needs, or ``None``."""
    if os.geteuid() != 0:
        return "mount namespaces need root"
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            return f"there is no {program}"
    test = "import sys; sys.exit(sys.version_info < (3, 11))"
    if subprocess.call([_PYTHON, "-c", test], stderr=subprocess.DEVNULL):
        return f"{_PYTHON} is not Python 3.11 or newer"
    if subprocess.call(["unshare", "--mount", "--net", "--pid", "--fork", "true"]):
        return "unshare: no namespace can be made here"
    return None


def run(
    pod: Pod,
    tool: Path,
    node: Path,
    written: Path,
    *,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one round of the container.

    Args:
        pod: what the manifest says.
        tool: the program as one file, or a folder that Python can run.
        node: the root of the node's files: a capture, or ``/`` for this machine.
        written: the folder of this machine that is the only one to be written to.
        environment: what differs from the manifest's.
        user: another user than the manifest's.
    """
    variables = {**dict(pod.environment), "ROUNDS": "1", **(environment or {})}
    number, group = pod.user if user is None else user, pod.group
    enter = [
        *("setpriv", f"--reuid={number}", f"--regid={group}", "--clear-groups"),
        *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
        *("env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"),
        *(f"{name}={value}" for name, value in variables.items()),
        *("/bin/sh", f"/{_TOOL}/publish.sh", *pod.arguments),
    ]
    with TemporaryDirectory() as scratch:
        root = Path(scratch)
        lines = ["set -eu", *_mounts(pod, tool, node, written, root)]
        lines.append(f"exec chroot {shlex.quote(scratch)} {shlex.join(enter)}")
        return subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "sh", "-s"],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def _mounts(
    pod: Pod, tool: Path, node: Path, written: Path, root: Path
) -> Iterator[str]:
    """Yield the commands that lay the container's root out."""
    yield f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(root))}"
    for name in _OF_THE_IMAGE:
        if Path("/", name).is_dir():
            yield from _bound(Path("/", name), root / name, read_only=True)
    for name in _DEVICES:
        yield from _bound(Path("/dev", name), root / "dev" / name, read_only=False)
    yield from _bound(tool, root / _TOOL / "iommu-inspect.pyz", read_only=True)
    yield from _bound(
        FOLDER / "publish.sh", root / _TOOL / "publish.sh", read_only=True
    )
    yield f"mkdir {shlex.quote(str(root / 'proc'))}"
    yield f"mount -t proc proc {shlex.quote(str(root / 'proc'))}"
    for mount in pod.mounts:
        source = node / mount.node.lstrip("/") if mount.read_only else written
        target = root / mount.container.lstrip("/")
        yield from _bound(source, target, read_only=mount.read_only)
    yield f"mount -o remount,ro,bind {shlex.quote(str(root))}"


def _bound(source: Path, target: Path, *, read_only: bool) -> Iterator[str]:
    """Yield the commands that show a file or a folder at another place."""
    here, there = shlex.quote(str(source)), shlex.quote(str(target))
    if source.is_dir():
        yield f"mkdir -p {there}"
    else:
        yield f"mkdir -p {shlex.quote(str(target.parent))}"
        yield f": > {there}"
    yield f"mount --bind {here} {there}"
    if read_only:
        yield f"mount -o remount,ro,bind {there}"
