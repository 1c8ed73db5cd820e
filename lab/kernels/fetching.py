"""Gets a kernel: from the cache, or into it."""

from __future__ import annotations

import json
from collections.abc import Callable

from lab.cache import locked
from lab.kernels.known import Image, Kernel
from lab.kernels.own import build
from lab.kernels.packaged import download

__all__ = ["fetch"]


def fetch(kernel: Kernel, say: Callable[[str], None] = lambda _: None) -> Image:
    """Return ``kernel`` from the cache, downloading or building it the first time."""
    with locked(f"kernel-{kernel.name}"):
        if not (kernel.directory / "kernel.json").is_file():
            if kernel.own:
                build(kernel, say)
            else:
                say(f"downloading kernel {kernel.name} from {kernel.suites[0]}")
                download(kernel)
    return _load(kernel)


def _load(kernel: Kernel) -> Image:
    facts = json.loads((kernel.directory / "kernel.json").read_text())
    release = str(facts["release"])
    return Image(
        kernel=kernel,
        release=release,
        version=str(facts["version"]),
        vmlinuz=kernel.directory / "vmlinuz",
        modules=kernel.directory / "lib" / "modules" / release,
        has_headers=bool(facts.get("has_headers", True)),
    )
