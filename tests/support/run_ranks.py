"""Networks for runs on the ranks of torchrun, as a command line names them."""

import os

from run_models import tiny

from rgbdsod.errors import DataError
from rgbdsod.models import SaliencyModel


def failing() -> SaliencyModel:
    """The second rank cannot have it."""
    if os.environ.get("RANK") == "1":
        raise DataError("this machine has no such file; copy it")
    return tiny()
