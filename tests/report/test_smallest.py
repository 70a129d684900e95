"""An attack that looks for the smallest change is told as one, without the radius that it did not have."""

import json
from pathlib import Path

from report_runs import write_attack

from rgbdsod.report.describe import lede
from rgbdsod.report.reading import read_run
from rgbdsod.report.wording import show_eps


def test_no_radius() -> None:
    assert show_eps(1e9, "l2") == "any"


def test_lede(tmp_path: Path) -> None:
    folder = write_attack(tmp_path / "run")
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["results"][-1]["smallest"] = {"found": 1, "median": 0.25}
    path.write_text(json.dumps(metrics))
    text = lede(read_run(folder))
    assert text.startswith("The attack looked for the smallest change of depth that fools (L∞) and found it for 1 of 4")
    assert "images, 0.25 in the median before rounding. " in text
    metrics["results"][-1]["smallest"] = None
    path.write_text(json.dumps(metrics))
    assert lede(read_run(folder)).startswith("The attack could change depth by at most")
