"""Reference numbers for the attacks."""

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def golden(shared):
    """The arrays of golden/attacks.npz as tensors."""
    with np.load(shared / "golden" / "attacks.npz") as file:
        return {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}
