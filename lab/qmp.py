"""A small client of QEMU's machine protocol: one request, one answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.errors import LabError


class Qmp:
    """A connection to the QMP socket of a running QEMU."""

    def __init__(self, path: Path, seconds: float = 30) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            raise LabError(f"cannot reach QEMU: {error}") from error
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._receive("QMP")
        self.execute("qmp_capabilities")

    def execute(
        self, command: str, arguments: Mapping[str, object] | None = None
    ) -> Any:
        """Run ``command`` and return its result; a refusal is a LabError."""
        request: dict[str, object] = {"execute": command}
        if arguments:
            request["arguments"] = dict(arguments)
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        answer = self._receive("return", "error")
        if "error" in answer:
            raise LabError(f"QEMU refused {command}: {answer['error']['desc']}")
        return answer["return"]

    def _receive(self, *kinds: str) -> dict[str, Any]:
        try:
            for line in self._lines:
                answer: dict[str, Any] = json.loads(line)
                if any(kind in answer for kind in kinds):
                    return answer
        except OSError as error:
            raise LabError(f"QEMU does not answer: {error}") from error
        raise LabError("QEMU ended the connection")

    def close(self) -> None:
        """Close the connection; QEMU goes on."""
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
