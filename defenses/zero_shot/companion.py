"""What `fare-bimodal` learns beside the encoder: how much each modality counts, and a discriminator."""

from collections.abc import Mapping
from math import isnan
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rgbdsod.defenses.zero_shot.discriminator import Discriminator

Balancer = Literal["ratio", "ascent", "fixed"]
"""More weight on the modality that is worse; the weight that makes the loss highest; always the same."""

LEAST, MOST = 0.1, 0.9
"""Where a weight that adapts stays."""


class Companion(nn.Module):
    """The share alpha of the attacked image in the alignment loss, and the discriminator with its optimiser.

    Args:
        balancer: how alpha is found.
        alpha: its value with "fixed", and before the first step.
        memory: share of the running means that stays in a step, with "ratio".
        ascent: rate of the gradient ascent, with "ascent".
        width: D, of the features; None: no discriminator.
        rate: the discriminator's learning rate.
        seed: of the discriminator's first weights.
    """

    means: Tensor
    raised: Tensor

    def __init__(
        self,
        balancer: Balancer = "ratio",
        *,
        alpha: float = 0.5,
        memory: float = 0.99,
        ascent: float = 1e-3,
        width: int | None = None,
        rate: float = 1e-4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.balancer, self.start, self.memory, self.ascent = balancer, alpha, memory, ascent
        self.register_buffer("means", torch.full((2,), torch.nan))
        self.register_buffer("raised", torch.tensor(alpha).logit())
        self.discriminator: Discriminator | None = None
        self.optimizer: torch.optim.Optimizer | None = None
        if width is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.discriminator = Discriminator(width)
            self.optimizer = torch.optim.AdamW(self.discriminator.parameters(), lr=rate)

    @property
    def alpha(self) -> float:
        """Share of the attacked image; the attacked text has the rest."""
        if self.balancer == "fixed":
            return self.start
        if self.balancer == "ascent":
            return min(max(float(self.raised.sigmoid()), LEAST), MOST)
        image, text = (float(mean) for mean in self.means)
        if isnan(image) or image + text <= 0:  # before the first step
            return self.start
        return min(max(image / (image + text), LEAST), MOST)

    def learn(self, losses: Mapping[str, Tensor]) -> None:
        """Follow a step of the training.

        Args:
            losses: of `FareBimodal.loss`: "image" and "text" move alpha, "discriminator" the discriminator.
        """
        if self.balancer != "fixed" and "text" in losses:
            self._rebalance(torch.stack([losses["image"], losses["text"]]).detach().to(self.means))
        if self.optimizer is not None:
            self.optimizer.zero_grad(set_to_none=True)
            losses["discriminator"].backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    @torch.no_grad()
    def _rebalance(self, now: Tensor) -> None:
        if self.balancer == "ratio":
            self.means.copy_(torch.where(self.means.isnan(), now, self.memory * self.means + (1 - self.memory) * now))
            return
        slope = self.raised.sigmoid() * (1 - self.raised.sigmoid())
        bounds = torch.tensor([LEAST, MOST]).logit().tolist()
        self.raised.add_(self.ascent * (now[0] - now[1]) * slope).clamp_(*bounds)

    def get_extra_state(self) -> dict[str, Any]:
        """The optimiser's state, so that a training continues exactly."""
        return {} if self.optimizer is None else dict(self.optimizer.state_dict())

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take it back."""
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state)
