"""A small network that draws natural-looking patches, and its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle

from rgbdsod.attacks.generative.files import fill, read, scope_of, write
from rgbdsod.errors import WeightsError

SIDE, NUMBERS = 64, 64
"""Height and width of what is drawn, and how many numbers it is drawn from."""

WIDTHS = (96, 64, 48, 32)
"""Channels at 4, 8, 16 and 32 pixels a side."""

BUILT_IN = "vae"
FAMILY = "patch"
_SMALL = 4  # side at which drawing begins


@dataclass(frozen=True)
class DrawerScope:
    """What a drawer was made of, and how near its pictures come to photographs.

    Args:
        numbers: of a latent vector, standard normal.
        widths: channels at 4, 8, 16 and 32 pixels a side.
        quality: "distance" of its pictures from held-out crops, and of such crops under "noise"; empty: not measured.
        origin: what it was trained on, for the record.
    """

    numbers: int = NUMBERS
    widths: tuple[int, ...] = WIDTHS
    quality: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def natural(self) -> bool:
        """Whether its pictures are nearer to crops of photographs than such crops under strong noise are."""
        return bool(self.quality) and float(self.quality["distance"]) < float(self.quality["noise"])


class Drawer(nn.Module):
    """Pictures (B,3,64,64) in [0, 1] of latent vectors: a linear layer to 4x4, four doublings.

    Args:
        scope: its sizes.
    """

    def __init__(self, scope: DrawerScope | None = None) -> None:
        super().__init__()
        self.scope = scope or DrawerScope()
        first, *rest = self.scope.widths
        self.enter = nn.Linear(self.scope.numbers, first * _SMALL**2)
        layers: list[nn.Module] = []
        for before, after in zip(self.scope.widths, rest, strict=False):
            layers += [nn.SiLU(), nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(rest[-1], 4 * 3, 3, padding=1))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, numbers) in, (B,3,64,64) out."""
        start = self.enter(vectors).unflatten(1, (-1, _SMALL, _SMALL))
        return pixel_shuffle(self.layers(start), 2).sigmoid()

    @torch.no_grad()
    def recentre(self, mean: Tensor, spread: Tensor) -> None:
        """Take standard normal vectors from now on, in place of vectors of this mean (n,) and covariance (n,n)."""
        root = torch.linalg.cholesky(spread.double()).to(self.enter.weight)
        self.enter.bias.add_(self.enter.weight @ mean.to(root))
        self.enter.weight.copy_(self.enter.weight @ root)


def save_drawer(path: str | Path, drawer: Drawer, scope: DrawerScope) -> None:
    """Write a drawer to a .safetensors file, in one step.

    Args:
        path: of the file.
        drawer: whose weights are kept, as float16.
        scope: what the file says of it.

    Raises:
        WeightsError: it cannot be written.
    """
    write(Path(path), drawer, {"family": FAMILY, **asdict(scope)})


def load_drawer(source: str | Path) -> Drawer:
    """A drawer from its file.

    Args:
        source: the file; "vae": the one that comes with the package.

    Raises:
        WeightsError: it is missing, damaged, or holds something else.
    """
    path = Path(str(files(__package__) / "assets" / f"{BUILT_IN}.safetensors")) if source == BUILT_IN else Path(source)
    state, about = read(path, FAMILY)
    scope = scope_of(DrawerScope, {**about, "widths": tuple(about.get("widths", ()))}, source)
    drawer = Drawer(scope)
    fill(drawer, state, source)
    return drawer.requires_grad_(False).eval()


def check_natural(drawer: Drawer, source: str | Path) -> None:
    """Refuse a drawer whose pictures are farther from photographs than noisy photographs are.

    Raises:
        WeightsError: they are, or nobody measured it.
    """
    known = drawer.scope.quality
    other = "train it again (examples/make_naturalistic.py), or pass --natural drawn, which promises nothing"
    if not known:
        raise WeightsError(f"nobody measured how natural the pictures of {source} are; {other}")
    if not drawer.scope.natural:
        raise WeightsError(
            f"{source} draws no natural patches: its pictures are {known['distance']:.2f} from held-out crops, and "
            f"crops under noise {known['noise']:.2f}; {other}"
        )
