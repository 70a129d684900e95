"""Where an object is to appear that is not there."""

import cv2
import numpy as np
import torch
from torch import Tensor

from rgbdsod.attacks.patch.placement import grown

_SHARE = 0.05  # of the picture
_GAP = 0.03  # from object and patch, of the longer side


def ghost_region(objects: Tensor, mask: Tensor) -> Tensor:
    """A disc of 5 % of the picture, or as much as has room, where object and patch are farthest; bool (B,1,H,W).

    Args:
        objects: bool (B,1,H,W).
        mask: where the patch is, bool (B,1,H,W).
    """
    height, width = objects.shape[-2:]
    taken = grown(objects | mask, max(1, round(_GAP * max(height, width))))
    return torch.stack([_disc(one[0].cpu().numpy(), _SHARE * height * width) for one in taken])[:, None].to(objects)


def _disc(taken: np.ndarray, area: float) -> Tensor:
    framed = np.pad((~taken).astype(np.uint8), 1)
    room = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(room.argmax()), room.shape)
    rows, columns = np.ogrid[: room.shape[0], : room.shape[1]]
    radius = min(float(room[y, x]), (area / np.pi) ** 0.5)
    return torch.from_numpy((np.hypot(rows - y, columns - x) < radius) & ~taken)
