"""Write a finished run of the leaderboard into docs/leaderboard.md.

rgbdsod bench --suite rgbdsod-mini --device cpu --out runs/bench/rgbdsod-mini
python examples/make_leaderboard.py runs/bench/rgbdsod-mini
"""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

import rgbdsod
from rgbdsod.errors import UsageError
from rgbdsod.report.ablation.standalone import standalone
from rgbdsod.report.board.drawing import score_figure
from rgbdsod.report.reading import Run, read_run

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, FIGURE = "leaderboard.md", "assets/leaderboard.svg"
MARK = re.compile(r"(<!-- measured: leaderboard -->\n).*?(<!-- end -->)", re.DOTALL)


def main(
    run: Annotated[Path, typer.Argument(help="folder of the run")] = Path("runs/bench/rgbdsod-mini"),
    docs: Annotated[Path, typer.Option(help="folder of the documentation")] = DOCS,
) -> None:
    """Write tables and figure of a run between the page's marks."""
    found = read_run(run)
    if found.metrics.get("schema") != "rgbdsod.leaderboard/1":
        raise UsageError(f"{run} is no run of a leaderboard; make one with rgbdsod bench --suite rgbdsod-mini")
    svg = score_figure(found.metrics["entries"], "leaderboard", "clean IoU and score of each entry")
    (docs / FIGURE).write_text(standalone(svg), encoding="utf-8")
    tables = rgbdsod.report(run, format="md", out=run / "report.md").read_text(encoding="utf-8")
    text = f"{_head(found)}\n\n![Clean IoU (round) and score (square) of each entry]({FIGURE})\n\n{tables}"
    page = (docs / PAGE).read_text(encoding="utf-8")
    (docs / PAGE).write_text(MARK.sub(lambda own: own[1] + text + own[2], page), encoding="utf-8")


def _head(run: Run) -> str:
    """What was measured, on what, how long; and whether it is the leaderboard at all."""
    suite: dict[str, Any] = run.metrics["suite"]
    versions, minutes = run.record["versions"], run.record["seconds"] / 60
    departures = (
        f"**Not entries of the leaderboard: {', '.join(suite['departures'])}.** " if suite["departures"] else ""
    )
    return (
        f"{departures}{suite['name']}: {suite['images']} images (fingerprint `{suite['fingerprint'][:12]}`), rgbdsod "
        f"{versions['rgbdsod']}, torch {versions['torch']}, {run.record['device']['description']}, "
        f"{minutes:.0f} minutes."
    )


if __name__ == "__main__":
    typer.run(main)
