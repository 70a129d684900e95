"""`rgbdsod clip attention` as a user types it."""

import json
from pathlib import Path

import pytest
from cli_schema import problems

SCHEMA = Path(__file__).resolve().parents[2] / "rgbdsod" / "cli" / "schemas" / "clip-attention-1.json"
SMALL = ["--n-samples", "2", "--steps", "1", "--attention", "text"]


def test_one_document_and_the_same_command_reads_it_again(document, call):
    found = document("clip", "attention", *SMALL, "--out", "r")
    assert problems(found, json.loads(SCHEMA.read_text())) == []
    assert "done    already" in call("clip", "attention", *SMALL, "--out", "r").out
    assert "done    already" in call("clip", "attention", "--config", "r/config.toml", "--out", "r").out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--attention", "heat"], 'no attention "heat"; use text, vision, gradcam'),
        (["--attention", ","], "--attention is empty"),
        (["--attack", "pdg"], 'no zero-shot attack "pdg"'),
        (["--eps", "8"], "did you mean 8/255?"),
        (["--eps", "2/255,8/255"], "--eps names 2 radii"),
        (["--repaired", "none.safetensors"], "none.safetensors"),
        (["--data", "glyphs:pears"], "pears"),
    ],
)
def test_wrong_words(call, words, message):
    answer = call("clip", "attention", *SMALL, *words)
    assert answer.code in (2, 3, 4)
    assert answer.out == ""
    assert message in answer.err
    assert answer.err.count("\n") == 1
