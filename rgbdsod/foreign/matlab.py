"""MATLAB files of others, read by SciPy in a process of its own, since a damaged file can make its reader crash.

The file is also that process's program; so it imports nothing of this package.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS, ROOM = 120, 4 << 30


def read_matlab(path: Path, key: str) -> list[Any] | None:
    """A variable of a MATLAB file, flat: numbers, texts, or structures as mappings; None where there is none.

    Raises:
        ValueError: the file is damaged, is no MATLAB file, or takes minutes.
    """
    command = [sys.executable, "-P", __file__, str(path), key]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise ValueError("its reader failed")
        found: list[Any] | None = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, RecursionError) as error:
        raise ValueError("its reader did not come to an end") from error
    return found


def _main(path: str, key: str) -> None:
    import numpy as np
    from scipy.io import loadmat

    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    except (ImportError, ValueError, OSError):  # not every system has such limits
        pass
    content = loadmat(path, squeeze_me=True, variable_names=[key])
    found = None if key not in content else _plain(np.atleast_1d(content[key]).ravel())
    json.dump(found, sys.stdout, default=str)


def _plain(values: Any) -> list[Any]:
    names = values.dtype.names
    if names:
        return [{name: getattr(own[name], "tolist", lambda own=own, name=name: own[name])() for name in names}
                for own in values]  # fmt: skip
    found: list[Any] = values.tolist()
    return found


if __name__ == "__main__":
    _main(*sys.argv[1:])
