"""Small files that promise much are refused within little memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz_files import bomb, npy
from fuzz_images import png, zeros

ROOM = 256 << 20
"""Bytes beyond what the imports take."""

CODE = """
import resource, sys
from pathlib import Path
import numpy, PIL.Image, scipy.io
from rgbdsod.datasets import load_image_set, read_rgb
from rgbdsod.datasets.images import read_raw_depth
from rgbdsod.errors import RgbdsodError
own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (own + int(sys.argv[1]),) * 2)
reader, path = {"rgb": read_rgb, "depth": read_raw_depth, "set": load_image_set}[sys.argv[2]], Path(sys.argv[3])
try:
    reader(path)
except RgbdsodError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("reader", "name", "content"),
    [
        ("rgb", "a.png", png(30_000, 30_000, zeros(1 << 20))),
        ("rgb", "a.png", png(2**31 - 1, 2**31 - 1)),
        ("depth", "a.npy", npy((10**6, 10**6))),
        ("set", "a.npz", bomb("x_test.npy", head=npy((1 << 20, 1 << 20), "|u1", b""))),
    ],
    ids=["900 million pixels", "largest header", "array of terabytes", "archive"],
)
def test_a_promise_is_not_believed(reader: str, name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", CODE, str(ROOM), reader, str(tmp_path / name)]
    limits = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, **limits}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "Error" not in done.stdout
