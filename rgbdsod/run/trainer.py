"""One training run: the loop, its checkpoints and its log."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from rgbdsod.datasets import Augmentation, Dataset
from rgbdsod.defenses import FastTraining, MapHardening
from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.models import SaliencyModel, training_loss
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.alignment_settings import AlignmentSettings
from rgbdsod.run.averaging import moving_average
from rgbdsod.run.checkpoint import Progress, read_checkpoint, read_log, refuse_other_settings, resuming, save_checkpoint
from rgbdsod.run.consistency import Consistency
from rgbdsod.run.consistency_settings import ConsistencySettings
from rgbdsod.run.overfitting import watch
from rgbdsod.run.peers import Peers
from rgbdsod.run.recipes import Recipe, build_optimizer, rate_factor
from rgbdsod.run.stream import batches
from rgbdsod.run.training_step import Memory, Step, replayed
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


@dataclass(frozen=True, eq=False)
class Extras:
    """What a training does beside learning from clean images.

    Args:
        adversarial: how the network learns from attacked inputs, None: not at all.
        consistency: the losses that compare these with the clean ones, None: none.
        alignment: the losses that are added to that of saliency, None: none.
        modality_dropout: share of the images that lose one input in a step.
        pair_weights: how much each image of the training set counts, (N,), None: equally.
        ema: share of the averaged weights that stays in each step, None: no average is kept.
    """

    adversarial: MapHardening | None = None
    consistency: ConsistencySettings | None = None
    alignment: AlignmentSettings | None = None
    modality_dropout: float = 0.0
    pair_weights: Tensor | None = None
    ema: float | None = None


class Trainer:
    """A training in a folder; it continues what it finds there.

    Args:
        model: in training; its weights change.
        recipe: how its weights change.
        total: iterations in all.
        folder: for checkpoints and the log.
        settings: all that the weights depend on, "seed" among them; a checkpoint with others is not continued.
        dtype: "float32", "bfloat16", or "auto": bfloat16 on CUDA.
        extras: what it does beside.
        peers: ranks that each do a part of every step, None: this process does all.
    """

    def __init__(
        self,
        model: SaliencyModel,
        recipe: Recipe,
        total: int,
        folder: Path,
        settings: dict[str, Any],
        dtype: str,
        extras: Extras,
        peers: Peers | None = None,
    ) -> None:
        self.peers, self.leads = peers, peers is None or peers.leads
        if peers is not None:
            peers.prepare(model)
        self.model, self.recipe, self.total, self.folder = model, recipe, total, folder
        self.seed: int = settings["seed"]
        self.device = next(model.parameters()).device
        self.half = dtype == "bfloat16" or (dtype == "auto" and self.device.type == "cuda")
        self.adversarial, self.modality_dropout = extras.adversarial, extras.modality_dropout
        weights = extras.pair_weights
        self.pair_weights = None if weights is None else weights.to(self.device)
        aligned = extras.alignment
        self.alignment = Alignment(model, aligned, seed=self.seed, total=total) if aligned else None
        self.consistency = Consistency(model, extras.consistency, self.alignment) if extras.consistency else None
        self.parameters = [*model.parameters(), *(self.alignment.parameters() if self.alignment else ())]
        self.optimizer = build_optimizer(recipe, self.parameters, recipe.lr)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, rate_factor(recipe, total))
        self.loss = training_loss(model.card.architecture)
        self.average = moving_average(model, extras.ema) if extras.ema is not None else None
        self.memory = Memory()
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
            with resuming(last):
                self.model.network.load_state_dict(state["model"])
                for name, part in self._parts().items():
                    part.load_state_dict(state[name])
                self.memory.update({name: value.to(self.device) for name, value in state.get("memory", {}).items()})
            self.history = read_log(log, self.progress.iteration)
        if self.leads:
            log.write_text("".join(json.dumps(event) + "\n" for event in self.history))
        if tensorboard and self.leads:
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
        begun, times = self.progress.iteration, 1 if self.adversarial is None else self.adversarial.replays
        numbers = range(begun // times, -(-self.total // times))
        stream = batches(
            train_set, numbers, batch=self.recipe.batch, seed=self.seed, how=how, size=self.model.size, workers=workers,
            share=self.peers.share if self.peers else None,
        )  # fmt: skip
        shown: dict[str, float] = dict(self.progress.best)
        begin = time.monotonic()
        for samples in islice(replayed(stream, times, begun % times), self.total - begun):
            loss, seen = self._step(samples)
            self.progress.iteration += 1
            t = self.progress.iteration
            if t % 50 == 0 or t == self.total:
                shown["loss"] = self._finite(loss if self.peers is None else self.peers.total(loss))
                inside = {name: float(value) for name, value in seen.items()}
                self._log({"event": "train", "iteration": t, "loss": shown["loss"], **inside,
                           "lr": self.schedule.get_last_lr()[0], "seconds": time.monotonic() - begin})  # fmt: skip
            if t % validate_every == 0 or t == self.total:
                shown |= self._validate(val_set)
            if callback is not None:
                callback(t, self.total, shown)

    def _step(self, samples: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """One forward, backward and update.

        Returns:
            The loss, mean over the batch, and where losses were added to it each of them, by name. Of a rank its part.
        """
        self.model.train(not self.recipe.frozen_norm)
        step = self._taken({name: value.to(self.device, non_blocking=True) for name, value in samples.items()})
        with self._autocast():
            hardened = self.adversarial
            losses = step.loss(step.outputs(step.inputs)) if hardened is None else hardened.losses(step)
        if self.pair_weights is not None:
            losses = losses * self.pair_weights[step.batch["index"]]
        loss, seen = self._joined(losses.mean() if self.peers is None else losses.sum() / self.recipe.batch, step)
        self._update(loss)
        return loss.detach(), step.seen | seen

    def _taken(self, batch: dict[str, Tensor]) -> Step:
        """A batch as a step."""
        first, places = self.progress.iteration * self.recipe.batch, range(self.recipe.batch)
        own = places[: len(batch["mask"])] if self.peers is None else self.peers.share.of(places)
        return Step(
            self.model, batch, self.loss, seed=self.seed, number=self.progress.iteration,
            sample_ids=[str(first + place) for place in own],
            modality_dropout=self.modality_dropout, memory=self.memory,
        )  # fmt: skip

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def _joined(self, loss: Tensor, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss with those of alignment, on the clean inputs, and of consistency; and each of them by name."""
        if self.alignment is None and self.consistency is None:
            return loss, {}
        seen = {"saliency": loss.detach()}
        with self._autocast():
            if self.alignment is not None:
                added, inside = self.alignment(step.batch, self.progress.iteration)
                loss, seen = loss + added, seen | inside
            if self.consistency is not None:
                added, inside = self.consistency(step)
                loss, seen = loss + added, seen | inside
        return loss, seen

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.peers is not None:
            self.peers.add_gradients(self.parameters)
        if self.recipe.clip is not None:
            torch.nn.utils.clip_grad_value_(self.parameters, self.recipe.clip)
        self.optimizer.step()
        self.schedule.step()
        if self.alignment is not None:
            self.alignment.after_step()
        if self.average is not None:
            self.average.update_parameters(self.model)

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
        kept = self.model if self.average is None else cast(SaliencyModel, self.average.module)
        if self.peers is not None:
            self.peers.agree(self.model)
            if not self.leads:
                return {}
        measures = validate(kept, val_set)
        self._log({"event": "validation", "iteration": self.progress.iteration, **measures})
        if isinstance(self.adversarial, FastTraining):
            self._watch(self.adversarial, val_set)
        if measures["sm"] > self.progress.best.get("sm", -1.0):
            self.progress.best = {"iteration": self.progress.iteration, **measures}
            save_checkpoint(self._checkpoint("best"), kept.network, self.progress)
        parts = self._parts() | ({"memory": self.memory} if self.memory else {})
        save_checkpoint(self._checkpoint("last"), self.model.network, self.progress, **parts)
        return measures

    def _watch(self, how: FastTraining, val_set: Dataset) -> None:
        """Look for catastrophic overfitting."""
        values, warning = watch(how, self.model, val_set, self.recipe.batch, self.history)
        self._log({"event": "watch", "iteration": self.progress.iteration, **values})
        if warning is not None:
            self._log({"event": "warning", "iteration": self.progress.iteration, "text": warning})

    def _parts(self) -> dict[str, Any]:
        """What a checkpoint holds beside the network, by name."""
        parts: dict[str, Any] = {"optimizer": self.optimizer, "schedule": self.schedule}
        parts |= {} if self.alignment is None else {"alignment": self.alignment.parts}
        return parts if self.average is None else parts | {"average": self.average}

    def result(self) -> TrainResult:
        """The best weights, in evaluation mode."""
        if self.peers is not None:
            self.peers.wait()  # for the first rank, which writes them
        _, state = read_checkpoint(self._checkpoint("best"))
        self.model.network.load_state_dict(state["model"])
        return TrainResult(self.model.eval(), self.progress.best, self.folder, self.history)

    def _checkpoint(self, name: str) -> Path:
        return self.folder / "checkpoints" / f"{name}.pt"

    def _log(self, event: dict[str, Any]) -> None:
        self.history.append(event)
        if not self.leads:
            return
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
