"""`rgbdsod.ablate`: train designs that differ in one thing, attack each input of each, and compare."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rgbdsod.datasets import Dataset
from rgbdsod.errors import DataError
from rgbdsod.run.ablation.grid import Grid, Network
from rgbdsod.run.ablation.measure import Cell, count, measure_network
from rgbdsod.run.ablation.result import AblationResult, build_document
from rgbdsod.run.ablation.weights import WEIGHTS, Trained, find_trained, trained
from rgbdsod.run.attack_settings import AttackSettings
from rgbdsod.run.environment import versions
from rgbdsod.run.execute import Target, recorded
from rgbdsod.run.folder import RunFolder, folder_path, to_json
from rgbdsod.run.modeling import data_record, get_data
from rgbdsod.run.survey import check_images
from rgbdsod.run.transfer import transfer_matrix

DOCUMENT = "ablation.json"

AblateCallback = Callable[[float, int, str], None]
"""Called with (networks done, networks in all, what is being done); a network in progress counts as a fraction."""

_TRAINING = 0.5  # share of a network's progress that is its training


def ablate(
    grid: Grid,
    data: str | Path | Dataset = "scenes:32#1048578",
    *,
    weights: str | Path = WEIGHTS,
    target: Target | None = None,
    device: str = "auto",
    workers: int = 0,
    batch: int | None = None,
    callback: AblateCallback | None = None,
) -> AblationResult:
    """Train every network of a grid, or find it trained, and measure it under every attack and without either input.

    An interrupted ablation continues: trained networks lie in `weights` by what they depend on, for all ablations, and
    each attack on each network has a run folder of its own below `networks/` in the ablation's.

    Args:
        grid: what is compared.
        data: images with masks, which no training saw: a name of `list_datasets()`, a folder, or a data set.
        weights: the folder of trained networks.
        target: where the run is written; None writes nothing but trained networks.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        workers: processes that read images for training.
        batch: images at once under attack; None chooses.
        callback: is told about progress.

    Returns:
        The document of all cells, means with intervals and derived numbers, with `.summary()`, `.table`, `.derived()`.

    Raises:
        UsageError: settings that do not fit, before anything is trained. DataError: images that cannot be read.

    Example:
        >>> import rgbdsod as rs
        >>> result = rs.ablate(rs.run.Grid(model=("bbsnet",), seeds=(0, 1)), "demo:real")  # doctest: +SKIP
        >>> [(row["fusion"], row["value"]) for row in result.derived("reliance")]  # doctest: +SKIP
    """
    images = check_images(get_data(data), "count")
    folder = None if target is None else open_ablation(grid, images, target)
    if folder is not None and folder.finished:
        return AblationResult(read_document(folder), folder.path, reused=True)
    job = _Job(
        grid, images, Path(weights), folder, device, workers, batch, callback or (lambda done, total, text: None)
    )
    with nullcontext() if folder is None else recorded(folder):
        document = job.run()
        if folder is not None:
            folder.write(DOCUMENT, to_json(document))
    return AblationResult(document, None if folder is None else folder.path)


def open_ablation(grid: Grid, data: Dataset, target: Target) -> RunFolder:
    """The run folder of an ablation, new or to be continued.

    Raises:
        UsageError: it was made with other settings, or holds something else.
    """
    return RunFolder.open(
        "ablate", _settings(grid, data), title=_title(grid, data), out=target.out, name=target.name,
        restart=target.restart, arguments=target.arguments, record=_record(grid, data) | {"versions": versions()},
    )  # fmt: skip


def ablation_path(grid: Grid, data: Dataset, target: Target) -> Path:
    """Where the run of an ablation lies."""
    return folder_path(
        "ablate", _settings(grid, data), _record(grid, data), title=_title(grid, data), out=target.out, name=target.name
    )


def _settings(grid: Grid, data: Dataset) -> dict[str, Any]:
    return grid.record() | {"data": data.name}


def _title(grid: Grid, data: Dataset) -> str:
    return f"{'-'.join(grid.model)}-{Path(data.name).name}"


def _record(grid: Grid, data: Dataset) -> dict[str, Any]:
    return {"data": data_record(data), "seed": grid.seed}


def read_document(folder: RunFolder) -> dict[str, Any]:
    """The document of a finished ablation.

    Raises:
        DataError: it cannot be read.
    """
    try:
        document: dict[str, Any] = json.loads(folder.read(DOCUMENT))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder.path} is finished but cannot be read ({error}); use --restart") from error
    return document


class _Job:
    """One ablation in progress."""

    def __init__(
        self, grid: Grid, data: Dataset, weights: Path, folder: RunFolder | None, device: str, workers: int,
        batch: int | None, callback: AblateCallback,
    ) -> None:  # fmt: skip
        self.grid, self.data, self.weights, self.folder = grid, data, weights, folder
        self.device, self.workers, self.batch, self.callback = device, workers, batch, callback
        self.networks = grid.networks

    def run(self) -> dict[str, Any]:
        """Everything."""
        found: list[Trained] = []
        cells: list[Cell] = []
        for place, network in enumerate(self.networks):
            found.append(self._trained(network, place))
            cells += self._measured(found[-1], place)
        return build_document(self.grid, self.data, found, cells, self._transfer(found))

    def _trained(self, network: Network, place: int) -> Trained:
        text = f"training {network.key}"

        def tell(done: int, total: int, shown: dict[str, float]) -> None:
            del shown
            self._tell(place + _TRAINING * done / total, text)

        return trained(
            network, self.grid.schooling, self.weights, device=self.device, workers=self.workers, callback=tell
        )

    def _measured(self, network: Trained, place: int) -> list[Cell]:
        text = f"attacking {network.network.key}"
        begin = place + _TRAINING
        self._tell(begin, text)
        return measure_network(
            self.grid, network.network, network.load(self.device), self.data, out=self._below("networks", network),
            batch=self.batch, done=lambda share: self._tell(begin + (1 - _TRAINING) * share, text),
        )  # fmt: skip

    def _transfer(self, networks: Sequence[Trained]) -> list[dict[str, Any]]:
        """Rows of the matrices of each model: its designs of two inputs, plainly trained, of the first seed."""
        if not self.grid.transfer:
            return []
        first = (self.grid.training[0], self.grid.seeds[0])
        rows: list[dict[str, Any]] = []
        for model in self.grid.model:
            chosen = [
                own for own in networks
                if own.network.model == model and (own.network.training, own.network.seed) == first
                and len(own.network.inputs) > 1
            ]  # fmt: skip
            if len(chosen) > 1:
                self._tell(len(self.networks), f"transfer between designs of {model}")
                rows += self._matrix(model, chosen)
        return rows

    def _matrix(self, model: str, networks: Sequence[Trained]) -> list[dict[str, Any]]:
        name = f"transfer/{model}.json"
        if self.folder is not None and name in self.folder.names("transfer"):
            kept: list[dict[str, Any]] = json.loads(self.folder.read(name))
            return kept
        settings = self._transfer_settings()
        matrix = transfer_matrix(
            [own.load(self.device) for own in networks], self.data, settings=settings, held_out=False, batch=self.batch
        )
        fusion = {cell.target: own.network.fusion for cell, own in zip(matrix.clean, networks, strict=True)}
        head = asdict(networks[0].network) | {"attack": settings.attack, "modality": settings.modality}
        del head["fusion"]
        rows = [
            head | {"eps": settings.eps, "source": fusion[cell.source], "target": fusion[cell.target]}
            | {"sm": cell.attacked["sm"], "change": cell.change["sm"]}
            for cell in matrix.cells
        ]  # fmt: skip
        if self.folder is not None:
            self.folder.write(name, to_json(rows))
        return rows

    def _transfer_settings(self) -> AttackSettings:
        """The first attack at the middle radius; on both inputs if the grid has that."""
        modality = "both" if "both" in self.grid.modality else self.grid.modality[0]
        radius = self.grid.eps[len(self.grid.eps) // 2]
        return self.grid.settings(self.grid.attacks[0], modality, radius)

    def _below(self, name: str, network: Trained) -> Path | None:
        return None if self.folder is None else self.folder.path / name / network.network.key

    def _tell(self, done: float, text: str) -> None:
        self.callback(done, len(self.networks), text)


def works(grid: Grid, weights: str | Path = WEIGHTS) -> tuple[int, int, int]:
    """What an ablation has to do: networks in all, those still to train, and runs of attacks and measurements."""
    networks = grid.networks
    lacking = sum(find_trained(network, grid.schooling, Path(weights)) is None for network in networks)
    return len(networks), lacking, sum(count(grid, network) for network in networks)
