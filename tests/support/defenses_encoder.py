"""A tiny image encoder with patches, and a count of the passes through it."""

import torch
from torch import Tensor, nn

SIDE, GRID, WIDTH, CLASSES = 8, (2, 2), 6, 5


class TinyEncoder(nn.Module):
    """A class token and four patches through one attention block; smooth, so that gradients are easy to check."""

    name, grid, width, scale, has_tokens, has_attention = "tiny", GRID, WIDTH, 10.0, True, True

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.patch = nn.Conv2d(3, 8, SIDE // 2, SIDE // 2)
            self.token = nn.Parameter(torch.randn(8))
            self.before = nn.LayerNorm(8)
            self.keys = nn.Linear(8, 8)
            self.mix = nn.Linear(8, 8)
            self.after = nn.LayerNorm(8)
            self.project = nn.Linear(8, WIDTH, bias=False)

    def embed(self, image: Tensor) -> Tensor:
        return self._run(image)[0]

    def embed_tokens(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self._run(image)[:2]

    def embed_attention(self, image: Tensor) -> tuple[Tensor, Tensor]:
        embedding, _, weights, _ = self._run(image)
        return embedding, weights[:, None, 0, 1:]

    def embed_activations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        embedding, _, _, activations = self._run(image)
        return embedding, activations

    def _run(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        inner = self.before(self.patch(image - 0.5).flatten(2).transpose(1, 2))
        tokens = torch.cat([self.before(self.token).expand(len(image), 1, -1), inner], 1)
        weights = (self.keys(tokens) @ tokens.transpose(1, 2)).softmax(2)
        out = self.project(self.after(tokens + torch.tanh(self.mix(weights @ tokens))))
        return out[:, 0], out[:, 1:], weights, inner


class NoTokens(TinyEncoder):
    """The same without patch tokens."""

    name, has_tokens, has_attention = "blind", False, False


class Passes:
    """Passes through an encoder, in batches: forward, back to the weights, back to the images alone.

    A pass over twice the batch counts twice.
    """

    def __init__(self, encoder: TinyEncoder, batch: int) -> None:
        self.forward, self.to_weights, self.to_images = 0.0, 0.0, 0.0
        self._encoder, self._batch = encoder, batch
        encoder.after.register_forward_hook(self._seen)

    def _seen(self, _: nn.Module, __: tuple[Tensor], out: Tensor) -> None:
        share = len(out) / self._batch
        self.forward += share
        if out.requires_grad:
            out.register_hook(lambda _: self._back(share))

    def _back(self, share: float) -> None:
        if any(weight.requires_grad for weight in self._encoder.parameters()):
            self.to_weights += share
        else:
            self.to_images += share

    @property
    def counts(self) -> tuple[float, float, float]:
        return self.forward, self.to_weights, self.to_images


def texts(count: int = CLASSES, seed: int = 1) -> Tensor:
    return nn.functional.normalize(torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed)))


def images(count: int = 4, seed: int = 2) -> Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
