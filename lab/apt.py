"""Debian packages without installing them: resolve, download, unpack.

Everything happens in a private apt state inside the cache; the host's own
package lists and database are neither read nor changed.  Only two things are
taken from the host: the mirror its sources name, and its ``Acquire`` settings
(a proxy, for example).
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.cache import cache_root
from lab.errors import LabError, Unavailable

DEFAULT_MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCES = Path("/etc/apt")
DOWNLOAD_SECONDS = 1800


def find_mirror(sources: Path = SOURCES) -> str:
    """Return the address of the Debian mirror that the host uses.

    ``$IOMMU_LAB_MIRROR`` comes first, then the first address ending in
    ``/debian`` in the host's sources, then Debian's own.
    """
    named = os.environ.get("IOMMU_LAB_MIRROR")
    if named:
        return named.rstrip("/")
    files = [sources / "sources.list"]
    files += sorted((sources / "sources.list.d").glob("*.list"))
    files += sorted((sources / "sources.list.d").glob("*.sources"))
    for path in files:
        if not path.is_file():
            continue
        for line in path.read_text(errors="replace").splitlines():
            if not line.startswith(("deb ", "URIs:")):
                continue
            found = re.search(r"\s([a-z+]+:/\S*/debian)/?(\s|$)", line)
            if found:
                return found.group(1)
    return DEFAULT_MIRROR


@dataclass(frozen=True)
class Archive:
    """Some suites of one Debian mirror, as seen by one architecture.

    ``suites`` are in falling order of preference; ``foreign`` names further
    architectures whose packages may be mixed in.
    """

    suites: tuple[str, ...]
    architecture: str
    foreign: tuple[str, ...] = ()

    @property
    def state(self) -> Path:
        """The directory of this archive's private apt state."""
        name = "+".join((*self.suites, self.architecture, *self.foreign))
        return cache_root() / "apt" / name

    def refresh(self) -> None:
        """Write the private configuration and fetch the package lists."""
        if not KEYRING.is_file():
            raise Unavailable(f"{KEYRING} is missing: install debian-archive-keyring")
        state = self.state
        for part in ("lists/partial", "cache/archives/partial", "preferences"):
            (state / part).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        mirror = find_mirror()
        (state / "sources.list").write_text(
            "".join(
                f"deb [signed-by={KEYRING}] {mirror} {suite} main\n"
                for suite in self.suites
            )
        )
        (state / "apt.conf").write_text(self._configuration())
        self._run("apt-get", "update")

    def _configuration(self) -> str:
        acquire = [
            line
            for line in _host_settings().splitlines()
            if line.startswith("Acquire::") and "IndexTargets" not in line
        ]
        state = self.state
        architectures = (self.architecture, *self.foreign)
        own = [
            'Dir::Etc::Parts "/dev/null";',
            f'Dir::Etc::SourceList "{state}/sources.list";',
            'Dir::Etc::SourceParts "/dev/null";',
            'Dir::Etc::Preferences "/dev/null";',
            f'Dir::Etc::PreferencesParts "{state}/preferences";',
            f'Dir::State::Lists "{state}/lists";',
            f'Dir::State::status "{state}/status";',
            f'Dir::State::extended_states "{state}/extended";',
            f'Dir::Cache "{state}/cache";',
            f'APT::Architecture "{self.architecture}";',
            *(f'APT::Architectures:: "{name}";' for name in architectures),
            f'APT::Default-Release "{self.suites[0]}";',
            'APT::Install-Recommends "false";',
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
            'APT::Update::Error-Mode "any";',
            'Acquire::Check-Valid-Until "false";',
        ]
        return "\n".join(["#clear APT::Architectures;", *acquire, *own]) + "\n"

    def kernel_packages(self, name: str) -> list[str]:
        """Return the ``linux-*`` packages that the package ``name`` needs."""
        wanted, found = [name], list[str]()
        while wanted:
            package = wanted.pop()
            if package in found:
                continue
            found.append(package)
            for line in self.describe(package).splitlines():
                if line.startswith(("Depends:", "Pre-Depends:")):
                    wanted += re.findall(
                        r"\blinux-(?:image|binary|modules|headers)-[^\s,|(:]+", line
                    )
        return found

    def names(self, beginning: str) -> list[str]:
        """Return the names of all packages that begin so."""
        return sorted(self._run("apt-cache", "pkgnames", beginning).split())

    def describe(self, package: str) -> str:
        """Return the record of ``package`` from the package lists."""
        return self._run("apt-cache", "show", "--no-all-versions", package)

    def download(self, packages: Sequence[str], into: Path) -> None:
        """Download ``packages`` alone, without what they depend on."""
        into.mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "download", *packages, cwd=into)

    def download_closure(self, packages: Sequence[str]) -> list[Path]:
        """Download ``packages`` with all they depend on; return the files."""
        archives = self.state / "cache" / "archives"
        for old in archives.glob("*.deb"):
            old.unlink()
        self._run(
            "apt-get", "install", "--download-only", "--yes", "--quiet", *packages
        )
        return sorted(archives.glob("*.deb"))

    def _run(self, *command: str, cwd: Path | None = None) -> str:
        environment = {
            **os.environ,
            "APT_CONFIG": str(self.state / "apt.conf"),
            "LC_ALL": "C",
        }
        try:
            return run(command, cwd=cwd, env=environment, seconds=DOWNLOAD_SECONDS)
        except LabError as error:
            if os.strerror(errno.ENOSPC) in str(error):
                raise
            raise Unavailable(str(error)) from error


def _host_settings() -> str:
    return run(("apt-config", "dump"), seconds=60)


def run(
    command: Iterable[str],
    *,
    seconds: float,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    answers: Collection[int] = (0,),
) -> str:
    """Run ``command`` and return its output.

    Raises:
        LabError: it cannot be run, takes too long, or its status is not in ``answers``.
    """
    words = list(command)
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"gave up after {seconds:g} s: {' '.join(words)}") from error
    if done.returncode not in answers:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise LabError(f"failed ({done.returncode}): {' '.join(words)}\n{tail}")
    return done.stdout


def unpack(packages: Iterable[Path], into: Path) -> None:
    """Unpack the files of ``packages`` below ``into``, running no script."""
    for package in packages:
        run(("dpkg", "-x", str(package), str(into)), seconds=600)
