"""The cross-modal unit: what two feature maps say together."""

from torch import Tensor, nn


def cross_modal(rgb: Tensor, depth: Tensor) -> Tensor:
    """Sum of two feature maps plus their product, which speaks up where both do.

    Args:
        rgb: features of the RGB input, (B,C,H,W).
        depth: features of the depth input, the same shape.

    Returns:
        rgb + depth + rgb * depth, (B,C,H,W).

    Source:
        Fu et al., JL-DCF (CVPR 2020), section 3.3: the cross-modal module of densely cooperative fusion.
    """
    return rgb + depth + rgb * depth


class CrossModal(nn.Module):
    """`cross_modal` as a place of a network, where what arrives can be looked at and replaced."""

    def forward(self, rgb: Tensor, depth: Tensor) -> Tensor:
        """(B,C,H,W) from two maps of that shape."""
        return cross_modal(rgb, depth)
