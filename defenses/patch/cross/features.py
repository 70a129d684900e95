"""What the decision reads: the five maps, and the baselines that any of them must beat."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rgbdsod.attacks import Bpda
from rgbdsod.defenses.patch.baselines import Energy, Entropy
from rgbdsod.defenses.patch.cross.defence import Clean, CrossDefence
from rgbdsod.defenses.patch.cross.gate import CrossGate
from rgbdsod.defenses.patch.cross.influence import CrossInfluence
from rgbdsod.defenses.patch.cross.outline import CrossOutline
from rgbdsod.defenses.patch.cross.streams import Model
from rgbdsod.defenses.patch.cross.surface import CrossSurface
from rgbdsod.defenses.patch.cross.translation import CrossTranslation
from rgbdsod.defenses.patch.learned.nutnet import NutNet
from rgbdsod.defenses.patch.localiser import Localiser
from rgbdsod.types import Inputs

MAPS = (
    "gate rgb", "gate depth", "translation", "surface", "influence rgb", "influence depth", "outline rgb",
    "outline depth",
)  # fmt: skip
"""C1 to C5; those that accuse a modality, once for each."""

BASELINES = ("energy", "energy depth", "entropy", "autoencoder")
"""What one modality alone shows: edges of RGB and of depth, bits and redrawing errors of RGB."""

FEATURES = (*MAPS, *BASELINES)

_MERGED = ("translation", "surface")  # one map, whomever it accuses


@dataclass(frozen=True, eq=False)
class Instruments:
    """The maps and baselines.

    Args:
        maps: C1 to C5 by name.
        baselines: what reads one input, and which.
    """

    maps: Mapping[str, CrossDefence]
    baselines: Mapping[str, tuple[Localiser, str]]

    def read(self, model: Model, inputs: Inputs) -> dict[str, Tensor]:
        """All of `FEATURES`, (B,1,H,W) each; differentiable."""
        found: dict[str, Tensor] = {}
        for name, one in self.maps.items():
            found |= self._named(name, one.compute(model, inputs))
        for name, (baseline, key) in self.baselines.items():
            image = inputs[key]
            found[name] = baseline.soft_evidence(image) if image.requires_grad else baseline.evidence(image)
        return {name: found[name] for name in FEATURES}

    def _named(self, name: str, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if name in _MERGED:
            return {name: found["depth"]}
        return {f"{name} {key}": value for key, value in found.items()}


def instruments(grid: int = 7) -> Instruments:
    """All of them, with the built-in weights.

    Args:
        grid: windows of C4 each way.
    """
    energy = Energy()
    return Instruments(
        {"gate": CrossGate(), "translation": CrossTranslation(), "surface": CrossSurface(),
         "influence": CrossInfluence(grid=grid), "outline": CrossOutline()},
        {"energy": (energy, "rgb"), "energy depth": (energy, "depth"), "entropy": (Entropy(), "rgb"),
         "autoencoder": (NutNet(), "rgb")},
    )  # fmt: skip


def rarity(values: Tensor, clean: Clean) -> Tensor:
    """How rare values are on clean images: minus the decimal logarithm of the share that is larger, 0 to 3.

    Its gradient is that of the value over its clean threshold, since a rank has none.

    Args:
        values: of one map, (B,1,H,W).
        clean: its values on clean images.
    """
    quantiles = clean.quantiles.to(values)
    below = torch.searchsorted(quantiles, values.detach().contiguous()) / len(quantiles)
    rare = -(1 - below).clamp_min(1e-3).log10()
    if not values.requires_grad:
        return rare
    joined: Tensor = Bpda(lambda _: rare)(values / max(abs(clean.threshold), 1e-6))
    return joined
