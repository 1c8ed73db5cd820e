"""libudev, opened by its name: pyudev alone would run a program to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyudev

__all__ = ["context"]

# Its soname since systemd 183 of 2012, eudev's too.
_LIBRARIES = {"udev": "libudev.so.1"}


def context() -> pyudev.Context:
    """Return a connection to udev.

    `ctypes.util.find_library`, by which pyudev looks for the library, runs ldconfig, or
    even a compiler; this program runs none, least of all as root.

    Raises:
        ImportError: libudev is not installed, or pyudev looks for it in another way.
        OSError: it cannot be loaded.
    """
    import pyudev
    from pyudev._ctypeslib import utils

    if not hasattr(utils, "find_library"):
        raise ImportError("pyudev looks for libudev in a way that is not known")
    utils.find_library = _LIBRARIES.get
    return pyudev.Context()
