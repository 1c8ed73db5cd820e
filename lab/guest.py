"""Boots a machine and talks to the guest: one command, its lines, its status.

Every wait is bounded.  A guest that dies or stops answering is a result, not an
accident: ``GuestCrash`` and ``GuestHang`` carry the kernel's log.
"""

from __future__ import annotations

import base64
import itertools
import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from iommu_inspect.kernel.answers import BLOCKS
from lab.errors import LabError, Unavailable
from lab.initramfs import boot_modules, firmware, overlay, prepare
from lab.kernels.known import Image
from lab.machines import Device, Machine
from lab.qemu import newer_qemu
from lab.qmp import Qmp

BOOT_SECONDS = 180.0
COMMAND_SECONDS = 60.0
GRACE_SECONDS = 15.0
PLUG_SECONDS = 20.0
# After so long a device that was to go stays: something waits for its user.
UNPLUG_SECONDS = 40.0
# After how much silence a command is said again.
PATIENCE_SECONDS = 3.0
QEMU = {"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
# A lab that is killed takes its guests along.
TIED = ("setpriv", "--pdeathsig", "KILL")
# A kernel that dies must end QEMU; warnings go to the log, chatter does not.
KERNEL_ARGUMENTS = "panic=-1 oops=panic loglevel=5"
# What tests ciphers and reads certificates is a third of a boot, under emulation.
_LEFT_OUT = (
    "cryptomgr.notests initcall_blacklist=jent_mod_init,load_system_certificate_list"
)
# An emulated timer is late when the host is busy; that is no reason to panic.
TIMERS = {"amd64": "no_timer_check", "arm64": ""}
CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}


class GuestError(LabError):
    """The guest is gone; ``log`` is what its kernel said."""

    def __init__(self, text: str, log: str) -> None:
        super().__init__(text)
        self.log = log


class GuestCrash(GuestError):
    """The guest's kernel died."""


class GuestHang(GuestError):
    """The guest did not answer in time."""


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    lines: tuple[str, ...]

    def facts(self) -> list[dict[str, str]]:
        """Return the ``TRUTH`` lines, the kind under the key ``kind``."""
        found = []
        for line in self.lines:
            words = line.split()
            if len(words) < 2 or words[0] != "TRUTH":
                continue
            pairs = (word.partition("=") for word in words[2:])
            found.append({"kind": words[1], **{key: value for key, _, value in pairs}})
        return found


class Guest:
    """A running guest.  Made by ``boot``."""

    def __init__(
        self, machine: Machine, process: subprocess.Popen[bytes], run: Path
    ) -> None:
        self.machine = machine
        self._process = process
        self._run = run
        self._numbers = itertools.count(1)
        self._socket = socket.socket(socket.AF_UNIX)
        self._selector = selectors.DefaultSelector()
        self._pending = b""
        self.release = ""

    def connect(self, times: float = 1) -> None:
        """Wait for the guest's greeting, so many times as long as others need."""
        deadline = time.monotonic() + times * BOOT_SECONDS
        while True:
            try:
                self._socket.connect(str(self._run / "port"))
                break
            except OSError:
                self._check_alive()
                if time.monotonic() > deadline:
                    raise GuestHang("QEMU opened no port", self.log()) from None
                time.sleep(0.05)
        self._socket.setblocking(False)
        self._selector.register(self._socket, selectors.EVENT_READ)
        for line in self._lines(deadline, patience=times * BOOT_SECONDS):
            if line.startswith("READY "):
                self.release = line.split()[1]
                return
        raise GuestHang("the guest does not answer", self.log())

    def command(self, text: str, seconds: float = COMMAND_SECONDS) -> Answer:
        """Run one command of the guest's protocol (see ``guest/init``)."""
        number = str(next(self._numbers))
        line = f"DO {number} {seconds:g} {text}\n".encode()
        self._send(line)
        lines = list[str]()
        patience = PATIENCE_SECONDS
        deadline = time.monotonic() + seconds + GRACE_SECONDS
        while True:
            said = next(self._lines(deadline, f" to '{text}'", patience), None)
            if said is None:
                # Each silence is longer: what is repeated has to be read again, too.
                patience *= 2
                self._send(line)
                continue
            match said.split():
                case ["GOT", got] if got == number:
                    patience = max(patience, 4 * PATIENCE_SECONDS)
                case ["BEGIN", begun] if begun == number:
                    lines.clear()
                case ["END", ended, status, count] if ended == number:
                    if len(lines) == int(count):
                        return Answer(int(status), tuple(lines))
                    self._send(line)
                case _:
                    lines.append(said)

    def capture(self, *, user: bool = False) -> bytes:
        """Return the guest's tree as a tar.gz, read as root or as a plain user."""
        answer = self.command("capture user" if user else "capture", 120)
        if answer.status:
            raise LabError(f"the capture failed: {' '.join(answer.lines)[:200]}")
        return base64.b64decode("".join(answer.lines))

    def plug(self, name: str) -> None:
        """Plug in the spare device ``name`` of the machine."""
        for device in self.machine.spare:
            if device.name == name:
                self.add_device(device)
                return
        known = ", ".join(device.name for device in self.machine.spare)
        raise LabError(f"no spare device '{name}'; there are: {known}")

    def add_device(self, device: Device) -> None:
        """Plug ``device`` in and wait until the guest has found it."""
        with self._plugging(), Qmp(self._run / "qmp") as qmp:
            qmp.execute("device_add", device.properties())

    def remove_device(self, name: str) -> bool:
        """Ask the guest to let the device ``name`` go, as a button would.

        Returns whether it went.
        """
        before = self.command("devices").lines
        with Qmp(self._run / "qmp") as qmp:
            qmp.execute("device_del", {"id": name})
        return self._has_changed(before, UNPLUG_SECONDS)

    @contextmanager
    def _plugging(self) -> Iterator[None]:
        """Wait, after the block, until the guest's devices have changed."""
        before = self.command("devices").lines
        yield
        self._has_changed(before, PLUG_SECONDS)

    def _has_changed(self, before: tuple[str, ...], seconds: float) -> bool:
        """Wait for other devices; say whether there are."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.command("devices").lines != before:
                self.command("settle")
                return True
            time.sleep(0.3)
        return False

    def do(self, text: str, seconds: float = COMMAND_SECONDS) -> Answer:
        """Run one command, its devices named as the machine does.

        ``plug NAME`` and ``unplug NAME`` are the driver's, all others the guest's.
        In those a device's name stands for its address, ``NAME/N`` for its virtual
        function N, ``group:NAME`` for the number of its group, ``node:NAME`` for the
        name of its own node, "none" where it has none.
        """
        words = text.split(" ")
        if words[0] == "plug":
            self.plug(words[1])
            return Answer(0, ())
        if words[0] == "unplug":
            gone = self.remove_device(words[1])
            return Answer(0, (f"TRUTH unplug ret={0 if gone else BLOCKS}",))
        addresses = self.addresses()
        found = [self._resolve(word, addresses) for word in words[1:]]
        return self.command(" ".join([words[0], *found]), seconds)

    def resolve(self, word: str) -> str:
        """Return the address or group that ``word`` stands for, or ``word`` itself."""
        return self._resolve(word, self.addresses())

    def _resolve(self, word: str, addresses: Mapping[str, str]) -> str:
        if word.startswith("group:"):
            return self._link(self._resolve(word[6:], addresses), "iommu_group")
        if word.startswith("node:"):
            address = self._resolve(word[5:], addresses)
            path = f"/sys/bus/pci/devices/{address}/vfio-dev"
            return next(
                iter(self.command(f"shell ls {path} 2> /dev/null").lines), "none"
            )
        name, _, number = word.partition("/")
        if number.isdecimal() and name in addresses:
            return self._link(addresses[name], f"virtfn{number}")
        return addresses.get(word, word)

    def is_bound(self, address: str) -> bool:
        """Say whether the device at ``address`` has a driver now."""
        return bool(self._readlink(address, "driver"))

    def _link(self, address: str, name: str) -> str:
        lines = self._readlink(address, name)
        if not lines:
            raise LabError(f"{address} has no {name}")
        return lines[0].rpartition("/")[2]

    def _readlink(self, address: str, name: str) -> tuple[str, ...]:
        path = f"/sys/bus/pci/devices/{address}/{name}"
        return self.command(f"shell readlink {path}").lines

    def addresses(self) -> dict[str, str]:
        """Return where the machine's devices are, by name, as QEMU sees it now."""
        with Qmp(self._run / "qmp") as qmp:
            roots = qmp.execute("query-pci")
        found = dict[str, str]()
        pending = [device for root in roots for device in root["devices"]]
        while pending:
            device = pending.pop()
            place = f"{device['bus']:02x}:{device['slot']:02x}.{device['function']:x}"
            if device["qdev_id"]:
                found[device["qdev_id"]] = f"0000:{place}"
            pending += device.get("pci_bridge", {}).get("devices", ())
        return found

    def address(self, name: str) -> str:
        """Return the PCI address of the device called ``name``."""
        try:
            return self.addresses()[name]
        except KeyError:
            raise LabError(f"{self.machine.name} holds no '{name}' now") from None

    def log(self) -> str:
        """Return what the guest's console printed so far."""
        path = self._run / "console"
        return path.read_text(errors="replace") if path.exists() else ""

    def alive(self) -> None:
        """Raise a ``GuestCrash`` if QEMU has ended."""
        self._check_alive()

    def stop(self) -> None:
        """End the guest at once."""
        self._selector.close()
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise GuestCrash(f"the guest is gone: {error}", self.log()) from error

    def _lines(
        self, deadline: float, asked: str = "", patience: float = BOOT_SECONDS
    ) -> Iterator[str]:
        """Yield lines until the guest is silent for ``patience`` seconds.

        Raises:
            GuestHang: ``deadline`` has passed.
        """
        heard = time.monotonic()
        while True:
            while b"\n" in self._pending:
                line, _, self._pending = self._pending.partition(b"\n")
                yield line.decode(errors="replace").rstrip("\r")
            now = time.monotonic()
            if now >= deadline:
                raise GuestHang(f"the guest does not answer{asked}", self.log())
            if now - heard >= patience:
                return
            if not self._selector.select(min(deadline - now, 1.0)):
                self._check_alive()
                continue
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            if not data:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(GRACE_SECONDS)
                self._check_alive()
                raise GuestHang("QEMU closed the port", self.log())
            heard = time.monotonic()
            self._pending += data

    def _check_alive(self) -> None:
        if self._process.poll() is None:
            return
        error = (self._run / "qemu").read_text(errors="replace").strip()
        if error and self._process.returncode:
            raise LabError(f"QEMU failed: {error}")
        raise GuestCrash("the guest's kernel died", self.log())


@contextmanager
def boot(
    machine: Machine,
    image: Image,
    say: Callable[[str], None] = lambda _: None,
    more: bytes = b"",
    times: float = 1,
) -> Iterator[Guest]:
    """Boot ``machine`` with the kernel ``image``; the guest ends with the block.

    ``more`` are further archives for the guest's file system. It may take so many
    ``times`` as long to boot as others.
    """
    check(machine, image)
    initramfs = prepare(image, say)
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        run = Path(name)
        options = dict(machine.module_options)
        modules = {
            module: options.get(module, "")
            for module in boot_modules(image, machine.without)
        }
        oracle = {"oracle": ""} if image.has_headers else {}
        (run / "initramfs").write_bytes(
            firmware(machine.firmware())
            + initramfs.read_bytes()
            + more
            + overlay({**modules, **oracle})
        )
        words, environment = _program(machine, say)
        arguments = [*TIED, *words, *_arguments(machine, image, run)]
        say(f"booting {machine.name} with {image.release}")
        with (run / "qemu").open("wb") as errors:
            try:
                process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env=environment,
                )
            except FileNotFoundError as error:
                raise Unavailable(f"{arguments[0]} is not installed") from error
        guest = Guest(machine, process, run)
        try:
            guest.connect(times)
            yield guest
        finally:
            guest.stop()


def check(machine: Machine, image: Image) -> None:
    """Refuse a kernel that the machine cannot run."""
    kernel = image.kernel
    if kernel.architecture != machine.architecture:
        raise LabError(f"{machine.name} is {machine.architecture}, not {kernel.name}")
    if kernel.number < machine.since:
        since = ".".join(map(str, machine.since))
        raise LabError(f"{machine.name} runs only with {since} and newer")


def _program(
    machine: Machine, say: Callable[[str], None]
) -> tuple[tuple[str, ...], Mapping[str, str] | None]:
    if machine.newer_qemu:
        return newer_qemu(say)
    return (QEMU[machine.architecture],), None


def _arguments(machine: Machine, image: Image, run: Path) -> Iterator[str]:
    architecture = machine.architecture
    yield from machine.arguments()
    yield from ("-kernel", str(image.vmlinuz), "-initrd", str(run / "initramfs"))
    yield from ("-chardev", f"file,id=console,path={run}/console")
    yield from ("-serial", "chardev:console")
    yield from ("-chardev", f"socket,id=port,path={run}/port,server=on,wait=off")
    if architecture == "arm64":
        yield from ("-device", "virtio-serial-device")
        yield from ("-device", "virtconsole,chardev=port")
        port = "hvc0"
    else:
        yield from ("-serial", "chardev:port")
        port = "ttyS1"
    yield from ("-qmp", f"unix:{run}/qmp,server=on,wait=off")
    words = f"console={CONSOLE[architecture]} lab.port={port} {KERNEL_ARGUMENTS}"
    words = f"{words} {_LEFT_OUT}"
    words = f"{words} {TIMERS[architecture]}".rstrip()
    yield from ("-append", f"{words} {machine.command_line()}")
