"""The run folder of a training: its record; checkpoints and log are written by the training itself."""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from rgbdsod.datasets import Dataset
from rgbdsod.run.environment import versions
from rgbdsod.run.folder import RunFolder, folder_path
from rgbdsod.run.modeling import data_record


class TrainingFolder:
    """Where a training of these settings is written.

    Args:
        settings: all that the weights depend on.
        model: its name.
        data: the training set.
        out: the folder itself; None: `runs/train/...`, named after the settings.
        name: the folder's name in `runs/train`.
    """

    command: ClassVar[str] = "train"

    def __init__(
        self, settings: Mapping[str, Any], model: str, data: Dataset, out: str | Path | None, name: str | None
    ) -> None:
        self.settings, self.out, self.name = settings, out, name
        self.record = {"model": {"name": model}, "data": data_record(data), "seed": settings.get("seed")}
        self.title = f"{model}-{Path(data.name).name}"

    @property
    def path(self) -> Path:
        """The folder."""
        return folder_path(self.command, self.settings, self.record, title=self.title, out=self.out, name=self.name)

    @contextmanager
    def opened(self, *, restart: bool, arguments: str | None) -> Iterator[RunFolder]:
        """Open the folder, and write into run.json how the training ended; one that never began leaves no new folder.

        Args:
            restart: begin anew.
            arguments: the command line, for the record.
        """
        fresh = not self.path.exists()
        folder = RunFolder.open(
            self.command, self.settings, title=self.title, out=self.out, name=self.name,
            restart=restart, arguments=arguments, record=self.record | {"versions": versions()},
        )  # fmt: skip
        begin = time.monotonic()
        status = "interrupted"
        try:
            yield folder
            status = "finished"
        except Exception:
            status = "failed"
            raise
        finally:
            if status == "failed" and fresh and not _began(folder.path):
                shutil.rmtree(folder.path)
            else:
                folder.record["seconds"] = round(folder.record.get("seconds", 0.0) + time.monotonic() - begin, 3)
                folder.finish(status)
            folder.close()


def _began(folder: Path) -> bool:
    """Whether a training wrote anything that is worth keeping."""
    log = folder / "log.jsonl"
    return (folder / "checkpoints").exists() or (log.is_file() and log.stat().st_size > 0)
