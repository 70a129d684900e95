"""A network behind a chain of defences, as a model to be attacked, and the problem of who also wants to stay unseen."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from rgbdsod.attacks import MapProblem
from rgbdsod.defenses import Chain, Purified, through
from rgbdsod.models import SaliencyModel
from rgbdsod.types import Inputs


class Seen(NamedTuple):
    """What a watched network shows: logits (B,1,H,W), and how attacked the defence finds the inputs, (B,)."""

    logits: Tensor
    score: Tensor


class Front(nn.Module):
    """A model whose inputs pass a chain of defences; satisfies `rgbdsod.types.MapModel`.

    The defence may read all inputs at once, so nothing is computed from one input alone.

    Args:
        model: the network.
        chain: in front of it.
        ids: of the samples of the batch, on which draws depend.
        purpose: what these draws are for; an attack and the verdict on it each have their own.
    """

    def __init__(self, model: SaliencyModel, chain: Chain, ids: Sequence[str], purpose: str) -> None:
        super().__init__()
        self.model, self.inputs = model, model.inputs
        self.name = model.name if not chain.parts else f"{model.name} behind {chain.name}"
        self.chain = chain.given(ids, purpose)

    def encode(self, name: str, x: Tensor) -> Tensor:
        """The input itself."""
        return x

    def fuse(self, features: Mapping[str, Any], size: tuple[int, int]) -> Tensor:
        """Logits (B,1,H,W) of what the chain leaves."""
        return self.watched(features, size).logits

    def watched(self, inputs: Inputs, size: tuple[int, int]) -> Seen:
        """The same with the chain's score."""
        found = through(self.chain, inputs)
        with self.chain.installed():
            features = {name: self.model.encode(name, found.inputs[name]) for name in self.inputs}
            logits = self.model.fuse(features, size)
        return Seen(logits if found.undo is None else found.undo(logits), found.score)

    @torch.no_grad()
    def maps(self, inputs: Inputs) -> tuple[Tensor, Purified]:
        """Saliency as it is saved, uint8 (B,H,W), and what the chain made of the inputs."""
        found = self.chain(inputs)
        with self.chain.installed():
            own = {name: found.inputs[name].clamp(0, 1) for name in self.inputs}
            maps = self.model.predict(size=None, **own)
        if found.undo is not None:
            maps = found.undo(maps[:, None].float())[:, 0].round().to(torch.uint8)
        return maps, found

    def select(self, index: Tensor) -> Self:
        """The same for some of the samples; their draws go on."""
        other = copy.copy(self)
        other.chain = self.chain.select(index)
        return other


class Quiet(MapProblem):
    """A network behind a defence, for an attack that also keeps the defence's score low.

    The loss is the problem's own less `weight` times the score. Points are ranked by the own one alone, behind the true
    defence: what was seen has been dealt with there.

    Args:
        front: the network behind the defence.
        masks: ground truth (B,1,H,W).
        weight: of the score.
        settings: of `MapProblem`.

    Source: Carlini and Wagner, "Adversarial Examples Are Not Easily Detected", arXiv 1705.07263; Tramer et al., arXiv
        2002.08347.
    """

    def __init__(self, front: Front, masks: Tensor, weight: float, **settings: Any) -> None:
        super().__init__(front, masks, **settings)
        self._front, self._weight = front, weight
        self._size = (int(masks.shape[-2]), int(masks.shape[-1]))
        self._fixed: dict[str, Tensor] = {}

    def forward(self, inputs: Inputs) -> Seen:  # type: ignore[override]  # outputs are the problem's own affair
        """Logits and score."""
        return self._front.watched({**self._fixed, **inputs}, self._size)

    def loss(self, outputs: Seen, progress: float = 0.0) -> Tensor:  # type: ignore[override]
        """The objective less the weighted score, (B,)."""
        return super().loss(outputs.logits, progress) - self._weight * outputs.score

    def track(self, outputs: Seen) -> Tensor:  # type: ignore[override]
        """What the problem itself ranks by, (B,)."""
        found = super().track(outputs.logits)
        return super().loss(outputs.logits, 1.0) if found is None else found

    def fooled(self, outputs: Seen) -> Tensor:  # type: ignore[override]
        """Whether the success rule holds, bool (B,)."""
        return super().fooled(outputs.logits)

    def given(self, fixed: Inputs) -> Self:
        """The problem with some inputs filled in."""
        return self._with(_fixed={**self._fixed, **fixed})

    def select(self, index: Tensor) -> Self:
        """The problem for some of the samples."""
        fixed = {name: value[index] for name, value in self._fixed.items()}
        return super().select(index)._with(_front=self._front.select(index), _fixed=fixed)
