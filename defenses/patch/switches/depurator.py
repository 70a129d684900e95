"""D3Net's depth depurator, for any network of RGB and depth."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from torch import Tensor

from rgbdsod.attacks.problem import frozen
from rgbdsod.defenses.patch.cross.streams import MODALITIES, Model, by_replacement, check_pair, check_victim, held
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.errors import UsageError
from rgbdsod.types import Inputs


@dataclass(frozen=True, eq=False, kw_only=True)
class Depurator(Switch):
    """Depth is dropped where the maps with it and of it alone are too far apart, on the mean over the image.

    D3Net has this switch inside, with streams of their own; here the map of depth alone comes from the victim, with RGB
    replaced by its mean. RGB is never dropped, and a change on a small share of the image can move the mean by that
    share at most: so it is no defence against patches on RGB, and hardly one against small ones on depth.

    Args:
        on: not used.
        threshold: of the mean distance; 0.15 is the paper's.
        model: two passes through it.

    Raises:
        UsageError: no model of RGB and depth.

    Source: Fan et al., "Rethinking RGB-D Salient Object Detection", TNNLS 2021, arXiv 1907.06781, section IV-C.
    """

    threshold: float = 0.15
    model: Model | None = None

    name: ClassVar[str] = "depurator"
    sharpness: ClassVar[float] = 100.0
    suspects: ClassVar[tuple[str, ...]] = ("depth",)

    def in_front_of(self, victim: object) -> Self:
        """The same defence for this victim.

        Raises:
            UsageError: it is no network of RGB and depth.
        """
        return replace(self, model=check_victim(self.name, victim))

    def accusations(self, inputs: Inputs) -> Tensor:
        """The mean distance of the maps of both inputs and of depth, (B,1)."""
        check_pair(self.name, inputs)
        if self.model is None:
            raise UsageError(f"{self.name} compares what a model makes of both inputs and of depth; pass model=...")
        with frozen(*held(self.model)):
            streams = by_replacement(self.model, {name: inputs[name] for name in MODALITIES})
        return (streams.both - streams.depth).abs().mean((2, 3))
