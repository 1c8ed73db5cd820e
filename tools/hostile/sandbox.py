"""Where printed commands are run: a program there only says how it was called.

Every program that the commands name is a stand-in that writes its words down. So is
what a name would have to call to do harm. A shell that reads a name as anything but a
word calls one that nobody named, with other words than the line has, makes a file, or
complains.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tools.hostile.names import CANARY

__all__ = ["SHELLS", "faults_of_commands", "faults_of_install", "faults_of_scripts"]

SHELLS = tuple(
    words for words in (("dash",), ("bash",)) if shutil.which(words[0]) is not None
)
_PROGRAMS = (
    *("arguments", "cat", "chmod", "dmesg", "dpdk-devbind.py", "dracut", "driverctl"),
    *("find", "findmnt", "fuser", "grep", "grub-mkconfig", "grub2-mkconfig", "grubby"),
    *("iommu-inspect", "ip", "kernelstub", "ls", "lspci", "mkinitcpio", "modprobe"),
    *("nixos-rebuild", "proxmox-boot-tool", "qemu", "qm", "readlink", "rpm-ostree"),
    *("sudo", "swapoff", "swapon", "transactional-update", "u-boot-update"),
    *("umount", "update-grub", "update-initramfs", "uuidgen", "zpool", "sh"),
    *("options", "softdep", "alias", "blacklist", "@kvm", "regenerate_images"),
)
_EVIL = (CANARY, "touch", "reboot", "rm", "id", "root", "x", "X", "canaryCANARYLINE")
# Says how it was called: the number of its words and they themselves.
_STAND_IN = """\
#!/bin/dash
{ printf '%s\\n' "${0##*/}"; for w in "$@"; do printf ' %s\\n' "$w"; done; } >> "$LOG"
"""
_BATCH = 400
_COMPLAINS = re.compile(
    rb"not found|yntax error|nterminated|unexpected|matching|ad substitution"
    rb"|ad fd number|ermission denied|bad option|ambiguous"
)


class _Sandbox:
    """A directory with stand-ins, to run a shell in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.here = root / "here"
        self.log = root / "log"
        programs = root / "bin"
        self.here.mkdir()
        programs.mkdir()
        for name in (*_PROGRAMS, *_EVIL):
            program = programs / name
            program.write_text(_STAND_IN)
            program.chmod(0o755)
        # A relative path that SPDK's users have; an absolute one that modprobe.d has.
        scripts = self.here / "scripts"
        scripts.mkdir()
        shutil.copy(programs / "arguments", scripts / "setup.sh")
        self.environment = {
            "PATH": str(programs),
            "LOG": str(self.log),
            "VF_TOKEN": "token",
            "HOME": str(self.here),
            "LC_ALL": "C.UTF-8",
        }
        self.files = set(self.here.rglob("*"))

    def run(self, shell: Sequence[str], text: str) -> tuple[list[list[str]], bytes]:
        """Run a text; return the calls of stand-ins, and what the shell said."""
        self.log.write_bytes(b"")
        inside = text.replace("/sys/", f"{self.root}/sys/")
        inside = inside.replace("/usr/lib/booster/", "")
        done = subprocess.run(
            [shutil.which(shell[0]) or shell[0], *shell[1:], "-s"],
            input=inside.encode("utf-8", "surrogateescape"),
            capture_output=True,
            cwd=self.here,
            env=self.environment,
            timeout=120,
            check=False,
        )
        calls: list[list[str]] = []
        said = self.log.read_bytes().decode("utf-8", "surrogateescape")
        for line in said.replace(f"{self.root}/sys/", "/sys/").split("\n")[:-1]:
            if line.startswith(" ") and calls:
                calls[-1].append(line[1:])
            else:
                calls.append([line])
        return calls, done.stderr

    def made(self) -> list[str]:
        """Return the files that something made, and take them away."""
        new = sorted(set(self.here.rglob("*")) - self.files)
        for path in new:
            path.unlink()
        return [str(path.relative_to(self.here)) for path in new]


def faults_of_commands(lines: Iterable[str]) -> Iterator[str]:
    """Run lines in every shell, and say of which one something else came than it says.

    What a line says is what Python's reading of POSIX words makes of it.
    """
    todo = sorted(lines)
    with tempfile.TemporaryDirectory() as folder:
        sandbox = _Sandbox(Path(folder))
        for shell in SHELLS:
            for start in range(0, len(todo), _BATCH):
                for line in _wrong(sandbox, shell, todo[start : start + _BATCH]):
                    yield f"{shell[0]}: {line!r}"


def _wrong(
    sandbox: _Sandbox, shell: Sequence[str], lines: Sequence[str]
) -> Iterator[str]:
    """Yield the lines that do something else, found by halves."""
    if _is_right(sandbox, shell, lines):
        return
    if len(lines) == 1:
        yield lines[0]
        return
    half = len(lines) // 2
    yield from _wrong(sandbox, shell, lines[:half])
    yield from _wrong(sandbox, shell, lines[half:])


def _is_right(sandbox: _Sandbox, shell: Sequence[str], lines: Sequence[str]) -> bool:
    text = "".join(f"{line}\narguments @{n}\n" for n, line in enumerate(lines))
    calls, said = sandbox.run(shell, text)
    made = sandbox.made()
    expected: list[list[str]] = []
    for number, line in enumerate(lines):
        expected += [*_expected(line), ["arguments", f"@{number}"]]
    # Both ends of a pipe run at once.
    as_read = sorted(calls) == sorted(expected)
    harmless = not made and all(call[0] not in _EVIL for call in calls)
    return as_read and harmless and _COMPLAINS.search(said) is None


def _expected(line: str) -> Iterator[list[str]]:
    """Yield the calls that a line stands for, by another reader of such lines."""
    try:
        yield from _read(line)
    except ValueError:
        yield ["a line that is no command"]


# A quoted word that looks like a sign of the shell: the reader below would lose that.
_QUOTED = {sign: f"QUOTED{n}" for n, sign in enumerate(("|", "||", "&&", ">"))}


def _read(line: str) -> Iterator[list[str]]:
    for sign, stand_in in _QUOTED.items():
        line = line.replace(f" '{sign}'", f" {stand_in}")
    signs = {stand_in: sign for sign, stand_in in _QUOTED.items()}
    words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    words.commenters = "#"
    words.whitespace_split = True
    call: list[str] = []
    skip = False
    for word in words:
        if word in ("|", "||", "&&"):
            yield from _call(call)
            call = []
        elif word == ">":
            skip = True
        elif skip:
            skip = False
        else:
            call.append(signs.get(word, word))
    yield from _call(call)


def _call(words: list[str]) -> Iterator[list[str]]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words or words[0] in ("echo", "[", ":", "printf"):
        return
    words = [word.replace("$VF_TOKEN", "token") for word in words]
    yield [words[0].rpartition("/")[2], *words[1:]]


# The functions of the script say how they are called, and do nothing.
_FUNCTIONS = "is group load override release probe find bind card no_direct looked"


def faults_of_scripts(scripts: Iterable[str]) -> Iterator[str]:
    """Run scripts with their functions replaced: each call has plain words."""
    again = "".join(
        f'{name}() {{ arguments {name} "$@"; }}\n' for name in _FUNCTIONS.split()
    )
    with tempfile.TemporaryDirectory() as folder:
        sandbox = _Sandbox(Path(folder))
        for script in sorted(scripts):
            text = script
            ends = "[ -w /sys/bus/pci/drivers_probe ]"
            if ends in script:
                head = script.partition(ends)[0]
                text = f"{head}{again}remapped() {{ :; }}\nsame_devices\nthere\nback\n"
                for name in ("same_groups", "conditions"):
                    text += f"{name}\n" if f"{name}() {{" in head else ""
            for shell in SHELLS:
                calls, said = sandbox.run(shell, text)
                made = sandbox.made()
                wrong = [c for c in calls if not _is_plain(c)]
                if wrong or made or _COMPLAINS.search(said):
                    yield f"{shell[0]}: {wrong} {made} {said!r}: {script!r}"


def _is_plain(call: Sequence[str]) -> bool:
    """Say whether a call of a stand-in is one that a script means to make."""
    name, *words = call
    if name == "qemu":
        return all(re.fullmatch(r"[A-Za-z0-9_.,:=/-]+", word) for word in words)
    if name != "arguments" or not words or words[0] not in _FUNCTIONS.split():
        return False
    if words[0] == "looked":
        return len(words) == 2
    return all(re.fullmatch(r"[A-Za-z0-9_.,:@+/-]*", word) for word in words[1:])


def faults_of_install(files: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Have modprobe read files of modprobe.d, and run what it would run."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "sandbox").mkdir()
        sandbox = _Sandbox(root / "sandbox")
        config = root / "modprobe.d"
        config.mkdir()
        of_host = _shown(config)  # from the kernel's own command line
        for lines in sorted(files):
            (config / "x.conf").write_text("\n".join(lines) + "\n")
            meant = [line.split()[0] for line in lines if not line.startswith("#")]
            shown = [line for line in _shown(config) if line not in of_host]
            if sorted(line.split()[0] for line in shown) != sorted(meant):
                yield f"modprobe reads {shown} in {lines}"
            for line in shown:
                if not line.startswith("install "):
                    continue
                command = line.split(" ", 2)[2].replace("$CMDLINE_OPTS", "")
                for shell in SHELLS:
                    text = command.replace("/sbin/modprobe", "modprobe")
                    calls, said = sandbox.run(shell, text)
                    right = [["modprobe", "--ignore-install", "vfio_pci"]]
                    right += [["modprobe", "--ignore-install", "vfio-pci"]]
                    if any(c not in right for c in calls) or sandbox.made():
                        yield f"{shell[0]}: {calls} of {line!r}"
                    if _COMPLAINS.search(said.replace(b"cannot open", b"")):
                        yield f"{shell[0]}: {said!r} of {line!r}"


def _shown(config: Path) -> list[str]:
    """Return what modprobe takes from a directory, and what it complains of."""
    done = subprocess.run(
        ["/sbin/modprobe", "-C", str(config), "--showconfig"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = f"{done.stdout}\n{done.stderr}".splitlines()
    return [x for x in lines if x and not x.startswith(("#", "alias "))]
