"""What a zero-shot evaluation is asked to do, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from rgbdsod.attacks.budget import check_eps
from rgbdsod.clip.space import AttackSpace
from rgbdsod.errors import UsageError
from rgbdsod.run.clip.attacks import find_attack
from rgbdsod.run.clip.opening import BUILT_IN
from rgbdsod.run.clip.texts import Templates, checked_templates
from rgbdsod.run.modeling import check_dtype

Verdict = Literal["any", "last"]
"""Whether an image is broken once any point on the way is misclassified, or only by the last one."""

_USUAL = {True: 8 / 255, False: 1 / 255}
"""Radius by whether the model is the built-in one, whose images have few pixels and which is that much less fragile."""


@dataclass(frozen=True, kw_only=True)
class ZeroShotSettings:
    """Settings of an evaluation.

    Args:
        attacks: names of `ZERO_SHOT_ATTACKS`; none for clean accuracy alone.
        eps: Linf radii, in units of the [0, 1] input.
        eps_l2: the L2 radius within which a change counts; None: of the ball around the Linf ball of each eps.
        steps: of each attack; None: its own.
        verdict: see `Verdict`.
        as_released: PGD as in the released evaluations of TeCoA, PMG-AFT and TGA-ZSR: steps of eps, the last point
            alone counts, and images that are misclassified from the start are attacked too, so that a lucky flip counts
            as robust. Precision and summed losses stay ours.
        attack_space: "native" or "model", see `rgbdsod.clip.pixels`.
        templates: "fixed", "as-released" or "ensemble".
        dtype: what the encoder computes in during the attack; verdicts are float32 in any case.
        loss_scale: factor of the loss in float16.
        seed: with an image's id it decides its random starts.
        path: shares of the tuned weights between the original's and theirs; none: the tuned weights alone.
    """

    attacks: tuple[str, ...] = ("pgd", "aa-fast")
    eps: tuple[float, ...] = (8 / 255,)
    eps_l2: float | None = None
    steps: int | None = None
    verdict: Verdict = "any"
    as_released: bool = False
    attack_space: AttackSpace = "native"
    templates: Templates = "fixed"
    dtype: str = "float32"
    loss_scale: float | None = None
    seed: int = 0
    path: tuple[float, ...] = ()

    def checked(self) -> Self:
        """The same settings, in which nothing is wrong.

        Raises:
            UsageError: a name or a number that cannot be.
        """
        for name in self.attacks:
            find_attack(name)
        _refuse_twice("--attack", self.attacks)
        _refuse_twice("--eps", self.eps)
        _refuse_twice("--interpolate", self.path)
        if not self.eps:
            raise UsageError("--eps is empty; give at least one radius, for example 8/255")
        for eps in self.eps:
            check_eps(eps, "linf")
        if self.eps_l2 is not None:
            check_eps(self.eps_l2, "l2", "--eps-l2")
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"--steps {self.steps} attacks nothing; pass 1 or more")
        if self.verdict not in get_args(Verdict):
            raise UsageError(f'no verdict "{self.verdict}"; use {" or ".join(get_args(Verdict))}')
        if self.as_released and self.verdict != "last":
            raise UsageError("--as-released counts the last iterate alone; leave --verdict any out")
        if self.attack_space not in get_args(AttackSpace):
            raise UsageError(f'no attack space "{self.attack_space}"; use {" or ".join(get_args(AttackSpace))}')
        checked_templates(self.templates)
        self._check_precision()
        return replace(self)

    def _check_precision(self) -> None:
        """Half precision without a scaler invents robustness: small gradients become exactly 0."""
        check_dtype(self.dtype)
        if self.dtype == "float16" and self.loss_scale is None:
            raise UsageError(
                "--dtype float16 without a loss scale turns small gradients into 0 and invents robustness; "
                "use bfloat16, or pass --loss-scale 1024"
            )
        if self.loss_scale is not None and (self.dtype != "float16" or not 1 <= self.loss_scale <= 2**24):
            raise UsageError(
                f"--loss-scale {self.loss_scale:g}: it is for --dtype float16, from 1 to {2**24}; for example 1024"
            )

    def record(self) -> dict[str, Any]:
        """All that numbers depend on, in TOML's types, under the names of the flags."""
        own: dict[str, Any] = {
            "attack": ",".join(self.attacks),
            "eps": list(self.eps),
            "eps_l2": self.eps_l2,
            "steps": self.steps,
            "verdict": self.verdict if self.verdict != "any" else None,
            "as_released": self.as_released or None,
            "attack_space": self.attack_space,
            "templates": self.templates,
            "dtype": self.dtype,
            "loss_scale": self.loss_scale,
            "seed": self.seed,
            "interpolate": ",".join(f"{share:g}" for share in self.path) or None,
        }
        return {name: value for name, value in own.items() if value is not None}


def usual_eps(model: str) -> float:
    """The radius where none is given."""
    return _USUAL[model in BUILT_IN]


def _refuse_twice(flag: str, values: Sequence[str] | Sequence[float]) -> None:
    twice = next((value for value in values if list(values).count(value) > 1), None)
    if twice is not None:
        raise UsageError(f"{flag} names {twice} twice; name each once")
