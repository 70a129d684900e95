"""The work of an attack run on some images: attack, round, save, read back, measure."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rgbdsod.attacks import Budget, MapProblem, Result
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.datasets import Dataset, Sample
from rgbdsod.errors import UsageError
from rgbdsod.metrics import MaskCache, perturbation
from rgbdsod.models import SaliencyModel
from rgbdsod.run.adversarial import (
    levels_of,
    on_grid,
    round_trip,
    whole_steps,
    write_pictures,
    write_rest,
    write_settings,
    write_tensors,
)
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.measure import Measured, finite, measure
from rgbdsod.run.modeling import data_record, device_of, inputs_of, model_record
from rgbdsod.run.pieces import Piece
from rgbdsod.run.reduce import attack_metrics
from rgbdsod.run.store import Store
from rgbdsod.run.threats import Radii

_KEPT = ("linf", "l2", "l1", "l0", "psnr", "ssim")
"""Measures of a perturbation that are kept for each image."""


@dataclass(frozen=True, eq=False)
class View:
    """What the model makes of some inputs.

    Args:
        maps: uint8 (B,H,W).
        fooled: by the problem's rule, in float32, bool (B,).
    """

    maps: NDArray[np.uint8]
    fooled: NDArray[np.bool_]


@dataclass(eq=False)
class AttackTask:
    """An attack on a data set, as `rgbdsod.run.execute` runs it.

    Args:
        model: attacked.
        data: its images.
        plan: what to do.
        pictures: of how many images, from the first on, the report's pictures are written.
        save_tensors: whether the float32 results are written too.
        given: how model and data were named, for config.toml.
    """

    model: SaliencyModel
    data: Dataset
    plan: AttackPlan
    pictures: int
    save_tensors: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)
    command: str = "attack"
    cache: MaskCache = field(default_factory=MaskCache)

    @property
    def title(self) -> str:
        """Model, data, attack and modality."""
        parts = (self.model.name, self.data.name, self.plan.settings.attack, self.plan.modality)
        return "-".join(Path(part).name for part in parts)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        """What is held in evaluation mode."""
        return (self.model,)

    def settings(self) -> dict[str, Any]:
        """All that the numbers depend on."""
        return {**self.given, **self.plan.record()}

    def record(self) -> dict[str, Any]:
        """Entries of run.json."""
        chosen = self.plan.settings
        return {
            "model": model_record(self.model),
            "data": data_record(self.data),
            "seed": chosen.seed,
            "dtype": chosen.dtype,
        }

    def begin(self, store: Store) -> None:
        """Written before the first piece."""
        write_settings(store, f"{self.data.name}, attacked")

    def metrics(self, merged: Piece) -> dict[str, Any]:
        """Data-set values of clean and attacked maps."""
        return attack_metrics(merged, self.plan)

    def compute(self, part: list[int], store: Store, advance: Callable[[float], None]) -> Piece:
        """Attack images of one size under every radius."""
        samples = [self.data[index] for index in part]
        ids = [sample.id for sample in samples]
        batch = inputs_of(samples, self.model.inputs, device_of(self.model))
        clean = {name: batch[name] for name in self.model.inputs}
        problem = self._problem(batch["mask"])
        before = self._view(problem, clean)
        counts, columns = self._measured(before, samples, "clean")
        all_counts = {"clean": counts}
        found: list[dict[str, Any]] = []
        for turn, radii in enumerate(self.plan.radii):
            threat = self._threat(radii, batch["valid"])
            begin = time.perf_counter()

            def tell(done: int, total: int, turn: int = turn) -> None:
                advance(len(part) * (turn + done / max(total, 1)) / len(self.plan.radii))

            result = self._attack(problem, clean, threat, ids, tell)
            seconds = (time.perf_counter() - begin) / len(part)
            last = turn == len(self.plan.radii) - 1
            saved = self._save(store, samples, clean, result, threat, keep=last)
            views = {"float": self._view(problem, result.inputs), "attacked": self._view(problem, saved)}
            if last:
                self._illustrate(store, part, samples, saved, before, views["attacked"])
            blocks = [[self._head(sample, radii) for sample in samples], columns]
            for prefix, view in views.items():
                all_counts[f"{prefix}/{turn}"], measured = self._measured(view, samples, prefix)
                blocks.append(measured)
            blocks.append(self._effects(result, before, views, self._distances(samples, clean, saved), seconds))
            found += [{k: v for block in of_image for k, v in block.items()} for of_image in zip(*blocks, strict=True)]
        return Piece(ids, found, all_counts)

    def _problem(self, masks: Tensor) -> MapProblem:
        chosen = self.plan.settings
        target = None if chosen.target is None else target_map(chosen.target, masks)
        return MapProblem(
            self.model,
            masks,
            objective=chosen.objective,
            goal=chosen.goal,  # type: ignore[arg-type]  # checked by the plan
            target=target,
            success=self.plan.success,
        )

    def _threat(self, radii: Radii, valid: Tensor) -> dict[str, Budget]:
        """A budget for each attacked input; depth stays where nothing was measured."""
        chosen = self.plan.settings
        holes = chosen.holes == "keep" and not bool(valid.all())
        return {
            name: Budget(
                norm=chosen.norm,
                eps=eps,
                mask=valid.float() if name == "depth" and holes else None,
                levels=chosen.levels,
            )
            for name, eps in radii.items()
        }

    def _attack(
        self,
        problem: MapProblem,
        clean: dict[str, Tensor],
        threat: dict[str, Budget],
        ids: list[str],
        callback: Callable[[int, int], None],
    ) -> Result:
        chosen = self.plan.settings
        function = ATTACKS[chosen.attack].load()
        result: Result = function(
            problem, clean, threat, **self.plan.parameters,
            seed=chosen.seed, sample_ids=ids, callback=callback, precision=chosen.dtype,
        )  # fmt: skip
        return result

    def _view(self, problem: MapProblem, inputs: Mapping[str, Tensor]) -> View:
        with torch.no_grad():
            fooled = problem.fooled(problem.forward(inputs))
            maps = self.model.predict(size=None, **inputs)
        return View(maps.cpu().numpy(), fooled.cpu().numpy())

    def _measured(
        self, view: View, samples: list[Sample], prefix: str
    ) -> tuple[NDArray[np.int64], list[dict[str, float]]]:
        measured: Measured = measure(list(view.maps), [sample.mask for sample in samples if sample.mask is not None],
                                     self.cache)  # fmt: skip
        return measured.counts, measured.columns(prefix)

    def _head(self, sample: Sample, radii: Radii) -> dict[str, Any]:
        height, width = sample.size
        chosen = self.plan.settings
        return {
            "id": sample.id,
            "height": height,
            "width": width,
            "attack": chosen.attack,
            "modality": self.plan.modality,
            "norm": chosen.norm,
            **{f"eps_{name}": radii.get(name, 0.0) for name in self.model.inputs},
        }

    def _save(
        self,
        store: Store,
        samples: list[Sample],
        clean: dict[str, Tensor],
        result: Result,
        threat: dict[str, Budget],
        *,
        keep: bool,
    ) -> dict[str, Tensor]:
        """Each image through its files and back."""
        back = []
        for i, sample in enumerate(samples):
            index = torch.tensor([i], device=next(iter(clean.values())).device)
            own = {name: budget.select(index) for name, budget in threat.items()}
            before, after = (
                {name: value[i : i + 1] for name, value in all_.items()} for all_ in (clean, result.inputs)
            )
            back.append(round_trip(store, sample, before, after, own, keep=keep))
            if keep:
                write_rest(store, sample, threat)
            if keep and self.save_tensors:
                write_tensors(store, sample.id, after)
        return {name: torch.cat([image[name] for image in back]) for name in clean}

    def _illustrate(
        self, store: Store, part: list[int], samples: list[Sample], saved: dict[str, Tensor], before: View, after: View
    ) -> None:
        for i, (index, sample) in enumerate(zip(part, samples, strict=True)):
            if index < self.pictures:
                maps = {"clean_map": before.maps[i], "attacked_map": after.maps[i]}
                write_pictures(store, sample, maps, {name: value[i : i + 1] for name, value in saved.items()})

    def _distances(
        self, samples: list[Sample], clean: Mapping[str, Tensor], saved: Mapping[str, Tensor]
    ) -> dict[str, dict[str, NDArray[np.float64]]]:
        """How far the files lie from the clean inputs, by input and measure, (B,)."""
        levels = {name: [levels_of(name, sample) for sample in samples] for name in clean}
        before, after = (
            {name: on_grid(value, levels[name]) for name, value in inputs.items()} for inputs in (clean, saved)
        )
        found = perturbation(after, before)
        return {name: {**of, "linf": whole_steps(of["linf"], levels[name])} for name, of in found.items()}

    def _effects(
        self,
        result: Result,
        before: View,
        views: Mapping[str, View],
        distances: Mapping[str, Mapping[str, NDArray[np.float64]]],
        seconds: float,
    ) -> list[dict[str, Any]]:
        """What the attack did to each image, beside the measures of its map."""
        return [
            {
                "fooled": bool(views["attacked"].fooled[i]),
                "fooled_before": bool(before.fooled[i]),
                "fooled_float": bool(views["float"].fooled[i]),
                "start_loss": finite(result.start_loss[i].item()),
                "loss": finite(result.loss[i].item()),
                **{f"{name}_{kind}": finite(of[kind][i]) for name, of in distances.items() for kind in _KEPT},
                "forward": int(result.forward[i]),
                "backward": int(result.backward[i]),
                "queries": int(result.queries[i]),
                "seconds": seconds,
            }
            for i in range(len(before.maps))
        ]


def target_map(target: str | Path | NDArray[np.uint8], masks: Tensor) -> Tensor:
    """The map to paint at the images' size, (B,1,H,W) in [0, 1]."""
    picture = read_target(target)
    height, width = masks.shape[-2:]
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    return (torch.from_numpy(resized).to(masks) / 255).expand_as(masks)


def read_target(target: str | Path | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The map to paint, uint8 (H, W).

    Raises:
        UsageError: when it is none, or cannot be read.
    """
    if isinstance(target, np.ndarray):
        if target.dtype != np.uint8 or target.ndim != 2:
            raise UsageError(f"target is {target.dtype} {target.shape}; pass a uint8 map (H, W)")
        return target
    picture = cv2.imread(str(target), cv2.IMREAD_GRAYSCALE) if Path(target).is_file() else None
    if picture is None:
        raise UsageError(f"--target {target}: no picture that can be read")
    return np.asarray(picture, np.uint8)
