"""The rows that every table of defences needs: nothing, the true mask, a mask elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from rgbdsod.attacks.randomness import stream
from rgbdsod.defenses.patch.fills import check_fill, fill
from rgbdsod.defenses.patch.purifier import Defence, Purified
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Undefended(Defence):
    """Nothing is changed and nothing seen."""

    name: ClassVar[str] = "none"

    def __call__(self, inputs: Inputs) -> Purified:
        """The inputs as they are."""
        first = next(iter(self.images(inputs).values()))
        return Purified(dict(inputs), torch.zeros_like(first[:, :1]), first.new_zeros(len(first)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Oracle(Defence):
    """The true mask, filled: the ceiling of whatever localises patches.

    With `on` the attacked modality alone it is the ceiling of what also knows which modality was attacked.

    Args:
        on: the inputs that are filled; None: all.
        fill: what replaces the masked pixels.
        mask: the true masks of a batch, (B,1,H,W); `given` sets them.

    Raises:
        UsageError: no such fill; called without masks, or with those of another batch.
    """

    fill: str = "inpaint"
    mask: Tensor | None = None

    name: ClassVar[str] = "oracle"

    def __post_init__(self) -> None:
        check_fill(self.fill)

    def given(self, mask: Tensor, ids: Sequence[str] = ()) -> Self:
        """The same defence for a batch with these masks; `ids` matter to the random mask alone."""
        return replace(self, mask=mask.float())

    def __call__(self, inputs: Inputs) -> Purified:
        """The filled batch; the score is the masked share."""
        images = self.images(inputs)
        if self.mask is None:
            raise UsageError(f"{self.name} needs the true masks of the batch; call .given(mask) first")
        mask = self.mask.to(next(iter(images.values())))
        filled = {key: fill(image, mask, self.fill) for key, image in images.items()}
        return Purified({**inputs, **filled}, mask, mask.flatten(1).mean(1))


@dataclass(frozen=True, eq=False, kw_only=True)
class RandomMask(Oracle):
    """As many pixels masked somewhere else: the price of masking alone.

    The true mask is shifted, around the borders, to a place that overlaps it least of 32 drawn ones.

    Args:
        on: the inputs that are filled; None: all.
        fill: what replaces the masked pixels.
        mask: the shifted masks; `given` sets them from the true ones.
        seed: of the shifts.
    """

    seed: int = 0

    name: ClassVar[str] = "random-mask"
    random: ClassVar[bool] = True
    draws: ClassVar[int] = 32

    def given(self, mask: Tensor, ids: Sequence[str] = ()) -> Self:
        """The same defence for a batch with these masks.

        Args:
            mask: the true ones, (B,1,H,W).
            ids: one per sample; a sample's shift depends on the seed and its id alone.

        Raises:
            UsageError: not one id per sample.
        """
        if len(ids) != len(mask):
            raise UsageError(f"{self.name} got {len(ids)} ids for {len(mask)} masks; pass ids=[...], one per sample")
        return replace(self, mask=torch.stack([self._elsewhere(*pair) for pair in zip(mask.float(), ids, strict=True)]))

    def _elsewhere(self, mask: Tensor, sample: str) -> Tensor:
        draws = torch.rand(self.draws, 2, generator=stream(self.seed, sample, self.name))
        shifts = (draws * torch.tensor(mask.shape[-2:])).int().tolist()
        moved = torch.stack([mask.roll((y, x), (1, 2)) for y, x in shifts])
        return moved[(moved * mask).flatten(1).sum(1).argmin()]
