"""`rgbdsod patch maps`."""

import json
from pathlib import Path

from cli_schema import problems

SCHEMAS = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas"
MAPS = ["patch", "maps", "--model", "m.py:build", "--data", "scenes:2@48x48#3", "--calibration", "scenes:2@48x48#9",
        "--steps", 1, "--grid", 2, "--device", "cpu", "--no-aware"]  # fmt: skip


def test_maps(call):
    plan = call(*MAPS, "--dry-run", "--json")
    assert plan.code == 0
    code, out, err = call(*MAPS, "--out", "here")
    assert code == 0
    lines = out.splitlines()
    assert lines[2] == "patch   5% square, off-object, degrade, 1 steps"
    assert lines[4].split()[3:6] == ["sticker", "crop", "card"]
    assert [line.split()[0] for line in lines[5:7]] == ["gate", "gate"]
    assert "2 images say little of others" in err
    again = call(*MAPS, "--out", "here", "--json")
    document = json.loads(again.out)
    assert problems(document, json.loads((SCHEMAS / "patch-maps-1.json").read_text())) == []
    repeated = call("patch", "maps", "--config", "here/config.toml", "--out", "here", "--quiet")
    assert (repeated.code, repeated.out.splitlines()[0]) == (0, lines[4])
    assert call(*MAPS, "--grid", 1).code == 2
