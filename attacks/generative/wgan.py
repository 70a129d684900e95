"""Training of a latent generator: a Wasserstein critic with a gradient penalty, and an inverter beside it."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.generative.files import settle
from rgbdsod.attacks.generative.latent import LatentGenerator, LatentScope, encoder
from rgbdsod.attacks.randomness import stream
from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.types import Callback, Inputs

_RATE = 2e-3
_BETAS = (0.5, 0.9)
_PENALTY = 10.0  # weight of the critic's gradient penalty
_REAL = 0.01  # weight of the critic's opinion
_IMAGES = 20.0  # weight of the reconstruction of images
_LATENTS = 0.1  # weight of the reconstruction of latents, the paper's lambda


def train_latent(
    batches: Iterable[Inputs], *, steps: int = 500, seed: int = 0, callback: Callback | None = None
) -> LatentGenerator:
    """Train a generator of images and its inverter: a step of the critic, then one of both networks.

    In the paper the inverter learns after the generator and leaves it alone. Here both learn the reconstruction: a
    generator as small and as briefly trained as this one draws few of the images that it is asked about otherwise.

    Args:
        batches: inputs (B,C,H,W) in [0, 1], one batch for each step; brought to 64x64.
        steps: how many.
        seed: of first weights and latents.
        callback: called with (steps done, steps in all).

    Raises:
        UsageError: fewer batches than steps.
        RgbdsodError: the training broke down.

    Source: Zhao et al., "Generating Natural Adversarial Examples", arXiv 1710.11342, equations 1 and 2; penalty:
    Gulrajani et al., arXiv 1704.00028, equation 3.
    """
    check_counts(steps=steps)
    training: _Training | None = None
    done = 0
    for done, inputs in enumerate(batches, 1):
        if training is None:
            training = _Training(inputs, steps, seed)
        training.step(inputs)
        if callback is not None:
            callback(done, steps)
        if done == steps:
            break
    if training is None or done < steps:
        raise UsageError(f"there were {done} batches for {steps} steps; pass one batch for each step")
    return training.result()


class _Training:
    """Generator, inverter and critic, with their optimizers."""

    def __init__(self, inputs: Inputs, steps: int, seed: int) -> None:
        device = next(iter(inputs.values())).device
        channels = {name: value.shape[1] for name, value in inputs.items()}
        self.model = LatentGenerator(LatentScope(channels, seed=seed)).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self.critic = encoder(sum(channels.values()), 1, self.model.scope.width).to(device)
        self.numbers = stream(seed, "latents")
        modules: list[nn.Module] = [self.critic, self.model.networks]
        self.optimizers = [torch.optim.Adam(module.parameters(), _RATE, _BETAS) for module in modules]
        self.schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, steps) for each in self.optimizers]

    def step(self, inputs: Inputs) -> None:
        """One batch."""
        with torch.no_grad():
            real = self.model.image(inputs)
        latents = torch.randn((len(real), self.model.scope.latent), generator=self.numbers).to(real)
        fake = self.model.draw(latents)
        _descend(self.optimizers[0], self._distance(real, fake.detach()))
        _descend(self.optimizers[1], self._both(real, latents, fake))
        for schedule in self.schedules:
            schedule.step()

    def result(self) -> LatentGenerator:
        """The trained networks, as their file would have them."""
        if not all(bool(torch.isfinite(weight).all()) for weight in self.model.networks.parameters()):
            raise RgbdsodError("the generator's training broke down; try another seed")
        settle(self.model.networks)
        self.model.networks.requires_grad_(False)
        return self.model

    def _distance(self, real: Tensor, fake: Tensor) -> Tensor:
        """Minus the critic's estimate of the distance, and the penalty for slopes other than 1 in between."""
        share = torch.rand((len(real), 1, 1, 1), generator=self.numbers).to(real)
        between = torch.lerp(real, fake, share).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        distance: Tensor = self.critic(fake).mean() - self.critic(real).mean() + _PENALTY * penalty
        return distance

    def _both(self, real: Tensor, latents: Tensor, fake: Tensor) -> Tensor:
        """Look real, bring images and latents back, and let the latents of images be spread as those drawn."""
        found = self.model.invert(real)
        images = mse_loss(self.model.draw(found), real)
        back = mse_loss(self.model.invert(fake), latents)
        spread = found.mean(0).square().mean() + (found.var(0) - 1).square().mean()
        loss: Tensor = _IMAGES * images + _LATENTS * (back + spread) - _REAL * self.critic(fake).mean()
        return loss


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
