"""C1: where the opinions of RGB, of depth and of both disagree, window by window."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rgbdsod.defenses.patch.cross.defence import CrossDefence
from rgbdsod.defenses.patch.cross.streams import Model, Streams, by_replacement, window_mean
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class CrossGate(CrossDefence):
    """The distance of the RGB and depth maps in windows, laid at the door of the modality that stands alone.

    D3Net's switch compares whole images, so a patch on a small share of one cannot trip it, and it can only ever drop
    depth. Here the distance is a mean over windows of 11 % of the side, and of the two modalities the one is accused
    whose map is further from that of both together.

    Args:
        on: not used.
        model: three passes through it: as it is, and with each modality replaced by its mean.
        fill: what replaces the masked pixels.
        smallest: blobs below this share of the image are dropped.
        margin: what blobs grow by, as a share of the longer side.
        clean: by modality; `calibrate` sets it.
        window: of the means, as a share of the longer side.

    Source: after the depth depurator of D3Net, arXiv 1907.06781, section IV-C.
    """

    window: float = 0.11

    name: ClassVar[str] = "cross-gate"

    def compute(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """The windowed distance, shared by how far each modality alone is from both together."""
        distances = self.distances(by_replacement(model, inputs))
        lone = distances["rgb-both"] + distances["depth-both"]
        share = {key: distances[f"{key}-both"] / lone.clamp_min(1e-6) for key in ("rgb", "depth")}
        return {key: distances["rgb-depth"] * value for key, value in share.items()}

    def distances(self, streams: Streams) -> dict[str, Tensor]:
        """The windowed means of |S_rgb - S_depth|, |S_rgb - S_both| and |S_depth - S_both|, (B,1,H,W).

        Args:
            streams: of any network: D3Net has its own three.
        """
        side = round(self.window * max(streams.both.shape[-2:]))
        pairs = {
            "rgb-depth": streams.rgb - streams.depth,
            "rgb-both": streams.rgb - streams.both,
            "depth-both": streams.depth - streams.both,
        }
        return {key: window_mean(value.abs(), side) for key, value in pairs.items()}
