"""How far one input may move, where, and on which grid."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from torch import Tensor

from rgbdsod.errors import UsageError

Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[str, ...] = get_args(Norm)


@dataclass(frozen=True, eq=False)
class Budget:
    """The threat model of one input, whose values lie in [0, 1].

    Args:
        norm: "linf", "l2", "l1" or "l0"; the size of a change is measured per sample.
        eps: the radius. Linf, L2, L1: in units of the [0, 1] input; L0: the number of positions that may change. Other
            norms than Linf take `math.inf`: no bound, for attacks that look for the smallest change. A
            tensor gives a radius per sample (B,1,1,1) or, for Linf, per pixel (anything that broadcasts to the input).
        mask: 1 where the input may change and 0 where it may not; broadcasts to the input. None: everywhere.
        levels: highest code of the grid that the input is saved on: 255 (8 bit) or 65535 (16 bit). The result of an
            attack then lies on that grid. None: no rounding.
        exact: L2 only: project to the nearest point of ball and box together. False: scale to the ball, then clip,
            which is as feasible and quicker, and what the papers do.
        unit: L0 only: whether a position is a "pixel" (all its channels) or a single "value".

    Raises:
        UsageError: unknown norm or unit, eps outside its range, a mask with other values than 0 and 1, levels 256.
    """

    norm: str = "linf"
    eps: float | Tensor = 8 / 255
    mask: Tensor | None = None
    levels: int | None = None
    exact: bool = False
    unit: Literal["pixel", "value"] = "pixel"

    def __post_init__(self) -> None:
        check_eps(self.eps, self.norm)
        if self.unit not in ("pixel", "value"):
            raise UsageError(f'no unit "{self.unit}" for l0; pass "pixel" or "value"')
        if self.mask is not None and not bool(((self.mask == 0) | (self.mask == 1)).all()):
            raise UsageError("a budget's mask has values other than 0 and 1; pass 1 where the input may change")
        if self.levels is not None and (self.levels < 1 or self.levels in (256, 65536)):
            raise UsageError(f"levels {self.levels}: pass the highest code, 255 for 8 bit or 65535 for 16 bit")

    @property
    def empty(self) -> bool:
        """Whether the radius is 0 for every sample, so that the input cannot change."""
        return not isinstance(self.eps, Tensor) and self.eps == 0

    def select(self, index: Tensor) -> "Budget":
        """The same budget for some of the samples (by index along the batch)."""

        def take(value: Tensor) -> Tensor:
            return value[index] if value.ndim > 0 and value.shape[0] > 1 else value

        return replace(
            self,
            eps=take(self.eps) if isinstance(self.eps, Tensor) else self.eps,
            mask=None if self.mask is None else take(self.mask),
        )


def check_eps(eps: float | Tensor, norm: str = "linf", flag: str = "--eps") -> None:
    """Refuse a radius that cannot be meant.

    Args:
        eps: the radius, a number or a tensor of radii.
        norm: the norm it belongs to.
        flag: what the user typed, for the message.

    Raises:
        UsageError: unknown norm; NaN, negative, above 1 for Linf (most often a radius in grey levels), a fractional
            number of positions for L0, or radii per pixel for another norm than Linf.
    """
    if norm not in NORMS:
        raise UsageError(f'no norm "{norm}"; norms are {", ".join(NORMS)}')
    if isinstance(eps, Tensor):
        if norm != "linf" and eps.numel() != (len(eps) if eps.ndim else 1):
            raise UsageError(
                f"a radius per pixel goes with norm linf, not {norm}; pass one radius per sample (B,1,1,1)"
            )
        for value in (eps.min().item(), eps.max().item()):
            check_eps(float(value), norm, flag)
        return
    if math.isnan(eps) or eps < 0:
        raise UsageError(f"{flag} {eps:g} is not a radius; pass 0 or more, for example 8/255")
    if norm == "linf" and eps > 1:
        hint = f"did you mean {eps:g}/255?" if eps <= 255 else "pass a fraction such as 8/255"
        raise UsageError(f"{flag} {eps:g} is larger than the whole range [0, 1]; {hint}")
    if norm == "l0" and math.isfinite(eps) and eps != int(eps):
        raise UsageError(f"{flag} {eps:g} with norm l0 counts positions; pass a whole number, for example 100")


Threat = Mapping[str, Budget]
"""The attacked inputs and their budgets; an input that is not named is untouched."""
