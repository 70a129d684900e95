"""The catalogue."""

import subprocess
import sys

import pytest

from rgbdsod.datasets import DATASETS
from rgbdsod.datasets.known import COMMON_TRAINING_SET, find_known

COUNTS = {
    "STERE": 1000, "GIT": 80, "DES": 135, "NLPR": 1000, "LFSD": 100, "NJU2K": 1985, "SSD": 80, "DUT-RGBD": 1200,
    "SIP": 929, "ReDWeb-S": 3179, "COME15K": 15625,
}  # fmt: skip


def test_rows_have_the_published_counts():
    public = {row.name: row.images for row in DATASETS if not row.built_in}
    assert public == COUNTS
    assert {row.name for row in DATASETS if row.built_in} == {"demo", "scenes"}


@pytest.mark.parametrize("name", ["NLPR", "NJU2K", "DUT-RGBD", "ReDWeb-S"])
def test_train_and_test_add_up(name):
    row = DATASETS[name]
    assert row.splits["train"] + row.splits["test"] == row.splits["all"] == row.images


def test_the_common_training_set():
    assert sum(COMMON_TRAINING_SET.values()) == 2185
    assert all(DATASETS[name].splits["train"] == count for name, count in COMMON_TRAINING_SET.items())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nlpr", "NLPR"), ("NJU2K_test", "NJU2K"), ("RGBD135", "DES"), ("SSD100", "SSD"), ("STEREO-797", "STERE"),
        ("DUT-RGBD", "DUT-RGBD"), ("sips", None), ("my pictures", None), ("", None),
    ],
)  # fmt: skip
def test_folder_names_lead_to_rows(name, expected):
    row = find_known(name)
    assert (row.name if row else None) == expected


def test_the_catalogue_needs_no_heavy_package():
    code = (
        "import sys; from rgbdsod.datasets.known import DATASETS; import rgbdsod.datasets; rgbdsod.datasets.DATASETS;"
        "print(sorted({'numpy', 'cv2', 'torch', 'PIL'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_loading_a_data_set_needs_no_torch():
    code = (
        "import sys; from rgbdsod.datasets import load_dataset; load_dataset('demo')[0];print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )
