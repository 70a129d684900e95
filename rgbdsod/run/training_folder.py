"""The run folder of a training: its record; checkpoints and log are written by the training itself."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Dataset
from rgbdsod.run.environment import versions
from rgbdsod.run.folder import RunFolder
from rgbdsod.run.modeling import data_record


@contextmanager
def recorded_training(
    settings: Mapping[str, Any],
    model: str,
    data: Dataset,
    *,
    out: str | Path | None,
    name: str | None,
    restart: bool,
    arguments: str | None,
) -> Iterator[RunFolder]:
    """Open the folder, and write into run.json how the training ended.

    Args:
        settings: all that the weights depend on.
        model: its name.
        data: the training set.
        out, name, restart, arguments: as for `RunFolder.open`.
    """
    record = {"model": {"name": model}, "data": data_record(data), "versions": versions(), "seed": settings.get("seed")}
    title = f"{model}-{Path(data.name).name}"
    folder = RunFolder.open(
        "train", settings, title=title, out=out, name=name, restart=restart, arguments=arguments, record=record
    )
    begin = time.monotonic()
    status = "interrupted"
    try:
        yield folder
        status = "finished"
    except Exception:
        status = "failed"
        raise
    finally:
        folder.record["seconds"] = round(folder.record.get("seconds", 0.0) + time.monotonic() - begin, 3)
        folder.finish(status)
