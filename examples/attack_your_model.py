"""Attack a network of your own: wrap any torch module, and see which of its inputs it can least afford to lose.

The network here needs no training: what stands out in colour and in depth at once is salient.
"""

from typing import Annotated

import torch
import typer
from torch import Tensor, nn

import rgbdsod


class Contrast(nn.Module):
    """Logits grow with the product of colour contrast and nearness, each against the image's mean."""

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """Logits (B,1,H,W) from RGB (B,3,H,W) and depth (B,1,H,W), near = 1."""
        colour = (rgb - rgb.mean((2, 3), keepdim=True)).square().sum(1, keepdim=True)
        near = (depth - depth.mean((2, 3), keepdim=True)).relu()
        return 200 * torch.sqrt(colour * near.square() + 1e-9) - 6


def main(
    images: Annotated[int, typer.Option(help="generated scenes to attack")] = 8,
    steps: Annotated[int, typer.Option(help="of PGD")] = 10,
    eps: Annotated[float, typer.Option(help="radius in grey levels")] = 8,
) -> None:
    """Attack RGB, depth and both, and print clean and attacked measures."""
    model = rgbdsod.wrap(Contrast(), name="contrast")
    data = rgbdsod.load_dataset(f"scenes:{images}@96x96#7")
    for modality in ("rgb", "depth", "both"):
        result = rgbdsod.attack(model, data, modality=modality, eps=eps / 255, steps=steps)
        print(f"{modality} may change by {eps:g}/255\n{result.summary()}\n")


if __name__ == "__main__":
    typer.run(main)
