"""A page of the documentation as the session of its reader: files, commands and Python in order, in one folder."""

import ast
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

_FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="(?P<name>[^"]+)"')
_NUMBER = re.compile(r"[+-]?\d+\.\d+")
_NOT_HERE = ("pip install", "python3 -m venv", ". venv/bin/activate", "make ")
"""What a reader types besides `rgbdsod`: installing, which `make release-check` does."""

NEAR = 0.05
"""How far a number with a decimal point may be from the one that is shown; processors round differently."""


def replay(page: Path, run: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> None:
    """Do in the current folder what the page says, and compare what it shows.

    Args:
        page: a Markdown file. Blocks with a title become files, `sh` blocks are commands, `python` blocks one module,
            and a `text` block is what the commands above it print; in it a line "..." stands for any lines.
        run: runs the words of a command line and returns its exit code.
        capsys: pytest's own.

    Raises:
        AssertionError: a command fails, or prints something else.
    """
    module = ModuleType(f"session_{page.stem.replace('-', '_')}")
    sys.modules[module.__name__] = module
    printed = ""
    try:
        for line, kind, body in _blocks(page.read_text(encoding="utf-8")):
            if title := _TITLE.search(kind):
                Path(title["name"]).parent.mkdir(parents=True, exist_ok=True)
                Path(title["name"]).write_text(body, encoding="utf-8")
            elif kind == "python":
                exec(compile(ast.increment_lineno(ast.parse(body), line), str(page), "exec"), vars(module))
            elif kind == "sh":
                printed = "".join(_printed(command, run, capsys) for command in _lines(body))
            elif kind == "text":
                _compare(body, printed, f"{page.name}, line {line}")
    finally:
        del sys.modules[module.__name__]


def _blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, kind and body of each block of code."""
    for block in _FENCE.finditer(text):
        yield text[: block.start("body")].count("\n"), block["kind"].strip(), block["body"]


def _lines(body: str) -> list[str]:
    return [line for line in body.replace("\\\n", " ").splitlines() if not line.startswith(_NOT_HERE)]


def _printed(command: str, run: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]) -> str:
    words = shlex.split(command)
    assert words[0] == "rgbdsod", f"{command}: no test runs this"
    capsys.readouterr()
    code = run(words[1:])
    out, err = capsys.readouterr()
    assert code == 0, f"{command} ended with {code}: {err}"
    return out


def _compare(shown: str, printed: str, where: str) -> None:
    """Fail where lines that are shown were not printed in this order, but for "..." one after the other."""
    rest = printed.splitlines()
    skip = False
    for line in shown.splitlines():
        if line.strip() == "...":
            skip = True
            continue
        places = [place for place, other in enumerate(rest if skip else rest[:1]) if _alike(line, other)]
        assert places, f"{where}: not printed here: {line}\nbut:\n{printed}"
        rest, skip = rest[places[0] + 1 :], False
    assert skip or not rest, f"{where}: more was printed: {rest}"


def _alike(line: str, other: str) -> bool:
    """Whether two lines have the same words, and numbers that are near."""
    if _NUMBER.sub("", " ".join(line.split())) != _NUMBER.sub("", " ".join(other.split())):
        return False
    pairs = zip(_NUMBER.findall(line), _NUMBER.findall(other), strict=True)
    return all(abs(float(one) - float(two)) <= NEAR for one, two in pairs)
