"""Images with a patch, for tests of the defences."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def photographs(shared: Path) -> tuple[Tensor, Tensor]:
    """The photographs that show a real patch, (8,3,224,224) in [0, 1], and where it is, bool (8,1,224,224)."""
    root = shared / "data" / "patched_images"
    names = sorted(json.loads((root / "boxes.json").read_text())["boxes"])
    images = [np.array(Image.open(root / "images" / f"{name}.jpg").convert("RGB")) for name in names]
    masks = [np.array(Image.open(root / "masks" / f"{name}.png").convert("L")) for name in names]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255.0, torch.from_numpy(np.stack(masks))[
        :, None
    ] > 128


def overlap(found: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of each image's masks, (B,)."""
    both, either = (found & truth).flatten(1).sum(1), (found | truth).flatten(1).sum(1)
    return both / either.clamp_min(1)


def scenes(count: int, side: int = 48, seed: int = 0) -> dict[str, Tensor]:
    """Smooth RGB-D images, the second half with a square of noise in both."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 4, 4, 4, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1)
    images[count // 2 :, :, 8:24, 16:32] = torch.rand(count - count // 2, 4, 16, 16, generator=generator)
    return {"rgb": images[:, :3].contiguous(), "depth": images[:, 3:].contiguous()}
