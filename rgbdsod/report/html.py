"""From a `Page` to one HTML file."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from rgbdsod.report.tables import print_cell, print_interval, spans, verdict
from rgbdsod.report.view import Page, Section

if TYPE_CHECKING:
    from jinja2 import Environment

_BADGES = {"fooled": "fooled", "below": "failed before the attack"}


def render(page: Page) -> str:
    """The page's HTML; text from run folders is escaped by the template engine."""
    return _environment().get_template("page.html.j2").render(page=page)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("rgbdsod.report", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"cell": print_cell, "interval": print_interval}
    script = f"\n{(files('rgbdsod.report') / 'templates' / 'page.js').read_text(encoding='utf-8')}\n"
    # Only this text may run: markup that slipped through could show something, but never do anything.
    digest = b64encode(sha256(script.encode()).digest()).decode()
    environment.globals |= {"script": Markup(script), "script_hash": digest}
    environment.globals |= {"verdict": verdict, "spans": spans, "badges": _BADGES, "parts_of": _parts}
    return environment


def _parts(section: Section) -> list[tuple[str, str]]:
    """Anchors and labels of a section's parts, for the list of contents."""
    parts = [("result", "Result")] if section.headlines or section.tables else []
    parts += [(f"figures-{i}", group.title) for i, group in enumerate(section.figures, start=1)]
    parts += [(f"tables-{i}", group.title) for i, group in enumerate(section.groups, start=1)]
    parts += [("images", "Images")] if section.gallery else []
    parts += [("rows", section.rows.title)] if section.rows else []
    return [*parts, ("record", "Record")]
