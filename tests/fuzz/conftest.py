"""How much is tried: little and always the same, or, with RGBDSOD_FUZZ=long, much and by a seed that is printed."""

import os

import pytest
from hypothesis import HealthCheck, settings

LONG = os.environ.get("RGBDSOD_FUZZ") == "long"

_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "quick", derandomize=True, max_examples=12, deadline=None, database=None, suppress_health_check=_CHECKS
)
settings.register_profile("long", max_examples=1500, deadline=None, print_blob=True, suppress_health_check=_CHECKS)
settings.load_profile("long" if LONG else "quick")


@pytest.fixture
def long() -> bool:
    """Whether there is time."""
    return LONG
