"""The figures of a benchmark as files for a document."""

from pathlib import Path

from rgbdsod.report.ablation.standalone import standalone
from rgbdsod.report.benchmark.document import BenchDocument
from rgbdsod.report.benchmark.drawing import loss_figure
from rgbdsod.report.reading import read_run

NAMES = {"loss": "relative loss", "share": "share fooled"}


def write_bench_figures(folder: str | Path, out: str | Path) -> list[Path]:
    """Write `bench-loss.svg` and `bench-share.svg`, each self-contained.

    Args:
        folder: of a benchmark's run.
        out: an existing folder; files of the same names are replaced.

    Raises:
        DataError: the run cannot be read.
    """
    document = BenchDocument.of(read_run(folder).metrics)
    made = []
    for kind, title in NAMES.items():
        path = Path(out) / f"bench-{kind}.svg"
        path.write_text(standalone(loss_figure(document, kind, f"bench-{kind}", title, named=True)), encoding="utf-8")
        made.append(path)
    return made
