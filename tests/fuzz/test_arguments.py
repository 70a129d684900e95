"""Whatever stands behind a flag: one sentence and an exit code, never a traceback, and never an error that is ours."""

from pathlib import Path

import pytest
from fuzz_check import attempt
from hypothesis import given
from hypothesis import strategies as st

from rgbdsod.cli.main import run
from rgbdsod.cli.sources import batch_size, depth_range, parse_size
from rgbdsod.datasets import load_dataset
from rgbdsod.defenses.filters.grammar import parse
from rgbdsod.run.threats import parse_eps

ODD = (
    "",
    " ",
    ",",
    ",,",
    "/",
    "1/0",
    "-1",
    "nan",
    "inf",
    "1e999",
    "9" * 5000,
    "0x10",
    "٣",
    "½",
    "\x1b[31m",
    "x" * 5000,
    "..",
    "../../../etc/passwd",
    "/dev/null",
    "~nobody/x",
    "a+b",
    "+",
    "1*",
    "*",
    "scenes:",
    "scenes:99999999999",
    "scenes:9@99999999x99999999",
    "9999999999*demo",
    "scenes:" + "9" * 5000,
    "demo:",
    "((",
    "))",
    "a(b",
    "median(",
    "jpeg(quality=)",
    "median+",
    "none+none",
    "%s%n",
    "{}",
    "$(id)",
    "`id`",
    "<script>",
    "1,2,3",
    "8/255,",
    "pgd;id",
    "--",
    "-",
    "é" * 200,
)
FLAGS = (
    "--eps",
    "--eps-depth",
    "--data",
    "--modality",
    "--attack",
    "--size",
    "--batch",
    "--limit",
    "--ids",
    "--norm",
    "--step-size",
    "--depth-range",
    "--depth-unit",
    "--objective",
    "--goal",
    "--target",
    "--success",
    "--levels",
    "--dtype",
    "--device",
    "--fusion",
    "--encoder",
    "--weights",
    "--set",
    "--config",
    "--plugin",
    "--space",
    "--save-images",
    "--seed",
)
PARSERS = {
    "eps": parse_eps,
    "size": parse_size,
    "batch": batch_size,
    "depth range": depth_range,
    "defense": parse,
    "data": lambda text: load_dataset(text, limit=1, check=False),
}
WORDS = st.sampled_from(
    [
        "median",
        "detect",
        "jpeg",
        "(",
        ")",
        "=",
        "+",
        ",",
        "/",
        "*",
        ":",
        "@",
        "x",
        "#",
        "255",
        "8",
        "-1",
        "1e9",
        "demo",
        "scenes",
        "none",
        "quality",
        " ",
        "nan",
    ]
)
LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))  # all that stands on one line
TEXTS = st.text(LETTERS, max_size=30) | st.lists(WORDS, max_size=8).map("".join) | st.sampled_from(ODD)


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command line that cannot succeed; its one line."""
    monkeypatch.chdir(tmp_path)

    def answer(*words: str) -> str:
        code = run(list(words))
        err = capsys.readouterr().err
        assert code in (2, 3, 4, 5), (words, code, err[:300])
        assert "a bug here" not in err, (words, err[:300])
        assert "Traceback" not in err, words
        assert len(err) < 2200
        assert "\x1b" not in err
        return err

    return answer


@pytest.mark.parametrize("flag", FLAGS)
def test_odd_words_behind_a_flag(flag: str, refused, long: bool) -> None:
    for word in ODD[:: 1 if long else 9]:
        refused("attack", "--model", "nosuch.py:build", "--data", "scenes:1@32x32", f"{flag}={word}", "--quiet")


@pytest.mark.parametrize(
    "words",
    [
        ("defend", "--model", "nosuch.py:build", "--defense"),
        ("bench", "--suite"),
        ("report",),
        ("info",),
        ("evaluate", "--model", "nosuch.py:build", "--maps"),
        ("attack", "--model"),
        ("hha", "--camera"),
        ("patch", "export"),
        ("patch", "stats"),
    ],
    ids=" ".join,
)
def test_odd_words_for_a_command(words: tuple[str, ...], refused, long: bool) -> None:
    for word in ODD[:: 1 if long else 9]:
        if word.startswith("-") or not word:
            continue  # a flag, or nothing at all
        refused(*words, word)


@pytest.mark.parametrize("name", PARSERS)
@given(text=TEXTS)
def test_a_parser_of_flags(name: str, text: str) -> None:
    assert attempt(lambda: PARSERS[name](text)) is None
