"""Settings for every test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from watch import watching

# Machines differ in speed: how long an example takes is no property of the code.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

# Every test is watched, and so is what it starts (watch/watching.py).
_PLACE = tempfile.TemporaryDirectory(prefix="iommu-inspect-watched-")
_RECORD = f"{_PLACE.name}/seen"
os.environ[watching.RECORD] = _RECORD
os.environ["PYTHONPATH"] = str(Path(watching.__file__).parent)
watching.watch(_RECORD)


@pytest.fixture(autouse=True)
def watched() -> Iterator[str]:
    """Fail the test during which something was done that must never be."""
    yield _RECORD
    seen = watching.taken(_RECORD)
    assert not seen, f"this must never be done: {seen}"
