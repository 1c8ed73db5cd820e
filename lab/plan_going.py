"""Goes through one plan in a guest: its script, its steps typed one by one, the undo.

Everything that was printed runs unchanged, in the guest's own dash.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from lab.errors import LabError
from lab.guest import Answer, Guest
from lab.host import shell
from lab.kernels.known import Image
from lab.plan_case import PlanCase
from lab.plan_tool import Source, tool, without
from lab.plan_trial import Moment, Ran, Trial, Typed
from lab.truth import vfio_answers
from lab.userland import PATH

__all__ = ["go_through", "prepare_guest"]

# Lets busybox's modprobe find the guest's modules. /lab/depends names what comes
# first in the order of loading, modules.dep the other way round.
_MODULES = """\
directory=/lib/modules/$(uname -r)
mkdir -p "$directory"
ln -s /lab/ko "$directory/ko"
awk -F '[: ]+' '{
    printf "ko/%s.ko:", $1
    for (i = NF; i > 1; i--) if ($i != "") printf " ko/%s.ko", $i
    print ""
}' /lab/depends > "$directory/modules.dep"
"""
# The override of every device, and all devices below their drivers.
_DEVICES = """\
for path in /sys/bus/pci/devices/*; do
    read -r override < "$path/driver_override"
    echo "${path##*/} $override"
done
for path in /sys/bus/pci/drivers/*/*:*; do echo "$path"; done
"""
# The printed arguments, unchanged, end the command. QEMU opens the devices before the
# first instruction of its guest, and -S runs none.
_QEMU = """\
printf 'info qtree\\nquit\\n' | env -i PATH=/usr/bin:/bin /bin/chroot /host \\
    > /tmp/qemu-out 2> /tmp/qemu-err \\
    /usr/bin/qemu-system-x86_64 -machine q35 -accel tcg -m 64 -nodefaults \\
    -display none -S -monitor stdio \\
"""
_AFTER_QEMU = """\
status=$?
grep -a -e 'dev: vfio-pci' -e 'host = ' /tmp/qemu-out
exit $status
"""
_QEMU_SECONDS = 420.0
_DASH = f"PATH={PATH} /usr/bin/dash"
_SCRIPT = "/tmp/plan.sh"
_LINES = "/tmp/lines.sh"
# Stands, with the exit status, behind what a line printed.
_END = "ended with"
_UNSAFE = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
_LIST = "/tmp/devices.sh"
_PIECE = 2000
_NOT_SET = "(null)"

_Devices = dict[str, tuple[str, str]]


def prepare_guest(guest: Guest) -> None:
    """Give the guest what the plans and the looking at it need."""
    _send(guest, _LINES, _MODULES)
    shell(guest, f"sh {_LINES}")
    _send(guest, _LIST, _DEVICES)


def go_through(guest: Guest, image: Image, case: PlanCase, *, qemu: bool) -> Trial:
    """Make the plan of a case, carry it out and take it back; return what was seen."""
    for command in case.setup:
        _set_up(guest, command)
    names = [guest.resolve(target) for target in case.targets]
    capture = guest.capture()
    before = _moment(guest, names, capture)
    source = _source(guest, case, capture)
    printed = _printed(source, names, case.accept)
    trial = Trial(
        case,
        image.kernel.name,
        image.release,
        before,
        printed.status,
        printed.rules,
        printed.script,
        Ran(0, ()),
        before,
        checks=_type_all(guest, printed.looks),
        steps=printed.steps,
        unprinted=printed.unprinted,
    )
    _send(guest, _SCRIPT, printed.script)
    looked = ""
    if printed.asks:
        trial = replace(trial, careless=_run(guest, f"{_DASH} {_SCRIPT}"))
        trial = replace(trial, careless_devices=_devices(guest))
        looked = "LOOKED=yes "
    done = _run(guest, f"{looked}{_DASH} {_SCRIPT}")
    trial = replace(trial, done=done, after=_moment(guest, names))
    if case.alive:
        trial = replace(trial, alive=_type(guest, case.alive).ran)
    if printed.rules or case.refused or case.stops:
        return trial
    if qemu and case.qemu:
        trial = _start_qemu(guest, trial, source, names)
    undone = _run(guest, f"{_DASH} {_SCRIPT} undo")
    trial = replace(trial, undone=undone, end=_glance(guest))
    there = _type_all(guest, printed.now)
    trial = replace(trial, typed=there, typed_devices=_settled(guest))
    back = _type_all(guest, printed.undo)
    return replace(trial, back=back, back_devices=_settled(guest))


@dataclass(frozen=True)
class _Printed:
    """What the tool printed of one plan."""

    status: int
    rules: tuple[str, ...]
    looks: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    now: tuple[str, ...]
    undo: tuple[str, ...]
    script: str
    unprinted: tuple[str, ...]

    @property
    def asks(self) -> bool:
        """Say whether the script wants to be told that somebody has looked."""
        return "    looked " in self.script


def _printed(source: Source, names: Sequence[str], accept: str) -> _Printed:
    words = ("plan", *names, *(("--accept", accept) if accept else ()))
    status, text = tool(source, *words, "--format", "json")
    document: dict[str, Any] = json.loads(text)
    _, script = tool(source, *words, "--format", "shell")
    _, table = tool(source, *words)
    shown = {line.strip() for line in table.splitlines()}
    looks = [look for found in document["conditions"] for look in found["look"]]
    lines = (*looks, *document["now"], *document["undo"])
    return _Printed(
        status,
        tuple(refusal["rule"] for refusal in document["refusals"]),
        tuple(dict.fromkeys(looks)),
        tuple((step["step"], step["result"]) for step in document["steps"]),
        tuple(document["now"]),
        tuple(document["undo"]),
        script,
        tuple(dict.fromkeys(line for line in lines if line not in shown)),
    )


def _source(guest: Guest, case: PlanCase, capture: bytes) -> Source:
    if not case.paste:
        return Source(without(capture, case.lost))
    said = _type(guest, case.paste).ran
    if said.status or not said.lines:
        raise LabError(f"in the guest, {case.paste}: {' '.join(said.lines)}")
    return Source("\n".join((*said.lines, "")).encode(), ".txt")


def _set_up(guest: Guest, command: str) -> None:
    """Run a command of the guest, or a line of ``dash``, which has to work."""
    verb, _, line = command.partition(" ")
    if verb != "dash":
        guest.do(command)
        return
    said = _type(guest, line).ran
    if said.status:
        raise LabError(f"in the guest, {line}: {' '.join(said.lines)}")


def _start_qemu(
    guest: Guest, trial: Trial, source: Source, names: Sequence[str]
) -> Trial:
    _, arguments = tool(source, "plan", *names, "--format", "qemu")
    _send(guest, _LINES, _QEMU + arguments + _AFTER_QEMU)
    answer = guest.command(f"shell {_DASH} {_LINES}", _QEMU_SECONDS)
    errors = guest.command("show /tmp/qemu-err").lines
    return replace(trial, arguments=arguments, qemu=_ran(answer), qemu_errors=errors)


def _moment(guest: Guest, names: Sequence[str], capture: bytes | None = None) -> Moment:
    """Look at the guest: its captured state, the audit of it, the kernel's answers."""
    capture = capture or guest.capture()
    machine = read_machine(open_path("-", io.BytesIO(capture)))
    _, text = tool(Source(capture), "audit", *names, "--format", "json")
    document = json.loads(text)
    told, kernel = dict[str, str](), dict[str, str]()
    for target in document["targets"]:
        for answer in target["answers"]:
            if answer["operation"].startswith("VFIO_"):
                told[f"{answer['operation']} {target['group']}"] = answer["result"]
    for group in sorted({t["group"] for t in document["targets"]} - {None}):
        facts = guest.command(f"ask group {group}").facts()
        answers = vfio_answers(facts)
        kernel.update((f"{key[0]} {key[1]}", said) for key, said in answers.items())
    devices = {
        device.address: (str(device.driver or ""), str(device.driver_override or ""))
        for device in machine.devices
    }
    unsafe = machine.vfio.type1_allow_unsafe_interrupts is True
    return Moment(document["verdict"], told, kernel, devices, unsafe)


def _glance(guest: Guest) -> Moment:
    """Look only at who has the devices, and at what of vfio the undo takes back."""
    allowed = guest.command(f"show {_UNSAFE}").lines == ("Y",)
    return Moment("", {}, {}, _devices(guest), allowed)


def _devices(guest: Guest) -> _Devices:
    found = dict[str, tuple[str, str]]()
    for line in guest.command(f"shell sh {_LIST}").lines:
        if line.startswith("/"):
            driver, address = line.split("/")[-2:]
            found[address] = (driver, found[address][1])
        else:
            address, _, override = line.partition(" ")
            found[address] = ("", "" if override == _NOT_SET else override)
    return found


def _settled(guest: Guest) -> _Devices:
    guest.command("settle")
    return _devices(guest)


def _run(guest: Guest, words: str) -> Ran:
    answer = guest.command(f"shell {words} 2>&1")
    guest.command("settle")
    return _ran(answer)


def _type(guest: Guest, line: str) -> Typed:
    """Run one line as if it were typed."""
    return _type_all(guest, [line])[0]


def _type_all(guest: Guest, lines: Sequence[str]) -> tuple[Typed, ...]:
    """Run lines one after the other, each by a shell of its own."""
    if not lines:
        return ()
    typed = (
        f"{_DASH} -c {shlex.quote(line)} 2>&1 < /dev/null; echo {_END} $?"
        for line in lines
    )
    _send(guest, _LINES, "\n".join((*typed, "")))
    found, said = list[Typed](), list[str]()
    for text in guest.command(f"shell /usr/bin/dash {_LINES}").lines:
        # What printed no end of a line stands before the mark.
        before, mark, status = text.partition(f"{_END} ")
        said += [before] if before or not mark else []
        if mark:
            found.append(Typed(lines[len(found)], Ran(int(status), tuple(said))))
            said.clear()
    if len(found) != len(lines):
        raise LabError(f"{len(found)} of {len(lines)} lines ended: {lines[0]} ...")
    return tuple(found)


def _send(guest: Guest, path: str, text: str) -> None:
    """Write a file in the guest, byte for byte."""
    packed = base64.b64encode(gzip.compress(text.encode(), 9)).decode()
    for number, piece in enumerate(_pieces(packed)):
        shell(guest, f"echo {piece} {'>>' if number else '>'} {path}.packed")
    shell(guest, f"base64 -d {path}.packed | gzip -dc > {path}")
    sums = guest.command(f"shell wc -c < {path}").lines
    if sums != (str(len(text.encode())),):
        raise LabError(f"{path} did not arrive whole in the guest: {sums}")


def _pieces(text: str) -> Iterable[str]:
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _ran(answer: Answer) -> Ran:
    return Ran(answer.status, answer.lines)
