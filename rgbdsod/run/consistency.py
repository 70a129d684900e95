"""The losses that keep an attacked network near its clean self: what they compare, and one call a step."""

from copy import deepcopy

import torch
from torch import Tensor

from rgbdsod.defenses import attention_distance, bernoulli_kl, cross_modal_attention, feature_distance
from rgbdsod.fusion import CrossEncoder
from rgbdsod.models import SaliencyModel
from rgbdsod.run.alignment import Alignment
from rgbdsod.run.consistency_settings import ConsistencySettings
from rgbdsod.run.streams import NAMES, Streams, streams_of, unrecorded
from rgbdsod.run.training_step import Step
from rgbdsod.types import Inputs

Features = dict[str, Tensor]


class Consistency:
    """Compares what the network learned from in a step, attacked, with the clean inputs.

    Features are those of each input's own encoder alone, with BatchNorm on the statistics of the batch, which are not
    recorded. Attention is read from the alignment's cross-encoder where the training has one, and from the features
    themselves otherwise.

    Args:
        model: as the training begins, before a checkpoint is loaded: what stays frozen.
        settings: which losses.
        alignment: of the training.

    Raises:
        UsageError: a loss compares streams, which the network has not.
    """

    def __init__(self, model: SaliencyModel, settings: ConsistencySettings, alignment: Alignment | None) -> None:
        self.model, self.settings = model, settings
        on = settings.weights
        compares = "attention_consistency" in on or "feature_consistency" in on
        self.streams = streams_of(model) if compares else None
        frozen = "feature_consistency" in on or "model_constraint" in on
        self.frozen = deepcopy(model).eval().requires_grad_(False) if frozen else None
        self.old_streams = streams_of(self.frozen) if self.frozen and "feature_consistency" in on else None
        cross = alignment.parts["cross"] if alignment is not None and "cross" in alignment.parts else None
        self.cross = cross if isinstance(cross, CrossEncoder) else None

    def __call__(self, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum of the losses, and each by name; 0 before the network has seen anything."""
        total = torch.zeros((), device=self.model.device)
        seen: dict[str, Tensor] = {}
        if step.learned is None:
            return total, seen
        moved, outputs = step.learned
        features = None if self.streams is None else self._features(self.streams, self.model, moved)
        for name, weight in self.settings.weights.items():
            if name == "model_constraint":
                value = self._constraint(step, outputs)
            elif name == "feature_consistency":
                value = self._feature_loss(step.inputs, features or {})
            else:
                value = self._attention_loss(step.inputs, features or {})
            total = total + weight * value
            seen[name] = value.detach()
        return total, seen

    def _constraint(self, step: Step, outputs: dict[str, Tensor]) -> Tensor:
        """How far the map that the step learned from is from the frozen network's of the clean inputs."""
        if self.frozen is None:
            raise TypeError("a model constraint without a frozen model")
        self.frozen.eval()  # its encoders may just have been compared on statistics of the batch
        with torch.no_grad():
            clean = step.logits({name: value.float() for name, value in self.frozen.outputs(step.inputs).items()})
        return bernoulli_kl(clean, step.logits(outputs)).mean()

    def _feature_loss(self, clean: Inputs, attacked: Features) -> Tensor:
        """The mean over both inputs of how far features have moved from the frozen network's."""
        if self.frozen is None or self.old_streams is None or self.streams is None:
            raise TypeError("a feature consistency without a frozen model")
        self.old_streams.train(self.model.training)
        with torch.no_grad():
            old = self._features(self.old_streams, self.frozen, clean)
        return torch.stack([feature_distance(attacked[name], old[name]).mean() for name in NAMES]).mean()

    def _attention_loss(self, clean: Inputs, attacked: Features) -> Tensor:
        """The share of attention that the attack moved elsewhere."""
        if self.streams is None:
            raise TypeError("an attention consistency without streams")
        with torch.no_grad():
            calm = self._attention(self._features(self.streams, self.model, clean))
        return attention_distance(self._attention(attacked), calm).mean()

    def _attention(self, features: Features) -> Tensor:
        rgb, depth = (features[name] for name in NAMES)
        if self.cross is None:
            return cross_modal_attention(rgb, depth)
        with unrecorded(self.cross):
            attention: Tensor = self.cross(rgb, depth)[1]
        return attention

    def _features(self, streams: Streams, model: SaliencyModel, inputs: Inputs) -> Features:
        """Features (B,C,h,w) of each input, from its own encoder alone."""
        with unrecorded(streams):
            return {name: streams(name, model.prepare(name, inputs[name])) for name in NAMES}
