"""What turns patches and crops into numbers: random convolutions, the built-in encoders, or the Inception of FID."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.metrics import Embedder
from rgbdsod.metrics.arrays import FloatArray
from rgbdsod.metrics.pictures import Pictures, pictures

EMBEDDERS = ("random", "clip-demo", "sal-demo", "inception")
_CHUNK = 64
_SALIENCY_SIDE = 64
_SMALLEST = 8


class Pooled:
    """A network that gives one vector for each picture.

    Args:
        name: what distances are printed as, after "FD-".
        network: pictures (B,3,h,w) in [0, 1] to vectors (B,D).
    """

    def __init__(self, name: str, network: Callable[[Tensor], Tensor]) -> None:
        self.name, self._network = name, network

    @torch.no_grad()
    def __call__(self, images: Pictures) -> FloatArray:
        """The numbers (N,D), float64.

        Raises:
            UsageError: no such images.
        """
        found = torch.from_numpy(pictures(images, _SMALLEST)).float().expand(-1, 3, -1, -1)
        parts = [self._network(found[at : at + _CHUNK]) for at in range(0, len(found), _CHUNK)]
        values: FloatArray = torch.cat(parts).double().cpu().numpy()
        return values


def open_embedder(name: str, weights: str | Path | None = None) -> Embedder | str:
    """The embedder of a name: "random" itself, which is three of them, or a network.

    Args:
        name: one of `EMBEDDERS`.
        weights: "inception" only: the file of the original weights.

    Raises:
        UsageError: no such name; weights for another; none for Inception.
        WeightsError: the file is not the original one.
    """
    if name not in EMBEDDERS:
        raise UsageError(f'--embedder "{name}": expected one of {", ".join(EMBEDDERS)}')
    if (name == "inception") != (weights is not None):
        wrong = "needs the original weights; pass --weights FILE" if weights is None else "takes no weights file"
        raise UsageError(f"--embedder {name} {wrong}")
    if name == "random":
        return name
    if weights is not None:
        from rgbdsod.run.patch_stats.inception import open_inception

        return Pooled("inception", open_inception(Path(weights)))
    return Pooled(name, _clip() if name == "clip-demo" else _saliency())


def _clip() -> Callable[[Tensor], Tensor]:
    """The embeddings of the built-in dual encoder, 64 numbers."""
    from rgbdsod.clip import load_clip

    return load_clip(device="cpu").embed


def _saliency() -> Callable[[Tensor], Tensor]:
    """The deepest features of the colour encoder of the built-in BBS-Net, averaged over the picture, 128 numbers."""
    from rgbdsod.models import load_model

    model = load_model("bbsnet", device="cpu").at((_SALIENCY_SIDE, _SALIENCY_SIDE))
    stream = model.network.streams()["rgb"]  # type: ignore[operator]

    def pooled(images: Tensor) -> Tensor:
        deepest: Tensor = stream(model.prepare("rgb", images))[-1]
        return deepest.mean((2, 3))

    return pooled
