"""The table of measures."""

import subprocess
import sys

import pytest
from metrics_pairs import mixed

from rgbdsod.errors import UsageError
from rgbdsod.metrics import METRICS, saliency


def test_the_table_lists_what_is_computed():
    assert {metric.name for metric in METRICS if metric.kind == "saliency"} == set(saliency(*mixed(2)))


def test_rows_are_fit_to_print():
    for metric in METRICS:
        assert metric.title
        assert metric.definition
        assert metric.source
        assert metric.bounds[0] < metric.bounds[1]
    titles = [metric.title for metric in METRICS]
    assert len(set(titles)) == len(titles)
    assert METRICS["fm_max"].title == "maxF"


def test_errors_and_false_alarms_are_better_low():
    low = {metric.name.split("_")[0] for metric in METRICS if metric.kind == "saliency" and not metric.higher_is_better}
    assert low == {"mae", "ber", "fpr"}


def test_a_wrong_name_gets_a_hint():
    with pytest.raises(UsageError, match='no metric "fmax"; did you mean "fm_max"'):
        METRICS["fmax"]


def test_the_table_needs_no_heavy_import():
    heavy = "{'torch', 'numpy', 'cv2', 'scipy', 'skimage'}"
    code = f"import sys; import rgbdsod.metrics.table; sys.exit(len({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
