"""The archives that the kernel unpacks at boot."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Cpio"]


@dataclass
class Cpio:
    """A cpio archive in the form that the kernel unpacks; more may follow it."""

    parts: list[bytes] = field(default_factory=list)
    count: int = 0

    def add(self, name: str, mode: int, data: bytes = b"") -> None:
        """Add a file, a directory (without data) or a link (the data is its target)."""
        self.count += 1
        encoded = name.encode() + b"\0"
        numbers = (self.count, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0)
        head = "070701" + "".join(f"{number:08x}" for number in numbers)
        head += f"{len(encoded):08x}{0:08x}"
        record = head.encode() + encoded
        self.parts.append(record + b"\0" * (-len(record) % 4))
        self.parts.append(data + b"\0" * (-len(data) % 4))

    def finish(self) -> bytes:
        """Return the whole."""
        self.add("TRAILER!!!", 0)
        data = b"".join(self.parts)
        return data + b"\0" * (-len(data) % 512)
