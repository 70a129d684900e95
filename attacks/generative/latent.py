"""A small generator of RGB-D images with its inverter: latents in, images out, and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from rgbdsod.attacks.generative.files import fill, read, scope_of, write
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs

SIDE = 64
"""Height and width of the images that are drawn."""

_SMALL = 4  # side at which drawing begins and inverting ends


@dataclass(frozen=True)
class LatentScope:
    """What a latent generator draws.

    Args:
        channels: of the inputs, by name.
        latent: numbers in a latent.
        width: channels at half size; they double at each further halving.
        seed: of the first weights.
        origin: what it was trained on, and how well it reconstructs, for the record.
    """

    channels: Mapping[str, int]
    latent: int = 32
    width: int = 12
    seed: int = 0
    origin: Mapping[str, Any] = field(default_factory=dict)


class LatentGenerator:
    """A generator G and an inverter I of 64x64 images. Training is `train_latent`.

    Args:
        scope: what it draws.
    """

    def __init__(self, scope: LatentScope) -> None:
        self.scope = scope
        channels = sum(scope.channels.values())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(scope.seed)
            self.networks = nn.ModuleDict(
                {
                    "generator": _Decoder(scope.latent, channels, scope.width),
                    "inverter": encoder(channels, scope.latent, scope.width),
                }
            )

    def to(self, device: torch.device) -> Self:
        """The generator, moved to a device."""
        self.networks.to(device)
        return self

    def draw(self, latents: Tensor) -> Tensor:
        """G: images (B,C,64,64) in [0, 1] of latents (B,D), all inputs' channels one after the other."""
        image: Tensor = self.networks["generator"](latents)
        return image

    def invert(self, image: Tensor) -> Tensor:
        """I: latents (B,D) of images (B,C,64,64)."""
        latents: Tensor = self.networks["inverter"](2 * image - 1)
        return latents

    def latents(self, inputs: Inputs) -> Tensor:
        """Latents (B,D) of inputs of any size.

        Raises:
            UsageError: inputs that the generator does not know.
        """
        return self.invert(self.image(inputs))

    def image(self, inputs: Inputs) -> Tensor:
        """Inputs at the generator's size, all channels one after the other (B,C,64,64).

        Raises:
            UsageError: inputs that the generator does not know.
        """
        for name, channels in self.scope.channels.items():
            if name not in inputs or inputs[name].ndim != 4 or inputs[name].shape[1] != channels:
                wanted = ", ".join(f"{key} (B,{count},H,W)" for key, count in self.scope.channels.items())
                found = ", ".join(f"{key} {tuple(value.shape)}" for key, value in inputs.items())
                raise UsageError(f"generator natural draws {wanted}, got {found}; train another")
        parts = [
            interpolate(inputs[name].float(), (SIDE, SIDE), mode="bilinear", antialias=True)
            for name in self.scope.channels
        ]
        return torch.cat(parts, 1)

    def split(self, image: Tensor, like: Inputs) -> dict[str, Tensor]:
        """A drawn image (B,C,64,64) as inputs of the size and type of others, by their names."""
        parts = dict(zip(self.scope.channels, torch.split(image, list(self.scope.channels.values()), 1), strict=True))
        return {
            name: interpolate(parts[name], value.shape[-2:], mode="bilinear", antialias=True).to(value)
            for name, value in like.items()
        }

    def save(self, path: str | Path) -> None:
        """Write both networks and the scope to one .safetensors file, in one step.

        Raises:
            WeightsError: the file cannot be written.
        """
        write(Path(path), self.networks, {"family": "latent", **asdict(self.scope)})

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """A generator from its file, or the built-in one: "natural".

        Raises:
            WeightsError: the file is missing, damaged, or no latent generator.
        """
        state, about = read(source, "latent")
        loaded = cls(scope_of(LatentScope, about, source))
        fill(loaded.networks, state, source)
        loaded.networks.requires_grad_(False)
        return loaded


def encoder(channels_in: int, values_out: int, width: int) -> nn.Sequential:
    """Four halvings, 64x64 to 4x4, and a linear layer: inverter and critic.

    Without batch norm, which a critic with a gradient penalty cannot have and an image's own latent must not.
    """
    layers: list[nn.Module] = []
    inner = channels_in
    for outer in (width, 2 * width, 4 * width, 8 * width):
        layers += [nn.Conv2d(inner, outer, 4, 2, 1), nn.LeakyReLU(0.2)]
        inner = outer
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inner * _SMALL**2, values_out))


class _Decoder(nn.Module):
    """A linear layer to 4x4, and four doublings."""

    def __init__(self, latent: int, channels_out: int, width: int) -> None:
        super().__init__()
        inner = 8 * width
        self.enter = nn.Linear(latent, inner * _SMALL**2)
        layers: list[nn.Module] = []
        for outer in (4 * width, 2 * width, width):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(inner, outer, 3, padding=1), nn.LeakyReLU(0.2)]
            inner = outer
        last = [nn.Upsample(scale_factor=2), nn.Conv2d(inner, channels_out, 3, padding=1), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers, *last)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, latent) in, (B, channels_out, 64, 64) out, in [0, 1]."""
        start = self.enter(latents).unflatten(1, (-1, _SMALL, _SMALL))
        image: Tensor = self.layers(start)
        return image
