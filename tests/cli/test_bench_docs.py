"""The page on benchmarks is true, command by command, in the order in which a reader types them."""

import re
import shlex
from pathlib import Path

import pytest

from rgbdsod.run.benchmark.suites import cells_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bench.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'```toml title="(\S+)"\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def files(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_command_of_the_page(call, files):
    assert "rgbdsod bench --suite grid.toml --out runs/grid --shard 2/2" in COMMANDS
    shown = {}
    for line in COMMANDS:
        if "--sql" in line:
            pytest.importorskip("duckdb")
        words = shlex.split(line)[1:]
        answer = call(*words, *(["--device", "cpu"] if words[0] == "bench" else []))
        assert answer.code == 0, (line, answer.err)
        shown[line] = answer.out
    assert "16 cells" in shown[COMMANDS[0]] and not re.search(r"cells, [1-9]\d* of them finished", shown[COMMANDS[0]])
    questions = [out for line, out in shown.items() if "--sql" in line]
    assert [out.split()[0] for out in questions] == ["network", "image,fooled"]


def test_the_suites_of_the_page_are_suites(files, monkeypatch):
    monkeypatch.chdir(files)
    assert len(cells_of("grid.toml")) == 16
    assert len(cells_of("trained.toml")) == 3 * 3 * 2 * 2 * 3 * 3
