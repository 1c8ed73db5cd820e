"""Settings for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines differ in speed: how long an example takes is no property of the code.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")
