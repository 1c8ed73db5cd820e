"""Configuration space without serial numbers."""

from __future__ import annotations

__all__ = ["without_serial"]

_FIRST, _HEADER, _SERIAL, _LENGTH = 0x100, 4, 0x0003, 8
_MOST = 480


def without_serial(content: bytes) -> bytes:
    """Return configuration space with zeros for the device's serial number.

    It is often made of the MAC address (PCIe 6.0, 7.9.3, Device Serial Number).
    """
    space = bytearray(content)
    at = _FIRST
    for _ in range(_MOST):
        if at < _FIRST or at + _HEADER > len(space):
            break
        header = int.from_bytes(space[at : at + _HEADER], "little")
        if header & 0xFFFF == _SERIAL:
            begin = at + _HEADER
            length = len(space[begin : begin + _LENGTH])
            space[begin : begin + length] = bytes(length)
        at = header >> 20 & 0xFFC
    return bytes(space)
