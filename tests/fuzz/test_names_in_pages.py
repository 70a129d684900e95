"""Names may hold anything: a page shows them, and does nothing that they say."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_runs import write_attack

from rgbdsod.cli.screen import Screen, say_error
from rgbdsod.report import report
from rgbdsod.report.svg import page_style, to_svg

SCRIPT = "<script>alert(1)</script>"
NAMES = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "javascript:alert(1)",
    "</title>",
    "{{ 7*7 }}",
    "</script><b>",
    "&lt;b&gt;",
    "$x_1$ ^ \\frac{}{}",
)


class Seen(HTMLParser):
    """All tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def named(folder: Path, name: str) -> Path:
    """A run whose every text is this one: ids, model, data, notes, settings, versions."""
    write_attack(folder, ids=("one", "two", "three", "four"), pictures=0, note=name)
    table = (folder / "samples.csv").read_text().replace("one,", '"' + name.replace('"', '""') + '",', 1)
    (folder / "samples.csv").write_text(table)
    for file in ("run.json", "metrics.json"):
        (folder / file).write_text(json.dumps(_renamed(json.loads((folder / file).read_text()), name)))
    (folder / "config.toml").write_text(f"# {name}\n")
    return folder


KEPT = {"schema", "status", "command", "modality", "norm", "start", "end", "better", "attack"}


def _renamed(tree, name, key=""):
    if isinstance(tree, dict):
        return {own: _renamed(value, name, own) for own, value in tree.items()}
    if isinstance(tree, list):
        return [_renamed(value, name, key) for value in tree]
    return name if isinstance(tree, str) and key not in KEPT else tree


@pytest.mark.parametrize("name", ["javascript:alert(1)", " ".join(NAMES)])
def test_a_page_shows_names_and_obeys_none(name: str, tmp_path: Path) -> None:
    page = report(named(tmp_path / "run", name)).read_text()
    seen = Seen()
    seen.feed(page)
    tags = [tag for tag, _ in seen.tags]
    assert tags.count("script") == tags.count("title") == 1
    assert not {"b", "iframe", "object"} & set(tags)
    for tag, attributes in seen.tags:
        assert not any(key.startswith("on") for key in attributes), (tag, attributes)
        for key in ("href", "src"):
            assert not str(attributes.get(key) or "").strip().lower().startswith("javascript:"), (tag, attributes)
    assert "49" not in "".join(re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL))


def test_only_the_pages_own_script_may_run(tmp_path: Path) -> None:
    page = report(write_attack(tmp_path / "run", pictures=0)).read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "script-src 'unsafe-inline'" not in page


def test_names_in_figures_stay_text() -> None:
    from matplotlib.figure import Figure

    with page_style():
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], label=" ".join(NAMES[:5]))
        axes.set_title(SCRIPT)
        axes.legend()
        seen = Seen()
        seen.feed(to_svg(figure, "x", SCRIPT + '" onload="alert(1)'))
    assert not {"script", "img", "title"} & {tag for tag, _ in seen.tags}
    assert not any(key.startswith("on") for _, attributes in seen.tags for key in attributes)


def test_a_terminal_is_told_nothing_by_names(capsys: pytest.CaptureFixture[str]) -> None:
    say_error("a\x1b[31m\x1b]0;title\x07b\r\nc\u202ed\x9be\ud800")
    Screen().result("1\x1b[2J2\tü\n3")
    out, err = capsys.readouterr()
    assert err == "rgbdsod: a\\x1b[31m\\x1b]0;title\\x07b c\\u202ed\\x9be\\ud800\n"
    assert out == "1\\x1b[2J2\tü\n3\n"
    say_error("x" * 10_000)
    assert len(capsys.readouterr().err) < 2100
