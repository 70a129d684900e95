"""A command line in an empty folder, with a small model in a file."""

import json
from collections import namedtuple

import pytest

from rgbdsod.cli.main import run

Answer = namedtuple("Answer", "code out err")

SMALL = ["--model", "m.py:build", "--data", "scenes:3@32x32#3"]


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Runs a command line; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text("from run_models import tiny as build\n")

    def answer(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return answer


@pytest.fixture
def attack(call):
    """`rgbdsod attack` of the small model on three scenes."""
    return lambda *words: call("attack", *SMALL, *words)


@pytest.fixture
def document(call):
    """The JSON document of a command, and nothing else on stdout."""

    def parse(*words):
        answer = call(*words, "--json")
        return json.loads(answer.out)

    return parse
