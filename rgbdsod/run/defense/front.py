"""A network behind a chain of defences, as a model to be attacked."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from rgbdsod.defenses import Chain, Purified, through
from rgbdsod.defenses.patch.switches.switch import Switch
from rgbdsod.models import SaliencyModel
from rgbdsod.models.d3net import STEEPNESS, D3Net
from rgbdsod.models.depurator import THRESHOLD
from rgbdsod.types import Inputs

Undo = Callable[[Tensor], Tensor]


class Seen(NamedTuple):
    """What a watched network shows: logits (B,1,H,W), and how attacked the defence finds the inputs, (B,)."""

    logits: Tensor
    score: Tensor


class Decided(NamedTuple):
    """What a network shows in a world where a switch decides in one way.

    Args:
        logits: in that world, (B,1,H,W).
        distance: how far the switch is from deciding so, (B,): below 0 it does.
        true: the logits that it really leaves, without a gradient.
    """

    logits: Tensor
    distance: Tensor
    true: Tensor


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
        return Seen(self._logits(found.inputs, found.undo, size), found.score)

    def decided(self, inputs: Inputs, size: tuple[int, int], dropped: str) -> Decided:
        """Logits where the last part, a switch, drops one input or nothing, whatever it would do itself.

        Args:
            inputs: all inputs, (B,C,H,W).
            size: (H, W) of the logits.
            dropped: an input that it watches; any other word: nothing.
        """
        *filters, switch = self.chain.parts
        if not isinstance(switch, Switch):
            raise TypeError(f"{self.chain.name} ends on {switch.name}, which decides nothing")
        found = through(replace(self.chain, parts=tuple(filters)), inputs)
        excess = switch.sharpness * (switch.accusations(found.inputs) - switch.threshold)
        worlds = {name: _without(switch, name, found.inputs) for name in switch.watched}
        logits = self._logits(worlds.get(dropped, found.inputs), found.undo, size)
        with torch.no_grad():
            chosen = torch.where(excess.amax(1) > 0, excess.argmax(1), -1).view(-1, 1, 1, 1)
            left = dict(found.inputs)
            for place, name in enumerate(switch.watched):
                left[name] = torch.where(chosen == place, worlds[name][name], left[name])
            true = self._logits(left, found.undo, size)
        return Decided(logits, _distance(excess, switch.watched, dropped), true)

    def at_gate(self, inputs: Inputs, size: tuple[int, int], *, shut: bool) -> Decided:
        """Logits, and how far the network's own switch is from dropping depth, or from letting it in.

        Args:
            inputs: all inputs, (B,C,H,W).
            size: (H, W) of the logits.
            shut: whether depth is to be dropped.
        """
        found = through(self.chain, inputs)
        with self.chain.installed():
            outputs = self.model.outputs(found.inputs)
            logits = self.model.logits(outputs, size)
        logits = logits if found.undo is None else found.undo(logits)
        excess = STEEPNESS * (outputs["gate"] - float(THRESHOLD))
        return Decided(logits, -excess if shut else excess, logits.detach())

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

    def _logits(self, inputs: Inputs, undo: Undo | None, size: tuple[int, int]) -> Tensor:
        with self.chain.installed():
            logits = self.model.fuse({name: self.model.encode(name, inputs[name]) for name in self.inputs}, size)
        return logits if undo is None else undo(logits)


def gated(model: SaliencyModel) -> bool:
    """Whether a network itself has a switch that drops depth."""
    return isinstance(model.network, D3Net)


def _without(switch: Switch, name: str, inputs: Inputs) -> dict[str, Tensor]:
    """The inputs where the switch dropped one of them."""
    return {**inputs, name: switch.instead(name, inputs).expand_as(inputs[name])}


def _distance(excess: Tensor, watched: Sequence[str], dropped: str) -> Tensor:
    """How far a switch is from dropping an input, or from dropping nothing, (B,)."""
    if dropped not in watched:
        return excess.amax(1)
    place = list(watched).index(dropped)
    others = [excess[:, at] for at in range(len(watched)) if at != place]
    return torch.stack([torch.zeros_like(excess[:, 0]), *others]).amax(0) - excess[:, place]
