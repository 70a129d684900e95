"""`python -m rgbdsod`: the command line."""

import sys
from pathlib import Path

# The folder of the call must not shadow installed packages (a checkout has a folder called `datasets`).
sys.path[:] = [entry for entry in sys.path if entry not in ("", str(Path.cwd()))]

from rgbdsod.cli.main import run  # noqa: E402  (the path has to be right first)

if __name__ == "__main__":
    sys.exit(run())
