"""Between a clean and a hardened network: weights on the line from one to the other."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rgbdsod.datasets import Dataset
from rgbdsod.errors import UsageError
from rgbdsod.models import SaliencyModel
from rgbdsod.run.attack import attack_task
from rgbdsod.run.attack_settings import AttackSettings
from rgbdsod.run.checkpoint import Progress, save_checkpoint
from rgbdsod.run.execute import execute
from rgbdsod.run.folder import folder_path, to_json
from rgbdsod.run.store import writing
from rgbdsod.run.weight_line import mixed

RECORD = "interpolation.json"
"""The file beside the weights that says what they lie between."""


def interpolate(clean: SaliencyModel, robust: SaliencyModel, alpha: float) -> SaliencyModel:
    """A network with the weights `(1 - alpha) clean + alpha robust`; BatchNorm's statistics are mixed alike.

    Points between two trainings that began apart are of little use; harden with `init=` the clean weights.

    Args:
        clean: a network; robust: another of the same design.
        alpha: share of the robust weights, in [0, 1]; 0 and 1 are the two networks, bit for bit.

    Returns:
        A new network in evaluation mode.

    Raises:
        UsageError: the share is out of range, or the networks are of different designs.

    Source:
        Wortsman et al., Robust fine-tuning of zero-shot models, arXiv 2109.01903, equation 1.

    Example:
        >>> import rgbdsod
        >>> model = rgbdsod.load_model("d3net", device="cpu")
        >>> rgbdsod.interpolate(model, model, 0.5).name
        'd3net.demo'
    """
    _check(clean, robust, [alpha])
    mine, theirs = clean.network.state_dict(), robust.network.state_dict()
    between = deepcopy(clean).eval()
    between.network.load_state_dict({name: mixed(mine[name], theirs[name], alpha) for name in mine})
    return between


def _check(clean: SaliencyModel, robust: SaliencyModel, alphas: Sequence[float]) -> None:
    for alpha in alphas:
        if not 0 <= alpha <= 1:
            raise UsageError(f"--alpha {alpha:g}: a share of the robust weights, from 0 to 1")
    mine, theirs = clean.network.state_dict(), robust.network.state_dict()
    if {name: value.shape for name, value in mine.items()} != {name: value.shape for name, value in theirs.items()}:
        raise UsageError(
            f"{clean.name} and {robust.name} are networks of different designs; pass two trainings of one --model, "
            "--fusion and --encoder"
        )


@dataclass(frozen=True)
class CurvePoint:
    """One network on the line, and its measures (benchmark protocol).

    Args:
        alpha: share of the robust weights.
        weights: its file.
        clean: measures by name; empty where nothing was attacked.
        robust: the same under the attack.
    """

    alpha: float
    weights: Path
    clean: dict[str, float]
    robust: dict[str, float]

    @property
    def document(self) -> dict[str, Any]:
        """The point in plain values."""
        return {"alpha": self.alpha, "weights": str(self.weights), "clean": self.clean, "robust": self.robust}


class Interpolation:
    """The line between two networks, in a folder; everything is checked before anything is written.

    Args:
        clean, robust: as for `interpolate`.
        alphas: shares of the robust weights.
        out: folder for the weights, one file a share, and `RECORD`; None: `runs/interpolate/...`, named after the two
            networks.
        data: what to attack; None measures nothing.
        attack: how; None measures nothing.

    Raises:
        UsageError: as for `interpolate`; the networks have the same weights; a share comes twice; the attack does not
            fit; the folder holds something else.
    """

    def __init__(
        self,
        clean: SaliencyModel,
        robust: SaliencyModel,
        alphas: Sequence[float],
        *,
        out: str | Path | None = None,
        data: Dataset | None = None,
        attack: AttackSettings | None = None,
    ) -> None:
        _check(clean, robust, alphas)
        self.clean, self.robust, self.alphas, self.data, self.attack = clean, robust, list(alphas), data, attack
        self.ends = {"clean": _digest(clean), "robust": _digest(robust)}
        if self.ends["clean"] == self.ends["robust"]:
            raise UsageError("both files hold the same weights; pass those of a clean and those of a hardened training")
        self.folder = folder_path("interpolate", self.ends, {}, title=clean.card.architecture, out=out)
        files = [self._file(alpha) for alpha in alphas]
        if twice := next((alpha for alpha, file in zip(alphas, files, strict=True) if files.count(file) > 1), None):
            raise UsageError(f"--alpha names {twice:g} more than once; name each share once")
        if data is not None and attack is not None:
            attack_task(clean, data, attack, save_images="none")
        self._refuse_strangers()

    def __call__(self, callback: Callable[[float], None] | None = None) -> Iterator[CurvePoint]:
        """Write the weights of each point, and measure it.

        Args:
            callback: called with the points done; a part of a point where it is being attacked.
        """
        points: list[CurvePoint] = []
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        for alpha in self.alphas:
            between = interpolate(self.clean, self.robust, alpha)
            save_checkpoint(self._file(alpha), between.network, Progress({"alpha": alpha}))
            points.append(CurvePoint(alpha, self._file(alpha), *self._measured(between, len(points), callback)))
            with writing(self.folder):
                (self.folder / RECORD).write_bytes(to_json(self.document(points)))
            if callback is not None:
                callback(len(points))
            yield points[-1]

    def document(self, points: Sequence[CurvePoint]) -> dict[str, Any]:
        """What `RECORD` holds."""
        return {
            "schema": "rgbdsod.interpolate/1",
            "model": self.clean.card.name,
            **self.ends,
            "points": [point.document for point in points],
        }

    def _file(self, alpha: float) -> Path:
        return self.folder / f"alpha-{alpha:g}.pt"

    def _measured(
        self, between: SaliencyModel, done: int, callback: Callable[[float], None] | None
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Measures by name, clean and attacked."""
        if self.data is None or self.attack is None:
            return {}, {}

        def advance(images: float, total: float) -> None:
            if callback is not None:
                callback(done + images / total)

        task = attack_task(between, self.data, self.attack, save_images="none")
        metrics = execute(task, target=None, device=between.device, callback=advance).metrics
        clean, attacked = metrics["clean"], metrics["results"][0]["attacked"]
        return dict(clean["benchmark"]["values"]), dict(attacked["benchmark"]["values"])

    def _refuse_strangers(self) -> None:
        """A folder may hold what an earlier call for the same two networks left there, and nothing else."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file; --out names a folder")
        record = self.folder / RECORD
        if not record.is_file():
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise UsageError(f"{self.folder} is not empty and holds no interpolation; use another --out")
            return
        try:
            before = json.loads(record.read_bytes())
        except ValueError as error:
            raise UsageError(f"{record} cannot be read ({error}); use another --out") from error
        if {name: before.get(name) for name in self.ends} != self.ends:
            raise UsageError(f"{self.folder} holds networks between two others; use another --out")


def _digest(model: SaliencyModel) -> str:
    """SHA-256 of a network's weights and their names."""
    found = hashlib.sha256()
    for name, value in model.network.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
