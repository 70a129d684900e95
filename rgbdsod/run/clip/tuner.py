"""One fine-tuning: the loop around a hardening method, its checkpoints and its log."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from rgbdsod.clip import ClipModel
from rgbdsod.datasets.zero_shot.labelled import ImageSet
from rgbdsod.defenses.zero_shot.hardening import Hardening
from rgbdsod.defenses.zero_shot.numerics import check_gradients
from rgbdsod.defenses.zero_shot.parts import TuningBatch
from rgbdsod.defenses.zero_shot.presets import TuningPreset
from rgbdsod.run.checkpoint import Progress, read_checkpoint, read_log, refuse_other_settings, resuming, save_checkpoint
from rgbdsod.run.clip.originals import Originals
from rgbdsod.run.clip.schedule import build_optimizer, rate
from rgbdsod.run.clip.tuning_data import TuningImages, batches
from rgbdsod.run.clip.validation import Validation
from rgbdsod.run.trainer import TrainCallback

LOG_EVERY = 10
WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tuning:
    """All that a fine-tuning works with.

    Args:
        model: in tuning; only the parameters of `model.visual` change.
        hardening: the method at work on it.
        plan: optimiser, schedule, batch.
        total: updates in all.
        data: to learn from.
        validation: selects weights; None: the last ones are taken.
        originals: what the original model says.
        seed: of order and noise.
        settings: all that the weights depend on; a checkpoint with others is not continued.
        dtype: what the encoder computes in, under autocast where that is not float32.
        workers: processes that read images.
        validate_every: updates between validations, each with a checkpoint.
    """

    model: ClipModel
    hardening: Hardening
    plan: TuningPreset
    total: int
    data: ImageSet
    validation: Validation | None
    originals: Originals
    seed: int
    settings: dict[str, Any]
    dtype: torch.dtype = torch.float32
    workers: int = 0
    validate_every: int = 100


@dataclass(eq=False)
class Tuner:
    """A fine-tuning in a folder; it continues what it finds there.

    Args:
        how: what it works with.
        folder: for checkpoints and the log.
    """

    how: Tuning
    folder: Path
    progress: Progress = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    history: list[dict[str, Any]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.progress = Progress(self.how.settings)
        self.optimizer = build_optimizer(self.how.plan, self.how.model.visual.parameters())

    def start(self, resume: bool) -> None:
        """Continue from the last checkpoint, or begin anew."""
        last, log = self._checkpoint("last"), self.folder / "log.jsonl"
        self.folder.mkdir(parents=True, exist_ok=True)
        if resume and last.is_file():
            self.progress, state = read_checkpoint(last)
            refuse_other_settings(self.folder, self.progress.settings, self.how.settings)
            with resuming(last):
                self.how.model.visual.load_state_dict(state["model"])
                self.optimizer.load_state_dict(state["optimizer"])
                self.how.hardening.load_state_dict(state["hardening"])
                self.how.originals.load_state_dict(state["originals"], self.how.model.device)
            self.history = read_log(log, self.progress.iteration)
        else:
            (self.folder / WEIGHTS).unlink(missing_ok=True)
            self._checkpoint("best").unlink(missing_ok=True)
        log.write_text("".join(json.dumps(event) + "\n" for event in self.history))

    def loop(self, callback: TrainCallback | None) -> None:
        """All remaining updates."""
        how, begin = self.how, time.monotonic()
        numbers = range(self.progress.iteration, how.total)
        stream = batches(
            how.data, numbers, batch=how.plan.batch, seed=how.seed, side=how.model.side, space=how.plan.attack_space,
            workers=how.workers,
        )  # fmt: skip
        shown: dict[str, float] = {}
        for images in stream:
            losses, speed = self._step(images)
            self.progress.iteration += 1
            t = self.progress.iteration
            if t % LOG_EVERY == 0 or t == how.total:
                values = {name: float(loss) for name, loss in losses.items()}
                shown["loss"] = values["total"]
                seconds = time.monotonic() - begin
                self._log({"event": "train", "iteration": t, **values, "lr": speed, "seconds": seconds})
            if t % how.validate_every == 0 or t == how.total:
                shown |= self._validate()
            if callback is not None:
                callback(t, how.total, shown)

    def _step(self, images: TuningImages) -> tuple[dict[str, torch.Tensor], float]:
        """Attack, loss, backward pass and update; the losses by name, and the learning rate."""
        how, t = self.how, self.progress.iteration
        model, device = how.model.train(), how.model.device
        for group in self.optimizer.param_groups:
            group["lr"] = rate(how.plan, t, how.total)
        image, labels = (images[name].to(device, non_blocking=True) for name in ("image", "labels"))
        batch = TuningBatch(image, images["ids"], labels=labels)
        with torch.autocast(device.type, how.dtype, enabled=how.dtype != torch.float32):
            batch = how.originals.complete(batch, images["positions"])
            losses = how.hardening.step(batch, seed=how.seed, step=t)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()  # type: ignore[no-untyped-call]
        check_gradients(model.visual, t)
        self.optimizer.step()
        how.hardening.learn(losses)
        return {name: loss.detach() for name, loss in losses.items()}, self.optimizer.param_groups[0]["lr"]

    def _validate(self) -> dict[str, float]:
        """Measure, keep the best weights, and save the last."""
        measures: dict[str, float] = {}
        if self.how.validation is not None:
            measures = self.how.validation(self.how.model)
            self._log({"event": "validation", "iteration": self.progress.iteration, **measures})
            if measures["score"] > self.progress.best.get("score", -1.0):
                self.progress.best = {"iteration": self.progress.iteration, **measures}
                save_checkpoint(self._checkpoint("best"), self.how.model.visual, self.progress)
        save_checkpoint(
            self._checkpoint("last"), self.how.model.visual, self.progress,
            optimizer=self.optimizer, hardening=self.how.hardening, originals=self.how.originals,
        )  # fmt: skip
        return measures

    def select(self, which: str) -> int:
        """Load the "best" weights, or keep the "last"; the update that they are from."""
        if which == "best" and self.how.validation is not None:
            progress, state = read_checkpoint(self._checkpoint("best"))
            self.how.model.visual.load_state_dict(state["model"])
            return progress.iteration
        return self.progress.iteration

    def _checkpoint(self, name: str) -> Path:
        return self.folder / "checkpoints" / f"{name}.pt"

    def _log(self, event: dict[str, Any]) -> None:
        self.history.append(event)
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(event) + "\n")


def describe_plan(plan: TuningPreset) -> dict[str, Any]:
    """A plan's values by name, with all settings of its method, in JSON's types."""
    described: dict[str, Any] = json.loads(json.dumps(asdict(plan) | {"settings": asdict(plan.build())}))
    return described | {"preset": described.pop("name")}
