"""``python -m lab``: fetch kernels, boot machines, print what they answer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.errors import LabError
from lab.guest import GuestError, boot
from lab.initramfs import prepare
from lab.kernels import KERNELS, fetch, find_kernel
from lab.machines import MACHINES, find_machine


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args()
    try:
        return int(options.run(options))
    except GuestError as error:
        print(error.log[-4000:], file=sys.stderr)
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    part = commands.add_parser("fetch", help="download kernels, build the guests")
    part.add_argument("kernel", nargs="*", default=list(KERNELS))
    part.set_defaults(run=_fetch)
    part = commands.add_parser("list", help="name the machines and kernels")
    part.set_defaults(run=_list)
    part = commands.add_parser("boot", help="boot once, print the kernel's answers")
    part.add_argument("machine")
    part.add_argument("kernel")
    part.add_argument("--give", action="append", default=[], metavar="DEVICE=DRIVER")
    part.add_argument("--do", action="append", default=[], metavar="COMMAND")
    part.add_argument("--plug", action="append", default=[], metavar="NAME")
    part.add_argument("--capture", type=Path, metavar="FILE")
    part.set_defaults(run=_boot)
    return parser


def _fetch(options: argparse.Namespace) -> int:
    for name in options.kernel:
        image = fetch(find_kernel(name), say)
        prepare(image, say)
        print(f"{name}: {image.release} ({image.version})")
    return 0


def _list(_: argparse.Namespace) -> int:
    for kernel in KERNELS.values():
        print(f"kernel {kernel.name:12} {kernel.suites[0]}")
    for machine in MACHINES.values():
        print(f"machine {machine.name:16} {machine.description}")
    return 0


def _boot(options: argparse.Namespace) -> int:
    machine = find_machine(options.machine)
    image = fetch(find_kernel(options.kernel), say)
    with boot(machine, image, say) as guest:
        commands = [f"give {pair.replace('=', ' ')}" for pair in options.give]
        commands += ["groups", "chips", *options.do, "ask_all", "oracle_all"]
        for name in options.plug:
            guest.plug(name)
        for text in commands:
            answer = guest.command(text)
            print(f"> {text}")
            for line in answer.lines:
                print(line)
            if answer.status:
                print(f"! status {answer.status}")
        if options.capture:
            options.capture.write_bytes(guest.capture())
        print("> log")
        print(guest.log())
    return 0


if __name__ == "__main__":
    sys.exit(main())
