"""Plans from the text of ``lspci``, which does not show who is on vfio."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import call

TEXT = """\
00:00.0 Host bridge [0600]: Intel Corporation Device [8086:4660]
\tKernel driver in use: igen6_edac
\tIOMMU group: 0
00:1c.0 PCI bridge [0604]: Intel Corporation Device [8086:7ab8] (prog-if 00)
\tKernel driver in use: pcieport
\tIOMMU group: 1
01:00.0 Co-processor [0b40]: Intel Corporation Device [8086:37c8]
\tKernel driver in use: c6xx
\tIOMMU group: 2
"""


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("00:00.0", "0000:00:00.0 is a part of the chipset: it stays with the host."),
        ("00:1c.0", "0000:00:1c.0 is a bridge: it stays with the host."),
    ],
)
def test_what_vfio_pci_does_not_take_is_refused_though_vfio_devices_are_not_shown(
    tmp_path: Path, target: str, why: str
) -> None:
    text = tmp_path / "lspci.txt"
    text.write_text(TEXT)
    done = call("plan", target, "--format", "shell", "--from", text)
    assert done.returncode == 1
    assert why in done.stderr
    assert "vfio-pci\n" not in done.stdout


def test_whether_an_unknown_kernel_has_the_device_in_its_denylist_is_asked(
    tmp_path: Path,
) -> None:
    text = tmp_path / "lspci.txt"
    text.write_text(TEXT)
    done = call("plan", "01:00.0", "--format", "shell", "--from", text)
    assert done.returncode == 3
    assert "whether the kernel has 8086:37c8 in a denylist" in done.stderr
    new = call("plan", "01:00.0", "--semantics", "6.12", "--from", text)
    assert new.returncode == 1
    assert "is in the denylist of vfio-pci (8086:37c8)" in new.stdout
