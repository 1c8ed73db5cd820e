"""The audit hook that watches every test sees what must never be done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from examples import each
from watch import watching

# As a file of the package would do it, and as somebody else would.
PACKAGE, OTHER = f"{watching.PACKAGE}cli/x.py", "/x/tests/x.py"
SCRIPT = """
import contextlib, sys
with contextlib.suppress(OSError, ImportError):
    exec(compile(sys.argv[2], sys.argv[1], "exec"))
"""


def done_by(file: str, code: str, place: Path, record: str) -> list[str]:
    """Return what is seen of a process in which a file does something."""
    subprocess.run(
        [sys.executable, "-c", SCRIPT, file, code], check=True, cwd=place, timeout=60
    )
    return watching.taken(record)


@each(
    "code",
    [
        "open('/sys/kernel/nothing', 'w')",
        "import os; os.open('/sys/kernel/nothing', os.O_RDWR)",
        "import os; os.open(b'/sys/kernel/nothing', os.O_RDONLY | os.O_TRUNC)",
        "open('/proc/self/nothing', 'a')",
        "open('/dev/nothing/x', 'xb')",
        "open('/tmp/../sys/kernel/nothing', 'w')",
        "import pathlib; pathlib.Path('/sys/nothing/x').write_text('1')",
        "import os; os.rename('/sys/nothing', 'x')",
        "import os; os.rename('nothing', '/proc/x')",
        "import os; os.link('nothing', '/dev/nothing/x')",
        "import os; os.symlink('nothing', '/dev/nothing/x')",
        "import os; os.unlink('/sys/nothing')",
        "import os; os.mkdir('/sys/nothing/x')",
        "import os; os.rmdir('/sys/nothing')",
        "import os; os.truncate('/sys/nothing', 0)",
        "import os; os.chmod('/sys/nothing', 0o600)",
        "import os; os.utime('/sys/nothing')",
        "open('/dev/vfio/no-such-node')",
        "import os; os.open('/dev/vfio/no-such-node', os.O_RDONLY)",
        "import os\nif os.fork(): os.wait()\nelse: os.mkdir('/sys/nothing/x')",
    ],
)
def test_what_nobody_may_do_is_seen(tmp_path: Path, watched: str, code: str) -> None:
    for file in (PACKAGE, OTHER):
        assert len(done_by(file, code, tmp_path, watched)) == 1, file


@each(
    "code",
    [
        "open('sys/devices/x/rom')",
        "open('sys/devices/x/vpd', 'rb')",
        "import os; os.open('sys/devices/x/resource0', os.O_RDONLY)",
        "open('sys/devices/x/resource12_wc')",
        "open('sys/devices/x/sriov_numvfs')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.posix_spawn('/bin/true', ['true'], {}); os.wait()",
        "import os\nif os.fork(): os.wait()\nelse: os.execv('/bin/true', ['true'])",
        "import socket; socket.socket().close()",
        "import socket; socket.getaddrinfo('127.0.0.1', 1)",
        "import ctypes",
    ],
)
def test_what_the_package_may_not_do_is_seen_of_the_package_alone(
    tmp_path: Path, watched: str, code: str
) -> None:
    assert done_by(PACKAGE, code, tmp_path, watched) != []
    assert done_by(OTHER, code, tmp_path, watched) == []


@each(
    "code",
    [
        "open('/dev/null', 'w').close()",
        "open('/proc/self/status').close()",
        "open('x', 'w').close()",
        "open('sys/devices/x/resource')",
        "from iommu_inspect.sources.udev import context; context()",
    ],
)
def test_what_may_be_done_is_not(tmp_path: Path, watched: str, code: str) -> None:
    assert done_by(PACKAGE, code, tmp_path, watched) == []


def test_a_cluster_that_was_named_may_be_asked(tmp_path: Path, watched: str) -> None:
    cluster = f"{watching.PACKAGE}cli/fleet/cluster.py"
    code = "import socket; socket.socket().close()"
    assert done_by(cluster, code, tmp_path, watched) == []
    assert done_by(cluster, "import os; os.system('true')", tmp_path, watched) != []


def test_this_process_is_watched_as_well(watched: str) -> None:
    exec(compile("import os; os.system('true')", PACKAGE, "exec"))
    assert watching.taken(watched) == ["os.system b'true'"]
