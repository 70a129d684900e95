"""The releases' own test-time loaders and post-processing, for numbers that must equal the published ones.

Everyday use goes through the adapter of `load_model`, which resizes and scales all networks alike; the releases differ
from it, and from one another, in the resizing filter, the treatment of depth and the stretching of the map.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from rgbdsod.errors import UsageError
from rgbdsod.models.depurator import depurate

Bytes = NDArray[np.uint8]
Size = tuple[int, int]

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def official_inputs(architecture: str, rgb: Bytes, depth: Bytes, size: Size) -> tuple[Tensor, Tensor]:
    """A network's inputs as its release makes them of one decoded image pair.

    Args:
        architecture: "bbsnet", "jldcf" or "d3net".
        rgb: image in RGB order, (H,W,3) uint8.
        depth: depth map as the release's files hold it (JL-DCF: near is dark, stretched), (H,W) uint8.
        size: height and width of the network's inputs; 352 x 352, 320 x 320 and 224 x 224 in the releases.

    Returns:
        RGB (1,3,h,w), normalised; depth (1,1,h,w) in [0, 1], for JL-DCF (1,3,h,w), normalised.

    Raises:
        UsageError: there is no such architecture, or the arrays are not 8 bit or not of one size.
    """
    rules = _rules(architecture)
    if rgb.dtype != np.uint8 or depth.dtype != np.uint8 or rgb.shape != (*depth.shape, 3):
        raise UsageError(
            f"the official loaders take uint8 arrays (H,W,3) and (H,W) of one size, but got {rgb.dtype} {rgb.shape} "
            f"and {depth.dtype} {depth.shape}"
        )
    return rules.inputs(rgb, depth, size)


def official_map(architecture: str, outputs: Mapping[str, Tensor], size: Size) -> Tensor:
    """The 8-bit maps that a release saves.

    BBS-Net and JL-DCF stretch each map to the full range, which partly undoes an attack that flattens it.

    Args:
        architecture: "bbsnet", "jldcf" or "d3net".
        outputs: what the network's `forward` returned.
        size: height and width of the ground truth.

    Returns:
        Maps (B,H,W), uint8.

    Raises:
        UsageError: there is no such architecture.
    """
    return _rules(architecture).map(outputs, size)


class _Rules(NamedTuple):
    """How one release loads its inputs and saves its map."""

    inputs: Callable[[Bytes, Bytes, Size], tuple[Tensor, Tensor]]
    map: Callable[[Mapping[str, Tensor], Size], Tensor]


def _rules(architecture: str) -> _Rules:
    """The rules of an architecture."""
    if architecture not in _RULES:
        raise UsageError(f'no official rules for "{architecture}"; there are some for {", ".join(_RULES)}')
    return _RULES[architecture]


def _bbsnet_inputs(rgb: Bytes, depth: Bytes, size: Size) -> tuple[Tensor, Tensor]:
    """Pillow's bilinear filter, which averages when it shrinks; depth without mean and standard deviation."""
    resized = [np.asarray(Image.fromarray(x).resize(size[::-1], Image.Resampling.BILINEAR)) for x in (rgb, depth)]
    return _normalised(resized[0]), _scaled(resized[1])


def _d3net_inputs(rgb: Bytes, depth: Bytes, size: Size) -> tuple[Tensor, Tensor]:
    """OpenCV's bilinear interpolation of RGB, in 8 bit, and the nearest pixel of depth."""
    resized = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_LINEAR)
    nearest = cv2.resize(depth, size[::-1], interpolation=cv2.INTER_NEAREST)
    return _normalised(resized), _scaled(nearest)


def _jldcf_inputs(rgb: Bytes, depth: Bytes, size: Size) -> tuple[Tensor, Tensor]:
    """OpenCV's bilinear interpolation in floating point; depth is read as a colour image and treated like one."""
    images = (rgb, np.repeat(depth[..., None], 3, axis=2))
    resized = (cv2.resize(x.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR) for x in images)
    first, second = (_normalised(x) for x in resized)
    return first, second


def _scaled(image: NDArray[np.generic]) -> Tensor:
    """(1,C,h,w) in [0, 1] of (h,w) or (h,w,3) in 0..255."""
    array = np.atleast_3d(image).astype(np.float32) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))[None]


def _normalised(image: NDArray[np.generic]) -> Tensor:
    """(1,3,h,w) with ImageNet's mean and standard deviation taken out, of (h,w,3) in 0..255."""
    mean, std = (torch.from_numpy(x)[:, None, None] for x in (MEAN, STD))
    return (_scaled(image) - mean) / std


def _bbsnet_map(outputs: Mapping[str, Tensor], size: Size) -> Tensor:
    """Logits resized with the outer pixel edges aligned, then stretched."""
    return _stretched(F.interpolate(outputs["final"], size=size, mode="bilinear", align_corners=False))


def _jldcf_map(outputs: Mapping[str, Tensor], size: Size) -> Tensor:
    """Logits resized with the corner pixels aligned, then stretched."""
    return _stretched(F.interpolate(outputs["final"], size=size, mode="bilinear", align_corners=True))


def _d3net_map(outputs: Mapping[str, Tensor], size: Size) -> Tensor:
    """The depth depurator unit's choice."""
    return depurate(outputs["rgb"], outputs["rgbd"], outputs["depth"], size).maps


def _stretched(logits: Tensor) -> Tensor:
    """Maps (B,H,W) uint8, each spanning the full range, of logits (B,1,H,W)."""
    probability = torch.sigmoid(logits[:, 0])
    low, high = probability.amin(dim=(1, 2), keepdim=True), probability.amax(dim=(1, 2), keepdim=True)
    return ((probability - low) / (high - low + 1e-8) * 255).round().to(torch.uint8)


_RULES: Mapping[str, _Rules] = {
    "bbsnet": _Rules(_bbsnet_inputs, _bbsnet_map),
    "jldcf": _Rules(_jldcf_inputs, _jldcf_map),
    "d3net": _Rules(_d3net_inputs, _d3net_map),
}
