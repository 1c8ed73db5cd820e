"""Installs each package as its users do; says what then is to be called."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from iommu_inspect.cli.main import COMMANDS
from tools.packages.asking import CAPTURE, ask_on_host, compare
from tools.packages.building import ROOT
from tools.packages.roots import PYTHONS, Root
from tools.packages.running import FailedError, run

__all__ = [
    "deb_in_root",
    "pipx_on_host",
    "tree_in_root",
    "uv_on_host",
    "wheel_in_root",
    "zipapp_in_root",
]
# What bash does when Tab is pressed, once it has loaded the file.
_TAB_IN_BASH = """\
. {data}/bash-completion/completions/iommu-inspect
COMP_LINE="iommu-inspect aud" COMP_POINT=17
PATH={bin}:$PATH
_iommu_inspect
echo "${{COMPREPLY[*]}}"
"""
# Where the system's shells look by themselves: zsh has it for the command, fish offers.
_FOUND_BY_ZSH = "autoload -Uz compinit; compinit -u -D; print $_comps[iommu-inspect]"
_FOUND_BY_FISH = "complete --do-complete 'iommu-inspect aud'"
_ITS_PAGES = 1 + len(COMMANDS)  # the program's, and one a command


def tree_in_root(root: Root) -> str:
    """Copy this tree's package in, with the libraries as the lock has them."""
    from tools.zipapp.bundled import wheels
    from tools.zipapp.content import content
    from tools.zipapp.writing import unpack

    root.put(CAPTURE, "/srv")
    libraries = {
        name: data
        for name, data in content(ROOT, wheels()).items()
        if not name.startswith("iommu_inspect/")
    }
    unpack(root.path("/srv/tree"), libraries)
    root.put(ROOT / "iommu_inspect", "/srv/tree")
    return "env PYTHONPATH=/srv/tree python3 -m iommu_inspect"


def zipapp_in_root(root: Root, zipapp: Path) -> str:
    """Copy the file in."""
    root.put(zipapp, "/srv")
    return f"python3 -I -S ./{zipapp.name}"


def wheel_in_root(root: Root, wheel: Path, houses: Path) -> str:
    """Install the wheel with pip, from a folder that has what it needs.

    Raises:
        FailedError: if that fails, or a page or a completion file is not there.
    """
    house = houses / root.release
    run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", house),
            *("--only-binary", ":all:", "--python-version", PYTHONS[root.release]),
            *("--disable-pip-version-check", wheel),
        ]
    )
    # What lies there from before may be of another build.
    (house / wheel.name).unlink(missing_ok=True)
    root.put(house, "/srv/house")
    root.put(wheel, "/srv")
    root.call(
        "python3 -m venv venv\n"
        f"venv/bin/pip install --quiet --no-index --find-links house/{root.release} "
        f"./{wheel.name}"
    )
    _look_for_shared(root, "/srv/venv/share", "/srv/venv/bin")
    return "venv/bin/iommu-inspect"


def deb_in_root(root: Root, deb: Path, tried: Callable[[str], str]) -> str:
    """Install the Debian package, try it, and remove it.

    Raises:
        FailedError: if something is not there, or stays behind.
    """
    root.put(deb, "/srv")
    root.call(f"dpkg -i {deb.name}")
    said = tried("iommu-inspect")
    _look_for_shared(root, "/usr/share", "/usr/bin")
    root.call("man -w iommu-inspect iommu-inspect-audit")
    for words, offered in (
        (f"zsh -fc '{_FOUND_BY_ZSH}'", b"_iommu-inspect"),
        (f'fish -c "{_FOUND_BY_FISH}"', b"audit"),
    ):
        if offered not in (shown := root.call(words)):
            raise FailedError(f"{words}: {shown!r}")
    if not list(root.path("/usr/lib/iommu-inspect").rglob("*.pyc")):
        raise FailedError("nothing was compiled when it was installed")
    root.call("dpkg --purge iommu-inspect")
    if root.path("/usr/lib/iommu-inspect").exists():
        raise FailedError("it left files behind")
    return f"{said}; purged"


def _look_for_shared(root: Root, data: str, programs: str) -> None:
    pages = list(root.path(f"{data}/man/man1").glob("iommu-inspect*"))
    if len(pages) != _ITS_PAGES:
        raise FailedError(f"{data}: {len(pages)} manual pages")
    zsh = ("vendor-completions", "site-functions")
    if not any(root.path(f"{data}/zsh/{it}/_iommu-inspect").exists() for it in zsh):
        raise FailedError(f"{data}: nothing for zsh")
    if not root.path(f"{data}/fish/vendor_completions.d/iommu-inspect.fish").exists():
        raise FailedError(f"{data}: nothing for fish")
    script = _TAB_IN_BASH.format(data=data, bin=programs)
    root.path("/srv/tab.sh").write_text(script)
    offered = root.call("bash tab.sh").decode().split()
    if offered != ["audit"]:
        raise FailedError(f"Tab in bash offers {offered}")


def pipx_on_host(package: Path) -> str:
    """Install a wheel, or the source archive, with pipx.

    The home that it goes to is gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="iommu-inspect-pipx-") as home:
        more = {"PIPX_HOME": f"{home}/pipx", "PIPX_BIN_DIR": f"{home}/bin"}
        more |= {"PIPX_MAN_DIR": f"{home}/man", "HOME": home}
        run([sys.executable, "-m", "pipx", "install", package], more=more)
        if len(list(Path(home, "man/man1").iterdir())) != _ITS_PAGES:
            raise FailedError("pipx shows no manual pages")
        return _compared(Path(home, "bin/iommu-inspect"), "; its manual pages")


def uv_on_host(wheel: Path) -> str:
    """Install the wheel with uv into a home that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="iommu-inspect-uv-") as home:
        more = {"UV_TOOL_DIR": f"{home}/tools", "UV_TOOL_BIN_DIR": f"{home}/bin"}
        more |= {"HOME": home, "UV_CACHE_DIR": f"{home}/cache"}
        interpreter = ("--python", sys.executable)
        words = (sys.executable, "-m", "uv", "tool", "install", *interpreter, wheel)
        run(words, more=more)
        return _compared(Path(home, "bin/iommu-inspect"), "")


def _compared(program: Path, also: str) -> str:
    tree = {"PYTHONPATH": str(ROOT)}
    expected = ask_on_host(sys.executable, "-m", "iommu_inspect", more=tree)
    return f"{compare(ask_on_host(program), expected)}{also}"
