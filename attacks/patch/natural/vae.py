"""Training of the network that draws natural-looking patches: the decoder of a variational autoencoder."""

from dataclasses import dataclass

import torch
from kornia.losses import ssim_loss
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, l1_loss

from rgbdsod.attacks.door import check_counts
from rgbdsod.attacks.generative.files import settle
from rgbdsod.attacks.patch.natural.drawer import NUMBERS, SIDE, Drawer
from rgbdsod.errors import RgbdsodError, UsageError
from rgbdsod.types import Callback

_RATE = 2e-3
_STRUCTURE, _PRIOR = 0.1, 1e-3  # weights of the structural and of the Kullback-Leibler term
_SCALES, _WINDOW = 3, 5
_LEAST = 1e-4  # variance of an aggregate direction, which keeps its root real
_CHUNK = 256


@dataclass(frozen=True)
class VaeRecipe:
    """How long it is trained.

    Args:
        steps: of training.
        batch: crops in each.
        seed: of first weights, order and noise.
    """

    steps: int = 2000
    batch: int = 32
    seed: int = 0


class Encoder(nn.Module):
    """Mean and log-variance (B,64) of the latent vectors of crops (B,3,64,64)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for after in (24, 48, 64, 96):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.SiLU()]
            before = after
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * 4 * 4, 2 * NUMBERS))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Both."""
        mean, spread = self.layers(2 * crops - 1).chunk(2, 1)
        return mean, spread.clamp(-10, 4)


def train_drawer(crops: Tensor, recipe: VaeRecipe | None = None, callback: Callback | None = None) -> Drawer:
    """Train an autoencoder on crops and keep its decoder, which then draws from standard normal vectors.

    The vectors of crops are not standard normal after training, whatever the Kullback-Leibler term wants. A Gaussian is
    fitted to them, and the decoder's first layer takes it in: what is drawn is drawn from that Gaussian.

    Args:
        crops: (N,3,64,64) in [0, 1].
        recipe: how long; None: as the built-in weights.
        callback: called with (steps done, steps in all).

    Raises:
        UsageError: crops of another shape, or fewer than a batch.

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv 1312.6114; the Gaussian after training is that
    of Ghosh et al., "From Variational to Deterministic Autoencoders", arXiv 1903.12436, section 4.
    """
    recipe = recipe or VaeRecipe()
    check_counts(steps=recipe.steps, batch=recipe.batch)
    if crops.ndim != 4 or tuple(crops.shape[1:]) != (3, SIDE, SIDE) or len(crops) < recipe.batch:
        raise UsageError(f"crops of shape {tuple(crops.shape)}; pass (N,3,{SIDE},{SIDE}), at least {recipe.batch}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        encoder, drawer = Encoder(), Drawer()
    numbers = torch.Generator().manual_seed(recipe.seed)
    weights = [*encoder.parameters(), *drawer.parameters()]
    optimiser = torch.optim.Adam(weights, _RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=recipe.steps)
    for step in range(recipe.steps):
        chosen = crops[torch.randint(len(crops), (recipe.batch,), generator=numbers)]
        flips = torch.rand(recipe.batch, 1, 1, 1, generator=numbers) < 0.5
        loss = _loss(encoder, drawer, torch.where(flips, chosen.flip(3), chosen), numbers)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if callback is not None:
            callback(step + 1, recipe.steps)
    if not all(bool(torch.isfinite(weight).all()) for weight in weights):
        raise RgbdsodError("the generator's training broke down; try another seed")
    _aggregate(encoder, drawer, crops)
    settle(drawer)
    return drawer.requires_grad_(False).eval()


def _loss(encoder: Encoder, drawer: Drawer, crops: Tensor, numbers: torch.Generator) -> Tensor:
    """What a crop and its reconstruction differ by, and how far its vector's distribution is from the standard one."""
    mean, spread = encoder(crops)
    vectors = mean + (spread / 2).exp() * torch.randn(mean.shape, generator=numbers).to(mean)
    drawn = drawer(vectors)
    prior = (mean.square() + spread.exp() - 1 - spread).mean() / 2
    loss: Tensor = l1_loss(drawn, crops) + _STRUCTURE * _dissimilarity(drawn, crops) + _PRIOR * prior
    return loss


def _dissimilarity(one: Tensor, other: Tensor) -> Tensor:
    """Half of what the structural similarity lacks to 1, the mean of three scales."""
    found = []
    for scale in range(_SCALES):
        found.append(ssim_loss(one, other, _WINDOW))
        if scale + 1 < _SCALES:
            one, other = avg_pool2d(one, 2), avg_pool2d(other, 2)
    return torch.stack(found).mean()


@torch.no_grad()
def _aggregate(encoder: Encoder, drawer: Drawer, crops: Tensor) -> None:
    """Let the drawer take in the Gaussian of all crops' vectors."""
    found = [encoder(crops[at : at + _CHUNK]) for at in range(0, len(crops), _CHUNK)]
    means, spreads = (torch.cat(own) for own in zip(*found, strict=True))
    covariance = torch.cov(means.T) + torch.diag(spreads.exp().mean(0)) + _LEAST * torch.eye(NUMBERS)
    drawer.recentre(means.mean(0), covariance)
