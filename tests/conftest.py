"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # small tensors: more threads only wait for each other


def _find_shared() -> Path | None:
    """The folder of reference data: $RGBDSOD_SHARED, or `shared` beside the checkout."""
    candidates = [os.environ.get("RGBDSOD_SHARED"), Path(__file__).resolve().parents[2] / "shared"]
    return next((Path(c) for c in candidates if c and (Path(c) / "golden").is_dir()), None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data (golden numbers, real images), which are not redistributed with the repository."""
    found = _find_shared()
    if found is None:
        pytest.skip("reference data not found: put the folder `shared` beside the checkout, or set RGBDSOD_SHARED")
    return found
