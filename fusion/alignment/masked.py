"""Guided masked modelling: the most attended patches of one input are rebuilt from the rest and the other input."""

from collections.abc import Callable, Mapping
from math import ceil

import torch
from torch import Tensor, nn

from rgbdsod.errors import UsageError
from rgbdsod.fusion.alignment.cross import CrossBlock, CrossEncoder, nearness, place_codes
from rgbdsod.fusion.alignment.precision import Result, full_precision

Encode = Callable[[str, Tensor], Tensor]
"""(input name, input (B,C,H,W) in [0, 1]) -> its features (B,c,h,w), from that input alone."""

RANDOM_AT_FIRST = 0.1
"""Share of a training in which all masks are random, since attention means nothing yet."""

GUIDED = 0.5
"""Share of the images whose mask follows attention after that."""


class MaskedModelling(nn.Module):
    """Hides patches of an input, encodes what is left, and rebuilds them.

    Args:
        cross: whose attention says which patches matter; it may be shared with other losses.
        channels: of the inputs, by name: {"rgb": 3, "depth": 1}.
        patch: side of a patch in pixels: the stride of the features.
        ratio: share of the patches that is hidden, in (0, 1).
        layers: of the decoder.

    Raises:
        UsageError: ratio is out of range.

    Source:
        Lin et al., ContextBLIP, arXiv 2405.19226, section 3 (attention chooses the patches), with depth in the place
        of text.
    """

    def __init__(
        self,
        cross: CrossEncoder,
        channels: Mapping[str, int],
        *,
        patch: int = 16,
        ratio: float = 0.25,
        layers: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        if not 0 < ratio < 1:
            raise UsageError(f"ratio {ratio:g}: a share of the patches between 0 and 1, such as 0.25")
        self.cross, self.patch, self.ratio, self.decoder_heads = cross, patch, ratio, heads
        self.fill = nn.ParameterDict({name: nn.Parameter(torch.full((c,), 0.5)) for name, c in channels.items()})
        self.token = nn.Parameter(torch.zeros(cross.width))
        self.blocks = nn.ModuleList(CrossBlock(cross.width, heads) for _ in range(layers))
        self.heads = nn.ModuleDict({name: nn.Linear(cross.width, c * patch**2) for name, c in channels.items()})

    @torch.no_grad()
    def choose(self, name: str, rgb: Tensor, depth: Tensor, progress: float, generator: torch.Generator) -> Tensor:
        """Which patches of an input are hidden.

        Args:
            name: "rgb" or "depth".
            rgb: features (B,C,h,w); depth: likewise.
            progress: share of the training that is done, in [0, 1].
            generator: on the CPU.

        Returns:
            (B,h*w) bool, the same number for each image.
        """
        other = {"rgb": depth, "depth": rgb}[name]
        mine = {"rgb": rgb, "depth": depth}[name]
        attention = self._attention(name, mine, other)
        guided = torch.rand(len(rgb), 1, generator=generator) < (GUIDED if progress >= RANDOM_AT_FIRST else 0.0)
        chance = torch.rand(attention.shape, generator=generator).to(attention)
        score = torch.where(guided.to(attention.device), attention, chance)
        chosen = torch.zeros_like(score, dtype=torch.bool)
        return chosen.scatter_(1, score.topk(self._hidden(score.shape[1]), dim=1).indices, True)

    def _attention(self, name: str, mine: Tensor, other: Tensor) -> Tensor:
        """How much the other input reads each place of this one, (B,h*w)."""
        asking = "depth" if name == "rgb" else "rgb"
        height, width = mine.shape[-2:]
        return self.cross.read(self.cross.tokens(asking, other), self.cross.tokens(name, mine), (height, width))[1]

    def _hidden(self, places: int) -> int:
        return min(places - 1, ceil(self.ratio * places)) if places > 1 else 1

    def hide(self, name: str, x: Tensor, chosen: Tensor) -> Tensor:
        """The input (B,C,H,W) with the chosen patches replaced by a learned colour, so that nothing shines through."""
        where = self._as_pixels(chosen, x)
        return torch.where(where, self.fill[name].to(x)[:, None, None], x)

    @full_precision
    def rebuild(self, name: str, hidden: Tensor, other: Tensor, chosen: Tensor) -> Tensor:
        """The input as it may have been.

        Args:
            name: which input was hidden.
            hidden: its features (B,C,h,w) after `hide`; other: those of the untouched other input.
            chosen: (B,h*w), from `choose`.

        Returns:
            (B,c,h*patch,w*patch); only hidden patches are meant.
        """
        asking = "depth" if name == "rgb" else "rgb"
        mine = torch.where(chosen[..., None], self._blank(name, hidden), self.cross.tokens(name, hidden))
        keys = torch.cat([mine, self.cross.tokens(asking, other)], 1)
        height, width = hidden.shape[-2:]
        near = nearness((height, width), self.decoder_heads, hidden)[:, 1:].repeat(1, 1, 2)
        for block in self.blocks:
            mine, _ = block(mine, keys, near)
        patches = self.heads[name](mine).transpose(1, 2)
        size = (height * self.patch, width * self.patch)
        return nn.functional.fold(patches, size, self.patch, stride=self.patch)

    def _blank(self, name: str, feature: Tensor) -> Tensor:
        """The learned token, which knows its place and its input but nothing of what was there."""
        height, width = feature.shape[-2:]
        codes = place_codes(height, width, self.cross.width, feature.device)
        blank: Tensor = self.token + self.cross.kind[name] + codes
        return blank.expand(len(feature), -1, -1)

    def forward(
        self,
        name: str,
        inputs: Mapping[str, Tensor],
        features: Mapping[str, Tensor],
        encode: Encode,
        generator: torch.Generator,
        progress: float = 1.0,
    ) -> Result:
        """Mean absolute error of the rebuilt values, over hidden patches alone.

        Args:
            name: which input is hidden.
            inputs: by name, (B,C,H,W) in [0, 1].
            features: of the untouched inputs, by name, (B,C,h,w).
            encode: computes the features of an input.
            generator: on the CPU; of the masks.
            progress: share of the training that is done.

        Returns:
            The loss; "error", the same for each direction's own name, and "baseline": the error of the images' means.
        """
        chosen = self.choose(name, features["rgb"], features["depth"], progress, generator)
        hidden = encode(name, self.hide(name, inputs[name], chosen))
        other = features["depth" if name == "rgb" else "rgb"]
        rebuilt = self.rebuild(name, hidden, other, chosen)
        return hidden_error(rebuilt, inputs[name], self._as_pixels(chosen, inputs[name]))

    def _as_pixels(self, chosen: Tensor, x: Tensor) -> Tensor:
        """Chosen patches (B,h*w) as pixels (B,1,H,W) of `x`."""
        height, width = (side // self.patch for side in x.shape[-2:])
        if (height * self.patch, width * self.patch) != tuple(x.shape[-2:]) or height * width != chosen.shape[1]:
            raise UsageError(
                f"inputs of {x.shape[-2]}x{x.shape[-1]} and {chosen.shape[1]} patches of {self.patch} pixels do not "
                f"fit; pass inputs whose sides are multiples of {self.patch}"
            )
        grid = chosen.view(-1, 1, height, width)
        return grid.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)


@full_precision
def hidden_error(rebuilt: Tensor, x: Tensor, where: Tensor) -> Result:
    """Mean absolute error over hidden pixels.

    Args:
        rebuilt: (B,C,H,W); x: what was there, in [0, 1].
        where: (B,1,H,W) bool, the hidden pixels.

    Returns:
        The error; "error", and "baseline", that of each image's mean over its visible pixels.
    """
    x = x.detach()
    share = where.expand_as(x).float()
    error = ((rebuilt - x).abs() * share).sum() / share.sum()
    with torch.no_grad():
        mean = (x * (1 - share)).sum((2, 3), keepdim=True) / (1 - share).sum((2, 3), keepdim=True).clamp(min=1)
        baseline = ((mean - x).abs() * share).sum() / share.sum()
    return error, {"error": error.detach(), "baseline": baseline}
