"""The attack inside a training step, as settings. No torch here."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from rgbdsod.defenses.zero_shot.settings import check_choice
from rgbdsod.errors import UsageError

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class InnerAttack:
    """Projected gradient steps on the images of a batch, run by `rgbdsod.attacks.pgd`.

    Args:
        eps: the radius, in units of the [0, 1] image.
        steps: how many; each is a forward pass and a backward pass to the images.
        step_size: of one step; None: the norm's own.
        norm: of the radius.
        random_start: begin at a random point of the ball.
        precision: what the encoder computes in under autocast.
        loss_scale: what the loss is multiplied with before each backward pass, beside the core's own factor of 1024 in
            float16; there it must be given, as the trainer's gradient scaler has it, or 1.

    Raises:
        UsageError: float16 without a scale; no steps.
    """

    eps: float = 1 / 255
    steps: int = 2
    step_size: float | None = 1 / 255
    norm: str = "linf"
    random_start: bool = True
    precision: Precision = "float32"
    loss_scale: float | None = None

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, Precision)
        if self.steps < 1:
            raise UsageError(f"an inner attack of {self.steps} steps does nothing; pass 1 or more")
        if self.precision == "float16" and self.loss_scale is None:
            raise UsageError(
                "an inner attack in float16 without loss scaling loses pixel gradients to underflow and lets the model "
                "look robust; pass loss_scale= as well, or precision bfloat16 or float32"
            )
        if self.loss_scale is not None and not 0 < self.loss_scale < float("inf"):
            raise UsageError(f"loss_scale {self.loss_scale:g} scales nothing; pass a number above 0, such as 1024")

    def at(self, eps: float) -> Self:
        """The same attack at another radius, its step in proportion."""
        share = eps / self.eps if self.eps else 1.0
        return replace(self, eps=eps, step_size=None if self.step_size is None else self.step_size * share)

    @classmethod
    def fgsm(cls, eps: float) -> Self:
        """One step of the whole radius from the clean image."""
        return cls(eps=eps, steps=1, step_size=eps, random_start=False)
