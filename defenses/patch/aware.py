"""Attacking a defence knowingly: its values, and the gradient of its stand-in."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rgbdsod.attacks import Bpda
from rgbdsod.defenses.patch.purifier import Purified, Purifier, installed
from rgbdsod.types import Inputs, MapModel


def through(purifier: Purifier, inputs: Inputs) -> Purified:
    """What the defence returns, with the gradient of its surrogate.

    Args:
        purifier: the defence.
        inputs: images by name, in [0, 1].

    Returns:
        Inputs and mask with the defence's values and the surrogate's gradient; the surrogate's score, which an attack
        that wants to stay unseen keeps low.

    Example:
        >>> import torch
        >>> from rgbdsod.defenses import patch_defense, through
        >>> image = torch.rand(1, 3, 32, 32, requires_grad=True)
        >>> seen = through(patch_defense("bits"), {"image": image}).inputs["image"]
        >>> bool(torch.autograd.grad(seen.sum(), image)[0].eq(1).all())
        True

    Source: Athalye et al., "Obfuscated Gradients Give a False Sense of Security", arXiv 1802.00420, section 4.1.
    """
    straight = purifier.differentiable == "exact" or getattr(purifier, "straight", False)
    if straight or not torch.is_grad_enabled():
        return purifier(inputs)
    with torch.no_grad():
        true = purifier(inputs)
    guide = purifier.surrogate(inputs)
    values = {key: _joined(true.inputs[key], value) for key, value in guide.inputs.items()}
    return Purified(values, _joined(true.mask, guide.mask), guide.score, true.undo)


class Defended(nn.Module):
    """A model behind a defence, to be evaluated and attacked like any other.

    Args:
        model: a `MapModel`, or a callable that takes the mapping of inputs.
        purifier: the defence in front.
        size: (H, W) of the maps asked of a `MapModel`; None: that of its first input.

    Example:
        >>> from rgbdsod import load_model
        >>> from rgbdsod.defenses import Defended, patch_defense
        >>> Defended(load_model("bbsnet"), patch_defense("median")).name
        'bbsnet.demo behind median'
    """

    def __init__(
        self, model: MapModel | Callable[[Inputs], Any], purifier: Purifier, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.model, self.purifier, self.size = model, purifier, size
        self.inputs: tuple[str, ...] = tuple(getattr(model, "inputs", ("rgb", "depth")))
        self.name = f"{getattr(model, 'name', type(model).__name__)} behind {purifier.name}"

    def forward(self, inputs: Inputs) -> Any:
        """The model's outputs for the purified inputs."""
        purified = through(self.purifier, inputs).inputs
        with installed(self.purifier):
            return self._outputs(purified)

    def _outputs(self, purified: Inputs) -> Any:
        if not isinstance(self.model, MapModel):
            return self.model(purified)
        features = {key: self.model.encode(key, purified[key]) for key in self.model.inputs}
        height, width = self.size or purified[self.model.inputs[0]].shape[-2:]
        return self.model.fuse(features, (height, width))


def _joined(true: Tensor, guide: Tensor) -> Tensor:
    if true is guide or not guide.requires_grad:
        return true
    joined: Tensor = Bpda(lambda _: true)(guide)
    return joined
