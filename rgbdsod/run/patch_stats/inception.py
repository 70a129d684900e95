"""The Inception network of FID, from the file of its original weights and from no other."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d
from torchvision.models.inception import Inception3, InceptionA, InceptionC, InceptionE

from rgbdsod.errors import WeightsError
from rgbdsod.models.checkpoint import read_state, verify

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
BYTES = 95_628_359
"""Of pt_inception-2015-12-05-6726825d.pth, the weights of the original graph ported to torch."""

_CLASSES, _SIDE = 1008, 299


def open_inception(path: Path) -> Callable[[Tensor], Tensor]:
    """The 2048 numbers that FID is computed from, of pictures (B,3,h,w) in [0, 1].

    Args:
        path: of the original weights.

    Raises:
        WeightsError: they are missing, or are others.
    """
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; FID needs pt_inception-2015-12-05-6726825d.pth")
    verify(path, "FID", SHA256, BYTES, "pass pt_inception-2015-12-05-6726825d.pth, or another --embedder")
    network = fid_inception()
    network.load_state_dict(read_state(path))
    return pooled(network)


def fid_inception() -> Inception3:
    """The network with random weights: torchvision's, but for how its blocks pool.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500; the graph is that of
    inception-2015-12-05, whose average pools do not count the padding and whose last block takes the maximum.
    """
    network = Inception3(num_classes=_CLASSES, aux_logits=False, transform_input=False, init_weights=False)
    network.Mixed_5b, network.Mixed_5c, network.Mixed_5d = _A(192, 32), _A(256, 64), _A(288, 64)
    network.Mixed_6b, network.Mixed_6c = _C(768, channels_7x7=128), _C(768, channels_7x7=160)
    network.Mixed_6d, network.Mixed_6e = _C(768, channels_7x7=160), _C(768, channels_7x7=192)
    network.Mixed_7b, network.Mixed_7c = _E(1280), _Last(2048)
    return network.requires_grad_(False).eval()


def pooled(network: Inception3) -> Callable[[Tensor], Tensor]:
    """Pictures (B,3,h,w) in [0, 1] to the network's last pooled features (B,2048)."""
    network.fc = nn.Identity()

    def numbers(images: Tensor) -> Tensor:
        sized = interpolate(images, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        found: Tensor = network(2 * sized - 1)
        return found

    return numbers


def _mean(values: Tensor) -> Tensor:
    """The average of each neighbourhood, without the padding."""
    return avg_pool2d(values, 3, stride=1, padding=1, count_include_pad=False)


class _A(InceptionA):  # type: ignore[misc]  # torchvision is untyped
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_mean(x))]


class _C(InceptionC):  # type: ignore[misc]  # torchvision is untyped
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_mean(x))]


class _E(InceptionE):  # type: ignore[misc]  # torchvision is untyped
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_mean(x))]


class _Last(InceptionE):  # type: ignore[misc]  # torchvision is untyped
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(max_pool2d(x, 3, stride=1, padding=1))]
