"""One method at work on one model: all that a training loop asks."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rgbdsod.attacks import Budget, ScoreProblem, pgd
from rgbdsod.attacks.partial import modules_of
from rgbdsod.defenses.zero_shot.encoder import Encoder
from rgbdsod.defenses.zero_shot.inner import InnerAttack
from rgbdsod.defenses.zero_shot.methods.base import Method
from rgbdsod.defenses.zero_shot.numerics import check_losses, not_finite
from rgbdsod.defenses.zero_shot.parts import Parts, TuningBatch
from rgbdsod.errors import UsageError, WeightsError
from rgbdsod.types import Inputs


class Hardening:
    """A method, the encoder that it hardens, and what it compares it with.

    A training step is `step`, then a backward pass from "total" and an update by the caller, then `learn`.

    Args:
        method: with its settings.
        encoder: in training; a module.
        original: a copy from before the training, which is held in evaluation mode, its weights without gradients.
        texts: features of all classes' texts (C,D), in the order of the labels.
        negated: likewise of texts that deny the class.
        attack: the inner attack.
        seed: of first weights of what the method learns beside the encoder.

    Raises:
        UsageError: the method cannot work with these models or texts; the original is the encoder itself.

    Example:
        >>> import torch
        >>> from rgbdsod.defenses import Hardening, InnerAttack, TuningBatch, hardening_method
        >>> class Tiny(torch.nn.Linear):
        ...     name, grid, width, scale, has_tokens = "tiny", (0, 0), 4, 10.0, False
        ...     def embed(self, image):
        ...         return self(image.flatten(1))
        >>> how = Hardening(hardening_method("tecoa"), Tiny(12, 4), texts=torch.eye(4), attack=InnerAttack(eps=0.1))
        >>> batch = TuningBatch(torch.full((2, 3, 2, 2), 0.5), ["a", "b"], labels=torch.tensor([0, 3]))
        >>> sorted(how.step(batch, seed=0, step=0))
        ['adversarial', 'total']
    """

    def __init__(
        self,
        method: Method,
        encoder: Encoder,
        *,
        original: Encoder | None = None,
        texts: Tensor | None = None,
        negated: Tensor | None = None,
        attack: InnerAttack | None = None,
        seed: int = 0,
    ) -> None:
        if original is encoder:
            raise UsageError("the original model is the one in training; pass a copy (copy.deepcopy)")
        for module in modules_of(original):
            module.eval().requires_grad_(False)
        self.method, self.inner = method, InnerAttack() if attack is None else attack
        texts, negated = (None if value is None else value.detach() for value in (texts, negated))
        self.parts = Parts(encoder, original, texts, negated)
        method.check(self.parts)
        self._module = next(iter(modules_of(encoder)), None)
        companion = method.companion(encoder.width, seed)
        if companion is not None and self._module is not None:
            companion.to(next(self._module.parameters()).device)
        self.parts = replace(self.parts, companion=companion)

    def reference(self, batch: TuningBatch) -> Tensor | None:
        """What may be kept of these images for later epochs, (B,...): see `Method.reference`."""
        self._check(batch)
        return self.method.reference(self.parts, batch)

    def complete(self, batch: TuningBatch) -> TuningBatch:
        """The batch with its reference, computed unless it brings one."""
        return batch if batch.reference is not None else replace(batch, reference=self.reference(batch))

    def attack_loss(self, image: Tensor, batch: TuningBatch) -> Tensor:
        """What the inner attack raises, (B,)."""
        return self.method.attack_loss(self.parts, image, batch)

    def attack(self, batch: TuningBatch, *, seed: int) -> Tensor:
        """The attacked images (B,3,H,W), without gradient; the clean ones for a method that learns from these.

        Args:
            batch: see `TuningBatch`.
            seed: of the random starts, beside the batch's ids; another one in each epoch.

        Raises:
            WeightsError: the loss became NaN.
        """
        self._check(batch)
        if not self.method.attacked:
            return batch.image
        how = self.inner
        if self.method.anchored:
            batch = self.complete(batch)

        def score(inputs: Inputs) -> Tensor:
            losses = self.attack_loss(inputs["image"], batch)
            return losses if how.loss_scale is None else losses * how.loss_scale

        # In the attack's own precision, whatever the training step around it runs in.
        with torch.autocast(batch.image.device.type, enabled=False):
            result = pgd(
                ScoreProblem(score, inputs=("image",), modules=modules_of(self.parts.encoder)),
                {"image": batch.image},
                {"image": Budget(norm=how.norm, eps=how.eps)},
                steps=how.steps,
                step_size=how.step_size,
                random_start=how.random_start,
                # The training step looks at the last point anyway, so the attack need not.
                keep="unseen",
                seed=seed,
                sample_ids=batch.ids,
                precision=how.precision,
            )
        return result.inputs["image"]

    def loss(self, batch: TuningBatch, moved: Tensor) -> dict[str, Tensor]:
        """The loss of a training step, "total", and its terms by name.

        Args:
            batch: the clean images and what is known of them.
            moved: the attacked images.
        """
        self._check(batch)
        return self.method.loss(self.parts, batch, moved)

    def step(self, batch: TuningBatch, *, seed: int, step: int) -> dict[str, Tensor]:
        """The attack and the loss of one training step.

        Args:
            batch: see `TuningBatch`.
            seed: of the random starts.
            step: of the training, for messages.

        Raises:
            NumericsError: a loss is not finite; names the step and the layer.
        """
        batch = self.complete(batch)

        def again(image: Tensor = batch.image) -> Tensor:
            return self.parts.encoder.embed(image)

        try:
            moved = self.attack(batch, seed=seed)
        except WeightsError as error:
            raise not_finite("the inner attack's loss", step, self._module, again) from error
        if not bool(torch.isfinite(moved).all()):
            raise not_finite("the inner attack's gradient", step, self._module, again)
        losses = self.loss(batch, moved)
        check_losses(losses, step, self._module, lambda: again(torch.cat([batch.image, moved])))
        return losses

    def learn(self, losses: dict[str, Tensor]) -> None:
        """What the method learns beside the encoder; to be called after the encoder's update.

        Args:
            losses: of this step.
        """
        if self.parts.companion is not None:
            self.parts.companion.learn(losses)

    def state_dict(self) -> dict[str, Any]:
        """What the method learned beside the encoder, for a checkpoint."""
        return {} if self.parts.companion is None else dict(self.parts.companion.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        if self.parts.companion is not None:
            self.parts.companion.load_state_dict(state)

    def _check(self, batch: TuningBatch) -> None:
        """Refuse labels that are no rows of the texts: on a device they would stop the whole process."""
        labels, texts = batch.labels, self.parts.texts
        count = len(batch.image)
        for name, value in (("labels", labels), ("captions", batch.captions), ("reference", batch.reference)):
            if value is not None and len(value) != count:
                raise UsageError(f"a batch of {count} images has {len(value)} {name}; pass one for each image")
        if labels is None or texts is None or not count:
            return
        low, high = labels.min().item(), labels.max().item()
        if low < 0 or high >= len(texts):
            raise UsageError(f"labels go from {low} to {high}, but there are texts for {len(texts)} classes, from 0 on")
