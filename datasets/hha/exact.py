"""HHA of batches as a file would hold it: for the verdict on an attack, where `HHAEncoder` is for its steps."""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rgbdsod.datasets.hha.camera import Matrix, kinect_camera
from rgbdsod.datasets.hha.encode import encode_hha
from rgbdsod.datasets.hha.encoder import HHAEncoder
from rgbdsod.datasets.hha.geometry import Flags, Floats
from rgbdsod.datasets.hha.scale import DepthScale
from rgbdsod.errors import UsageError


@dataclass(frozen=True, eq=False)
class ExactHHA:
    """Depth (B,1,H,W) to HHA (B,3,H,W) by `encode_hha`, image by image, without gradient; gravity is found anew.

    Args:
        camera: (3,3), or "assumed", as for `HHAEncoder`.
        scale: what depth in [0, 1] means in metres; None: depth comes in metres.
        gravity: (3,) the same for all images; None: estimated.
        valid: (B,1,H,W) bool, where depth was measured; None: everywhere.
    """

    camera: Matrix | Literal["assumed"]
    scale: DepthScale | None
    gravity: Floats | None = None
    valid: Tensor | None = None

    @classmethod
    def like(cls, encoder: HHAEncoder, valid: Tensor | None = None) -> Self:
        """The same encoding as that of an encoder, on depth that was measured where `valid` is True."""
        camera: Matrix | Literal["assumed"] = "assumed"
        if not isinstance(encoder.camera, str):
            camera = np.asarray(encoder.camera, np.float64)
        return cls(camera, encoder.scale, encoder.gravity, valid)

    def __call__(self, depth: Tensor) -> Tensor:
        """HHA of depth.

        Raises:
            UsageError: depth is no batch of maps, or as for `encode_hha`.
        """
        if depth.ndim != 4 or depth.shape[1] != 1:
            raise UsageError(f"depth is {tuple(depth.shape)}; pass (B, 1, H, W): HHA is made of one map per image")
        if self.valid is not None and len(self.valid) != len(depth):
            raise UsageError(
                f"valid is for {len(self.valid)} images but depth has {len(depth)}; give those of the batch"
            )
        maps = depth.detach().cpu().double().numpy()[:, 0]
        metres = maps if self.scale is None else self.scale.metres(maps)
        valid = None if self.valid is None else self.valid.cpu().numpy()[:, 0]
        images = [self._image(own, None if valid is None else valid[i]) for i, own in enumerate(metres)]
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(depth.device).float().div(255)

    def select(self, index: Tensor) -> Self:
        """The encoding of some of the samples, by index along the batch."""
        return self if self.valid is None else replace(self, valid=self.valid[index])

    def _image(self, metres: Floats, valid: Flags | None) -> NDArray[np.uint8]:
        camera = kinect_camera((metres.shape[0], metres.shape[1])) if isinstance(self.camera, str) else self.camera
        return encode_hha(metres, camera, valid=valid, gravity=self.gravity).image
