"""An attack on the images of one piece: attack, round, save, read back, measure."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.attacks import Budget, MapProblem, Problem, Result
from rgbdsod.attacks.checks.effort import late_gain
from rgbdsod.attacks.table import ATTACKS
from rgbdsod.datasets import Sample
from rgbdsod.metrics import MaskCache, perturbation
from rgbdsod.models import SaliencyModel
from rgbdsod.run.adversarial import levels_of, on_grid, round_trip, whole_steps, write_rest, write_tensors
from rgbdsod.run.attack_settings import AttackPlan
from rgbdsod.run.measure import Measured, finite, measure
from rgbdsod.run.modeling import device_of, inputs_of
from rgbdsod.run.painting import target_maps
from rgbdsod.run.patched import patch_columns, write_patch_files
from rgbdsod.run.spaces import of_batch
from rgbdsod.run.store import Store
from rgbdsod.run.threats import Radii

Row = dict[str, Any]

_KEPT = ("linf", "l2", "l1", "l0", "psnr", "ssim")
"""Measures of a perturbation that are kept for each image."""


@dataclass(frozen=True, eq=False)
class View:
    """What the model makes of some inputs.

    Args:
        maps: uint8 (B,H,W).
        fooled: by the problem's rule, in float32, bool (B,).
        measured: the maps against their masks.
    """

    maps: NDArray[np.uint8]
    fooled: NDArray[np.bool_]
    measured: Measured


@dataclass(frozen=True, eq=False)
class Attacked:
    """What one set of radii did to the images.

    Args:
        radii: how far each input could move.
        result: of the attack, before rounding.
        saved: the inputs as read back from their files, (B,C,H,W).
        exact: what the model makes of the result, before rounding.
        view: what the model makes of the files.
        seconds: the attack took, per image.
    """

    radii: Radii
    result: Result
    saved: dict[str, Tensor]
    exact: View
    view: View
    seconds: float


class AttackPiece:
    """Some images of one size, ready to be attacked.

    Args:
        model: attacked.
        samples: the images.
        plan: what to do.
        cache: keeps what depends on a mask alone.
        weighted: whether maps are measured with the weighted F-measure, which takes most of the time.
        ready: gives a copy of the model that is quicker on such inputs; None: the model itself is attacked.
    """

    def __init__(
        self,
        model: SaliencyModel,
        samples: list[Sample],
        plan: AttackPlan,
        cache: MaskCache,
        *,
        weighted: bool = True,
        ready: Callable[[Mapping[str, Tensor]], SaliencyModel] | None = None,
    ) -> None:
        self.samples, self.plan, self.cache, self._weighted = samples, plan, cache, weighted
        batch = inputs_of(samples, model.inputs, device_of(model))
        self.clean = {name: batch[name] for name in model.inputs}
        self.valid = batch["valid"]
        copied = model if ready is None else ready(self.clean)
        self.model, moved = of_batch(model, copied, samples, self.clean, self.valid)
        self.problem: Problem = self._problem(self.model, batch["mask"])
        self.attacked = self.problem if moved is self.model else self._problem(moved, batch["mask"])
        self.before = self.look(self.clean)

    def attack(
        self, radii: Radii, callback: Callable[[int, int], None], store: Store, *, keep: bool, tensors: bool
    ) -> Attacked:
        """Attack within some radii and measure the result from its files.

        Args:
            radii: for each attacked input.
            callback: called with (passes done, passes in all).
            store: where files go.
            keep: whether the files stay.
            tensors: whether the result before rounding is written too.
        """
        begin = time.perf_counter()
        result = self.perturbed(radii, callback)
        seconds = (time.perf_counter() - begin) / len(self.samples)
        saved = self.through_files(result, radii, store, keep=keep, tensors=tensors)
        return Attacked(radii, result, saved, self.look(result.inputs), self.look(saved), seconds)

    def perturbed(self, radii: Radii, callback: Callable[[int, int], None], problem: Problem | None = None) -> Result:
        """The attack's own result, before rounding.

        Args:
            radii: for each attacked input.
            callback: called with (passes done, passes in all).
            problem: another one about the same images, to be attacked instead.
        """
        chosen = self.plan.settings
        result: Result = ATTACKS[chosen.attack].load()(
            self.attacked if problem is None else problem, self.clean, self.threat(radii), **self.plan.parameters,
            seed=chosen.seed, callback=callback,
            sample_ids=[sample.id for sample in self.samples], precision=chosen.dtype, eot=chosen.eot,
        )  # fmt: skip
        return result

    def look(self, inputs: Mapping[str, Tensor]) -> View:
        """What the model makes of some inputs (B,C,H,W)."""
        with torch.no_grad():
            fooled = self.problem.fooled(self.problem.forward(inputs)).cpu().numpy()
            maps = self.model.predict(size=None, **inputs).cpu().numpy()
        masks = [sample.mask for sample in self.samples if sample.mask is not None]
        return View(maps, fooled, measure(list(maps), masks, self.cache, weighted=self._weighted))

    def through_files(
        self, result: Result, radii: Radii, store: Store, *, keep: bool, tensors: bool = False
    ) -> dict[str, Tensor]:
        """Each image through its files and back."""
        back, threat = [], self.threat(radii)
        for i, sample in enumerate(self.samples):
            own = {name: budget.select(torch.tensor([i], device=self.valid.device)) for name, budget in threat.items()}
            before, after = ({name: x[i : i + 1] for name, x in of.items()} for of in (self.clean, result.inputs))
            back.append(round_trip(store, sample, before, after, own, keep=keep))
            if keep:
                write_rest(store, sample, threat)
                write_patch_files(store, sample.id, result, i)
            if keep and tensors:
                write_tensors(store, sample.id, after)
        return {name: torch.cat([image[name] for image in back]) for name in self.clean}

    def rows(self, attacked: Attacked) -> list[Row]:
        """One table row per image."""
        blocks = (
            [self._head(sample, attacked.radii) for sample in self.samples],
            self.before.measured.columns("clean"),
            attacked.exact.measured.columns("float"),
            attacked.view.measured.columns("attacked"),
            self._effects(attacked),
        )
        return [
            {**head, **clean, **exact, **view, **rest} for head, clean, exact, view, rest in zip(*blocks, strict=True)
        ]

    def _problem(self, model: SaliencyModel, masks: Tensor) -> MapProblem:
        chosen = self.plan.settings
        return MapProblem(
            model,
            masks,
            objective=chosen.objective,
            goal=chosen.goal,  # type: ignore[arg-type]  # checked by the plan
            target=None if chosen.target is None else target_maps(chosen.target, masks),
            success=self.plan.success,
        )

    def threat(self, radii: Radii) -> dict[str, Budget]:
        """A budget for each attacked input; depth stays where nothing was measured."""
        chosen = self.plan.settings
        holes = chosen.holes == "keep" and not bool(self.valid.all())
        masks = {"depth": self.valid.float()} if holes else {}
        return {
            name: Budget(norm=self.plan.norm, eps=eps, mask=masks.get(name), levels=chosen.levels)
            for name, eps in radii.items()
        }

    def _head(self, sample: Sample, radii: Radii) -> Row:
        height, width = sample.size
        chosen = self.plan.settings
        return {
            "id": sample.id,
            "height": height,
            "width": width,
            "attack": chosen.attack,
            "modality": self.plan.modality,
            "norm": self.plan.norm,
            **{f"eps_{name}": radii.get(name, 0.0) for name in self.model.inputs},
        }

    def _effects(self, attacked: Attacked) -> list[Row]:
        """What the attack did to each image, beside the measures of its map."""
        result, distances = attacked.result, self._distances(attacked.saved)
        late = late_gain(result)
        return [
            {
                "fooled": bool(attacked.view.fooled[i]),
                "fooled_before": bool(self.before.fooled[i]),
                "fooled_float": bool(attacked.exact.fooled[i]),
                "start_loss": finite(result.start_loss[i].item()),
                "loss": finite(result.loss[i].item()),
                "distance": None if result.distance is None else finite(result.distance[i].item()),
                "late_gain": None if late is None else finite(late[i].item()),
                **{f"{name}_{kind}": finite(of[kind][i]) for name, of in distances.items() for kind in _KEPT},
                "forward": int(result.forward[i]),
                "backward": int(result.backward[i]),
                "queries": int(result.queries[i]),
                "seconds": attacked.seconds,
                **patch_columns(result, i),
            }
            for i in range(len(self.samples))
        ]

    def _distances(self, saved: Mapping[str, Tensor]) -> dict[str, dict[str, NDArray[np.float64]]]:
        """How far the files lie from the clean inputs, by input and measure, (B,)."""
        levels = {name: [levels_of(name, sample) for sample in self.samples] for name in self.clean}
        before, after = (
            {name: on_grid(value, levels[name]) for name, value in inputs.items()} for inputs in (self.clean, saved)
        )
        found = perturbation(after, before)
        return {name: {**of, "linf": whole_steps(of["linf"], levels[name])} for name, of in found.items()}
