"""The figures of an ablation as files for a document: light colours, white paper, text that stays text."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from rgbdsod.errors import DataError
from rgbdsod.report.ablation.document import AblationDocument
from rgbdsod.report.ablation.graphs import drawn_figures

_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_UNFIT = re.compile(r"[^\w.-]+")  # in a file's name


def write_figures(document: AblationDocument, folder: str | Path) -> list[Path]:
    """Write every figure as a self-contained SVG: `robustness-<attack>-<training>.svg`, `reliance-...`, `transfer-...`.

    Args:
        document: of the ablation.
        folder: made where it is missing; files of the same names are replaced.

    Returns:
        The files, in the order of the page.

    Raises:
        DataError: a file cannot be written.
    """
    target, made = Path(folder), []
    for own in drawn_figures(document):
        path = target / f"{_UNFIT.sub('-', own.name)}.svg"
        try:
            target.mkdir(parents=True, exist_ok=True)
            path.write_text(standalone(own.svg), encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"cannot write {path}: {(error.strerror or str(error)).lower()}; name another folder"
            ) from error
        made.append(path)
    return made


def standalone(svg: str) -> str:
    """An inline figure as a document of its own: colours resolved, font named, white background, size given."""
    svg = re.sub(r"var\(--([\w-]+)\)", lambda match: _light()[match[1]], svg)
    width, height = (float(number) for number in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())  # type: ignore[union-attr]
    size = f'width="{width * 96 / 72:.0f}" height="{height * 96 / 72:.0f}" font-family="{_FONT}"'
    svg = re.sub(r' style="width: \d+px"', f" {size}", svg, count=1)
    head, rest = svg.split(">", 1)
    return f'{head}><rect width="100%" height="100%" fill="#ffffff"/>{rest.rstrip()}\n'


@cache
def _light() -> dict[str, str]:
    """The page's colours in the light scheme: the first block of its style sheet."""
    style = (files("rgbdsod.report") / "templates" / "page.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", style.split("}")[0]))
