"""What is asked of a source: every command, every target, every purpose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["PURPOSES", "Request", "of_device", "of_group", "of_host"]

PURPOSES = ("vfio", "dpdk", "attach", "one-per-group")
_DRAWN = ("tree", "svg", "dot", "mermaid")
_PLAN_FORMATS = ("table", "shell", "json", "libvirt", "qemu")

Request = tuple[str, ...]


def _both(*words: str) -> Iterator[Request]:
    yield words
    yield (*words, "--format", "json")


def of_host() -> Iterator[Request]:
    """Yield the requests that are about the whole host."""
    yield from _both("list")
    yield ("list", "--numeric")
    yield from _both("predict")
    yield from _both("predict", "--compare", "5.10,6.12,proposed-single-driver")
    for purpose in PURPOSES:
        yield from _both("audit", "--for", purpose)
    yield ("audit", "--notes")
    yield ("audit", "--summary")
    yield ("audit", "--strict")
    for form in _DRAWN:
        yield ("graph", "--format", form)
    yield ("report", "--notes")
    for semantics in ("5.10", "6.12", "proposed-single-driver"):
        yield ("audit", "--semantics", semantics)


def of_group(group: str) -> Iterator[Request]:
    """Yield the requests whose target is a group."""
    target = f"group:{group}"
    yield from _about(target)
    yield from _both("whatif", f"claim={group}")


def of_device(address: str) -> Iterator[Request]:
    """Yield the requests whose target is a device."""
    yield from _about(address)
    yield from _both("why", address)
    steps: Sequence[str]
    for steps in (
        (f"unbind={address}",),
        (f"bind={address},vfio-pci",),
        (f"attach={address}",),
        (f"hotplug={address}",),
        (f"unplug={address}",),
        (f"sriov={address},2",),
    ):
        yield ("whatif", *steps)
    yield ("whatif", f"bind={address},vfio-pci", "--format", "json")


def _about(target: str) -> Iterator[Request]:
    for purpose in PURPOSES:
        yield from _both("audit", "--for", purpose, target)
    yield ("audit", "--notes", target)
    yield ("predict", target)
    for form in _PLAN_FORMATS:
        yield ("plan", target, "--format", form)
    yield ("plan", target, "--accept", "host-loss")
    yield ("graph", target)
    yield ("report", target)
