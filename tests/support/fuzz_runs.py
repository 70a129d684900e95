"""Readers of run folders, plans and cards."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fuzz_reader import (
    Reader,
    documents,
    fields,
    images,
    plain,
    written,
)
from report_ablation import write_ablation
from report_runs import write_attack, write_evaluation, write_training

# Run folders


def _page(path: Path, format: str = "html") -> object:  # noqa: A002
    from rgbdsod.report import report

    return report(path.parent, format=format, out=path.parent / f"out.{format}").read_text()  # type: ignore[arg-type]


def _run(write: Callable[..., Path], replaced: str, **options: Any) -> Callable[[Path], Path]:
    return lambda folder: write(folder / "run", **options) / replaced


def _above(path: Path) -> object:
    return _page(path.parent.parent)


_KINDS: Mapping[str, Callable[..., Path]] = {
    "attack": partial(write_attack, pictures=1, ids=("one", "two")),
    "evaluate": write_evaluation,
    "train": write_training,
}
RUNS = [
    *(
        Reader(f"report, {kind}, {file}", _run(write, file), _page, documents)
        for kind, write in _KINDS.items()
        for file in ("run.json", "metrics.json")
        if (kind, file) != ("train", "metrics.json")
    ),
    *(
        Reader(
            f"report, attack, metrics.json, {form}",
            _run(_KINDS["attack"], "metrics.json"),
            partial(_page, format=form),
            documents,
        )
        for form in ("csv", "md", "latex")
    ),
    Reader("report, table", _run(_KINDS["attack"], "samples.csv"), _page, plain),
    Reader("report, parquet", _run(_KINDS["attack"], "samples.parquet", table="parquet"), _page, plain),
    Reader("report, log", _run(write_training, "log.jsonl"), _page, plain),
    Reader("report, config", _run(_KINDS["attack"], "config.toml"), _page, plain),
    Reader(
        "report, picture",
        _run(_KINDS["attack"], "images/one/adv_depth.png"),
        lambda path: _page(path.parent.parent),
        images,
    ),
    Reader(
        "report, ablation",
        _run(partial(write_ablation, models=("bbsnet",), trainings=("plain",), seeds=1), "ablation.json"),
        _page,
        documents,
    ),
]


# Plans


def _board(path: Path) -> object:
    from rgbdsod.run.board.suite import is_board, read_board

    return is_board(str(path)), read_board(str(path))


def _card(path: Path) -> object:
    from rgbdsod.run.board.entry import read_card

    return read_card(path).card()


_CARD = b'name = "a"\nmodel = "bbsnet"\ntrained_on = "x"\nauthors = "y"\nlicense = "none"\n'
_BOARD = b'data = "demo"\nimages = 4\neps = ["4/255"]\n[settings]\nsteps = 2\n[[entry]]\nname = "a"\nmodel = "bbsnet"\n'


PLANS = [
    Reader("leaderboard", written("a.toml", _BOARD), _board, fields),
    Reader("card", written("a.toml", _CARD), _card, fields),
]
