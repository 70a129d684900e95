"""The HHA of a sample, for networks that read it: metric where camera and scale are known, else pseudo-HHA."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rgbdsod.datasets import DepthScale, HHAEncoder, Sample, pseudo_hha, sample_hha
from rgbdsod.datasets.hha.geometry import DOWN


def is_metric(sample: Sample) -> bool:
    """Whether a sample's distances and camera are known."""
    return sample.camera is not None and sample.scale is not None


def hha_image(sample: Sample) -> NDArray[np.uint8]:
    """HHA (H,W,3) of a sample."""
    if is_metric(sample):
        return sample_hha(sample).image
    return pseudo_hha(sample.depth, valid=sample.valid, scale=sample.scale, camera=sample.camera).image


def sample_encoder(sample: Sample) -> HHAEncoder:
    """The differentiable form of `hha_image`, for samples of the same camera and scale."""
    camera: Any = "assumed" if sample.camera is None else sample.camera
    gravity = None if is_metric(sample) else DOWN
    return HHAEncoder(camera, scale=sample.scale or DepthScale(), gravity=gravity, every=1)
