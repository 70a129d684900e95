"""The trained networks of ablations, kept by what they depend on: no configuration is trained twice."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgbdsod.errors import WeightsError
from rgbdsod.models import SaliencyModel, load_model, save_asset
from rgbdsod.models.checkpoint import file_hash
from rgbdsod.run.ablation.grid import Network, Schooling
from rgbdsod.run.checkpoint import read_checkpoint
from rgbdsod.run.environment import versions
from rgbdsod.run.folder import to_json
from rgbdsod.run.store import DiskStore
from rgbdsod.run.train import train
from rgbdsod.run.trainer import TrainCallback, TrainResult

WEIGHTS = Path("runs") / "ablate" / "weights"
"""Where trained networks are kept unless told otherwise."""

_SAVE_EVERY = 250  # iterations that an interruption can cost
_RECORD, _FILE = "training.json", "weights.safetensors"


@dataclass(frozen=True)
class Trained:
    """A trained network on disk.

    Args:
        network: which one.
        path: its weights, as they are measured: float16.
        record: sha256, parameters, and all that the training depended on.
        size: height and width that it works at; None: its own.
    """

    network: Network
    path: Path
    record: dict[str, Any]
    size: tuple[int, int] | None

    def load(self, device: str) -> SaliencyModel:
        """The network in evaluation mode, under its design's name.

        Raises:
            WeightsError: the file is not the one that was written.
        """
        if file_hash(self.path) != self.record["sha256"]:
            raise WeightsError(f"{self.path} changed since it was trained; delete {self.path.parent} to train it again")
        chosen = self.network
        model = load_model(chosen.model, weights=self.path, fusion=chosen.fusion, device=device)
        return model if self.size is None else model.at(self.size)


def identity(network: Network, schooling: Schooling) -> dict[str, Any]:
    """All that the weights depend on."""
    return {
        "model": network.model,
        "fusion": network.fusion,
        "training": network.training,
        "seed": network.seed,
        "data": schooling.data,
        "iterations": schooling.iterations,
        "batch": schooling.batch,
        "lr": schooling.lr,
        "size": schooling.size,
    }


def folder_of(network: Network, schooling: Schooling, weights: Path) -> Path:
    """Where a network's training lies: a readable name, and a digest of what it depends on."""
    text = json.dumps(identity(network, schooling), sort_keys=True)
    return weights / f"{network.key}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def find_trained(network: Network, schooling: Schooling, weights: Path) -> Trained | None:
    """The network, if it was trained before."""
    folder = folder_of(network, schooling, weights)
    if not (folder / _RECORD).is_file():
        return None
    try:
        record = json.loads((folder / _RECORD).read_bytes())
    except ValueError as error:
        raise WeightsError(f"{folder / _RECORD} cannot be read ({error}); delete {folder} to train it again") from error
    return Trained(network, folder / _FILE, record, schooling.size)


def trained(
    network: Network,
    schooling: Schooling,
    weights: Path,
    *,
    device: str = "auto",
    workers: int = 0,
    callback: TrainCallback | None = None,
) -> Trained:
    """The network; trained now where it is not on disk, and continued where its training was interrupted.

    Args:
        network: which one; schooling: what its training has in common with others.
        weights: the folder of all trained networks.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps"; workers: processes that read images.
        callback: called after each iteration of a training.
    """
    found = find_trained(network, schooling, weights)
    if found is not None:
        return found
    folder = folder_of(network, schooling, weights)
    height, width = schooling.size or (128, 128)
    result = train(
        network.model, fusion=network.fusion, size=schooling.size, data=schooling.data,
        val=f"scenes:64@{height}x{width}#1", iterations=schooling.iterations, batch=schooling.batch, lr=schooling.lr,
        seed=network.seed, device=device, workers=workers, out=folder, validate_every=_SAVE_EVERY,
        callback=callback, **network.scheme.arguments(),
    )  # fmt: skip
    return _keep(network, schooling, result)


def _keep(network: Network, schooling: Schooling, result: TrainResult) -> Trained:
    """Write the last weights and their record, and drop the checkpoints; the record goes last."""
    # The last weights, not the best on the validation images: no network is chosen by its luck.
    progress, state = read_checkpoint(result.folder / "checkpoints" / "last.pt")
    result.model.network.load_state_dict(state["model"])
    record = {
        "what": "a small network trained for an ablation; not a published model",
        "training": identity(network, schooling),
        "settings": progress.settings,
        "versions": versions(),
        **save_asset(result.model, result.folder / _FILE),
    }
    DiskStore(result.folder).write(_RECORD, to_json(record))
    shutil.rmtree(result.folder / "checkpoints")
    return Trained(network, result.folder / _FILE, record, schooling.size)
