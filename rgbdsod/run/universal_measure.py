"""What a universal noise does on a data set: clean, under random noise of the same radius, and under the noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rgbdsod.attacks import Budget, MapProblem, noise
from rgbdsod.attacks.quantise import quantise
from rgbdsod.attacks.universal.perturbation import Universal
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.errors import UsageError
from rgbdsod.metrics import MaskCache
from rgbdsod.models import SaliencyModel
from rgbdsod.run.adversarial import levels_of, on_grid, whole_steps
from rgbdsod.run.definitions import better, key, title
from rgbdsod.run.execute import ImageCallback, execute
from rgbdsod.run.measure import Measured, measure, set_values
from rgbdsod.run.modeling import data_record, device_of, get_data, get_model, inputs_of, model_record
from rgbdsod.run.pieces import Piece
from rgbdsod.run.store import Store
from rgbdsod.run.survey import Empty, check_images
from rgbdsod.run.tables import align, success_text
from rgbdsod.run.threats import show_eps
from rgbdsod.run.universal import hole_masks

STATES = {"clean": "clean", "random": "random noise", "attacked": "universal noise"}
"""What is measured, and how a table calls it."""

_SHOWN = ("mae", "fm_max", "sm", "iou_bin")


@dataclass(frozen=True)
class UniversalResult:
    """Measures of a noise on a data set.

    Args:
        metrics: what was measured, see `document`.
        samples: one row per image.
    """

    metrics: dict[str, Any]
    samples: list[dict[str, Any]]

    def summary(self) -> str:
        """A table of clean, random and universal noise, and what the noise was fitted on."""
        rows = [["", "", *(f"{title(name)} {better(name)}" for name in _SHOWN), "fooled"]]
        for state, text in STATES.items():
            values = self.metrics[state]
            shown = [f"{values[key(name)]:.3f}" for name in _SHOWN]
            rows.append([text, "", *shown, str(self.metrics["fooled"][state])])
        fit = self.metrics["fit"]
        lines = align(rows)
        lines.append(f"fooled: {success_text(self.metrics['success'])}, of {self.metrics['images']} images")
        radii = (f"{name} {of['norm']} {show_eps(of['eps'])}" for name, of in self.metrics["budget"].items())
        lines.append(f"radius  {', '.join(radii)}")
        lines.append(f"fitted  on {fit['data']} ({fit['images']} images) against {fit['model']}")
        return "\n".join([*lines, *(f"note    {text}" for text in self.metrics["notes"])])

    def document(self) -> dict[str, Any]:
        """What `rgbdsod universal apply --json` prints."""
        return {"schema": "rgbdsod.universal-apply/1", **self.metrics}


def apply_universal(
    universal: Universal | str | Path,
    model: str | SaliencyModel,
    data: str | Path | Dataset,
    *,
    sizing: str | None = None,
    success: str | None = None,
    holes: str = "keep",
    empty: Empty = "count",
    seed: int = 0,
    batch: int | None = None,
    callback: ImageCallback | None = None,
) -> UniversalResult:
    """Measure a universal noise on a data set, beside the clean images and random signs of the same radius.

    Both kinds of noise are rounded to the levels of image files inside their budget before they are measured.

    Args:
        universal: the noise, or its file.
        model: a name of `list_models()`, or a model; it need not be the one that the noise was fitted against.
        data: a name of `list_datasets()`, a folder, or a data set.
        sizing: what becomes of the noise on images of another size; None: as it was fitted.
        success: when an image counts as fooled; None: as in the fit.
        holes: "keep" leaves depth alone where nothing was measured.
        empty: masks without foreground: "count" or "skip".
        seed: of the random noise.
        batch: images at once; None chooses, and halves it when memory runs out.
        callback: called with (images done, images in all).

    Raises:
        UsageError: the noise does not fit the model's inputs. DataError: for files that cannot be read.
    """
    found = universal if isinstance(universal, Universal) else Universal.load(universal)
    if sizing is not None:
        found = replace(found, sizing=sizing)
    network = get_model(model)
    if strange := [name for name in found.noise if name not in network.inputs]:
        raise UsageError(f"the noise is for {strange[0]}; {network.name} has inputs {', '.join(network.inputs)}")
    rule = success or str(found.facts.get("success", "iou<0.5"))
    task = UniversalTask(network, check_images(get_data(data), empty), found, rule, holes, seed)
    outcome = execute(task, target=None, device=device_of(network), batch=batch, callback=callback)
    return UniversalResult(outcome.metrics["universal"], outcome.piece.rows)


@dataclass(eq=False)
class UniversalTask:
    """The measurement, as `rgbdsod.run.execute` runs it.

    Args:
        model: attacked.
        data: its images.
        universal: the noise.
        success: when an image counts as fooled.
        holes: "keep" or "free".
        seed: of the random noise.
    """

    model: SaliencyModel
    data: Dataset
    universal: Universal
    success: str
    holes: str
    seed: int
    command: str = "universal"
    cache: MaskCache = field(default_factory=MaskCache)

    @property
    def title(self) -> str:
        """Model and data."""
        return f"{self.model.name}-{Path(self.data.name).name}-universal"

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on, besides model, data and noise."""
        return {"success": self.success, "holes": self.holes, "seed": self.seed, "sizing": self.universal.sizing}

    def record(self) -> dict[str, Any]:
        """Model and data."""
        return {
            "model": model_record(self.model),
            "data": data_record(self.data),
            "seed": self.seed,
            "dtype": "float32",
        }

    def begin(self, store: Store) -> None:
        """Nothing to write before the first piece."""

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Measure images of one size in all states."""
        samples = [self.data[index] for index in part]
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        clean = {name: batch[name] for name in self.model.inputs}
        problem = MapProblem(self.model, batch["mask"], success=self.success)
        masks = hole_masks(batch["valid"], self.holes)
        threat = {name: replace(of, mask=masks.get(name)) for name, of in self.universal.budgets.items()}
        ids = [sample.id for sample in samples]
        shown = {
            "clean": clean,
            "random": noise(problem, clean, threat, kind="sign", seed=self.seed, sample_ids=ids).inputs,
            "attacked": self.universal.apply(clean, masks=masks),
        }
        rows: list[dict[str, Any]] = [{"id": image} for image in ids]
        counts = {}
        for state, inputs in shown.items():
            saved = _rounded(inputs, clean, threat, samples)
            fooled, measured = self._look(problem, saved, samples)
            counts[state] = measured.counts
            sizes = _sizes(saved, clean, threat, samples)
            for i, columns in enumerate(measured.columns(state)):
                rows[i] |= columns | {f"{state}_fooled": bool(fooled[i])}
                rows[i] |= {f"{state}_{name}": float(of[i]) for name, of in sizes.items()}
        return Piece(ids, rows, counts)

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Values of each state, under "universal"."""
        budgets = {
            name: {
                "norm": budget.norm,
                "eps": float(budget.eps),
                "measured": max(row[f"attacked_{name}"] for row in merged.rows),
            }
            for name, budget in self.universal.budgets.items()
        }
        facts = self.universal.facts
        found = {
            "model": self.model.name,
            "data": self.data.name,
            "images": len(self.data),
            **{state: _values(merged, state) for state in STATES},
            "fooled": {state: sum(row[f"{state}_fooled"] for row in merged.rows) for state in STATES},
            "success": self.success,
            "budget": budgets,
            "fit": {name: facts.get(name) for name in ("model", "data", "images", "method", "seed")},
            "same_data": facts.get("fingerprint") == self.data.fingerprint,
            "same_model": facts.get("model") == self.model.name,
        }
        return {"universal": found | {"notes": _notes(found)}}

    def _look(
        self, problem: MapProblem, inputs: Mapping[str, Tensor], samples: list[Sample]
    ) -> tuple[NDArray[np.bool_], Measured]:
        with torch.no_grad():
            fooled = problem.fooled(problem.forward(inputs)).cpu().numpy()
            maps = self.model.predict(size=None, **inputs).cpu().numpy()
        masks = [sample.mask for sample in samples if sample.mask is not None]
        return fooled, measure(list(maps), masks, self.cache, weighted=False)


def _rounded(
    inputs: Mapping[str, Tensor], clean: Mapping[str, Tensor], threat: Mapping[str, Budget], samples: list[Sample]
) -> dict[str, Tensor]:
    """Each image on the grids of its files, inside its budgets."""
    rounded = dict(inputs)
    for name, budget in threat.items():
        rows = []
        for i, sample in enumerate(samples):
            own = budget.select(torch.tensor([i], device=clean[name].device))
            rows.append(quantise(inputs[name][i : i + 1], clean[name][i : i + 1], own, levels_of(name, sample)))
        rounded[name] = torch.cat(rows)
    return rounded


def _sizes(
    inputs: Mapping[str, Tensor], clean: Mapping[str, Tensor], threat: Mapping[str, Budget], samples: list[Sample]
) -> dict[str, NDArray[np.float64]]:
    """How far each image lies from its clean one, by attacked input, (B,)."""
    found = {}
    for name, budget in threat.items():
        levels = [levels_of(name, sample) for sample in samples]
        change = (on_grid(inputs[name], levels) - on_grid(clean[name], levels)).reshape(len(samples), -1)
        largest = whole_steps(np.abs(change).max(1), levels)
        found[name] = largest if budget.norm == "linf" else np.linalg.norm(change, axis=1)
    return found


def _values(merged: Piece, state: str) -> dict[str, float]:
    """Data-set values of one state, benchmark protocol."""
    found = set_values(merged.counts[state], merged.rows, state)["benchmark"]["values"]
    return {key(name): value for name, value in found.items()}


def _notes(found: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the numbers."""
    notes = []
    if found["same_data"]:
        notes.append("these are the images that the noise was fitted on; measure it on others (--data)")
    if not found["same_model"]:
        notes.append(f"fitted against {found['fit']['model']} and measured on {found['model']}: a transfer")
    return notes
