"""Programs that are started on loopback, and stopped again."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["NotThereError", "Services", "ask", "free_port", "wait_for"]

# Whatever proxy is set has nothing to do with this.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_PATIENCE = 15.0


class NotThereError(Exception):
    """A program is not installed, ended early, or did not come to what was awaited."""


class Services:
    """Programs with their logs in a folder; at the end of the block they are stopped.

    Each is ended by the process that was started here, and waited for.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, program: str, *words: str) -> None:
        """Start a program.

        Raises:
            NotThereError: it is not installed.
        """
        if shutil.which(program) is None:
            raise NotThereError(f"{program} is not there: apt install {program}")
        with self._log(program).open("wb") as log:
            self._running[program] = subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def check(self) -> None:
        """Look whether all are still running.

        Raises:
            NotThereError: one is not; the end of its log is in the message.
        """
        for program, process in self._running.items():
            if process.poll() is not None:
                said = self._log(program).read_text(errors="replace")[-800:]
                raise NotThereError(
                    f"{program} ended with {process.returncode}: {said}"
                )

    def _log(self, program: str) -> Path:
        return self._folder / f"{program}.log"


def free_port() -> int:
    """Return a port of loopback that nothing listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
        return number


def ask(port: int, path: str, **words: str) -> Any:
    """Return the JSON that a service answers; ``None`` while there is no answer."""
    query = f"?{urllib.parse.urlencode(words)}" if words else ""
    try:
        with _OPENER.open(f"http://127.0.0.1:{port}{path}{query}", timeout=5) as answer:
            return json.load(answer)
    except (OSError, urllib.error.URLError, json.JSONDecodeError):
        return None


def wait_for(what: str, holds: Callable[[], bool], services: Services) -> None:
    """Wait until something holds, and print how long that took.

    Raises:
        NotThereError: it does not hold in time, or a program ended.
    """
    begun = time.monotonic()
    while not holds():
        services.check()
        if time.monotonic() - begun > _PATIENCE:
            raise NotThereError(f"after {_PATIENCE:.0f} s it is still not so: {what}")
        time.sleep(0.1)
    print(f"  {time.monotonic() - begun:4.1f} s  {what}", flush=True)
