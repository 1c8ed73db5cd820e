"""What is in the file: our package, the libraries, their licences, and where to begin.

Names are sorted, and nothing depends on the machine, the folder or the day.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from tools.zipapp.bundled import Pin

__all__ = ["content"]

# What no command of ours imports. test_zipapp.py runs them all.
_LEFT_OUT = (
    *("*/", "*.dist-info/*", "*.so", "*.pyi", "*.c", "*/py.typed"),
    *("typer/__main__.py", "typer/cli.py", "typer/rich_utils.py", "typer/testing.py"),
    *("typer/.agents/*", "typer/_click/_winconsole.py"),
    # Its loops of events for desktops.
    *("pyudev/glib.py", "pyudev/_qt_base.py", "pyudev/pyqt*.py", "pyudev/pyside*.py"),
    "pyudev/wx.py",
    # What serves metrics, or sends them: ours are printed.
    *("prometheus_client/aiohttp/*", "prometheus_client/bridge/*"),
    *("prometheus_client/django/*", "prometheus_client/twisted/*"),
    # It looks for names that a template uses, for tools about templates.
    "jinja2/meta.py",
)
_LICENCE = re.compile(r"[^/]+\.dist-info/(?:licenses/)?(LICENSE|COPYING)[^/]*")
# What a library holds of another one.
_INNER_LICENCE = re.compile(r"([^.]+)/(LICENSE|COPYING)[^/]*")
_HEAD = '''\
"""Where the file begins. Older interpreters have to be able to read this much."""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "iommu-inspect: cannot go on: it needs Python 3.11 or newer, and %s is %d.%d\\n"
        % ((sys.executable,) + tuple(sys.version_info[:2]))
    )
    sys.exit(4)

from iommu_inspect.__main__ import main

main()
'''


def content(
    root: Path, wheels: Mapping[Pin, Path], shared: Iterable[tuple[str, str]] = ()
) -> dict[str, bytes]:
    """Return each file's name and content, in the order of the names.

    Args:
        root: The project's folder.
        wheels: The libraries.
        shared: Paths and texts of what else is in it: manual pages and completion.
    """
    found = {"__main__.py": _HEAD.encode()}
    for name, data in (*_package(root), *_libraries(wheels.values())):
        if name in found:
            raise ValueError(f"two files are called {name}")
        found[name] = data
    found["licenses/iommu-inspect/LICENSE"] = (root / "LICENSE").read_bytes()
    found |= {path: text.encode() for path, text in shared}
    found["licenses/bundled.txt"] = "".join(
        f"{pin.name} {pin.version}\n" for pin in wheels
    ).encode()
    return dict(sorted(found.items()))


def _package(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in (root / "iommu_inspect").rglob("*"):
        name = path.relative_to(root).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and _is_needed(name):
            yield name, path.read_bytes()


def _libraries(wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    for wheel in wheels:
        library = wheel.name.split("-")[0]
        licences = 0
        with zipfile.ZipFile(wheel) as packed:
            for name in packed.namelist():
                if licence := _LICENCE.fullmatch(name):
                    licences += 1
                    yield f"licenses/{library}/{licence[1]}", packed.read(name)
                elif inner := _INNER_LICENCE.fullmatch(name):
                    yield f"licenses/{inner[1]}/{inner[2]}", packed.read(name)
                elif _is_needed(name):
                    yield name, packed.read(name)
        if licences != 1:
            raise ValueError(f"{wheel.name}: {licences} licences")


def _is_needed(name: str) -> bool:
    return not any(fnmatchcase(name, pattern) for pattern in _LEFT_OUT)
