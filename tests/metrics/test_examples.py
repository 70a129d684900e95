"""The examples in the documentation of public functions run as they stand."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["histogram", "maps", "distortion"])
def test_examples(module):
    result = doctest.testmod(import_module(f"rgbdsod.metrics.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
