"""The documentation is true: examples run, links lead somewhere, commands exist, tables are those of the code."""

import ast
import doctest
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from runpy import run_path
from types import ModuleType
from typing import Any

import pytest
import torch
import typer
import yaml
from docs_session import replay
from docs_tables import filled

from rgbdsod.attacks.table import ATTACKS, CLASS_OBJECTIVES, MAP_OBJECTIVES
from rgbdsod.cli.main import build_app, run
from rgbdsod.datasets import DATASETS
from rgbdsod.defenses import DEFENSES
from rgbdsod.models import MODELS
from rgbdsod.run.clip.attacks import ZERO_SHOT_ATTACKS
from rgbdsod.run.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
SESSIONS = [
    page for page in DOCS if page.stem in ("first-steps", "compare-modalities") or page.parent.name == "extending"
]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
TABLES_OF_CLIP = {"attack": ZERO_SHOT_ATTACKS, "model": ("clip.demo", "ViT-B-32-quickgelu")}
TABLES = {"attack": ATTACKS, "objective": MAP_OBJECTIVES, "model": MODELS, "recipe": RECIPES}

_FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
_INLINE = re.compile(r"`((?:[^`\n]|\n(?!\n))+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture
def tables_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an example adds to a table is gone afterwards."""
    for table in (ATTACKS, MAP_OBJECTIVES, CLASS_OBJECTIVES, MODELS, DATASETS, DEFENSES):
        monkeypatch.setattr(table, "_rows", dict(table._rows))


@pytest.mark.usefixtures("tables_put_back")
@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.name)
def test_a_reader_who_types_everything_sees_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands and code of a page, one after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RGBDSOD_DEVICE", "cpu")
    with torch.random.fork_rng():
        replay(page, run, capsys)


def test_every_page_of_the_site_is_in_its_menu() -> None:
    """Pages of the reference, of notebooks and from the top folder are written by docs/hooks as the site is built."""
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    written = {f"notebooks/{file.stem}.md" for file in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    written |= {name.lower() for name in run_path(str(ROOT / "docs" / "hooks" / "root_pages.py"))["PAGES"]}
    pages = {str(page.relative_to(ROOT / "docs")) for page in DOCS} | written
    assert {page for page in _leaves(menu) if not page.startswith("api/")} == pages


@pytest.mark.parametrize(
    ("html", "loads"),
    [
        ('<script src="https://cdn.net/a.js"></script>', True),
        ('<link href="//fonts.net/a.css" rel="stylesheet">', True),
        ("<style>@font-face {src: url(https://fonts.net/a.woff)}</style>", True),
        ('<a href="https://arxiv.org/abs/1706.06083">paper</a><script src="../a.js"></script>', False),
        ('<link rel="canonical" href="https://site.net/">', False),
    ],
)
def test_the_site_refuses_what_is_loaded_from_elsewhere(html: str, loads: bool) -> None:
    assert bool(run_path(str(ROOT / "docs" / "hooks" / "offline.py"))["foreign"](html)) is loads


def test_public_names_are_in_the_reference() -> None:
    listed = (ROOT / "tests" / "public_names.txt").read_text(encoding="utf-8").split()
    hook = run_path(str(ROOT / "docs" / "hooks" / "api_pages.py"))
    shown = {f"rgbdsod.{name}" for name in re.findall("heading: (.+)", hook["page"](""))}
    for room in hook["ROOMS"]:
        shown |= {f"rgbdsod.{room}.{name}" for name in re.findall("heading: (.+)", hook["page"](room))}
    assert set(listed) - {"rgbdsod.__version__"} == shown


@pytest.mark.usefixtures("tables_put_back")
@pytest.mark.parametrize("page", [page for page in PAGES if page not in SESSIONS], ids=lambda page: page.name)
def test_python_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks of a page run in one namespace, as the one module that they would be."""
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        for line, source in _python(page.read_text(encoding="utf-8")):
            code = ast.increment_lineno(ast.parse(source), line)
            exec(compile(code, str(page), "exec"), vars(module))


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    """Files exist, and headings in them."""
    dead = []
    for link in _LINK.findall(_prose(page)):
        file, _, heading = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        known = target.exists() and (not heading or heading in _headings(target))
        if not link.startswith(("http://", "https://", "mailto:")) and not known:
            dead.append(link)
    assert dead == []


@EVERY_PAGE
def test_commands_exist(page: Path) -> None:
    """Sub-commands, flags, and the names that flags take."""
    for line in _commands(page.read_text(encoding="utf-8")):
        _check_command(line)


@pytest.mark.parametrize(
    "line",
    ["rgbdsod atack", "rgbdsod attack --step 3", "rgbdsod attack --attack pdg", "rgbdsod report --latest --eps"],
)
def test_the_check_of_commands_sees_mistakes(line: str) -> None:
    with pytest.raises(AssertionError, match="rgbdsod"):
        _check_command(line)


def test_commands_are_found_wherever_they_stand() -> None:
    text = "`rgbdsod info x`\n\n    $ rgbdsod list   # all\n\n```sh\nrgbdsod attack \\\n  --steps 3\n```\n"
    assert _commands(text) == ["rgbdsod attack --steps 3", "rgbdsod list # all", "rgbdsod info x"]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_tables_are_those_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "the code has changed: run python tests/support/docs_tables.py"


def _modules_with_examples() -> list[str]:
    found = []
    rooms = {f"rgbdsod.{room}": ROOT / room for room in ("attacks", "datasets", "defenses", "fusion")}
    for package, folder in ({"rgbdsod": ROOT / "rgbdsod"} | rooms).items():
        for file in sorted(folder.rglob("*.py")):
            if ">>> " in file.read_text(encoding="utf-8"):
                found.append(".".join((package, *file.relative_to(folder).with_suffix("").parts)))
    return found


@pytest.mark.parametrize("name", _modules_with_examples())
def test_examples_in_docstrings_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


def _python(text: str) -> Iterator[tuple[int, str]]:
    """Line number and source of each Python block that is to run."""
    for block in _FENCE.finditer(text):
        if block["kind"].strip() == "python":
            yield text[: block.start("body")].count("\n"), block["body"]


def _prose(page: Path) -> str:
    """A page without its code."""
    return _INLINE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))


def _leaves(menu: list[dict[str, Any]]) -> Iterator[str]:
    """The files of a menu, at any depth."""
    for entry in menu:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else _leaves(value)


def _headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and MkDocs make them."""
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _commands(text: str) -> list[str]:
    """Command lines of rgbdsod in blocks of code, and inline where they are more than the name."""
    fenced = [block["body"] for block in _FENCE.finditer(text) if not block["kind"].startswith(("python", "text"))]
    rest = _FENCE.sub("", text)
    lines = "\n".join([*fenced, *_INDENTED.findall(rest)]).replace("\\\n", " ").splitlines()
    inline = [code for code in _INLINE.findall(rest) if len(code.split()) > 1]
    found = (re.sub(r"^\s*(?:\$ )?", "", line) for line in [*lines, *inline])
    return [re.sub(r"\s+", " ", line) for line in found if re.match(r"rgbdsod\s(?![<A-Z])", line)]  # COMMAND: any


def _check_command(line: str) -> None:
    """Fail where a line names a sub-command, a flag or a value that does not exist."""
    words = list(takewhile(lambda word: word not in ("|", ">", "&&"), shlex.split(line, comments=True)))[1:]
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version"), f"{line}: no flag {words[0]}"
        return
    commands = typer.main.get_command(build_app()).commands  # type: ignore[attr-defined]
    assert words[0] in commands, f"{line}: there is no such command"
    command = commands[words[0]]
    tables = TABLES_OF_CLIP if words[0] == "clip" else TABLES
    if hasattr(command, "commands"):  # of a group, the second word says which
        words = words[1:]
        assert words and words[0] in command.commands, f"{line}: there is no such command"
        command = command.commands[words[0]]
    try:
        values, rest, _ = command.make_parser(command.context_class(command)).parse_args(words[1:])
    except Exception as error:  # typer has its own copy of click, whose errors it does not export
        raise AssertionError(f"{line}: {error}") from error
    takes_words = any(param.param_type_name == "argument" for param in command.params)
    assert not rest or takes_words, f"{line}: {rest} is no flag"
    for flag, table in tables.items():
        value = values.get(flag)
        known = value is None or ".py" in value or value.isupper() or values.get("plugin")
        known = known or all(name in table for name in value.split(","))
        assert known, f"{line}: no {flag} {value}"
