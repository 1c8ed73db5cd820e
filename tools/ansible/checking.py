"""Runs what checks collections: ``make ansible-check``.

    python -m tools.ansible.checking

ansible-lint with its strictest profile, and all of ``ansible-test sanity`` that runs on
this machine: no container is started. ansible-test makes an environment for each test,
and wants to download what puts pip into it; Python brings that itself.

Exit code: 0 all passed; else that of what did not.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.ansible.collection import ROOT, laid_out

__all__ = ["main"]

_BIN = ROOT / ".venv-ansible" / "bin"
_BOOTSTRAP = """\
import runpy, subprocess, sys
# In a process of its own: it turns pip's settings off.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
# It brings no setuptools and no wheel, and so knows no option to leave them out.
wanted = [word for word in sys.argv[1:] if not word.startswith("--no-")]
sys.argv = ["pip", "install", *wanted]
runpy.run_module("pip", run_name="__main__")
"""


def main() -> int:
    """Lay the collection out, run both, and return the first status that is not 0."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collection = laid_out(folder)
        # What is checked is text; and ansible-test asks git which files there are.
        shutil.rmtree(collection / "files")
        home = _home(folder / "home")
        environment = {
            **os.environ,
            "HOME": str(home),
            "PATH": f"{_BIN}:{os.environ['PATH']}",
            "ANSIBLE_HOME": str(home / ".ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
        }
        environment.pop("PYTHONPATH", None)
        status = 0
        for words in (
            ("git", "init", "--quiet", "."),
            ("git", "add", "--all"),
            ("ansible-lint", "--offline", "--profile", "production"),
            ("ansible-test", "sanity", "--local", "--python", _python()),
        ):
            print(f"$ {' '.join(words)}", flush=True)
            done = subprocess.run(words, cwd=collection, env=environment, check=False)
            status = status or done.returncode
    return status


def _python() -> str:
    return ".".join(map(str, sys.version_info[:2]))


def _home(folder: Path) -> Path:
    """Make a home in which ansible-test finds what it would download."""
    cache = folder / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True)
    for release in ("24_2", "25_0", "25_1"):
        (cache / f"get_pip_{release}.py").write_text(_BOOTSTRAP)
    # Where packages come from, and whose certificates count.
    settings = Path.home() / ".config" / "pip" / "pip.conf"
    if settings.is_file():
        (folder / ".config" / "pip").mkdir(parents=True)
        shutil.copy(settings, folder / ".config" / "pip")
    return folder


if __name__ == "__main__":
    sys.exit(main())
