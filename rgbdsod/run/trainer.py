"""One training run: the loop, its checkpoints and its log."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rgbdsod.datasets import Augmentation, Dataset
from rgbdsod.defenses import AdversarialTraining
from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.models import SaliencyModel, training_loss
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.checkpoint import Progress, read_checkpoint, refuse_other_settings, save_checkpoint
from rgbdsod.run.modality_dropout import dropped
from rgbdsod.run.recipes import Recipe, build_optimizer, rate_factor
from rgbdsod.run.stream import batches
from rgbdsod.run.validate import validate

TrainCallback = Callable[[int, int, dict[str, float]], None]
"""Called with (iterations done, iterations in all, the latest losses and measures)."""


@dataclass(frozen=True)
class TrainResult:
    """A finished training.

    Args:
        model: the network with its best weights.
        best: validation measures of those weights, and their iteration.
        folder: where checkpoints and the log lie.
        history: the log's events, oldest first.
    """

    model: SaliencyModel
    best: dict[str, float]
    folder: Path
    history: list[dict[str, Any]] = field(repr=False)


class Trainer:
    """A training in a folder; it continues what it finds there.

    Args:
        model: in training; its weights change.
        recipe: how its weights change.
        total: iterations in all.
        folder: for checkpoints and the log.
        settings: all that the weights depend on, "seed" among them; a checkpoint with others is not continued.
        dtype: "float32", "bfloat16", or "auto": bfloat16 on CUDA.
        adversarial: how inputs are moved before each step, None: not at all.
        alignment: the losses that are added to that of saliency, None: none.
        modality_dropout: share of the images that lose one input in a step.
        pair_weights: how much each image of the training set counts, (N,), None: equally.
    """

    def __init__(
        self,
        model: SaliencyModel,
        recipe: Recipe,
        total: int,
        folder: Path,
        settings: dict[str, Any],
        dtype: str,
        adversarial: AdversarialTraining | None,
        alignment: AlignmentSettings | None = None,
        modality_dropout: float = 0.0,
        pair_weights: Tensor | None = None,
    ) -> None:
        self.model, self.recipe, self.total, self.folder = model, recipe, total, folder
        self.seed: int = settings["seed"]
        self.device = next(model.parameters()).device
        self.autocast = dtype == "bfloat16" or (dtype == "auto" and self.device.type == "cuda")
        self.adversarial, self.modality_dropout = adversarial, modality_dropout
        self.pair_weights = None if pair_weights is None else pair_weights.to(self.device)
        self.alignment = Alignment(model, alignment, seed=self.seed, total=total) if alignment else None
        self.parameters = [*model.parameters(), *(self.alignment.parameters() if self.alignment else ())]
        self.optimizer = build_optimizer(recipe, self.parameters, recipe.lr)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate_factor(recipe, total))
        self.loss = training_loss(model.card.architecture)
        self.settings = settings
        self.progress = Progress(settings)
        self.history: list[dict[str, Any]] = []
        self.board: Any = None

    def start(self, resume: bool, tensorboard: bool) -> None:
        """Continue from the last checkpoint, or begin anew."""
        last, log = self._checkpoint("last"), self.folder / "log.jsonl"
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume and last.is_file():
            self.progress, state = read_checkpoint(last)
            refuse_other_settings(self.folder, self.progress.settings, self.settings)
            self.model.network.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            if self.alignment is not None:
                self.alignment.parts.load_state_dict(state["alignment"])
            events = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
            self.history = [event for event in events if event["iteration"] <= self.progress.iteration]
        log.write_text("".join(json.dumps(event) + "\n" for event in self.history))
        if tensorboard:
            self.board = _board(self.folder)

    def loop(
        self,
        train_set: Dataset,
        val_set: Dataset,
        how: Augmentation,
        workers: int,
        validate_every: int,
        callback: TrainCallback | None,
    ) -> None:
        """All remaining iterations."""
        numbers = range(self.progress.iteration, self.total)
        stream = batches(
            train_set, numbers, batch=self.recipe.batch, seed=self.seed, how=how, size=self.model.size, workers=workers
        )
        shown: dict[str, float] = dict(self.progress.best)
        begin = time.monotonic()
        for samples in stream:
            loss, seen = self._step(samples)
            self.progress.iteration += 1
            t = self.progress.iteration
            if t % 50 == 0 or t == self.total:
                shown["loss"] = self._finite(loss)
                rate = self.schedule.get_last_lr()[0]
                inside = {name: float(value) for name, value in seen.items()}
                self._log({"event": "train", "iteration": t, "loss": shown["loss"], **inside, "lr": rate,
                           "seconds": time.monotonic() - begin})  # fmt: skip
            if t % validate_every == 0 or t == self.total:
                shown |= self._validate(val_set)
            if callback is not None:
                callback(t, self.total, shown)

    def _step(self, samples: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """One forward, backward and update.

        Returns:
            The loss, mean over the batch, and where losses were added to it each of them, by name.
        """
        self.model.train(not self.recipe.frozen_norm)
        batch = {name: value.to(self.device, non_blocking=True) for name, value in samples.items()}
        inputs = batch | self._moved(self.adversarial, batch) if self.adversarial is not None else batch
        if self.modality_dropout:
            inputs = dropped(inputs, self.model.inputs, self.modality_dropout, **self._place)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            outputs = self.model.outputs(inputs)
        losses = self.loss({name: value.float() for name, value in outputs.items()}, batch["mask"])
        if self.pair_weights is not None:
            losses = losses * self.pair_weights[batch["index"]]
        loss, seen = self._aligned(losses.mean(), batch)
        self._update(loss)
        return loss.detach(), seen

    @property
    def _place(self) -> dict[str, int]:
        return {"seed": self.seed, "iteration": self.progress.iteration}

    def _aligned(self, loss: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss with those of alignment, on the clean inputs; and each of them by name."""
        if self.alignment is None:
            return loss, {}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            added, seen = self.alignment(batch, self.progress.iteration)
        return loss + added, {"saliency": loss.detach(), **seen}

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip is not None:
            torch.nn.utils.clip_grad_value_(self.parameters, self.recipe.clip)
        self.optimizer.step()
        self.schedule.step()
        if self.alignment is not None:
            self.alignment.after_step()

    def _moved(self, how: AdversarialTraining, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        first = self.progress.iteration * self.recipe.batch
        ids = [str(first + place) for place in range(len(batch["mask"]))]
        inputs = {name: batch[name] for name in self.model.inputs}
        return how(self.model, inputs, batch["mask"], seed=self.seed, sample_ids=ids)

    def _finite(self, loss: Tensor) -> float:
        value = float(loss)
        if not isfinite(value):
            raise RgbdsodError(
                f"the loss is {value} at iteration {self.progress.iteration}; the last checkpoint is kept in "
                f"{self._checkpoint('last').parent}; continue with a smaller --lr"
            )
        return value

    def _validate(self, val_set: Dataset) -> dict[str, float]:
        """Measure, keep the best weights, and save the last."""
        measures = validate(self.model, val_set)
        self._log({"event": "validation", "iteration": self.progress.iteration, **measures})
        if measures["sm"] > self.progress.best.get("sm", -1.0):
            self.progress.best = {"iteration": self.progress.iteration, **measures}
            save_checkpoint(self._checkpoint("best"), self.model.network, self.progress)
        others: dict[str, Any] = {"optimizer": self.optimizer, "schedule": self.schedule}
        if self.alignment is not None:
            others["alignment"] = self.alignment.parts
        save_checkpoint(self._checkpoint("last"), self.model.network, self.progress, **others)
        return measures

    def result(self) -> TrainResult:
        """The best weights, in evaluation mode."""
        _, state = read_checkpoint(self._checkpoint("best"))
        self.model.network.load_state_dict(state["model"])
        return TrainResult(self.model.eval(), self.progress.best, self.folder, self.history)

    def _checkpoint(self, name: str) -> Path:
        return self.folder / "checkpoints" / f"{name}.pt"

    def _log(self, event: dict[str, Any]) -> None:
        self.history.append(event)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(event) + "\n")
        if self.board is not None:
            for name, value in event.items():
                if isinstance(value, float):
                    self.board.add_scalar(f"{event['event']}/{name}", value, event["iteration"])


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("--tensorboard needs TensorBoard: pip install 'rgbdsod[tensorboard]'") from error
    return SummaryWriter(str(folder / "tensorboard"))
