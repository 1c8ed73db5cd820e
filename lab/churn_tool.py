"""Asks the tool in the guest, again and again, and writes down what it said.

``python -m lab.churn_tool FOLDER`` runs in the guest while its devices come and go.
What to ask is put into FOLDER as ``request.json``; every run becomes a line of the file
that it names.
What a start costs is mostly imports, under emulation many seconds of them: they are
made once, and each run is a child of that process. One of some runs is a program of its
own. Nothing here knows what a right answer is.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["ask", "load_all_modules", "main"]

JOURNAL = Path("/tmp/churn/journal")
STOP = Path("/tmp/churn/stop")
_OWN_PROGRAM = 25
_LOOKS = 0.2
_KINDS = ("stack", "wchan", "status")


def load_all_modules() -> None:
    """Import all of the tool, so that a child does not have to."""
    import iommu_inspect

    for module in pkgutil.walk_packages(iommu_inspect.__path__, "iommu_inspect."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("pyudev", "tabulate"):
        importlib.import_module(name)


def ask(words: Sequence[str], seconds: float, own: bool = False) -> dict[str, Any]:
    """Run the tool once, in a child; it is killed when ``seconds`` are over.

    Returns:
        ``code`` (negative: the signal that ended it), ``out``, ``err``, ``seconds``,
        ``cpu``, and ``stuck``, what the kernel said of a child that was killed.
    """
    with tempfile.TemporaryDirectory(prefix="churn-") as folder:
        return _asked(words, seconds, own, [f"{folder}/{k}" for k in ("out", "err")])


def _asked(
    words: Sequence[str], seconds: float, own: bool, outputs: Sequence[str]
) -> dict[str, Any]:
    started = time.monotonic()
    child = os.fork()
    if not child:
        _be_the_tool(words, outputs, own)
    stuck = ""
    with suppress(OSError):  # the child does it too: whoever comes first
        os.setpgid(child, child)
    handle = os.pidfd_open(child)
    try:
        if not select.select([handle], [], [], seconds)[0]:
            stuck = "\n".join(_said_of(child))
            os.killpg(child, signal.SIGKILL)
    finally:
        os.close(handle)
    _, status, usage = os.wait4(child, 0)
    out, err = (_content(path) for path in outputs)
    return {
        "asked": list(words),
        "own": own,
        "code": os.waitstatus_to_exitcode(status),
        "out": out,
        "err": err,
        "seconds": round(time.monotonic() - started, 2),
        "cpu": round(usage.ru_utime + usage.ru_stime, 2),
        "stuck": stuck,
    }


def _be_the_tool(words: Sequence[str], outputs: Sequence[str], own: bool) -> None:
    """Become a run of the tool; never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        for number, path in enumerate(outputs, 1):
            os.dup2(os.open(path, flags, 0o600), number)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        # Whoever runs this may have put something else in their place.
        sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
        if own:
            os.execv(sys.executable, [sys.executable, "-m", "iommu_inspect", *words])
        from iommu_inspect.cli.main import main as tool

        sys.argv = ["iommu-inspect", *words]
        tool()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


def _said_of(child: int) -> Iterator[str]:
    for kind in _KINDS:
        try:
            yield f"{kind}: {Path(f'/proc/{child}/{kind}').read_text()}"
        except OSError as error:
            yield f"{kind}: {error}"


def _content(path: str) -> str:
    try:
        return Path(path).read_text(errors="backslashreplace")
    except OSError:
        return ""


def _steps() -> int:
    """Return how many lines the journal has now: each is written at once."""
    try:
        return JOURNAL.read_bytes().count(b"\n")
    except OSError:
        return 0


def _goes_on(asked: Sequence[Sequence[str]], rng: random.Random) -> Iterator[Any]:
    """Yield questions in random order, all before any comes again."""
    while True:
        yield from rng.sample(list(asked), len(asked))


def _answer(folder: Path, wanted: Mapping[str, Any]) -> None:
    """Ask what somebody wants asked: once each, or until they say stop."""
    rng = random.Random(wanted["seed"])
    once = wanted["once"]
    with (folder / wanted["file"]).open("a") as file:
        for number, words in enumerate(
            wanted["asked"] if once else _goes_on(wanted["asked"], rng)
        ):
            if not once and STOP.exists():
                break
            own = number % _OWN_PROGRAM == _OWN_PROGRAM - 1
            first = _steps()
            run = ask(words, wanted["seconds"], own)
            run |= {"first": first, "last": _steps()}
            file.write(json.dumps(run) + "\n")
            file.flush()
    (folder / f"{wanted['file']}.done").touch()


def main(folder: Path) -> None:
    """Answer what is put into ``folder``, until the guest ends."""
    load_all_modules()
    STOP.parent.mkdir(parents=True, exist_ok=True)
    (folder / "ready").touch()
    request = folder / "request.json"
    while True:
        while not request.exists():
            time.sleep(_LOOKS)
        wanted = json.loads(request.read_text())
        request.unlink()
        STOP.unlink(missing_ok=True)
        _answer(folder, wanted)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
