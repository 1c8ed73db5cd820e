"""Where third-party captures lie: beside the checkout, never inside it."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
FIXTURES = Path(__file__).resolve().parent / "fixtures"
SYSFS = FIXTURES / "sysfs"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the collection of captures is not beside the checkout"
)
KERNELS = ("5.10", "6.1", "6.12", "7.3")
