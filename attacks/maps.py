"""The problem of a model that predicts one map: leave the truth, show nothing, or show another map."""

from typing import Literal, Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks.partial import Forward, OnModel, staged, whole
from rgbdsod.attacks.pixels import Pixels, Reference
from rgbdsod.attacks.success import parse_success
from rgbdsod.attacks.table import MAP_OBJECTIVES
from rgbdsod.attacks.turning import easiest, turning_point
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs, MapModel

Goal = Literal["untargeted", "hide", "paint"]
_SUCCESS = {"untargeted": "iou<0.5", "hide": "iou<0.5", "paint": "target-iou>=0.5"}


class MapProblem(OnModel):
    """A model with one logit per pixel, its ground truth and what the attack wants.

    Args:
        model: a `MapModel`, or any callable that takes the mapping of inputs and returns logits (B,1,H,W).
        masks: ground truth (B,1,H,W) in [0, 1]; binary at 0.5 where an objective needs it.
        objective: a name of `rgbdsod.attacks.table.MAP_OBJECTIVES`.
        goal: "untargeted" moves away from the truth, "hide" towards an empty map, "paint" towards `target`.
        target: the map to paint, (B,1,H,W) in [0, 1].
        success: when a sample counts as fooled, for example "iou<0.5"; None: that, or "target-iou>=0.5" for paint.
        valid: pixels that count, bool (B,1,H,W); None: all.
        flatten: hide only: weight of minus the standard deviation of the logits. A dark map that still has the object's
            shape is restored by evaluations that stretch each map to [0, 1]; a flat one is not.
        inputs: names of a plain callable's inputs.
        modules: what to hold in eval mode where the callable is not itself a module.

    Raises:
        UsageError: unknown objective, goal or success rule; a target missing, or given without "paint"; masks of
            another shape or range.
    """

    kind = "maps"

    def __init__(
        self,
        model: MapModel | Forward,
        masks: Tensor,
        *,
        objective: str = "bce",
        goal: Goal = "untargeted",
        target: Tensor | None = None,
        success: str | None = None,
        valid: Tensor | None = None,
        flatten: float = 0.0,
        inputs: tuple[str, ...] | None = None,
        modules: tuple[nn.Module, ...] | None = None,
    ) -> None:
        if goal not in _SUCCESS:
            raise UsageError(f'no goal "{goal}"; goals are {", ".join(_SUCCESS)}')
        if (goal == "paint") != (target is not None):
            raise UsageError(f'goal "{goal}" {"needs" if goal == "paint" else "takes no"} target map')
        _check_map("masks", masks)
        row = MAP_OBJECTIVES[objective]
        self._objective, self._ranking = row.load(), MAP_OBJECTIVES[row.track].load() if row.track else None
        self._success = parse_success(success or _SUCCESS[goal])
        self._toward, self._flatten, self._valid = goal != "untargeted", flatten, valid
        aim = masks if goal == "untargeted" else torch.zeros_like(masks) if target is None else target
        _check_map("target", aim, masks)
        self._truth, self._aim = Reference.of(masks), Reference.of(aim)
        size = (masks.shape[-2], masks.shape[-1])
        super().__init__(staged(model, size) if isinstance(model, MapModel) else whole(model, inputs, modules))

    def forward(self, inputs: Inputs) -> Tensor:
        """Logits (B,1,H,W), at least float32.

        Raises:
            UsageError: the model returned something else.
        """
        logits = self._model(inputs)
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if found != tuple(self._truth.soft.shape):
            raise UsageError(
                f"{self.name} returned {found}, expected logits of the masks' shape {tuple(self._truth.soft.shape)}"
            )
        full: Tensor = logits if logits.dtype == torch.float64 else logits.float()
        return full

    def loss(self, outputs: Tensor, progress: float = 0.0) -> Tensor:
        """The objective, away from the truth or towards the target, (B,)."""
        loss: Tensor = self._signed(self._objective(self._beside(self._aim, outputs, self._toward, progress)))
        return loss - self._flatten * outputs.flatten(1).std(1) if self._flatten else loss

    def track(self, outputs: Tensor) -> Tensor | None:
        """The ranking objective where the raised one cannot rank, (B,)."""
        if self._ranking is None:
            return None
        return self._signed(self._ranking(self._beside(self._aim, outputs, self._toward)))

    def fooled(self, outputs: Tensor) -> Tensor:
        """Whether the success rule holds, bool (B,)."""
        return self._success(self._beside(self._aim if self._success.on_target else self._truth, outputs))

    def margins(self, outputs: Tensor) -> Tensor:
        """Each pixel's signed logit (B, H*W): positive while it shows the truth (or does not yet show the target).

        A pixel that does not count is -1: there is nothing left to turn.
        """
        beside = self._beside(self._aim, outputs)
        signed = self._signed(beside.margin)
        return (signed if beside.valid is None else torch.where(beside.valid > 0, signed, -1.0)).flatten(1)

    def exits(self, outputs: Tensor) -> Tensor:
        """One: what the pixels lack that the success rule still needs, (B,1)."""
        return turning_point(*self._stakes(outputs))[:, None]

    def demands(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """What each pixel lacks, and each one's share (B, H*W) of what the success rule needs: the easiest pixels."""
        margin, weight, need = self._stakes(outputs)
        return margin, easiest(margin, weight, need)

    def sides(self, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Minus the margins of the pixels still to turn, and those that the goal leaves alone, if it names any."""
        beside = self._beside(self._aim, outputs, self._toward)
        left = self._signed(beside.margin)  # positive where there is work
        if not self._toward:
            return -beside.total(left * beside.unturned), None
        stay = (self._aim.positive == self._truth.positive).to(left)
        return -beside.total(left * beside.unturned * (1 - stay)), beside.total(left * stay)

    @property
    def objects(self) -> Tensor:
        """Where the truth shows objects, bool (B,1,H,W)."""
        return self._truth.positive

    def beside(self, hidden: Tensor) -> Self:
        """The problem with some pixels that do not count, bool (B,1,H,W): those under a patch."""
        return self._with(_valid=~hidden if self._valid is None else self._valid.to(hidden.device) & ~hidden)

    def raising(self, objective: str) -> Self:
        """The problem with another objective."""
        row = MAP_OBJECTIVES[objective]
        return self._with(_objective=row.load(), _ranking=MAP_OBJECTIVES[row.track].load() if row.track else None)

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        return self._rows(index, "_truth", "_aim", "_valid")

    def _stakes(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Margins (B, H*W), positive while there is work left; their weights; and the sum at which the rule holds."""
        beside = self._beside(self._aim if self._success.on_target else self._truth, outputs)
        toward, weight, need = self._success.stakes(beside)
        if self._toward and not self._success.on_target:  # pixels that the goal does not move cannot help
            weight = weight * (self._aim.positive != self._truth.positive).flatten(1).to(weight)
        margin = -beside.margin if toward else beside.margin
        return margin.flatten(1), weight, need

    def _signed(self, value: Tensor) -> Tensor:
        """Raised away from the truth, lowered towards a target."""
        return -value if self._toward else value

    def _beside(self, reference: Reference, logits: Tensor, toward: bool = False, progress: float = 0.0) -> Pixels:
        valid = None if self._valid is None else self._valid.to(logits)
        return Pixels(logits, reference.like(logits), valid, toward, progress)


def _check_map(name: str, value: Tensor, like: Tensor | None = None) -> None:
    """Refuse what is not a batch of maps in [0, 1]."""
    if value.ndim != 4 or value.shape[1] != 1 or (like is not None and value.shape != like.shape):
        wanted = "(B,1,H,W)" if like is None else str(tuple(like.shape))
        raise UsageError(f"{name} of shape {tuple(value.shape)}; pass {wanted}")
    if not bool(((value >= 0) & (value <= 1)).all()):
        raise UsageError(f"{name} has values from {value.min():.3g} to {value.max():.3g}; pass maps in [0, 1]")
